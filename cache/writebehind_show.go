package cache

import (
	"context"
	"time"
)

// behindShows is how many calls may have the store shown what they have written at a
// time. A store that hangs holds up no more.
const behindShows = 256

// showSoon has the store show writes that the journal has, and waits for that no longer
// than StoreWait: they are safe, and reads here see them. One that comes late is told
// from the others by its version, and goes again if it is applied by then.
func (s *Space[K, V]) showSoon(ctx context.Context, shown []*behindWrite[K, V]) {
	b := s.behind
	if len(shown) == 0 {
		return
	}
	select {
	case b.shows <- struct{}{}:
	default:
		b.stats.unshown.Add(uint64(len(shown)))
		for _, w := range shown {
			s.forget(w.key, w.store)
		}
		return
	}
	ctx = context.WithoutCancel(ctx)
	ready := make(chan struct{})
	show := func(atMost time.Duration) {
		defer func() { <-b.shows; close(ready) }()
		ctx, cancel := context.WithTimeout(ctx, atMost)
		defer cancel()
		defer context.AfterFunc(s.m.ctx, cancel)() // Close does not wait for a store that hangs
		atOnce(len(shown), func(i int) { s.showInStore(ctx, shown[i]) })
	}
	if s.m.run(func() { show(s.cfg.Loads.Timeout) }) != nil {
		show(b.cfg.StoreWait) // the manager is being closed, and runs nothing more
		return
	}
	timer := time.NewTimer(b.cfg.StoreWait)
	defer timer.Stop()
	select {
	case <-ready:
	case <-timer.C:
	}
}
