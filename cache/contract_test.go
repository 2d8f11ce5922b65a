package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What every Store promises, over memory, Redis and Memcached. Lives of leases and
// hold-offs are whole seconds where they have to end, as Memcached counts them.

const longTTL = time.Hour

func stored(value string, version uint64) Entry {
	return Entry{Value: []byte(value), Version: version, TTL: longTTL}
}

func wantEntry(t *testing.T, s Store, key, value string, version uint64) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != value || e.Version != version {
		t.Fatalf("Get(%s) = %q version %d, %v; want %q version %d", key, e.Value, e.Version, err, value, version)
	}
}

func wantMiss(t *testing.T, s Store, key string) {
	t.Helper()
	if e, err := s.Get(t.Context(), key); !errors.Is(err, ErrMiss) {
		t.Fatalf("Get(%s) = %q, %v; want ErrMiss", key, e.Value, err)
	}
}

func set(t *testing.T, s Store, key string, e Entry) bool {
	t.Helper()
	ok, err := s.Set(t.Context(), key, e)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func del(t *testing.T, s Store, key string, below uint64, holdOff time.Duration) {
	t.Helper()
	if err := s.Delete(t.Context(), key, below, holdOff); err != nil {
		t.Fatal(err)
	}
}

func lease(t *testing.T, s Leaser, key string, q LeaseRequest, want LeaseState) Grant {
	t.Helper()
	if q.Life == 0 {
		q.Life = time.Minute
	}
	g, err := s.Lease(t.Context(), key, q)
	if err != nil || g.State != want {
		t.Fatalf("Lease(%s, renew %v) = state %d, %v; want %d", key, q.Renew, g.State, err, want)
	}
	return g
}

func fill(t *testing.T, s Leaser, key string, l Lease, e Entry, want Filled) {
	t.Helper()
	if got, err := s.Fill(t.Context(), key, l, e); err != nil || got != want {
		t.Fatalf("Fill(%s) = %d, %v; want %d", key, got, err, want)
	}
}

func TestStoreValues(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		wantMiss(t, s, "k")
		for _, value := range []string{"", "x", "\x00\r\nEN\r\n", strings.Repeat("long", 10000)} {
			set(t, s, "k", stored(value, 0))
			wantEntry(t, s, "k", value, 0)
		}
		mine := []byte("mine")
		set(t, s, "k", Entry{Value: mine, TTL: longTTL})
		copy(mine, "your")
		e, _ := s.Get(t.Context(), "k")
		copy(e.Value, "hers")
		wantEntry(t, s, "k", "mine", 0)
		del(t, s, "k", AnyVersion, 0)
		wantMiss(t, s, "k")
		del(t, s, "k", AnyVersion, 0)
		for _, ttl := range []time.Duration{0, -1, maxTTL + 1} {
			if _, err := s.Set(t.Context(), "k", Entry{TTL: ttl}); !errors.Is(err, ErrConfig) {
				t.Errorf("TTL %v: %v, want ErrConfig", ttl, err)
			}
		}
		if _, err := s.Lease(t.Context(), "k", LeaseRequest{}); !errors.Is(err, ErrConfig) {
			t.Errorf("a lease without a life: %v, want ErrConfig", err)
		}
	})
}

func TestStoreTTL(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		set(t, s, "short", Entry{Value: []byte("x"), TTL: time.Second})
		if _, err := s.Incr(t.Context(), "count", 1, time.Second); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the entry ends", func() bool { _, err := s.Get(t.Context(), "short"); return errors.Is(err, ErrMiss) })
		eventually(t, "the counter ends", func() bool {
			n, err := s.Incr(t.Context(), "count", 1, time.Second)
			return err == nil && n == 1
		})
	})
}

