package rebalance

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// count returns how many of the keys a node has.
func (f *testFleet) count(id string, keys []string) (n int) {
	f.t.Helper()
	for _, key := range keys {
		_, _, there, err := f.store(id).get(f.t.Context(), key)
		must(f.t, err)
		if there {
			n++
		}
	}
	return n
}

// waits waits until the mover says that it waits for a node, and why.
func waits(t testing.TB, m *Mover, node, why string) {
	t.Helper()
	eventually(t, "the mover waits and says that "+why, func() bool {
		p := m.Progress()
		for _, r := range p.Receivers {
			if r.ID == node && strings.Contains(r.Waiting, why) && strings.Contains(p.Error, why) && p.State == Waiting && p.KeysMoved == 0 {
				return true
			}
		}
		return false
	})
}

// TestFenceHoldsOut: without the receiver's fence nothing arrives, and with it
// everything does.
func TestFenceHoldsOut(t *testing.T) {
	for _, kind := range bothKinds {
		for name, fence := range map[string]*transit.Fence{
			"none": nil, "another transition": {Transition: testTransition + 1}, "another fleet": {Prefix: "x", Transition: testTransition},
		} {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				f := newFleet(t, kind, active("a"), coming("b"))
				keys := f.ownedBy("a", "b", "key", 50)
				for _, key := range keys {
					must(t, f.store("a").set(t.Context(), key, "v", 0))
				}
				if fence != nil {
					must(t, f.store("b").SetFence(t.Context(), *fence))
				}
				m := f.mover("a")
				wait, _ := f.inBackground(m)
				waits(t, m, "b", "does not let keys of this transition in")
				if here, there := f.count("a", keys), f.count("b", keys); here != len(keys) || there != 0 {
					t.Errorf("%d keys at the source and %d at the receiver", here, there)
				}
				f.fence("b")
				must(t, wait())
				if here, there := f.count("a", keys), f.count("b", keys); here != 0 || there != len(keys) {
					t.Errorf("then %d keys at the source and %d at the receiver", here, there)
				}
				if p := m.Progress(); p.Receivers[0].Waiting != "" || p.Error != "" || p.KeysWaiting != 0 {
					t.Errorf("at the end: %+v", p)
				}
			})
		}
	}
}

// TestNoMemory: keys wait for a receiver that has no room, and those of others do
// not wait with them.
func TestNoMemory(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"), coming("c"))
	f.fence("b", "c")
	ctx := t.Context()
	toB, toC := f.ownedBy("a", "b", "b", 700), f.ownedBy("a", "c", "c", 700)
	for i := range toB {
		must(t, f.store("a").set(ctx, toB[i], "v", time.Hour))
		must(t, f.store("a").set(ctx, toC[i], "v", time.Hour))
	}
	must(t, f.redis("b").ConfigSet(ctx, "maxmemory", "1").Err())
	m := f.mover("a")
	wait, _ := f.inBackground(m)
	eventually(t, "the others have moved, and the mover waits for memory", func() bool {
		p := m.Progress()
		return len(p.Receivers) == 2 && p.Receivers[1].Keys == int64(len(toC)) && strings.Contains(p.Receivers[0].Waiting, "memory") && p.KeysWaiting > 0
	})
	if n := f.count("a", toB); n != len(toB) {
		t.Errorf("%d keys at the source, want %d", n, len(toB))
	}
	// The receiver's agent cannot renew its fence meanwhile, without memory.
	must(t, f.redis("b").ConfigSet(ctx, "maxmemory", "0").Err())
	must(t, wait())
	if here, there := f.count("a", toB), f.count("b", toB); here != 0 || there != len(toB) {
		t.Errorf("%d keys at the source and %d at the receiver", here, there)
	}
}

