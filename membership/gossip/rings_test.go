package gossip

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/internal/memnet"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// TestDisagree: a client with another placement is named by all others, and sees
// all others named, after the time that convergence takes; changes of the ring do
// not hide it. Nobody else is named, at any time.
func TestDisagree(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		cfg := f.config("odd")
		cfg.Placement = ring.Config{VirtualNodes: 40}
		odd := f.join(cfg)
		time.Sleep(10 * time.Second)
		for name, g := range f.members {
			if v := f.view(g); len(v.Disagree) != 0 {
				t.Errorf("%s after 10 s: %v", name, v.Disagree)
			}
		}
		check := func(when string) {
			t.Helper()
			for name, g := range f.members {
				want := []string{"odd"}
				if name == "odd" {
					for other := range f.members {
						want = append(want, other)
					}
					slices.Sort(want)
					want = slices.DeleteFunc(want, func(s string) bool { return s == "odd" })
				}
				if v := f.view(g); !slices.Equal(v.Disagree, want) {
					t.Errorf("%s, %s: %v, want %v", when, name, v.Disagree, want)
				}
			}
		}
		time.Sleep(10 * time.Second)
		check("after 20 s")

		joined := time.Now()
		f.node("d")
		for time.Since(joined) < 30*time.Second {
			time.Sleep(100 * time.Millisecond)
			if v := f.view(f.members["a"]); !slices.Equal(v.Disagree, []string{"odd"}) {
				t.Fatalf("%v after another node began to join: %v", time.Since(joined), v.Disagree)
			}
		}
		check("with another node")

		_ = odd.Close()
		delete(f.members, "odd")
		time.Sleep(30 * time.Second)
		for name, g := range f.members {
			if v := f.view(g); len(v.Disagree) != 0 {
				t.Errorf("%s after it has gone: %v", name, v.Disagree)
			}
		}
	})
}

// TestSlowIsNotOther: in a fleet that changes all the time a member that is always
// one change behind does not disagree, one that has stopped does.
func TestSlowIsNotOther(t *testing.T) {
	g, _ := unopened(t, Config{})
	l, now := g.loop, time.Now()
	for _, name := range []string{"slow", "stuck"} {
		l.sight(name, sighting{alive: true, meta: ledger.Meta{Cluster: "ringway", Kind: membership.Router, Epoch: 1}.Encode()})
	}
	for second := range 60 {
		epoch := uint64(second) + 2
		got := l.disagreeing(now, membership.View{Epoch: epoch})
		if slices.Contains(got, "slow") || slices.Contains(got, "stuck") != (second >= 15) {
			t.Fatalf("after %d s: %v", second, got)
		}
		now = now.Add(time.Second)
		l.sight("slow", sighting{alive: true, meta: ledger.Meta{Cluster: "ringway", Kind: membership.Router, Epoch: epoch}.Encode()})
	}
}

// TestTwoKinds: each kind has a ring of its own; what members show covers both.
func TestTwoKinds(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		f.node("m", func(c *Config) { c.Node.Kind, c.Node.Address = membership.Memcached, "m:11211" })
		time.Sleep(time.Minute)
		v := f.view(f.members["client"])
		// The zero Placement is that of a router's zero configuration: with hash tags.
		placement := ring.Config{Hasher: ring.Hasher{HashTags: true}}
		redis, _ := ring.FingerprintOf(ring.Nodes("a", "b"), placement)
		memcached, _ := ring.FingerprintOf(ring.Nodes("m"), placement)
		if len(v.Fingerprints) != 2 || v.Fingerprints[membership.Redis] != redis || v.Fingerprints[membership.Memcached] != memcached {
			t.Errorf("fingerprints: %v", v.Fingerprints)
		}
		var first Member
		for i, m := range f.members["client"].Members() {
			if i == 0 {
				first = m
			}
			if m.Epoch != v.Epoch || m.Fingerprint != first.Fingerprint || m.Fingerprint == redis.Short() {
				t.Errorf("%s shows %d %s", m.ID, m.Epoch, m.Fingerprint)
			}
		}
	})
}

// inLoop runs something in a member's loop.
func inLoop(g *Gossip, what func(*loop)) { g.do(func() { what(g.loop) }) }

// unheard puts a record into a member's ledger as if all messages about it had
// been lost since.
func unheard(g *Gossip, id string) {
	inLoop(g, func(l *loop) {
		r := someRecord(id)
		r.State, r.Stamp = membership.Left, l.ledger.Epoch()+1
		l.ledger.MergeRecord(r)
		l.changed()
	})
}

func knows(g *Gossip, id string) (known bool) {
	inLoop(g, func(l *loop) { _, known = l.ledger.Record(id) })
	return known
}

// TestCatchUp: who sees another show a newer ring does not wait for memberlist's
// next exchange of states, which is 30 s away at most.
func TestCatchUp(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c", "d")
		worst := time.Duration(0)
		for range 10 {
			time.Sleep(time.Minute)
			id := "gone" + time.Now().Format("150405")
			began := time.Now()
			unheard(f.members["a"], id)
			for name := range f.members {
				for !knows(f.members[name], id) {
					time.Sleep(50 * time.Millisecond)
				}
			}
			worst = max(worst, time.Since(began))
		}
		if worst > 8*time.Second {
			t.Errorf("a lost message was made up for after %v", worst)
		}
	})
}

