package cache

import (
	"context"
	"sync"
	"time"
)

// produceMany is produce for many keys: it gets leases, loads what they are for, and
// stores it. Keys that leases cannot be had for are seen to one by one.
func (s *Space[K, V]) produceMany(ctx context.Context, led []query[K, V]) {
	admitted, leave := s.enterMany(ctx, led, toLoad, func(q query[K, V], err error) { s.land(q, answer[V]{}, err) })
	leave = sync.OnceFunc(leave)
	defer leave()
	s.flush(led)
	if led[0].past != BypassNothing { // and so all of them
		s.loadPast(ctx, admitted)
		return
	}
	alone := s.loadRounds(ctx, admitted, leave)
	s.inTurn(ctx, len(alone), func(i int) { // the rest land with the error of the context
		q := alone[i]
		s.flights.fly(q.store.flight(), q.many.flight, func(f *flight[answer[V]]) (answer[V], error) {
			a, err := s.produce(ctx, q, f)
			err = s.noted(ctx, &q, true, err)
			if cause := context.Cause(ctx); err != nil && cause != nil {
				return a, cause
			}
			return a, err
		})
	})
}

// loadRounds loads what it gets leases for, by one call of LoadMany, and then looks again
// for what other processes have leases for, with one request a node: by then it is there,
// or is loaded here, again by one call. It returns the keys that there are no leases of.
// It leaves the bulkhead before those know who wait for the last of them.
func (s *Space[K, V]) loadRounds(ctx context.Context, all []query[K, V], leave func()) (alone []query[K, V]) {
	pending := all
	life := s.cfg.Loads.Lease
	begun := time.Now()
	for _, q := range pending {
		q.many.wait.request.Life = life
	}
	for w := (wait{begun: begun}); len(pending) > 0; {
		late := time.Since(begun) > 2*life+2*time.Second // as obtain has it
		r := s.leaseRound(ctx, pending, late)
		if ctx.Err() != nil {
			r.won.giveBack(ctx, s)
			return nil // who waits is told why
		}
		s.loadWon(ctx, &r.won)
		alone, pending = append(alone, r.alone...), r.pending
		if len(pending) == 0 {
			leave()
		}
		s.flush(all)
		if len(pending) > 0 && !r.soon && s.nap(ctx, &w) != nil {
			return nil
		}
	}
	return alone
}

// leaseRound is what came of one request for leases.
type leaseRound[K Key, V any] struct {
	won     batchLoad[K, V]
	pending []query[K, V] // somebody else has the lease
	alone   []query[K, V] // there are none
	soon    bool          // nobody has to be waited for
}

func (s *Space[K, V]) leaseRound(ctx context.Context, pending []query[K, V], late bool) (r leaseRound[K, V]) {
	generations := make([]uint64, len(pending))
	for i, q := range pending {
		generations[i] = s.l1.generation(q.store.identity)
	}
	asked := time.Now()
	grants := s.leaseMany(ctx, pending)
	found := s.freshMany(ctx, pending, grants)
	for i, q := range pending {
		g := grants[i].Grant
		switch {
		case grants[i].Err != nil || g.State == HoldOff:
			r.alone = append(r.alone, q)
		case found[i].usable: // somebody else was faster
			a := found[i].a
			s.hit(&a)
			a.decided = asked
			s.keepL1(q.key, generations[i], &a)
			s.land(q, a, nil)
		case g.State == Won:
			r.won.add(q, g.Lease, generations[i])
		case late:
			q.away = true // without a lease
			r.alone = append(r.alone, q)
		case g.State == Hit && !q.useless: // of no use, so that it is to be replaced
			q.useless, r.soon = true, true
			r.pending = append(r.pending, q)
		default:
			s.watchHolder(&q.many.wait, g.Lease)
			r.pending = append(r.pending, q)
		}
	}
	return r
}