// TestTooLarge: an item that the receiver does not take stays, and the mover says
// so; all others move.
func TestTooLarge(t *testing.T) {
	f := newFleetWith(t, membership.Memcached, map[string][]string{"a": {"-I", "4m"}}, active("a"), coming("b"))
	f.fence("b")
	keys := f.ownedBy("a", "b", "key", 1200)
	for _, key := range keys {
		must(t, f.store("a").set(t.Context(), key, "v", 0))
	}
	large := f.ownedBy("a", "b", "large", 1)
	must(t, f.store("a").set(t.Context(), large[0], strings.Repeat("x", 2<<20), 0))
	m := f.mover("a")
	wait, _ := f.inBackground(m)
	eventually(t, "all others have moved, and the mover says why one has not", func() bool {
		p := m.Progress()
		return p.KeysMoved == int64(len(keys)) && p.KeysWaiting == 1 && p.State == Waiting && strings.Contains(p.Error, "too large")
	})
	if f.count("a", large) != 1 {
		t.Error("it is lost")
	}
	must(t, f.store("a").del(t.Context(), large[0]))
	must(t, wait())
}

// TestServersThatHang: neither a receiver nor a source that does not answer makes
// the mover give up, or lose anything.
func TestServersThatHang(t *testing.T) {
	for _, kind := range bothKinds {
		for _, id := range []string{"a", "b"} {
			t.Run(fmt.Sprint(kind, "/", id), func(t *testing.T) {
				f := newFleet(t, kind, active("a"), coming("b"))
				f.config.Source.Timeout = 20 * time.Millisecond
				f.config.Limits.Keys = 2000
				f.fence("b")
				items := make(map[string]testItem)
				for _, key := range f.ownedBy("a", "b", "key", 1000) {
					items[key] = testItem{value: key, ttl: time.Hour}
				}
				began := time.Now()
				f.spread(items)
				m := f.mover("a")
				wait, _ := f.inBackground(m)
				eventually(t, "some keys have moved", func() bool { return m.Progress().KeysMoved > 0 })
				f.servers[id].Stop()
				eventually(t, "an error is told", func() bool { return m.Progress().Error != "" })
				f.servers[id].Cont()
				must(t, wait())
				_, next := f.rings()
				f.check(items, next, began)
			})
		}
	}
}

// TestReceiverRestarts: a receiver that comes back without its keys, and without
// its fence, is waited for.
func TestReceiverRestarts(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			keys := f.ownedBy("a", "b", "key", 100)
			for _, key := range keys {
				must(t, f.store("a").set(t.Context(), key, "v", 0))
			}
			f.servers["b"].Kill()
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			waits(t, m, "b", "refused")
			f.servers["b"].Restart()
			must(t, wait())
			if here, there := f.count("a", keys), f.count("b", keys); here != 0 || there != len(keys) {
				t.Errorf("%d keys at the source and %d at the receiver", here, there)
			}
		})
	}
}

// TestPause: nothing moves while the mover is paused, be it from the beginning.
func TestPause(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			f.config.Limits.Keys = 1000
			keys := f.ownedBy("a", "b", "key", 500)
			for _, key := range keys {
				must(t, f.store("a").set(t.Context(), key, "v", 0))
			}
			m := f.mover("a")
			m.Pause()
			m.Pause()
			wait, _ := f.inBackground(m)
			eventually(t, "it has begun, and is paused", func() bool {
				p := m.Progress()
				return p.Transition == testTransition && p.State == Paused && p.Pass == 0
			})
			if n := f.count("b", keys); n != 0 {
				t.Errorf("%d keys moved", n)
			}
			m.Resume()
			eventually(t, "some keys move", func() bool { return m.Progress().KeysMoved > 0 })
			m.Pause()
			before := m.Progress().KeysMoved
			time.Sleep(300 * time.Millisecond) // in which some 300 would move
			if n := m.Progress().KeysMoved - before; n > (lanes+1)*minBatch {
				t.Errorf("%d keys moved, want no more than were under way", n)
			}
			if !m.Paused() || m.Progress().State != Paused {
				t.Errorf("paused %v, %+v", m.Paused(), m.Progress())
			}
			m.Resume()
			must(t, wait())
			if here, there := f.count("a", keys), f.count("b", keys); here != 0 || there != len(keys) {
				t.Errorf("%d keys at the source and %d at the receiver", here, there)
			}
		})
	}
}

