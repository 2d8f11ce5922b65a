package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

func (s *Space[K, V]) announceIDs(ctx context.Context, ids []identity) error {
	if s.filter == nil {
		return nil
	}
	err := s.filter.tells.join(ctx, s.m.run, ids, func(ids []identity) error {
		ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
		defer cancel()
		_, err := s.announce(ctx, ids)
		return err
	})
	if err != nil {
		return fmt.Errorf("cache: announce %s: %w", s.name, err)
	}
	return nil
}

// refused says whether the filter knows that the source does not have the key. If
// the fleet cannot be asked for news nothing is refused.
func (s *Space[K, V]) refused(ctx context.Context, id identity) bool {
	return s.filter != nil && s.filter.absent(id) && s.askNews(ctx) == nil && s.filter.absent(id)
}

// refuse answers those queries that the filter refuses, and returns the others.
func (s *Space[K, V]) refuse(ctx context.Context, asked []query[K, V], answers map[K]Answer[V]) []query[K, V] {
	absent := func(q query[K, V]) bool { return s.filter.absent(q.store.identity) }
	if s.filter == nil || !slices.ContainsFunc(asked, absent) || s.askNews(ctx) != nil {
		return asked
	}
	return slices.DeleteFunc(asked, func(q query[K, V]) bool {
		if !absent(q) {
			return false
		}
		s.counters.filtered.Add(1)
		answers[q.key] = Answer[V]{Meta: Meta{Source: FromFilter}, Err: ErrNotFound}
		return true
	})
}

// askNews has the filter take what was announced before the call.
func (s *Space[K, V]) askNews(ctx context.Context) error {
	return s.filter.asks.join(ctx, s.m.run, nil, func([]identity) error {
		ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
		defer cancel()
		e, err := s.m.cfg.Store.Get(ctx, s.filterKey)
		if err != nil && !errors.Is(err, ErrMiss) {
			s.storeFailed(ctx, err)
			return err
		}
		log, _ := decodeAnnounced(e.Value) // of one that is lost: no log, which is another one
		s.filter.news(log)
		return nil
	})
}

// keepFilter builds the filter, and builds it anew, until the manager is closed.
func (s *Space[K, V]) keepFilter() {
	news := time.NewTicker(time.Second) // also where nothing is refused
	defer news.Stop()
	expected := s.cfg.Filter.Expected
	for wait := time.Duration(0); s.filterWait(news, wait) != ErrClosed; {
		added, err := s.buildFilter(news, expected)
		if err == nil {
			s.counters.filters.Add(1)
			expected = max(s.cfg.Filter.Expected, added+added/4)
			wait = s.cfg.Filter.Rebuild
			continue
		}
		if s.m.ctx.Err() != nil {
			return
		}
		s.m.tell(s.name, err)
		wait = min(s.cfg.Filter.Rebuild, time.Second)
	}
}

var errFilterMissed = errors.New("cache: filter: announcements were missed")

// filterWait waits, and takes news meanwhile. errFilterMissed: the filter has to be
// built anew; ErrClosed: the manager was closed.
func (s *Space[K, V]) filterWait(news *time.Ticker, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !s.filter.takeFailed() {
		select {
		case <-s.m.ctx.Done():
			return ErrClosed
		case <-timer.C:
			return nil
		case <-news.C:
			_ = s.askNews(s.m.ctx)
		}
	}
	return errFilterMissed
}

// buildFilter begins a filter, waits until what was announced before is committed,
// and adds the source's keys.
func (s *Space[K, V]) buildFilter(news *time.Ticker, expected uint) (added uint, err error) {
	ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
	log, err := s.announce(ctx, nil) // there is a log from now on
	cancel()
	if err != nil {
		return 0, err
	}
	s.filter.news(log)
	s.filter.begin(expected, s.cfg.Filter.FalsePositives)
	defer s.filter.giveUp()
	s.filter.takeFailed() // that of the time before
	// What was announced before is counted from when Announce returned.
	if err := s.filterWait(news, s.cfg.Filter.Commit+s.cfg.Loads.Timeout); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	ctx, cancel = context.WithCancel(s.m.ctx)
	defer cancel()
	if err := s.m.run(func() { done <- s.streamKeys(ctx) }); err != nil {
		return 0, err
	}
	for {
		select {
		case err := <-done:
			if err != nil {
				return 0, fmt.Errorf("cache: keys of %s: %w", s.name, err)
			}
			added, complete := s.filter.complete()
			if !complete {
				return 0, errFilterMissed
			}
			return added, nil
		case <-news.C:
			_ = s.askNews(ctx)
		}
	}
}

func (s *Space[K, V]) streamKeys(ctx context.Context) (err error) {
	err = errGoexit
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p}
		}
	}()
	err = s.cfg.Filter.Keys(ctx, func(key K) {
		// A key that the space refuses is never asked for.
		if k, err := s.keyIn(key, 0, true); err == nil {
			s.filter.add(k.identity)
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	return err
}
