package cache

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asking counts requests for leases.
type asking struct {
	*Memory
	leases *atomic.Int64
}

func (a asking) Lease(ctx context.Context, key string, q LeaseRequest) (Grant, error) {
	a.leases.Add(1)
	return a.Memory.Lease(ctx, key, q)
}

// Who waits for another process has the value an eighth of the wait later at most, or
// 2 ms, be the load short or long, and asks a bounded number of times.
func TestWaitersLookAgain(t *testing.T) {
	for _, c := range []struct {
		load time.Duration
		asks int64 // at most
	}{
		{5 * time.Millisecond, 6},
		{20 * time.Millisecond, 25},
		{100 * time.Millisecond, 50},
		{300 * time.Millisecond, 70},
		{2 * time.Second, 150}, // never less than 25 ms apart by then
	} {
		for _, many := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				src, store := &manyNumbers{takes: c.load, value: 1}, NewMemory()
				a, endA := oldSpace(t, store, src)
				defer endA()
				var leases atomic.Int64
				b, endB := oldSpace(t, asking{store, &leases}, src)
				defer endB()
				key := userKey{"", 1}
				go a.Get(t.Context(), key) // its error is b's too
				synctest.Wait()
				began := time.Now()
				if many {
					wantMany(t, "b", b.GetMany(t.Context(), []userKey{key}), 1, 1, FromL2)
				} else if v, meta, err := b.Get(t.Context(), key); v != 1 || meta.Source != FromL2 || err != nil {
					t.Errorf("%v: %d from %v, %v", c.load, v, meta.Source, err)
				}
				late := time.Since(began) - c.load
				if most := min(max(c.load/8, firstPoll), lastPoll) + c.load/64; late > most {
					t.Errorf("%v: %v late, want %v at most", c.load, late, most)
				}
				if n := leases.Load(); n > c.asks {
					t.Errorf("%v: %d requests, want %d at most", c.load, n, c.asks)
				}
			})
		}
	}
}
