package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// soak returns how much is done: the full measure with RINGWAY_SOAK=1.
func soak(small, full int) int {
	if os.Getenv("RINGWAY_SOAK") == "1" {
		return full
	}
	return small
}

// eulerGamma is the mean of the standard Gumbel distribution.
const eulerGamma = 0.57721566490153

// XFetch without leases, by many processes at a constant rate: how early the first of
// them loads, and how many more begin before it is done. The requests that are early
// are a process of a rate that grows e-fold in delta·beta; so the lead has a Gumbel
// distribution, and the loads of a window are e^(1/beta) on average.
func TestXFetchTheory(t *testing.T) {
	const delta, rate = time.Second, 200 // requests a second
	windows := soak(4000, 100_000)
	const seed = 13
	r := rand.New(rand.NewPCG(seed, 0))
	var found []string
	for _, beta := range []float64{1, 2} {
		var lead float64
		loads := 0
		for range windows {
			var first time.Duration
			found := false
			// It begins so early that one in a million windows is cut off.
			for left := time.Duration(beta * 20 * float64(delta)); !found || left > first-delta; left -= time.Second / rate {
				if xfetch(delta, beta, 1-r.Float64(), left) {
					if loads++; !found {
						found, first = true, left
					}
				}
			}
			lead += first.Seconds() / float64(windows)
		}
		scale := delta.Seconds() * beta
		wantLead := scale * (math.Log(rate*scale) + eulerGamma)
		if math.Abs(lead-wantLead) > 0.05*wantLead {
			t.Errorf("beta %v: %.2f s ahead, want %.2f (seed %d)", beta, lead, wantLead, seed)
		}
		got, want := float64(loads)/float64(windows), math.Exp(1/beta)
		if math.Abs(got-want) > 0.05*want {
			t.Errorf("beta %v: %.2f loads a window, want %.2f (seed %d)", beta, got, want, seed)
		}
		found = append(found, fmt.Sprintf("β %v: %.3f s ahead (theory %.3f), %.3f loads a window (%.3f)", beta, lead, wantLead, got, want))
	}
	proofs.Record(t, proofs.Row{Proof: "xfetch theory", Got: fmt.Sprintf("%d windows; %s", windows, strings.Join(found, "; ")), Seed: seed})
}

// The same through spaces of two processes, with leases and 1,000 requests a second:
// each window has one load, which is ahead of the end, and nobody ever misses.
func TestXFetchWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl, took, seed = 20 * time.Second, 500 * time.Millisecond, 17
		windows := soak(5, 200)
		r := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex // guards r
		random := func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return r.Float64()
		}
		store, src := NewMemory(), newSource()
		src.fail(nil, took)
		var spaces []*Space[userKey, user]
		for range 2 {
			m := newManager(t, store)
			m.cfg.random = random
			spaces = append(spaces, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Life.TTL, c.Life.NoJitter, c.Life.Beta = src.load, ttl, true, 1
			}))
		}
		mustGet(t, spaces[0], ada)
		var lead time.Duration
		for window := range windows {
			before := src.loads.Load()
			// Nothing is early by 10 s: the chance is e^-20 a request.
			time.Sleep(ttl - 10*time.Second)
			begun := time.Now()
			for i := 0; src.loads.Load() == before; i++ {
				if _, meta := mustGet(t, spaces[i%2], ada); meta.Source != FromL2 {
					t.Fatalf("window %d: from %v (seed %d)", window, meta.Source, seed)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			lead += (10*time.Second - time.Since(begun)) / time.Duration(windows)
			for i := 0; i < int(took/time.Millisecond)+10; i++ { // while it is loaded, and after
				mustGet(t, spaces[i%2], ada)
				time.Sleep(time.Millisecond)
			}
			if n := src.loads.Load() - before; n != 1 {
				t.Errorf("window %d: %d loads, want 1 (seed %d)", window, n, seed)
			}
		}
		want := took.Seconds() * (math.Log(1000*took.Seconds()) + eulerGamma)
		t.Logf("%.2f s ahead in %d windows, theory says %.2f", lead.Seconds(), windows, want)
		proofs.Record(t, proofs.Row{Proof: "xfetch windows", Got: fmt.Sprintf("%d windows, %d loads, no miss; %.2f s ahead (theory %.2f)", windows, src.loads.Load()-1, lead.Seconds(), want), Seed: seed})
		if windows >= 200 && math.Abs(lead.Seconds()-want) > 0.05*want {
			t.Errorf("%.2f s ahead, want %.2f (seed %d)", lead.Seconds(), want, seed)
		}
		for _, s := range spaces {
			_ = s.m.Close()
		}
	})
}

