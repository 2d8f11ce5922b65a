package cache

import (
	"context"
	"time"
)

// A lease is over with the fill, and with nothing else: whatever else becomes of a load,
// its holder gives the lease back, or everybody who asks for the key waits for its end.

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

// keepLease is release of a lease that is over.
func keepLease[K Key, V any](context.Context, query[K, V], right[V]) {}

// releaseWait is how long a caller waits for a lease to be given back by a store that
// has just failed to take its value.
const releaseWait = 100 * time.Millisecond

// releaseBehind is release after a fill that failed: whether it is known to have stored
// nothing, as where the value was too large for the store, or not. The store may not
// answer at all, so that nobody waits for it for long.
func (s *Space[K, V]) releaseBehind(ctx context.Context, q query[K, V], r right[V]) {
	if r.state != Won {
		return
	}
	done := make(chan struct{})
	err := s.m.run(func() {
		defer close(done)
		s.release(ctx, q, r)
	})
	if err != nil { // closed
		s.release(ctx, q, r)
		return
	}
	timer := time.NewTimer(releaseWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// dropGone removes the entry of a key that the source does not have any more, where that is
// not remembered: it would be handed out as an old value when the source next fails. It
// is an entry of no life that takes its place, and only if the lease still holds: what
// somebody has written meanwhile stays.
func (s *Space[K, V]) dropGone(ctx context.Context, q query[K, V], r right[V]) {
	s.spares.drop(q.key)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var err error
	switch {
	case r.state == Won:
		now := time.Now()
		gone := envelope{schema: s.cfg.Schema, identity: q.store.identity, epoch: q.store.epoch, negative: true, stored: now, soft: now, hard: now}
		_, err = s.m.leaser.Fill(ctx, q.store.text, r.lease, Entry{Value: gone.encode(), TTL: time.Millisecond})
	case s.m.leaser == nil:
		err = s.m.cfg.Store.Delete(ctx, q.store.text, AnyVersion, 0)
	}
	if err != nil {
		s.storeFailed(ctx, err)
		s.releaseBehind(ctx, q, r)
	}
}