func TestStoreVersions(t *testing.T) {
	high := uint64(1) << 63 // beyond what Lua's numbers and signed ones hold
	for _, c := range []struct {
		there, set uint64
		stored     bool
	}{
		{0, 0, true}, {0, 1, true}, {1, 0, true}, {5, 5, true}, {5, 6, true}, {6, 5, false}, {256, 255, false},
		{255, 256, true}, {high, high + 1, true}, {high + 1, high, false}, {1 << 53, 1<<53 + 1, true}, {1<<53 + 1, 1 << 53, false},
	} {
		t.Run(fmt.Sprint(c.there, "-", c.set), func(t *testing.T) {
			t.Parallel()
			if admits(cellValue, c.there, c.set) != c.stored {
				t.Fatal("admits says otherwise")
			}
		})
	}
	eachBackend(t, func(t *testing.T, s allStores) {
		for i, c := range []struct {
			there, set uint64
			stored     bool
		}{
			{1, 0, true}, {5, 5, true}, {6, 5, false}, {256, 255, false}, {255, 256, true},
			{high + 1, high, false}, {1<<53 + 1, 1 << 53, false}, {1 << 53, 1<<53 + 1, true},
		} {
			key := fmt.Sprint("v", i)
			set(t, s, key, stored("there", c.there))
			if got := set(t, s, key, stored("new", c.set)); got != c.stored {
				t.Errorf("version %d over %d: stored %v", c.set, c.there, got)
			}
			// and under a lease
			l := lease(t, s, key+"l", LeaseRequest{}, Won)
			fill(t, s, key+"l", l.Lease, stored("there", c.there), Stored)
			l = lease(t, s, key+"l", LeaseRequest{Renew: true}, Won)
			want := Older
			if c.stored {
				want = Stored
			}
			fill(t, s, key+"l", l.Lease, stored("new", c.set), want)
			lease(t, s, key+"l", LeaseRequest{Renew: true}, Won) // either way the lease is over
		}
		del(t, s, "v2", 6, 0) // has version 6: stays
		wantEntry(t, s, "v2", "there", 6)
		del(t, s, "v2", 7, 0)
		wantMiss(t, s, "v2")
	})
}

func TestStoreHoldOff(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		set(t, s, "k", stored("old", 4))
		l := lease(t, s, "k", LeaseRequest{Renew: true}, Won)
		del(t, s, "k", 5, time.Hour)
		wantMiss(t, s, "k")
		lease(t, s, "k", LeaseRequest{}, HoldOff)
		lease(t, s, "k", LeaseRequest{Renew: true}, HoldOff)
		fill(t, s, "k", l.Lease, stored("slow", 9), Lost)
		del(t, s, "k", AnyVersion-1, 0) // does not end it
		del(t, s, "k", 3, time.Hour)    // asks for less
		for _, version := range []uint64{0, 4} {
			if set(t, s, "k", stored("old", version)) {
				t.Errorf("version %d was stored", version)
			}
		}
		del(t, s, "short", AnyVersion, time.Second)
		eventually(t, "the hold-off ends", func() bool {
			g, err := s.Lease(t.Context(), "short", LeaseRequest{Life: time.Minute})
			return err == nil && g.State != HoldOff
		})
		del(t, s, "k2", 5, time.Hour)
		if !set(t, s, "k2", stored("new", 5)) {
			t.Error("the version that is admitted was not stored")
		}
		wantEntry(t, s, "k2", "new", 5)
	})
}

func TestStoreLease(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		g := lease(t, s, "k", LeaseRequest{}, Won)
		lease(t, s, "k", LeaseRequest{}, Pending)
		lease(t, s, "k", LeaseRequest{Renew: true}, Pending)
		wantMiss(t, s, "k")
		fill(t, s, "k", g.Lease, stored("one", 0), Stored)
		fill(t, s, "k", g.Lease, stored("twice", 0), Lost)
		if h := lease(t, s, "k", LeaseRequest{}, Hit); string(h.Entry.Value) != "one" {
			t.Errorf("the hit has %q", h.Entry.Value)
		}
		// To renew what is there, which stays readable meanwhile.
		g = lease(t, s, "k", LeaseRequest{Renew: true}, Won)
		p := lease(t, s, "k", LeaseRequest{Renew: true}, Pending)
		if string(g.Entry.Value) != "one" || string(p.Entry.Value) != "one" {
			t.Errorf("won has %q, pending %q", g.Entry.Value, p.Entry.Value)
		}
		wantEntry(t, s, "k", "one", 0)
		fill(t, s, "k", g.Lease, stored("two", 0), Stored)
		wantEntry(t, s, "k", "two", 0)
	})
}

