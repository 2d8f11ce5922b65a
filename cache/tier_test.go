package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// cuttable is a store that may be out of reach.
type cuttable struct {
	*Memory
	cut  bool
	slow time.Duration
}

var errCut = errors.New("out of reach")

func (s *cuttable) reach(ctx context.Context) error {
	if s.slow > 0 {
		select {
		case <-time.After(s.slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.cut {
		return errCut
	}
	return nil
}

func (s *cuttable) Get(ctx context.Context, key string) (Entry, error) {
	if err := s.reach(ctx); err != nil {
		return Entry{}, err
	}
	return s.Memory.Get(ctx, key)
}

func (s *cuttable) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	if err := s.reach(ctx); err != nil {
		return Grant{}, err
	}
	return s.Memory.Lease(ctx, key, r)
}

func (s *cuttable) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	if err := s.reach(ctx); err != nil {
		return 0, err
	}
	return s.Memory.Fill(ctx, key, l, e)
}

func (s *cuttable) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if err := s.reach(ctx); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, key, below, holdOff)
}

// region is a process with a near store of its own.
type region struct {
	*Space[userKey, user]
	near *Memory
	wire *etherWire
}

// twoRegions runs a test with two of them before one far store.
func twoRegions(t *testing.T, bus bool, test func(t *testing.T, a, b region, far *cuttable, r *ledgered)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		far, r, e := &cuttable{Memory: NewMemory()}, &ledgered{}, newEther(1, 0)
		r.set(ada, "first")
		var both []region
		for range 2 {
			x := region{near: NewMemory(), wire: &etherWire{ether: e}}
			cfg := TieredConfig{}
			if bus {
				b, err := NewBus(x.wire, BusConfig{})
				if err != nil {
					t.Fatal(err)
				}
				cfg.Bus = b
			}
			store, err := NewTiered(x.near, far, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			m, err := NewManager(ManagerConfig{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			x.Space = newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Save = r.load, r.save
				c.Life.TTL = time.Hour
			})
			both = append(both, x)
		}
		time.Sleep(10 * time.Second)
		test(t, both[0], both[1], far, r)
	})
}

