package gossip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestNoFirstNode: agents that find nobody but each other make a fleet.
func TestNoFirstNode(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		for _, name := range []string{"a", "b", "c"} {
			f.node(name)
		}
		f.agree(time.Minute, "a", "b", "c")
	})
}

// TestOwnSeedIsNoContact: a member that reaches nobody but itself knows nothing of
// the fleet.
func TestOwnSeedIsNoContact(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		g := f.node("a") // which is one of the two seeds
		time.Sleep(10 * time.Minute)
		if s := g.Status(); s.Contact || s.Node.State != membership.Joining || s.Waits == "" || s.Seeds == nil {
			t.Errorf("status: %+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.Next(ctx, 0)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "10.0.0.1:2") {
			t.Errorf("the error names no seed: %v", err)
		}
		if err := g.Leave(t.Context()); err != nil {
			t.Errorf("leave of a node that nobody knows: %v", err)
		}
	})
}

// TestBootstrapWithSeeds: seeds are asked first; if none answers the node begins a
// fleet, with what its server holds.
func TestBootstrapWithSeeds(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.servers["a"] = newServer("k")
		g := f.node("a", bootstrap)
		time.Sleep(9 * time.Second)
		if s := g.Status(); s.Contact || s.Node.State != membership.Joining {
			t.Errorf("before BootstrapAfter: %+v", s)
		}
		f.agree(5*time.Second, "a")
		if f.servers["a"].held() != 1 {
			t.Error("its key is gone")
		}

		// Where there is a fleet the flag means nothing: b must hold nothing.
		f.servers["b"] = newServer("k")
		b := f.node("b", bootstrap)
		<-b.Done()
		var holds *HoldsKeysError
		if !errors.As(b.Err(), &holds) || holds.ID != "b" || holds.Keys != 1 || holds.Address != "b:6379" {
			t.Errorf("b ended with %v", b.Err())
		}
		if s := b.Status(); s.Node.State != membership.Joining {
			t.Errorf("b is %v", s.Node.State)
		}
		time.Sleep(time.Minute)
		if f.servers["b"].held() != 1 {
			t.Error("the key of a node that was refused is gone")
		}
		if err := b.Leave(t.Context()); err != nil {
			t.Errorf("leave of a node that was refused: %v", err)
		}
		delete(f.members, "b")

		f.servers["c"] = newServer("k")
		f.node("c", func(c *Config) { c.Node.Purge = true })
		f.agree(time.Minute, "a", "c")
		if f.servers["c"].held() != 0 {
			t.Error("c joined with keys")
		}
	})
}

// TestRestart: an agent that comes back before the node is evicted takes it up as
// it was, on the same address or on another one. Nothing is purged, and no view
// in between has another ring.
func TestRestart(t *testing.T) {
	for _, tt := range []struct {
		name      string
		elsewhere bool
		away      time.Duration
	}{
		{"at once", false, 0},
		{"at once, elsewhere", true, 0},
		{"after it was seen to be dead", false, 15 * time.Second},
		{"after it was seen to be dead, elsewhere", true, 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtually(t, func(t *testing.T, f *fleet) {
				f.start("a", "b", "c", "d")
				f.servers["d"].set(func() { f.servers["d"].keys["k"] = true })
				before := f.view(f.members["client"])
				purges := f.servers["d"].purges

				at := f.crash("d")
				time.Sleep(tt.away)
				if v := f.view(f.members["client"]); tt.away > 0 {
					if m, _ := v.Member("d"); m.Health != membership.Dead || m.State != membership.Active {
						t.Errorf("while it is away: %+v", m)
					}
				}
				cfg := f.config("d")
				if !tt.elsewhere {
					f.network.Restart(at)
					cfg = f.configAt("d", at)
				}
				g := f.nodeWith(cfg)
				for range 2 * 60 * 10 {
					for name, m := range f.members {
						if v := f.view(m); name != "d" && !sameRing(v, before) {
							t.Fatalf("%s sees owners %v", name, owners(v))
						}
					}
					time.Sleep(100 * time.Millisecond)
				}
				f.agree(time.Second, "a", "b", "c", "d")
				if s := f.servers["d"]; s.purges != purges {
					t.Errorf("purged %d times", s.purges-purges)
				}
				for name, m := range f.members {
					for _, seen := range m.Members() {
						if seen.ID == "d" && (!seen.Alive || seen.Gossip != g.transport.self() || seen.Status() != "ACTIVE") {
							t.Errorf("%s has %+v", name, seen)
						}
					}
				}
			})
		})
	}
}

func sameRing(a, b membership.View) bool {
	return a.Fingerprints[membership.Redis] == b.Fingerprints[membership.Redis]
}

// TestNameTakenForAWhile: the impostor waits for ConflictAfter, tells nobody of
// its server meanwhile, and gives up.
func TestNameTakenForAWhile(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		real := f.members["c"]
		impostor := f.node("c", func(c *Config) { c.Node.Address = "evil:6379"; c.Node.Purge = true })
		began := time.Now()
		for impostor.Err() == nil {
			if time.Since(began) > 2*time.Minute {
				t.Fatalf("it goes on: %+v", impostor.Status())
			}
			for _, name := range []string{"a", "b", "client"} {
				if m, _ := f.view(f.members[name]).Member("c"); m.Address != "c:6379" {
					t.Fatalf("%s has c at %s", name, m.Address)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if lasted := time.Since(began); lasted < 55*time.Second || lasted > 70*time.Second {
			t.Errorf("it gave up after %v, want about a minute", lasted)
		}
		f.members["c"] = real
		f.agree(time.Second, "a", "b", "c")
	})
}

// TestLeaveUnderAnothersName: a member that waits for its name leaves without a word.
// A goodbye would be taken for the other's: whenever the other one is suspected, as
// happens on a busy machine, both deny it, and who denies it last is believed.
func TestLeaveUnderAnothersName(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		for i := range 4 { // whom its word reaches first is chance
			f.leavesUnder("c", 100*(i+1))
		}
		f.agree(time.Second, "a", "b", "c")
	})
}

// leavesUnder starts another member with the name of one that runs, and ends it after it
// has said so many times that it is there.
func (f *fleet) leavesUnder(name string, times int) {
	real := f.members[name]
	second := f.node(name)
	f.members[name] = real
	time.Sleep(2 * time.Second)
	if !second.Status().Taken.IsValid() {
		f.t.Fatalf("it has not found its name taken: %+v", second.Status())
	}
	for range times { // each outdoes what was said before, as a denial does
		_ = second.list.UpdateNode(time.Nanosecond)
	}
	if err := second.Leave(f.t.Context()); err != nil {
		f.t.Error(err)
	}
	for range 10 * 10 {
		for _, other := range []string{"a", "b", "client"} {
			if m, _ := f.view(f.members[other]).Member(name); m.Health != membership.Healthy || m.State != membership.Active {
				f.t.Fatalf("%s has %+v", other, m)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestLeaveBeforeJoining: a node that leaves before it was announced is not known
// to the fleet, and its server is no more to be purged than any other.
func TestLeaveBeforeJoining(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a")
		g := f.node("b")
		time.Sleep(2 * time.Second)
		delete(f.members, "b")
		if err := g.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		s := f.servers["b"]
		s.set(func() { s.keys["precious"] = true })
		again := f.node("b")
		delete(f.members, "b")
		<-again.Done()
		var holds *HoldsKeysError
		if err := again.Err(); !errors.As(err, &holds) || s.held() != 1 {
			t.Errorf("%v, and the server holds %d keys", err, s.held())
		}
	})
}