func TestStoreLeaseRelease(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		for _, there := range []bool{false, true} {
			key := fmt.Sprint("k", there)
			if there {
				set(t, s, key, stored("old", 7))
			}
			first := lease(t, s, key, LeaseRequest{Renew: there}, Won)
			if err := s.Release(t.Context(), key, first.Lease); err != nil {
				t.Fatal(err)
			}
			second := lease(t, s, key, LeaseRequest{Renew: there}, Won)
			// The first one's holder has nothing to say any more.
			fill(t, s, key, first.Lease, stored("late", 9), Lost)
			if err := s.Release(t.Context(), key, first.Lease); err != nil {
				t.Fatal(err)
			}
			lease(t, s, key, LeaseRequest{Renew: there}, Pending)
			fill(t, s, key, second.Lease, stored("new", 9), Stored)
			wantEntry(t, s, key, "new", 9)
		}
	})
}

// Every write and delete ends leases.
func TestStoreLeaseKilled(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		for _, there := range []bool{false, true} {
			for name, kill := range map[string]func(key string){
				"set":      func(key string) { set(t, s, key, stored("set", 0)) },
				"delete":   func(key string) { del(t, s, key, AnyVersion, 0) },
				"below":    func(key string) { del(t, s, key, 5, 0) },
				"hold-off": func(key string) { del(t, s, key, AnyVersion, time.Minute) },
			} {
				key := fmt.Sprint(name, there)
				if there {
					set(t, s, key, stored("old", 1))
				}
				g := lease(t, s, key, LeaseRequest{Renew: there}, Won)
				kill(key)
				fill(t, s, key, g.Lease, stored("stale", 2), Lost)
				if e, err := s.Get(t.Context(), key); err == nil && string(e.Value) != "set" {
					t.Errorf("%s: %q came back", key, e.Value)
				}
			}
		}
	})
}

// A lease ends by itself. Whoever held it can neither fill nor unlock.
func TestStoreLeaseEnds(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		const life = 2 * time.Second
		kinds := []bool{false, true} // whether an entry is there
		dead, seen := make([]Grant, len(kinds)), make([]Grant, len(kinds))
		key := func(i int) string { return fmt.Sprint("k", kinds[i]) }
		for i, there := range kinds {
			if there {
				set(t, s, key(i), stored("old", 0))
			}
			dead[i] = lease(t, s, key(i), LeaseRequest{Renew: there, Life: life}, Won)
			seen[i] = lease(t, s, key(i), LeaseRequest{Renew: there, Life: life}, Pending)
		}
		begun := time.Now() // no lease began later
		for i, there := range kinds {
			q := LeaseRequest{Renew: there, Life: time.Minute}
			var next Grant
			eventually(t, "another gets the lease", func() bool {
				if time.Since(begun) > life {
					q.Void = seen[i].Lease
				}
				var err error
				next, err = s.Lease(t.Context(), key(i), q)
				return err == nil && next.State == Won
			})
			fill(t, s, key(i), dead[i].Lease, stored("dead", 0), Lost)
			if err := s.Release(t.Context(), key(i), dead[i].Lease); err != nil {
				t.Fatal(err)
			}
			lease(t, s, key(i), LeaseRequest{Renew: there}, Pending)
			fill(t, s, key(i), next.Lease, stored("new", 0), Stored)
		}
	})
}

func TestStoreLeaseOneWinner(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		for round := range 20 {
			key := fmt.Sprint("k", round)
			if round%2 == 1 {
				set(t, s, key, stored("old", 0))
			}
			var won atomic.Int32
			var all sync.WaitGroup
			for range 32 {
				all.Go(func() {
					g, err := s.Lease(t.Context(), key, LeaseRequest{Life: time.Minute, Renew: true})
					if err != nil {
						t.Error(err)
					}
					if g.State == Won {
						won.Add(1)
					}
				})
			}
			if all.Wait(); won.Load() != 1 {
				t.Errorf("%d winners, want 1", won.Load())
			}
		}
	})
}

