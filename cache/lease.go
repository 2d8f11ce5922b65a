package cache

import (
	"context"
	"time"
)

// right is what a process may do about a value that is missing: Hit, there is one
// by now; Won, load and fill under the lease; HoldOff, load and store nothing.
type right[V any] struct {
	state LeaseState
	lease Lease
	found answer[V]
}

// Who waits for another process looks again after pollPart of the time that it has waited
// so far, but not sooner than firstPoll nor later than lastPoll. So it has the value that
// much later at most than it could, however long the load takes.
const (
	pollPart  = 8
	firstPoll = 2 * time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// obtain asks for the lease of the key, and while another process has it waits for
// the value. It polls: a few small requests a waiting process, not a caller, and
// nothing to lose when a holder dies.
func (s *Space[K, V]) obtain(ctx context.Context, q query[K, V]) (r right[V], err error) {
	ctx, ended := s.observe(ctx, OpLease)
	defer func() { ended(Outcome{Err: err}) }()
	if s.m.leaser == nil {
		return s.recheck(ctx, q), nil
	}
	if q.store.noEpoch || q.away { // nothing that is there can be used, and nothing stored
		s.counters.unleased.Add(1)
		return right[V]{state: HoldOff}, nil
	}
	life := s.cfg.Loads.Lease
	begun := time.Now()
	w := wait{request: LeaseRequest{Life: life, Renew: q.seen != 0}, begun: begun}
	for {
		asked := time.Now()
		g, err := s.m.leaser.Lease(ctx, q.store.text, w.request)
		if ctx.Err() != nil {
			return right[V]{}, context.Cause(ctx)
		}
		if err != nil {
			s.storeFailed(ctx, err)
			s.counters.unleased.Add(1)
			return right[V]{state: HoldOff}, nil
		}
		r, decided := s.judge(ctx, q, g, &w)
		if decided {
			r.found.decided = asked
			return r, nil
		}
		// Twice, and what the rounding of a store to seconds may add.
		if time.Since(begun) > 2*life+2*time.Second {
			s.counters.unleased.Add(1)
			return right[V]{state: HoldOff}, nil
		}
		if g.State == Pending {
			if err := s.sleep(ctx, &w, g.Lease); err != nil {
				return right[V]{}, err
			}
		}
	}
}

// wait is the state of one who waits for a lease.
type wait struct {
	request LeaseRequest
	begun   time.Time
	holder  Lease // who has it
	since   time.Time
	counted bool
}

// judge says what a grant means. Not decided: ask again.
func (s *Space[K, V]) judge(ctx context.Context, q query[K, V], g Grant, w *wait) (right[V], bool) {
	found, fresh := s.fresh(ctx, q, g)
	switch {
	case fresh && g.State != HoldOff:
		if g.State == Won { // somebody else made it between our look and our lease
			s.release(ctx, q, right[V]{state: Won, lease: g.Lease})
		}
		s.hit(&found)
		return right[V]{state: Hit, found: found}, true
	case g.State == Won:
		return right[V]{state: Won, lease: g.Lease}, true
	case g.State == HoldOff:
		s.counters.unleased.Add(1)
		return right[V]{state: HoldOff}, true
	case g.State == Hit: // of no use, so that it is to be replaced
		w.request.Renew = true
	}
	return right[V]{}, false
}

// fresh decodes what came with a grant. What the caller wants replaced is not
// fresh, although its time may not be over.
func (s *Space[K, V]) fresh(ctx context.Context, q query[K, V], g Grant) (answer[V], bool) {
	if g.Entry.Value == nil {
		return answer[V]{}, false
	}
	a, err := s.decodeEntry(q.store, g.Entry) // what is no use was counted by lookup
	return a, err == nil && time.Now().Before(a.soft) && a.stamp != q.seen && a.version >= q.store.least && s.tagsHold(ctx, nil, &a)
}

// sleep waits before the next look.
func (s *Space[K, V]) sleep(ctx context.Context, w *wait, holder Lease) error {
	s.watchHolder(w, holder)
	return s.nap(ctx, w)
}

// watchHolder notes who has the lease. A holder that has been seen for all the life of its
// lease must be dead: the next request says so.
func (s *Space[K, V]) watchHolder(w *wait, holder Lease) {
	if !w.counted {
		w.counted = true
		s.counters.leaseWaits.Add(1)
	}
	now := time.Now()
	if holder.token != w.holder.token || holder.cas != w.holder.cas || w.since.IsZero() {
		w.holder, w.since, w.request.Void = holder, now, Lease{}
	} else if now.Sub(w.since) >= w.request.Life {
		w.request.Void = holder
	}
}

// nap waits, each time a little longer.
func (s *Space[K, V]) nap(ctx context.Context, w *wait) error {
	gap := min(max(time.Since(w.begun)/pollPart, firstPoll), lastPoll)
	// Half of it by chance, so that processes do not ask in step.
	return pause(ctx, gap/2+time.Duration(s.m.cfg.random()*float64(gap/2)))
}

// recheck looks once more, for a store without leases: the flight may have begun
// just after another one had stored the value.
func (s *Space[K, V]) recheck(ctx context.Context, q query[K, V]) right[V] {
	asked := time.Now()
	a, usable := s.lookup(ctx, q.store)
	if usable && asked.Before(a.soft) && a.stamp != q.seen {
		s.hit(&a)
		a.decided = asked
		return right[V]{state: Hit, found: a}
	}
	return right[V]{state: HoldOff}
}
