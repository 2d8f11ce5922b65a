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
	defer caught("", &err)
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
			s.dropDead(ctx, q.store)
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
	back := s.release // what is done with the lease, on every way out of here but by a fill
	defer func() { back(ctx, q, r) }()
	unstored := q.away || q.past != BypassNothing
	early := !unstored && s.tagsBefore(ctx, q.known, q.store)
	spare := s.spares.generation(q.store.identity)
	begun := time.Now()
	loaded, negative, err := s.loadOne(ctx, q)
	if err != nil {
		s.countLoadError(err, 1)
		return a, 0, fmt.Errorf("cache: load %s: %w", s.name, err)
	}
	took := time.Since(begun)
	if unstored {
		a, filled, err = s.sealUnstored(q, loaded, negative, took, spare)
		s.unstorable(err)
		return a, filled, nil
	}
	l := tagging[K, V]{store: &q.store, key: q.key, loaded: loaded, negative: negative}
	if s.tagsAfter(ctx, q.known, begun, &l); l.err != nil {
		s.countLoadError(l.err, 1)
		return a, 0, l.err
	}
	a, entry, err := s.seal(q.store, loaded, negative, took)
	if err != nil {
		s.unstorable(err)
		return a, 0, nil
	}
	if r.state == HoldOff && s.m.leaser != nil && !q.away {
		a.decided = begun // no fill says that it is still true when the load has ended
	}
	if loaded.NoStore || (negative && s.cfg.Life.NoNegative) {
		if negative && q.seen != 0 {
			back = s.dropGone
		}
		return a, 0, nil
	}
	if l.young || early || !l.storable {
		if l.young && !early && l.storable {
			return a, Lost, nil // an invalidation may have overtaken it
		}
		return a, 0, nil
	}
	if !q.ahead && !s.watch.mayFill() {
		s.counters.fillsSkipped.Add(1)
		s.keepSpare(q, spare, a)
		return a, 0, nil
	}
	if a.decided.IsZero() {
		a.decided = time.Now()
	}
	back = s.releaseBehind // unless it was filled, which nobody knows after an error
	filled, err = s.store(ctx, q, r, entry)
	if err != nil {
		s.storeFailed(ctx, err)
		q.away, a.decided = true, time.Time{}
		s.keepSpare(q, spare, a)
		return a, 0, nil
	}
	back = keepLease
	s.spares.drop(q.key)
	s.countFilled(filled)
	if filled == Stored && s.overtaken(ctx, q.store)[0] {
		filled = Lost
	}
	return a, filled, nil
}

// loadOne asks the loader, and says whether the source has nothing. What it returns is
// valid, and has its time to live.
func (s *Space[K, V]) loadOne(ctx context.Context, q query[K, V]) (loaded Loaded[V], negative bool, err error) {
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err = call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (Loaded[V], error) {
		return limited(ctx, s.limit, &s.counters, 1, func(ctx context.Context) (Loaded[V], error) { return q.load(ctx, q.key) })
	})
	ended(Outcome{Err: err})
	switch {
	case errors.Is(err, ErrNotFound):
		return loaded, true, nil
	case err == nil:
		err = s.validate(q.key, loaded.Value)
	}
	if err == nil {
		loaded, err = s.timed(q.key, loaded)
	}
	return loaded, false, err
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
