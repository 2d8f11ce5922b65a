package router

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetireWaitsForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifecycle()
		if l.enter() != 1 || l.enter() != 2 {
			t.Fatal("enter does not count")
		}
		gone := make(chan struct{})
		go func() {
			l.retire(t.Context())
			close(gone)
		}()
		synctest.Wait()
		if n := l.enter(); n != 0 {
			t.Errorf("enter on a client that is being retired: %d", n)
		}
		l.leave()
		synctest.Wait()
		select {
		case <-gone:
			t.Error("retired with a request in flight")
		default:
		}
		l.leave()
		<-gone

		l = newLifecycle()
		l.enter()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		l.retire(ctx)
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("a request that never ends was waited for %v", waited)
		}
	})
}

// No request runs on a client that was closed, whoever comes first.
func TestNoRequestAfterRetire(t *testing.T) {
	for range 200 {
		l := newLifecycle()
		var closed atomic.Bool
		var wait sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			wait.Go(func() {
				<-start
				for l.enter() > 0 {
					if closed.Load() {
						t.Error("a request runs on a closed client")
					}
					l.leave()
				}
			})
		}
		wait.Go(func() {
			<-start
			l.retire(context.Background())
			closed.Store(true)
		})
		close(start)
		wait.Wait()
		if n := l.inFlight.Load(); n != 0 {
			t.Fatalf("%d in flight at the end", n)
		}
	}
}