// Ten thousand callers in two processes ask for what the source does not have: one
// load. Once it has it, the next Get sees it.
func TestPenetration(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 2)
			one := b.open(t, addresses)
			two := one
			if b.name != "memory" {
				two = b.open(t, addresses)
			}
			src, nobody := newSource(), userKey{"acme", 404}
			src.fail(nil, 100*time.Millisecond)
			var spaces []*Space[userKey, user]
			for _, store := range []Store{one, two} {
				spaces = append(spaces, newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
					c.Load, c.Life.NegativeTTL = src.load, time.Hour
					c.Loads = LoadsConfig{Timeout: time.Minute}
					c.Save = func(_ context.Context, key userKey, v user) (uint64, error) {
						src.set(key, Loaded[user]{Value: v})
						return 0, nil
					}
				}))
			}
			var all sync.WaitGroup
			for i := range 10_000 {
				all.Go(func() {
					if _, _, err := spaces[i%2].Get(t.Context(), nobody); !errors.Is(err, ErrNotFound) {
						t.Errorf("Get: %v", err)
					}
				})
			}
			all.Wait()
			loads := src.loads.Load()
			src.wantLoads(t, 1)
			if err := spaces[0].Put(t.Context(), nobody, user{Name: "Bob"}); err != nil {
				t.Fatal(err)
			}
			if v, _ := mustGet(t, spaces[1], nobody); v.Name != "Bob" {
				t.Errorf("after it was put: %+v", v)
			}
			proofs.Record(t, proofs.Row{Proof: "penetration", Got: fmt.Sprintf("10000 lookups: %d load; inserted, the next Get in the other process has it", loads)})
		})
	}
}

// A has written the source, then B has. Both tell the fleet at the same time, or A is
// late: B's value is there, each time. 100,000 runs with RINGWAY_SOAK=1.
func TestSlowWriterLoses(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 2)
			one := b.open(t, addresses)
			two := one
			if b.name != "memory" {
				two = b.open(t, addresses)
			}
			a, bee := newUsers(t, newManager(t, one), nil), newUsers(t, newManager(t, two), nil)
			runs, width := soak(400, 100_000), 16
			var all sync.WaitGroup
			for worker := range width {
				all.Go(func() {
					for i := worker; i < runs; i += width {
						if err := slowWriter(a, bee, userKey{"acme", int64(i)}, i%4); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			if n := a.Stats().RefusedOld; n < uint64(runs/4) {
				t.Errorf("%d of %d writes were refused: the test shows nothing", n, runs)
			}
			if !t.Failed() {
				proofs.Record(t, proofs.Row{Proof: "slow writer", Got: fmt.Sprintf("%d runs: B's value in each; %d writes of A were refused", runs, a.Stats().RefusedOld)})
			}
		})
	}
}

// slowWriter is one run: A comes after B if late is 0, and else at the same time.
func slowWriter(a, b *Space[userKey, user], key userKey, late int) error {
	write := func(s *Space[userKey, user], name string, version uint64) error {
		k, err := storeKeyOf(s.prefix, key, nil, nil)
		if err != nil {
			return err
		}
		return s.writeThrough(context.Background(), key, k, Loaded[user]{Value: user{Name: name}, Version: version})
	}
	var errs [2]error
	var both sync.WaitGroup
	first := func() { errs[0] = write(b, "B", 2) }
	if late == 0 {
		first()
	} else {
		both.Go(first)
	}
	errs[1] = write(a, "A", 1)
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	v, meta, err := a.GetWith(context.Background(), key, nil)
	if err != nil || v.Name != "B" || meta.Version != 2 {
		return fmt.Errorf("%v has %+v of version %d, %w; want B's", key, v, meta.Version, err)
	}
	return nil
}
