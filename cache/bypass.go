package cache

import (
	"context"
	"fmt"
	"time"
)

// Bypass says how far a space is left out: a switch for the time when what is cached
// is suspected to be wrong, or the fleet is better left alone.
//
// Reads that bypass are loads, as a miss is one: callers of a key at the same moment
// share one, and LimitConfig spares the source. Nothing of them is stored. Writes go
// to the source and remove the entry from the fleet and from every level 1, with or
// without a version: so what the fleet has is no older afterwards than it would be
// anyway. Invalidate, BumpEpoch and Incr do what they always do.
type Bypass uint8

// The ways to bypass.
const (
	BypassNothing Bypass = iota // the cache is used
	BypassFleet                 // level 1, and then the source
	BypassAll                   // the source
)

var bypassNames = [...]string{"nothing", "fleet", "all"}

// String returns the mode in a word: that which ParseBypass takes.
func (b Bypass) String() string {
	if int(b) < len(bypassNames) {
		return bypassNames[b]
	}
	return fmt.Sprintf("Bypass(%d)", uint8(b))
}

// ParseBypass is the reverse of String: "nothing", "fleet" or "all".
func ParseBypass(mode string) (Bypass, error) {
	for b, name := range bypassNames {
		if mode == name {
			return Bypass(b), nil
		}
	}
	return 0, configError("Bypass", fmt.Sprintf("%.40q", mode), "nothing, fleet or all")
}

// Bypass has this process leave the space out, from the next call on, until it is
// called with BypassNothing. Of this and of the Control of an operator (see
// SpaceConfig.Controls) the one that leaves out more holds. A mode that there is not
// is BypassAll.
func (s *Space[K, V]) Bypass(mode Bypass) { s.bypass.Store(uint32(min(mode, BypassAll))) }

// Bypassed returns what is left out now.
func (s *Space[K, V]) Bypassed() Bypass {
	mode := Bypass(s.bypass.Load())
	if c := s.control.Load(); c != nil && time.Now().Before(c.Until) {
		mode = max(mode, c.Bypass)
	}
	return mode
}

// through asks the source past the cache.
func (s *Space[K, V]) through(ctx context.Context, key K, load Loader[K, V], mode Bypass) (v V, meta Meta, err error) {
	k, err := s.keyIn(key, 0, true)
	if err != nil {
		return v, meta, err
	}
	if mode == BypassFleet {
		epoch, _ := s.epochOf(ctx)
		k.epoch = epoch
		if v, meta, found := s.lookL1(ctx, key, epoch); found {
			return v, meta, nil
		}
	}
	if load == nil {
		return v, meta, ErrNoLoader
	}
	s.counters.bypassed.Add(1)
	return s.await(ctx, &query[K, V]{key: key, store: k, load: load, past: mode}, nil, false)
}

// produceThrough is produce for reads that bypass.
func (s *Space[K, V]) produceThrough(ctx context.Context, q query[K, V]) (answer[V], error) {
	generation := s.l1.generation(q.store.identity)
	a, _, err := s.loadAndStore(ctx, q, right[V]{state: HoldOff})
	if err == nil && q.past == BypassFleet {
		s.keepL1(q.key, generation, &a)
	}
	return a, err
}

// throughMany asks the source for many keys past the cache: in one call of LoadMany
// if there is one.
func (s *Space[K, V]) throughMany(ctx context.Context, keys []K, mode Bypass) map[K]Answer[V] {
	answers := make(map[K]Answer[V], len(keys))
	var asked []K
	for _, key := range keys {
		if _, known := answers[key]; !known {
			answers[key] = Answer[V]{}
			asked = append(asked, key)
		}
	}
	if s.cfg.LoadMany != nil && mode == BypassAll {
		s.throughBatch(ctx, asked, answers)
		return answers
	}
	results := make([]Answer[V], len(asked))
	atOnce(len(asked), func(i int) {
		r := &results[i]
		r.Value, r.Meta, r.Err = s.through(ctx, asked[i], s.cfg.Load, mode)
	})
	for i, key := range asked {
		answers[key] = results[i]
	}
	return answers
}

func (s *Space[K, V]) throughBatch(ctx context.Context, keys []K, answers map[K]Answer[V]) {
	var asked []query[K, V]
	var valid []K
	for _, key := range keys {
		k, err := s.keyIn(key, 0, true)
		if err != nil {
			answers[key] = Answer[V]{Err: err}
			continue
		}
		valid, asked = append(valid, key), append(asked, query[K, V]{key: key, store: k})
	}
	if len(valid) == 0 {
		return
	}
	s.counters.bypassed.Add(uint64(len(valid)))
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err := call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (map[K]Loaded[V], error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
		return limited(ctx, s.limit, &s.counters, len(valid), func(ctx context.Context) (map[K]Loaded[V], error) { return s.cfg.LoadMany(ctx, valid) })
	})
	ended(Outcome{Err: err, Keys: len(valid)})
	if err != nil {
		s.countLoadError(err, len(valid))
		answerAll(answers, valid, fmt.Errorf("cache: load %s: %w", s.name, err))
		return
	}
	for _, q := range asked {
		l, present := loaded[q.key]
		a, _, err := s.sealOne(q, l, !present, 0)
		if err != nil {
			answers[q.key] = Answer[V]{Err: err}
			continue
		}
		v, meta, err := s.deliver(&a)
		answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
	}
}