// deafTransport loses all packets that come in once it is told to; streams work.
type deafTransport struct {
	*memnet.Transport
	deaf atomic.Bool
}

func (d *deafTransport) PacketCh() <-chan *memberlist.Packet {
	if d.deaf.Load() {
		return nil
	}
	return d.Transport.PacketCh()
}

// TestLostWord: a node that waits for a client to show its announcement asks it
// when the client's word was lost.
func TestLostWord(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		cfg := f.config("d")
		transport := &deafTransport{Transport: cfg.Transport.(*memnet.Transport)}
		cfg.Transport = transport
		d := f.nodeWith(cfg)
		time.Sleep(3 * time.Second)
		transport.deaf.Store(true)
		for d.Status().Node.State == membership.Joining {
			time.Sleep(10 * time.Millisecond)
		}
		began := time.Now()
		for d.Status().Node.State == membership.Announced {
			time.Sleep(50 * time.Millisecond)
		}
		if lasted := time.Since(began); lasted > 10*time.Second || d.Stats().CatchUps == 0 {
			t.Errorf("announced for %v, %d members asked", lasted, d.Stats().CatchUps)
		}
	})
}

// TestMetaIsNotTold10Times: changes that follow each other closely are told once,
// by a client soon, by a node when the view has come to rest.
func TestMetaIsNotTold10Times(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		time.Sleep(time.Minute)
		told := func() (counts [3]uint64) {
			for i, name := range []string{"a", "b", "client"} {
				counts[i] = f.members[name].Stats().Announced
			}
			return counts
		}
		before := told()
		last := ""
		for range 10 {
			last = "gone" + time.Now().Format(".000")
			unheard(f.members["a"], last)
			inLoop(f.members["a"], func(l *loop) { r, _ := l.ledger.Record(last); l.passOnRecord(r) })
			time.Sleep(100 * time.Millisecond)
		}
		for !knows(f.members["client"], last) {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(250 * time.Millisecond)
		client := told()[2] - before[2]
		if epoch := f.view(f.members["client"]).Epoch; epoch != shownEpoch(f.members["client"]) {
			t.Errorf("250 ms after a change the client shows another epoch than %d", epoch)
		}
		time.Sleep(15 * time.Second)
		after := told()
		if a, b := after[0]-before[0], after[1]-before[1]; a != 1 || b != 1 {
			t.Errorf("of 10 changes within a second a told %d, b %d, want 1", a, b)
		}
		if client > 10 {
			t.Errorf("the client told %d", client)
		}
		for name, g := range f.members {
			if f.view(g).Epoch != shownEpoch(g) {
				t.Errorf("%s shows an old epoch at last", name)
			}
		}
	})
}

// TestLostUpdate: memberlist may lose an update of meta data to one of its own at
// the same moment, and then shows what it showed before. The update is repeated.
func TestLostUpdate(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		time.Sleep(time.Minute)
		for _, name := range []string{"a", "client"} {
			g := f.members[name]
			before, epoch := g.Stats().Announced, f.view(g).Epoch
			inLoop(g, func(l *loop) {
				m := l.wantedMeta()
				m.Epoch = 1
				old := m.Encode()
				g.meta.Store(&old)
			})
			_ = g.list.UpdateNode(time.Nanosecond)
			if got := shownEpoch(g); got != 1 {
				t.Fatalf("%s shows epoch %d", name, got)
			}
			time.Sleep(5 * time.Second)
			if got, n := shownEpoch(g), g.Stats().Announced-before; got != epoch || n != 1 {
				t.Errorf("%s shows epoch %d, want %d, and told %d times, want 1", name, got, epoch, n)
			}
		}
	})
}

// shownEpoch is the epoch in the meta data that memberlist shows of the member.
func shownEpoch(g *Gossip) (epoch uint64) {
	inLoop(g, func(l *loop) {
		m, _ := ledger.DecodeMeta(g.cfg.Name, l.shown.meta)
		epoch = m.Epoch
	})
	return epoch
}

// TestRogue: a member that announces a server elsewhere leads nobody there, and
// holds up no transition.
func TestRogue(t *testing.T) {
	careful := func(c *Config) { c.AllowServerNames = []string{"a", "b", "c"} }
	virtually(t, func(t *testing.T, f *fleet) {
		f.node("a", bootstrap, careful)
		f.node("b", careful)
		cfg := f.config("client")
		careful(&cfg)
		f.join(cfg)
		f.agree(time.Minute, "a", "b")
		f.node("rogue", func(c *Config) { c.Node.Address = "evil:6379" })
		delete(f.members, "rogue")
		time.Sleep(time.Minute)
		f.node("c", careful)
		for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(100 * time.Millisecond) {
			for name, g := range f.members {
				if _, known := f.view(g).Member("rogue"); known {
					t.Fatalf("%s has the rogue in its view", name)
				}
			}
		}
		f.agree(time.Second, "a", "b", "c")
		if f.members["client"].Stats().Ignored["server"] == 0 {
			t.Error("it is not counted")
		}
	})
}
