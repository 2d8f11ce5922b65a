package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// attempts is how often a load is begun anew because an invalidation overtook it.
const attempts = 3

// produce makes the value that is missing or old: it gets a lease, loads, and
// stores. It runs in the flight of the key.
func (s *Space[K, V]) produce(ctx context.Context, q query[K, V], f *flight[answer[V]]) (a answer[V], err error) {
	leave, err := s.enter(ctx, q.key, toLoad)
	if err != nil {
		return a, err
	}
	defer leave()
	if q.past != BypassNothing {
		return s.produceThrough(ctx, q)
	}
	q.known = make(known)
	for attempt := 1; ; attempt++ {
		generation := s.l1.generation(q.store.identity)
		r, err := s.obtain(ctx, q)
		if err != nil {
			return a, err
		}
		if r.state == Hit {
			s.keepL1(q.key, generation, &r.found)
			return r.found, nil
		}
		if attempt == attempts {
			// What is loaded now is handed out whatever comes. Who asks after an
			// invalidation that comes during this load must not get it.
			s.flights.leave(q.store.flight(), f)
		}
		a, filled, err := s.loadAndStore(ctx, q, r)
		if err != nil {
			return a, err
		}
		switch {
		case filled == Stored:
			s.keepL1(q.key, generation, &a)
			return a, nil
		case filled == Lost && attempt < attempts:
			s.counters.reloads.Add(1)
			q.seen = 0
		case filled == Older:
			looked := time.Now()
			if newer, usable := s.lookup(ctx, q.store); usable && looked.Before(newer.soft) {
				s.hit(&newer)
				newer.decided = looked
				return newer, nil
			}
			return a, nil
		default:
			return a, nil
		}
	}
}

// loadAndStore asks the loader, and stores what it says, under the lease if there
// is one. An absence is an answer, no error.
func (s *Space[K, V]) loadAndStore(ctx context.Context, q query[K, V], r right[V]) (a answer[V], filled Filled, err error) {
	unstored := q.away || q.past != BypassNothing
	early := !unstored && s.tagsBefore(ctx, q.known, q.store)
	spare := s.spares.generation(q.store.identity)
	begun := time.Now()
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err := call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (Loaded[V], error) {
		return limited(ctx, s.limit, &s.counters, 1, func(ctx context.Context) (Loaded[V], error) { return q.load(ctx, q.key) })
	})
	ended(Outcome{Err: err})
	negative := errors.Is(err, ErrNotFound)
	if err == nil && s.cfg.Validate != nil {
		if err = s.cfg.Validate(q.key, loaded.Value); err != nil {
			s.counters.refused.Add(1)
			err = fmt.Errorf("%w: %w", ErrInvalidValue, err)
		}
	}
	if err != nil && !negative {
		s.countLoadError(err, 1)
		s.release(ctx, q, r)
		return a, 0, fmt.Errorf("cache: load %s: %w", s.name, err)
	}
	took := time.Since(begun)
	if !negative {
		loaded = s.timed(q.key, loaded)
	}
	if unstored {
		return s.sealUnstored(q, loaded, negative, took, spare)
	}
	l := tagging[K, V]{store: &q.store, key: q.key, loaded: loaded, negative: negative}
	if s.tagsAfter(ctx, q.known, begun, &l); l.err != nil {
		s.release(ctx, q, r)
		return a, 0, l.err
	}
	a, entry, err := s.seal(q.store, loaded, negative, took)
	if err != nil {
		s.release(ctx, q, r)
		return a, 0, err
	}
	if loaded.NoStore || (negative && s.cfg.Life.NoNegative) {
		s.release(ctx, q, r)
		return a, 0, nil
	}
	if l.young || early || !l.storable {
		s.release(ctx, q, r)
		if l.young && !early && l.storable {
			return a, Lost, nil // an invalidation may have overtaken it
		}
		return a, 0, nil
	}
	if !q.ahead && !s.watch.mayFill() {
		s.counters.fillsSkipped.Add(1)
		s.release(ctx, q, r)
		s.keepSpare(q, spare, a)
		return a, 0, nil
	}
	a.decided = time.Now()
	filled, err = s.store(ctx, q, r, entry)
	if err != nil {
		s.storeFailed(ctx, err)
		q.away, a.decided = true, time.Time{}
		s.keepSpare(q, spare, a)
		return a, 0, nil
	}
	s.spares.drop(q.key)
	s.countFilled(filled)
	if filled == Stored && s.overtaken(ctx, q.store)[0] {
		filled = Lost
	}
	return a, filled, nil
}

// store stores the entry as the right to load allows.
func (s *Space[K, V]) store(ctx context.Context, q query[K, V], r right[V], e Entry) (filled Filled, err error) {
	ctx, ended := s.observe(ctx, OpStore)
	defer func() { ended(Outcome{Err: err}) }()
	switch {
	case r.state == Won:
		return s.m.leaser.Fill(ctx, q.store.text, r.lease, e)
	case s.m.leaser == nil:
		stored, err := s.m.cfg.Store.Set(ctx, q.store.text, e)
		if err == nil && !stored {
			return Older, nil
		}
		return Stored, err
	}
	return 0, nil // without a lease nothing says that the value is still true
}

func (s *Space[K, V]) countFilled(f Filled) {
	switch f {
	case Stored:
		if _, none := s.m.cfg.Store.(noStore); !none {
			s.counters.stored.Add(1)
		}
	case Lost:
		s.counters.leasesLost.Add(1)
	case Older:
		s.counters.refusedOld.Add(1)
	}
}

// release gives the lease back, so that the next caller need not wait for its end.
func (s *Space[K, V]) release(ctx context.Context, q query[K, V], r right[V]) {
	if r.state != Won {
		return
	}
	// Also if the load failed because its context ended, or the manager is closed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.storeFailed(ctx, s.m.leaser.Release(ctx, q.store.text, r.lease))
}

// seal makes the entry of what was loaded, and the answer to callers.
func (s *Space[K, V]) seal(k storeKey, loaded Loaded[V], negative bool, took time.Duration) (a answer[V], e Entry, err error) {
	a.value, a.id, a.source, a.turn, a.asked = loaded.Value, k.identity, FromLoader, k.turn, k.asked
	now := time.Now()
	life := s.cfg.Life
	ttl := life.NegativeTTL
	hold := time.Duration(0)
	if negative {
		var none V
		a.value = none
	} else {
		if a.payload, err = s.cfg.Codec.Encode(loaded.Value, k.identity[:]); err != nil {
			return a, e, err
		}
		if ttl = loaded.TTL; ttl <= 0 {
			ttl = life.TTL
		}
		hold = max(life.StaleOnError, life.StaleWhileRevalidate)
	}
	ttl = jittered(min(ttl, maxTTL), life, s.m.cfg.random())
	a.envelope = envelope{schema: s.cfg.Schema, identity: k.identity, version: loaded.Version, epoch: k.epoch, negative: negative, tags: k.marks,
		stored: now, soft: now.Add(ttl), hard: now.Add(ttl + hold), delta: took, payload: a.payload}
	e = Entry{Value: a.encode(), Version: loaded.Version, TTL: min(ttl+hold, maxTTL)}
	return a, e, nil
}

// jittered spreads a time to live by u, a random number in [0,1).
func jittered(ttl time.Duration, life LifeConfig, u float64) time.Duration {
	part := life.Jitter * (2*u - 1)
	if life.Ceiling {
		part = -life.Jitter * u
	}
	return max(time.Millisecond, min(ttl+time.Duration(part*float64(ttl)), maxTTL))
}
