package cache

import (
	"context"
	"time"
)

// leaseMany asks for the leases of keys that are missing: of those that are there, but
// of no use, as of what is to be renewed. The two kinds go at the same time.
func (s *Space[K, V]) leaseMany(ctx context.Context, missing []query[K, V]) []Result {
	ctx, ended := s.observe(ctx, OpLease)
	grants := make([]Result, len(missing))
	var parts [2][]query[K, V]
	var at [2][]int
	var dead []int
	for i, q := range missing {
		if q.many.wait.request.Void != (Lease{}) {
			dead = append(dead, i)
			continue
		}
		part := 0
		if q.useless {
			part = 1
		}
		parts[part], at[part] = append(parts[part], q), append(at[part], i)
	}
	atOnce(len(parts), func(n int) {
		if len(parts[n]) == 0 {
			return
		}
		request := LeaseRequest{Life: s.cfg.Loads.Lease, Renew: n == 1}
		for i, grant := range s.m.batch.LeaseMany(ctx, storeKeys(parts[n]), request) {
			grants[at[n][i]] = grant
		}
	})
	atOnce(len(dead), func(n int) { // whose holder must be dead: a batch cannot say so
		i := dead[n]
		request := LeaseRequest{Life: s.cfg.Loads.Lease, Renew: missing[i].useless, Void: missing[i].many.wait.request.Void}
		grants[i].Grant, grants[i].Err = s.m.leaser.Lease(ctx, missing[i].store.text, request)
	})
	ended(Outcome{Err: firstFailure(grants), Keys: len(missing)})
	return grants
}

// freshMany says which of the entries that came with leases are of use after all: of
// those somebody else has made since they were looked at, and the leases are given
// back that came with them.
func (s *Space[K, V]) freshMany(ctx context.Context, missing []query[K, V], grants []Result) []looked[V] {
	found := make([]looked[V], len(missing))
	var tags []tagVersion
	for i, q := range missing {
		g := grants[i].Grant
		if grants[i].Err != nil || g.State == HoldOff || g.Entry.Value == nil {
			continue
		}
		a, err := s.decodeEntry(q.store, g.Entry) // what is no use was counted before
		if found[i].usable = err == nil && time.Now().Before(a.soft); found[i].usable {
			found[i].a, tags = a, append(tags, a.tags...)
		}
	}
	have := make(known)
	s.learnTags(ctx, have, tags)
	var back []int
	for i := range found {
		if l := &found[i]; l.usable {
			if l.usable = have.hold(l.a.tags); l.usable && grants[i].Grant.State == Won {
				back = append(back, i)
			}
		}
	}
	atOnce(len(back), func(n int) {
		i := back[n]
		s.release(ctx, missing[i], right[V]{state: Won, lease: grants[i].Grant.Lease})
	})
	return found
}