func TestStoreBatch(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		var keys []string
		for i := range 40 {
			keys = append(keys, fmt.Sprint("k", i))
		}
		set(t, s, keys[1], stored("one", 1))
		for i, r := range s.GetMany(t.Context(), keys) {
			if i == 1 && (r.Err != nil || string(r.Entry.Value) != "one" || r.Entry.Version != 1) || i != 1 && !errors.Is(r.Err, ErrMiss) {
				t.Errorf("%s: %+v", keys[i], r)
			}
		}
		var writes []Write
		for i, r := range s.LeaseMany(t.Context(), keys, LeaseRequest{Life: time.Minute}) {
			if want := map[bool]LeaseState{true: Hit, false: Won}[i == 1]; r.Err != nil || r.Grant.State != want {
				t.Fatalf("%s: %+v, want state %d", keys[i], r, want)
			}
			w := Write{Key: keys[i], Entry: stored(fmt.Sprint("value ", i), 0)}
			if i != 1 {
				w.Lease = &r.Grant.Lease
			}
			writes = append(writes, w)
		}
		del(t, s, keys[2], AnyVersion, 0)
		for i, r := range s.StoreMany(t.Context(), writes) {
			if want := map[bool]Filled{true: Lost, false: Stored}[i == 2]; r.Err != nil || r.Filled != want {
				t.Errorf("%s: %+v, want %d", keys[i], r, want)
			}
		}
		for i, r := range s.GetMany(t.Context(), keys) {
			if i != 2 && string(r.Entry.Value) != fmt.Sprint("value ", i) {
				t.Errorf("%s: %+v", keys[i], r)
			}
		}
		if r := s.GetMany(t.Context(), nil); len(r) != 0 {
			t.Errorf("no keys: %v", r)
		}
	})
}

func TestStoreIncr(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 4 {
					if _, err := s.Incr(t.Context(), "n", 3, longTTL); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n, err := s.Incr(t.Context(), "n", 0, longTTL); n != 600 || err != nil {
			t.Errorf("sum %d, %v; want 600", n, err)
		}
		if _, err := s.Incr(t.Context(), "n", 1<<63, longTTL); !errors.Is(err, errCounter) {
			t.Errorf("beyond 2^63: %v", err)
		}
		if _, err := s.Incr(t.Context(), "n", 1<<63-1, longTTL); !errors.Is(err, errCounter) {
			t.Errorf("a sum beyond 2^63-1: %v", err)
		}
	})
}

func TestStoreCancelled(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get: %v", err)
		}
		if _, err := s.Set(ctx, "k", stored("x", 0)); !errors.Is(err, context.Canceled) {
			t.Errorf("Set: %v", err)
		}
		wantMiss(t, s, "k")
	})
}

// What others have left under a key is a miss, and is replaced.
func TestStoreForeign(t *testing.T) {
	for _, b := range backends[1:] {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 1)
			for i, value := range [][]byte{[]byte("x"), bytes.Repeat([]byte("foreign "), 10)} {
				key := fmt.Sprint("k", i)
				writeForeign(t, b.name, addresses, key, value)
				s := b.open(t, addresses)
				wantMiss(t, s, key)
				g := lease(t, s, key, LeaseRequest{}, Won)
				lease(t, s, key, LeaseRequest{}, Pending)
				fill(t, s, key, g.Lease, stored("ours", 0), Stored)
				wantEntry(t, s, key, "ours", 0)
			}
		})
	}
}

func writeForeign(t *testing.T, name string, addresses []string, key string, value []byte) {
	t.Helper()
	var err error
	if name == "redis" {
		err = redisFleet(t, addresses).Set(t.Context(), key, value, 0).Err()
	} else {
		err = memcachedFleet(t, addresses).Set(t.Context(), memcachedItemOf(key, value))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A holder whose lease ran out does not fill, also if nobody else has come since.
func TestStoreLeaseLate(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		const life = 100 * time.Millisecond
		set(t, s, "there", stored("old", 0))
		missing := lease(t, s, "missing", LeaseRequest{Life: life}, Won)
		there := lease(t, s, "there", LeaseRequest{Life: life, Renew: true}, Won)
		begun := time.Now()
		eventually(t, "the leases end", func() bool { return time.Since(begun) > life+10*time.Millisecond })
		fill(t, s, "missing", missing.Lease, stored("late", 0), Lost)
		fill(t, s, "there", there.Lease, stored("late", 0), Lost)
		wantMiss(t, s, "missing")
		wantEntry(t, s, "there", "old", 0)
	})
}
