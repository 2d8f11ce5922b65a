package cache

import (
	"context"
	"errors"
	"time"
)

// query is what one call is about.
type query[K Key, V any] struct {
	key   K
	store storeKey
	load  Loader[K, V]
	seen  uint64 // stamp of the entry that is to be replaced; 0: there is none

	away  bool   // the store did not answer for the key
	past  Bypass // nothing of it is stored
	again bool   // it was joined once more, after one that gave way
	ahead bool   // nobody waits for it, and the store is cold

	ofCall bool // load is not the loader of the space: see PauseConfig

	came time.Time // when the caller first joined a load; zero: he has not yet

	// late: what was awaited is returned in result, and delivered by who set late. To
	// decode takes much of the stack: down here each of a thousand new goroutines that
	// wait for one value would have to have its own copied to a larger place.
	late   bool
	result *answer[V]

	useless bool     // GetMany: there is an entry, which is to be replaced
	known   known    // versions of tags, from before the load
	many    *part[V] // GetMany, of what is to be loaded; else nil
}

// answer goes on from what the store had.
func (s *Space[K, V]) answer(ctx context.Context, q *query[K, V], generation uint64, a *answer[V], usable bool) (V, Meta, error) {
	now := a.opened
	if now.IsZero() {
		now = time.Now()
	}
	if usable {
		q.seen = a.stamp
	}
	if usable && now.Before(a.soft) {
		if s.cfg.Check.Version != nil {
			if least, old := s.outdated(ctx, q.key, q.store, a, now); old {
				usable, q.store.least = false, least
			}
		}
	}
	switch {
	case usable && now.Before(a.soft):
		s.hit(a)
		if s.l1 != nil {
			s.keepL1(q.key, generation, a)
		}
		if !a.negative && s.early(&a.envelope, now) {
			s.refresh(ctx, *q)
		}
		return s.deliverAt(a, now)
	case usable && now.Before(a.soft.Add(s.cfg.Life.StaleWhileRevalidate)):
		s.refresh(ctx, *q)
		return s.stale(a)
	}
	s.counters.misses.Add(1)
	if q.load == nil {
		var none V
		return none, Meta{}, ErrNoLoader
	}
	usable = usable && now.Before(a.soft.Add(s.cfg.Life.StaleOnError))
	return s.await(ctx, q, a, usable)
}

func (s *Space[K, V]) hit(a *answer[V]) {
	if a.negative {
		a.source = FromNegative
		s.counters.negativeHits.Add(1)
		return
	}
	a.source = FromL2
	s.counters.l2Hits.Add(1)
}

// await joins the load of the key. With an old value at hand it does so for
// SoftTimeout at most, and an error of the source is no error; else old may be nil.
func (s *Space[K, V]) await(ctx context.Context, q *query[K, V], old *answer[V], usable bool) (V, Meta, error) {
	var none V
	if err := s.held(q, true); err != nil {
		return s.orOld(old, usable, err)
	}
	loading := ctx
	if usable {
		loading = giveWay(ctx)
	}
	var soft <-chan time.Time
	if usable {
		timer := time.NewTimer(s.cfg.Loads.SoftTimeout)
		defer timer.Stop()
		soft = timer.C
	}
again:
	if q.came.IsZero() {
		q.came = time.Now()
	}
	f, leader, err := s.join(loading, q)
	if err != nil {
		return none, Meta{}, err
	}
	if !leader {
		s.counters.coalesced.Add(1)
	}
	select {
	case <-f.done:
		switch {
		case f.err == nil && !leader && cameAfter(q.came, f.result.decided):
			s.counters.lookups.Add(1)
			*q = query[K, V]{key: q.key, store: q.store, load: q.load, ofCall: q.ofCall, late: q.late, came: q.came}
			return s.fromFleet(ctx, q)
		case f.err == nil && !f.result.free():
			goto again
		case f.err == nil && q.late:
			q.result = &f.result
			return none, Meta{}, nil
		case f.err == nil:
			return s.deliver(&f.result)
		}
		if err = f.err; !usable && !leader && !q.again && errors.Is(err, ErrShed) {
			q.again = true // whose load it was may have given way
			return s.await(ctx, q, old, usable)
		}
	case <-soft:
		err = ErrLoadTimeout
	case <-ctx.Done():
		return none, Meta{}, ctx.Err()
	}
	return s.orOld(old, usable, err)
}

// orOld hands out the old value, if there is one, in place of an error.
func (s *Space[K, V]) orOld(old *answer[V], usable bool, err error) (V, Meta, error) {
	if !usable || errors.Is(err, ErrClosed) {
		var none V
		return none, Meta{}, err
	}
	s.m.tell(s.name, err)
	return s.stale(old)
}

// cameAfter says that who joined a flight did so when its answer was decided: the value was
// stored, or found, and the flight had only not heard of it yet; or the load, of which
// nothing may be stored, had begun. Another process may have invalidated the value in
// between, or a hold-off have ended. The load that he joins next begins after he came, so
// that nobody waits for more than two.
func cameAfter(joined, decided time.Time) bool { return !decided.IsZero() && joined.After(decided) }

// join joins the load of the key, or starts it.
func (s *Space[K, V]) join(ctx context.Context, q *query[K, V]) (f *flight[answer[V]], leader bool, err error) {
	if f = s.flights.underWay(q.store.flight()); f != nil {
		return f, false, nil
	}
	return s.lead(ctx, *q)
}

// lead is join for the one who is likely to be the first. It is apart because what a load
// needs is on the heap, and the others need none of it.
func (s *Space[K, V]) lead(ctx context.Context, q query[K, V]) (*flight[answer[V]], bool, error) {
	q.load = s.counted(q.load) // GetWith has one of its own
	ctx = withCaller(ctx)
	ctx = context.WithoutCancel(ctx)
	return s.flights.join(q.store.flight(), s.m.run, func(f *flight[answer[V]]) (answer[V], error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
		a, err := s.produce(ctx, q, f)
		err = s.noted(ctx, &q, true, err)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return a, cause
		}
		return a, err
	})
}

// stale hands out a value past its time to live.
func (s *Space[K, V]) stale(a *answer[V]) (V, Meta, error) {
	s.counters.staleServed.Add(1)
	a.source = FromStale
	return s.deliver(a)
}

// deliver returns what one caller gets: a copy of its own.
func (s *Space[K, V]) deliver(a *answer[V]) (v V, meta Meta, err error) {
	return s.deliverAt(a, time.Now())
}

func (s *Space[K, V]) deliverAt(a *answer[V], now time.Time) (v V, meta Meta, err error) {
	meta = Meta{Source: a.source, Age: max(0, now.Sub(a.stored)), Version: a.version}
	switch {
	case a.negative:
		return v, meta, ErrNotFound
	case a.own, a.sole != nil:
		return a.value, meta, nil
	}
	if v, copied, err := s.plainCopy(a.value); copied || err != nil {
		return v, meta, err
	}
	v, err = s.decode(a.payload, a.id)
	return v, meta, err
}

// plainCopy returns a copy, of a value that the codec has made, for which nothing has to
// be decoded, if there is one.
func (s *Space[K, V]) plainCopy(v V) (c V, copied bool, err error) {
	switch {
	case s.flat:
		return v, true, nil
	case s.cfg.Clone != nil:
		c, err = s.clone(v)
		return c, err == nil, err
	case s.plain:
		return s.copied(v), true, nil
	}
	return c, false, nil
}
