package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
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

// history lets readers in several processes race a writer, which by chance puts a
// number or writes the source and invalidates, and returns how many reads were stale:
// begun after that (and the time that it may take) and answered with what was there
// before it. Of the two keys one has versions, so that Put stores it, and the other has
// none, so that Put deletes it.
type history struct {
	stores  []Store // one a process
	holdOff time.Duration
	lag     time.Duration
	settle  time.Duration // after an invalidation, until a stale read counts
	l1      uint64
	rounds  int
	pause   func(r *rand.Rand) // of the loader, between its look and its return
}

// historyRow is a key of the history, and what the source has for it.
type historyRow struct {
	register
	key      userKey
	versions bool
	floor    atomic.Int64 // the least that a read which begins now may find
	put      atomic.Int64 // the last number that was put
}

// version is that of a number: it grows as the number does.
func (r *historyRow) version(n int64) uint64 {
	if !r.versions {
		return 0
	}
	return uint64(n)
}

func (h history) run(t *testing.T, seed uint64) (stale int64) {
	t.Helper()
	rows := []*historyRow{{key: userKey{"versions", 1}, versions: true}, {key: userKey{"none", 2}}}
	of := make(map[userKey]*historyRow)
	for _, row := range rows {
		row.lag = h.lag
		of[row.key] = row
	}
	load := func(_ context.Context, key userKey) (Loaded[user], error) {
		r := rand.New(rand.NewPCG(seed, rand.Uint64()))
		h.pause(r)
		n := of[key].read()
		h.pause(r)
		return Loaded[user]{Value: user{Name: fmt.Sprint(n)}, Version: of[key].version(n)}, nil
	}
	save := func(_ context.Context, key userKey, u user) (uint64, error) {
		n, err := strconv.ParseInt(u.Name, 10, 64)
		of[key].write(n)
		return of[key].version(n), err
	}
	var spaces []*Space[userKey, user]
	for i, store := range h.stores {
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		spaces = append(spaces, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Save, c.Life.HoldOff = load, save, h.holdOff
			if i == 0 {
				c.L1.MaxBytes = h.l1 // only where the writer is: nobody tells the others
			}
		}))
	}
	var counted atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for i := range 8 * len(spaces) {
		readers.Go(func() {
			s, row := spaces[i%len(spaces)], rows[i/len(spaces)%len(rows)]
			r := rand.New(rand.NewPCG(seed, uint64(i)+2))
			for ctx.Err() == nil {
				least := row.floor.Load()
				v, _, err := s.Get(ctx, row.key)
				if ctx.Err() != nil {
					return
				}
				got, parseErr := strconv.ParseInt(v.Name, 10, 64)
				if err != nil || parseErr != nil {
					t.Errorf("Get: %q, %v", v.Name, err)
					return
				}
				if got < least {
					counted.Add(1)
				}
				// Not in step with the others: some come while a load is under way.
				time.Sleep(time.Duration(1+r.IntN(2000)) * time.Microsecond)
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for n := int64(1); n <= int64(h.rounds); n++ {
		row := rows[r.IntN(len(rows))]
		var err error
		if r.IntN(2) == 0 {
			err = spaces[0].Put(ctx, row.key, user{Name: fmt.Sprint(n)})
			row.put.Store(n)
		} else {
			row.write(n)
			err = spaces[0].Invalidate(ctx, row.key)
		}
		if err != nil {
			t.Error(err)
		}
		time.Sleep(h.settle)
		row.floor.Store(n)
		h.pause(r)
	}
	for _, row := range rows {
		if row.put.Load() == 0 {
			t.Errorf("nothing was put under %v (seed %d)", row.key, seed)
		}
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
			proofs.Record(t, proofs.Row{Proof: "fill against invalidate", Got: fmt.Sprintf("%d writes: %d stale reads", h.rounds, stale), Seed: seed})
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
		proofs.Record(t, proofs.Row{Proof: "fill against invalidate, naive", Got: fmt.Sprintf("%d writes: %d stale reads", h.rounds, stale), Seed: 7})
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
				proofs.Record(t, proofs.Row{Proof: "replica", Got: fmt.Sprintf("%d writes: %d stale reads", h.rounds, stale), Seed: 11})
			})
		})
	}
}

// The same in real time over the stores whose clocks are not the test's. The lag is the
// source's, so that it is there with any store; Memcached, which counts whole seconds,
// holds off for at least one, and so stores hardly anything here but what is put.
func TestHoldOffForReplicasOverStores(t *testing.T) {
	const lag = 20 * time.Millisecond
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addresses := b.start(t, 1)
			one := b.open(t, addresses)
			two := one
			if b.name != "memory" {
				two = b.open(t, addresses)
			}
			const seed = 13
			h := history{stores: []Store{one, two}, rounds: soak(50, 5000), lag: lag, settle: lag, holdOff: lag, l1: 1 << 20, pause: pauses(lag / 2)}
			stale := h.run(t, seed)
			if stale > 0 {
				t.Errorf("%d stale reads (seed %d)", stale, seed)
			}
		})
	}
}