// One region loads, the other finds it far and keeps it near; a change in one is seen
// in the other moments later.
func TestTiers(t *testing.T) {
	twoRegions(t, true, func(t *testing.T, a, b region, far *cuttable, r *ledgered) {
		wantName(t, a.Space, "first", FromLoader)
		wantName(t, b.Space, "first", FromL2)
		far.cut = true // so that it can only be near
		wantName(t, b.Space, "first", FromL2)
		far.cut = false
		if r.loads != 1 {
			t.Errorf("%d loads", r.loads)
		}
		for i, change := range []func() error{
			func() error { r.set(ada, "changed"); return a.Invalidate(t.Context(), ada) },
			func() error { return a.Put(t.Context(), ada, user{Name: "changed"}) },
		} {
			r.loads = 0
			if err := change(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			if v, _ := mustGet(t, b.Space, ada); v.Name != "changed" {
				t.Errorf("change %d: %q in the other region", i, v.Name)
			}
			if v, _ := mustGet(t, a.Space, ada); v.Name != "changed" || r.loads > 1 {
				t.Errorf("change %d: %q, %d loads", i, v.Name, r.loads)
			}
			if err := b.Put(t.Context(), ada, user{Name: "back"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			if v, _ := mustGet(t, a.Space, ada); v.Name != "back" {
				t.Errorf("change %d: %q after the way back", i, v.Name)
			}
		}
	})
}

// Without a bus, or cut off from it, a region sees a change when NearTTL has ended.
func TestTiersWithoutABus(t *testing.T) {
	twoRegions(t, false, func(t *testing.T, a, b region, _ *cuttable, r *ledgered) {
		mustGet(t, b.Space, ada) // loads it, so that its own time to live is to be cut
		mustGet(t, a.Space, ada)
		if err := a.Put(t.Context(), ada, user{Name: "second"}); err != nil {
			t.Fatal(err)
		}
		wantName(t, b.Space, "first", FromL2)
		time.Sleep(61 * time.Second)
		wantName(t, b.Space, "second", FromL2)
	})
}

// A far store that fails, or is slow, is a miss for reads; and who writes is told.
func TestTiersFarAway(t *testing.T) {
	for name, slow := range map[string]time.Duration{"fails": 0, "is slow": time.Minute} {
		t.Run(name, func(t *testing.T) {
			twoRegions(t, true, func(t *testing.T, a, _ region, far *cuttable, r *ledgered) {
				far.cut, far.slow = true, slow
				begun := time.Now()
				wantName(t, a.Space, "first", FromLoader)
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("a miss took %v", took)
				}
				begun = time.Now()
				wantName(t, a.Space, "first", FromL2)
				if took := time.Since(begun); took > 0 || r.loads != 1 {
					t.Errorf("a hit took %v, %d loads", took, r.loads)
				}
				r.set(ada, "second")
				if err := a.Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) {
					t.Errorf("an invalidation that the far store did not hear of: %v", err)
				}
				wantName(t, a.Space, "second", FromLoader)
			})
		})
	}
}

// What one region was loading when another deleted the key is stored in neither store,
// and what it was reading far is not kept near.
func TestTiersOvertaken(t *testing.T) {
	twoRegions(t, false, func(t *testing.T, a, b region, far *cuttable, r *ledgered) {
		load := func(_ context.Context, key userKey) (Loaded[user], error) {
			l, err := r.load(t.Context(), key)
			if r.loads == 1 {
				r.set(ada, "second")
				if err := b.Invalidate(t.Context(), ada); err != nil { // no bus tells region a
					t.Error(err)
				}
			}
			l.Version = 0 // nothing but leases says what is older
			return l, err
		}
		if v, _, err := a.GetWith(t.Context(), ada, load); err != nil || v.Name != "second" {
			t.Errorf("%q, %v: want what a repeated load brings", v.Name, err)
		}
		if v, meta := mustGet(t, b.Space, ada); v.Name != "second" {
			t.Errorf("%q from %v in the other region", v.Name, meta.Source)
		}
	})
}

// Two regions change and read at random, with the bus: a value is never older than the
// messages take, and never than NearTTL while they are lost.
func TestTiersAtRandom(t *testing.T) {
	const seed = 9
	twoRegions(t, true, func(t *testing.T, a, b region, _ *cuttable, r *ledgered) {
		random := rand.New(rand.NewPCG(seed, 0))
		both := []region{a, b}
		name, at := "first", time.Now()
		for i := range 5000 {
			cut := i/1000%2 == 1
			b.wire.cutOff(cut)
			x := both[random.IntN(2)]
			if random.IntN(20) == 0 {
				name, at = time.Now().String(), time.Now()
				if err := x.Put(t.Context(), ada, user{Name: name}); err != nil {
					t.Fatal(err)
				}
			}
			v, meta := mustGet(t, x.Space, ada)
			bound := 200 * time.Millisecond
			if cut || i%1000 < 200 {
				bound = 60 * time.Second
			}
			if age := time.Since(at); v.Name != name && age > bound {
				t.Fatalf("%q from %v, %v after it was %q (seed %d)", v.Name, meta.Source, age, name, seed)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestTieredConfig(t *testing.T) {
	plain := struct{ Store }{NewMemory()}
	for name, make := range map[string]func() (*Tiered, error){
		"near":    func() (*Tiered, error) { return NewTiered(plain, NewMemory(), TieredConfig{}) },
		"far":     func() (*Tiered, error) { return NewTiered(NewMemory(), plain, TieredConfig{}) },
		"TTL":     func() (*Tiered, error) { return NewTiered(NewMemory(), NewMemory(), TieredConfig{NearTTL: -1}) },
		"timeout": func() (*Tiered, error) { return NewTiered(NewMemory(), NewMemory(), TieredConfig{FarTimeout: -1}) },
	} {
		if _, err := make(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