// TestRate: so many keys take so long at least. (What the machine takes on top is
// its own affair.)
func TestRate(t *testing.T) {
	for _, kind := range bothKinds {
		for name, limits := range map[string]Limits{"keys": {Keys: 2000}, "bytes": {Bytes: 200_000}} {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				f := newFleet(t, kind, active("a"), coming("b"))
				f.fence("b")
				f.config.Limits = limits
				items := make(map[string]testItem)
				for _, key := range f.ownedBy("a", "b", "key", 1000) {
					items[key] = testItem{value: strings.Repeat(key, 16)} // 100,000 bytes in all
				}
				f.spread(items)
				began := time.Now()
				f.handOver("a")
				// What goes first is not waited for: up to a full batch in each lane.
				if least := 100 * time.Millisecond; limits.Keys > 0 && time.Since(began) < 4*least {
					t.Errorf("it took %v", time.Since(began))
				}
			})
		}
	}
}

func TestHandOverRefuses(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	m := f.mover("a")
	for name, c := range map[string]struct {
		view       membership.View
		transition uint64
	}{
		"another transition": {f.view, testTransition + 1},
		"no members":         {membership.View{}, testTransition},
	} {
		if err := m.HandOver(t.Context(), c.view, c.transition); !errors.Is(err, ErrNoTransition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.servers["z"] = f.servers["a"]
	if err := f.mover("z").HandOver(t.Context(), f.view, testTransition); !errors.Is(err, ErrNoTransition) {
		t.Errorf("a node that is not in the view: %v", err)
	}
	m.Pause()
	wait, _ := f.inBackground(m)
	eventually(t, "it has begun", func() bool { return m.Progress().Transition == testTransition })
	if err := m.HandOver(t.Context(), f.view, testTransition); !errors.Is(err, ErrBusy) {
		t.Errorf("two at a time: %v", err)
	}
	must(t, m.Close())
	if err := wait(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed meanwhile: %v", err)
	}
	if err := m.HandOver(t.Context(), f.view, testTransition); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	// The last node of its kind has nobody to hand over to.
	f.see(membership.Member{ID: "a", Kind: membership.Redis, Address: f.servers["a"].Addr(), State: membership.Exporting, Transition: testTransition})
	must(t, f.mover("a").HandOver(t.Context(), f.view, testTransition))
}

func TestNewRefuses(t *testing.T) {
	good := Config{Self: "a", Source: Server{URL: "redis://127.0.0.1:1"}}
	for name, change := range map[string]func(*Config){
		"no URL":           func(c *Config) { c.Source.URL = "" },
		"no ID":            func(c *Config) { c.Self = "" },
		"copies":           func(c *Config) { c.Copies = -1 },
		"keys":             func(c *Config) { c.Limits.Keys = -1 },
		"latency":          func(c *Config) { c.Limits.Latency = -1 },
		"two passwords":    func(c *Config) { c.Source.Password, c.Source.PasswordEnv = "x", "y" },
		"hash seed":        func(c *Config) { c.Placement.Hasher.Function, c.Placement.Hasher.Seed = 1, 1<<40 },
		"credentials only": func(c *Config) { c.Source.Username = "u" },
	} {
		c := good
		change(&c)
		if m, err := New(c); !errors.Is(err, ErrInvalidConfig) || m != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := New(good)
	must(t, err)
	if err := m.SetLimits(Limits{Bytes: -1}); !errors.Is(err, ErrInvalidConfig) {
		t.Errorf("limits: %v", err)
	}
	must(t, m.SetLimits(Limits{Keys: 5}))
	if got, want := m.Limits(), (Limits{Keys: 5, BigKeyBytes: DefaultBigKeyBytes, BigKeyElements: DefaultBigKeyElements}); got != want {
		t.Errorf("limits: %+v", got)
	}
	if p := m.Progress(); p.State != Idle || p.KeysLeft != -1 || p.Transition != 0 {
		t.Errorf("progress: %+v", p)
	}
	must(t, m.Close())
	must(t, m.Close())
}
