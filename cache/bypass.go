package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Bypass says how far a space is left out: a switch for the time when what is cached
// is suspected to be wrong, or the fleet is better left alone.
//
// Reads that bypass are loads, as a miss is one: callers of a key at the same moment
// share one, one call of LoadMany brings what a GetMany lacks, and LimitConfig spares the
// source. Nothing of them is stored. Writes go
// to the source and remove the entry from the fleet and from every level 1, with or
// without a version: so what the fleet has is no older afterwards than it would be
// anyway. Invalidate, BumpEpoch and Incr do what they always do.
type Bypass uint8

// The ways to bypass.
const (
	BypassNothing Bypass = iota // the cache is used
	BypassFleet                 // level 1, which is given nothing new that has tags, and then the source
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
func (s *Space[K, V]) through(ctx context.Context, key K, load Loader[K, V], ofCall bool, mode Bypass) (v V, meta Meta, err error) {
	k, v, meta, found, err := s.passed(ctx, key, mode)
	switch {
	case found || err != nil:
		return v, meta, err
	case load == nil:
		return v, meta, ErrNoLoader
	}
	return s.source(ctx, key, k, load, ofCall, mode)
}

// source joins the load of a key of which nothing else is asked.
func (s *Space[K, V]) source(ctx context.Context, key K, k storeKey, load Loader[K, V], ofCall bool, mode Bypass) (V, Meta, error) {
	s.counters.bypassed.Add(1)
	return s.await(ctx, &query[K, V]{key: key, store: k, load: load, ofCall: ofCall, past: mode}, nil, false)
}

// reloadThrough is Reload past the cache: what level 1 has is handed out if it is enough.
func (s *Space[K, V]) reloadThrough(ctx context.Context, key K, load Loader[K, V], enough func(V) bool, mode Bypass) (v V, meta Meta, err error) {
	k, v, meta, found, err := s.passed(ctx, key, mode)
	if err == nil {
		found, err = isEnough(enough, v, found && enough != nil)
	}
	if found || err != nil {
		return v, meta, err
	}
	return s.source(ctx, key, k, load, true, mode)
}

// passed is the key as it is for a read that bypasses, and what level 1 has for it, if
// that is asked at all.
func (s *Space[K, V]) passed(ctx context.Context, key K, mode Bypass) (k storeKey, v V, meta Meta, found bool, err error) {
	epoch, known := s.epochPast(ctx, mode)
	if k, err = s.keyIn(key, epoch, known); err == nil && mode == BypassFleet {
		v, meta, found = s.lookL1(ctx, key, epoch)
	}
	return k, v, meta, found, err
}

// epochPast is the epoch for what level 1 has; nobody else is asked for an entry.
func (s *Space[K, V]) epochPast(ctx context.Context, mode Bypass) (epoch uint64, known bool) {
	if mode != BypassFleet {
		return 0, true
	}
	return s.epochOf(ctx)
}

// produceThrough is produce for reads that bypass.
func (s *Space[K, V]) produceThrough(ctx context.Context, q query[K, V]) (answer[V], error) {
	generation := s.l1.generation(q.store.identity)
	var noStore atomic.Bool // a load that was given up may still run
	load := q.load
	q.load = func(ctx context.Context, key K) (Loaded[V], error) {
		l, err := load(ctx, key)
		noStore.Store(l.NoStore)
		return l, err
	}
	a, _, err := s.loadAndStore(ctx, q, right[V]{state: HoldOff})
	if err == nil && !noStore.Load() {
		s.keepPast(&q, generation, &a)
	}
	return a, err
}

// keepPast keeps in level 1 what was loaded past the fleet. What has tags is not kept:
// their versions are on the fleet, and without them no invalidation of a tag would reach
// it. Nor is what belongs to an epoch that nobody knows.
func (s *Space[K, V]) keepPast(q *query[K, V], generation uint64, a *answer[V]) {
	if q.past == BypassFleet && !s.tagged() && !q.store.noEpoch {
		s.keepL1(q.key, generation, a)
	}
}

// throughMany asks the source for many keys past the cache: in one call of LoadMany
// if there is one.
func (s *Space[K, V]) throughMany(ctx context.Context, keys []K, mode Bypass) map[K]Answer[V] {
	answers := make(map[K]Answer[V], len(keys))
	var asked []K
	for _, key := range keys {
		if _, known := answers[key]; known {
			continue
		}
		answers[key] = Answer[V]{}
		if v, meta, err, found := s.fromPending(key); found {
			answers[key] = Answer[V]{Value: v, Meta: meta, Err: err}
			continue
		}
		asked = append(asked, key)
	}
	if s.cfg.LoadMany != nil {
		s.throughBatch(ctx, asked, answers, mode)
		return answers
	}
	results := make([]Answer[V], len(asked))
	atOnce(len(asked), func(i int) {
		r := &results[i]
		r.Value, r.Meta, r.Err = s.through(ctx, asked[i], s.cfg.Load, false, mode)
	})
	for i, key := range asked {
		answers[key] = results[i]
	}
	return answers
}

// throughBatch loads, with one call, what level 1 does not have and nobody else in this
// process loads at the moment.
func (s *Space[K, V]) throughBatch(ctx context.Context, keys []K, answers map[K]Answer[V], mode Bypass) {
	var asked []query[K, V]
	for _, key := range keys {
		k, v, meta, found, err := s.passed(ctx, key, mode)
		if answers[key] = (Answer[V]{Value: v, Meta: meta, Err: err}); !found && err == nil {
			asked = append(asked, query[K, V]{key: key, store: k, load: s.cfg.Load, past: mode, many: &part[V]{}})
		}
	}
	s.counters.bypassed.Add(uint64(len(asked)))
	s.awaitMany(ctx, asked, answers)
}

// loadPast is loadWon for reads that bypass: nothing is stored.
func (s *Space[K, V]) loadPast(ctx context.Context, all []query[K, V]) {
	if len(all) == 0 {
		return
	}
	keys, generations := make([]K, len(all)), make([]uint64, len(all))
	for i, q := range all {
		keys[i], generations[i] = q.key, s.l1.generation(q.store.identity)
	}
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err := call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (map[K]Loaded[V], error) {
		return limited(ctx, s.limit, &s.counters, len(keys), func(ctx context.Context) (map[K]Loaded[V], error) { return s.cfg.LoadMany(ctx, keys) })
	})
	ended(Outcome{Err: err, Keys: len(keys)})
	if err != nil {
		s.countLoadError(err, len(keys))
		err = fmt.Errorf("cache: load %s: %w", s.name, err)
		s.notedAll(ctx, all, err)
		s.landAll(all, err)
		return
	}
	for i, q := range all {
		l, present := loaded[q.key]
		a, _, err := s.sealOne(q, l, !present, 0)
		if err = s.noted(ctx, &q, true, err); err == nil && !l.NoStore {
			s.keepPast(&q, generations[i], &a)
		}
		s.land(q, a, err)
	}
}
