package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// register is a source of one number a key, which only grows. A reader of its
// replica sees a number as it was lag ago.
type register struct {
	mu     sync.Mutex
	lag    time.Duration
	writes []registerWrite
}

type registerWrite struct {
	number int64
	at     time.Time
}

func (r *register) write(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, registerWrite{n, time.Now()})
}

func (r *register) read() (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writes {
		if time.Since(w.at) >= r.lag {
			n = w.number
		}
	}
	return n
}

// history lets readers in several processes race a writer, and returns how many
// reads were stale: begun after an invalidation (and the time that it may take)
// and answered with what was there before it.
type history struct {
	stores   []Store // one a process
	holdOff  time.Duration
	lag      time.Duration
	settle   time.Duration // after an invalidation, until a stale read counts
	versions bool
	l1       uint64
	rounds   int
	pause    func(r *rand.Rand) // of the loader, between its look and its return
}

func (h history) run(t *testing.T, seed uint64) (stale int64) {
	t.Helper()
	reg := &register{lag: h.lag}
	load := func(_ context.Context, _ userKey) (Loaded[user], error) {
		r := rand.New(rand.NewPCG(seed, rand.Uint64()))
		h.pause(r)
		n := reg.read()
		h.pause(r)
		l := Loaded[user]{Value: user{Name: fmt.Sprint(n)}}
		if h.versions {
			l.Version = uint64(n)
		}
		return l, nil
	}
	var spaces []*Space[userKey, user]
	for i, store := range h.stores {
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		spaces = append(spaces, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Life.HoldOff = load, h.holdOff
			if i == 0 {
				c.L1.MaxBytes = h.l1 // only where the writer is: nobody tells the others
			}
		}))
	}
	var floor, counted atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for i := range 4 * len(spaces) {
		readers.Go(func() {
			s := spaces[i%len(spaces)]
			for ctx.Err() == nil {
				least := floor.Load()
				v, _, err := s.Get(ctx, ada)
				if ctx.Err() != nil {
					return
				}
				var got int64
				if _, scanErr := fmt.Sscan(v.Name, &got); err != nil || scanErr != nil {
					t.Errorf("Get: %q, %v", v.Name, err)
					return
				}
				if got < least {
					counted.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for n := int64(1); n <= int64(h.rounds); n++ {
		reg.write(n)
		if err := spaces[0].Invalidate(ctx, ada); err != nil {
			t.Error(err)
		}
		time.Sleep(h.settle)
		floor.Store(n)
		h.pause(r)
	}
	stop()
	readers.Wait()
	return counted.Load()
}

// pauses is about as long as everything else takes, so that all orders occur.
func pauses(most time.Duration) func(r *rand.Rand) {
	return func(r *rand.Rand) { time.Sleep(time.Duration(r.Int64N(int64(most)))) }
}

// Over each store, with two processes and a level 1: no read is stale, although
// loads are slower than invalidations are rare.
func TestFillAgainstInvalidate(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 1)
			one := b.open(t, addresses)
			two := one
			if b.name != "memory" {
				two = b.open(t, addresses)
			}
			const seed = 7
			h := history{stores: []Store{one, two}, rounds: soak(150, 10_000), l1: 1 << 20, pause: pauses(4 * time.Millisecond)}
			stale := h.run(t, seed)
			if stale > 0 {
				t.Errorf("%d stale reads (seed %d)", stale, seed)
			}
			proofs.Record(t, proofs.Row{Proof: "fill against invalidate", Got: fmt.Sprintf("%d invalidations: %d stale reads", h.rounds, stale), Seed: seed})
		})
	}
}

// The same without leases shows that the history finds what it is for.
func TestFillAgainstInvalidateNaive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := plainStore{NewMemory()}
		h := history{stores: []Store{store, store}, rounds: 300, pause: pauses(4 * time.Millisecond)}
		stale := h.run(t, 7)
		if stale == 0 {
			t.Error("no stale read without leases: the history shows nothing")
		}
		proofs.Record(t, proofs.Row{Proof: "fill against invalidate, naive", Got: fmt.Sprintf("%d invalidations: %d stale reads", h.rounds, stale), Seed: 7})
	})
}

// A replica that lags behind: nothing is stale after the hold-off, and without one
// much is.
func TestHoldOffForReplicas(t *testing.T) {
	const lag = 50 * time.Millisecond
	for _, c := range []struct {
		name    string
		holdOff time.Duration
		stale   bool
	}{{"hold-off", lag, false}, {"naive", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := NewMemory()
				h := history{stores: []Store{store, store}, rounds: soak(200, 20_000), lag: lag, settle: lag, holdOff: c.holdOff, pause: pauses(20 * time.Millisecond)}
				stale := h.run(t, 11)
				if stale > 0 != c.stale {
					t.Errorf("%d stale reads, want any: %v", stale, c.stale)
				}
				proofs.Record(t, proofs.Row{Proof: "replica", Got: fmt.Sprintf("%d invalidations: %d stale reads", h.rounds, stale), Seed: 11})
			})
		})
	}
}
