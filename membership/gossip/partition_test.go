package gossip

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestPartitionHeals: for 90 s two of five nodes and a client are cut off. The
// three evict the two, the two evict nobody; when the cause has gone they find
// each other again, although memberlist has forgotten the dead, and the two are
// purged before they come back.
func TestPartitionHeals(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c", "d", "e")
		f.join(f.config("other"))
		f.agree(time.Minute, "a", "b", "c", "d", "e")
		var minority []netip.AddrPort
		for _, name := range []string{"d", "e", "other"} {
			minority = append(minority, f.members[name].Status().Gossip)
			if s := f.servers[name]; s != nil {
				s.set(func() { s.keys["old"] = true })
			}
		}
		if err := f.network.Partition(minority); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		f.agreeAmong([]string{"a", "b", "c", "client"}, time.Second, "a", "b", "c")
		f.agreeAmong([]string{"d", "e", "other"}, time.Second, "a", "b", "c", "d", "e")
		for _, m := range f.view(f.members["other"]).Members {
			if dead := m.Health == membership.Dead; dead != slices.Contains([]string{"a", "b", "c"}, m.ID) {
				t.Errorf("the minority sees %s as %v", m.ID, m.Status())
			}
		}
		f.network.Heal()
		t.Logf("healed within %v", f.agree(3*time.Minute, "a", "b", "c", "d", "e"))
		for _, name := range []string{"d", "e"} {
			if f.members[name].Stats().Evictions != 0 {
				t.Errorf("%s has evicted somebody", name)
			}
			if f.servers[name].held() != 0 {
				t.Errorf("%s came back with what it held", name)
			}
		}
	})
}

// TestHealsWithoutSeeds: both sides find each other by the members they remember,
// though the only seed is gone.
func TestHealsWithoutSeeds(t *testing.T) {
	oneSeed := func(c *Config) { c.Seeds = c.Seeds[:1] }
	virtually(t, func(t *testing.T, f *fleet) {
		f.node("a", bootstrap)
		for _, name := range []string{"b", "c", "d", "e"} {
			f.node(name, oneSeed)
		}
		f.agree(time.Minute, "a", "b", "c", "d", "e")
		f.crash("a")
		f.agree(2*time.Minute, "b", "c", "d", "e")
		half := []netip.AddrPort{f.members["d"].Status().Gossip, f.members["e"].Status().Gossip}
		if err := f.network.Partition(half); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		for name, g := range f.members {
			if v := f.view(g); len(owners(v)) != 4 {
				t.Errorf("%s, which sees half of the fleet, has owners %v", name, owners(v))
			}
		}
		f.network.Heal()
		time.Sleep(time.Minute)
		for name, g := range f.members {
			for _, m := range f.view(g).Members {
				if m.Health != membership.Healthy {
					t.Errorf("%s sees %s as %s", name, m.ID, m.Status())
				}
			}
		}
	})
}

// TestUnhealthy: a server that does not answer is shown at once, owns its keys,
// and is evicted in time; it comes back empty.
func TestUnhealthy(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		s := f.servers["c"]
		s.set(func() { s.down, s.keys["old"] = true, true })
		time.Sleep(6 * time.Second)
		f.agree(time.Second, "a", "b", "c")
		if m, _ := f.view(f.members["client"]).Member("c"); m.Health != membership.Unhealthy {
			t.Errorf("after 6 s: %+v", m)
		}
		if st := f.members["c"].Status(); st.Healthy || st.Probe == nil {
			t.Errorf("status: %+v", st)
		}
		f.agree(time.Minute, "a", "b")
		s.set(func() { s.down = false })
		f.agree(2*time.Minute, "a", "b", "c")
		if s.held() != 0 {
			t.Error("c came back with what it held")
		}
	})
}

// TestCutOffForVeryLong: when the fleet may have forgotten that it evicted a node,
// the node evicts itself.
func TestCutOffForVeryLong(t *testing.T) {
	forgetful := func(c *Config) { c.Timing.ForgetAfter = 10 * time.Minute }
	virtually(t, func(t *testing.T, f *fleet) {
		f.node("a", bootstrap, forgetful)
		f.node("b", forgetful)
		f.node("c", forgetful)
		f.agree(time.Minute, "a", "b", "c")
		s := f.servers["c"]
		s.set(func() { s.keys["old"] = true })
		if err := f.network.Partition([]netip.AddrPort{f.members["c"].Status().Gossip}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		if got := f.members["c"].Status().Node.State; got != membership.Active {
			t.Errorf("after 4 minutes: %v", got)
		}
		time.Sleep(12 * time.Minute)
		if got := f.members["c"].Status(); got.Node.State != membership.Joining || got.Waits == "" {
			t.Errorf("after 16 minutes: %+v", got)
		}
		if members := f.members["a"].Members(); len(members) != 2 {
			t.Errorf("a remembers %v", members)
		}
		s.set(func() { s.keys["old"] = true }) // some client of that side wrote again
		f.network.Heal()
		f.agree(2*time.Minute, "a", "b", "c")
		if s.held() != 0 {
			t.Error("c came back with what it held")
		}
	})
}

// TestOneRuleOfTheMajority: a node knows that it is cut off by the rule by which
// the others may evict it. Here two of the three nodes that stay are beyond the
// cut; that all who leave are on this side makes it no majority.
func TestOneRuleOfTheMajority(t *testing.T) {
	g, _ := unopened(t, Config{Name: "c", Node: goodNode()})
	l, n := g.loop, g.loop.node
	for id, state := range map[string]membership.State{"a": membership.Active, "b": membership.Active, "c": membership.Active,
		"d": membership.Leaving, "e": membership.Exporting, "f": membership.Leaving} {
		r := someRecord(id)
		r.State = state
		l.ledger.MergeRecord(r)
	}
	n.record, _ = l.ledger.Record("c")
	for _, id := range []string{"d", "e", "f"} {
		l.seen[id] = &peer{}
	}
	now := time.Now()
	n.watchIsolation(now)
	n.watchIsolation(now.Add(l.cfg.Timing.ForgetAfter / 2))
	if !n.alone.held || !l.ledger.Evicted("c") {
		t.Errorf("c does not know that it is cut off: %+v", n.alone)
	}
	l.seen["a"], l.seen["b"] = &peer{}, &peer{}
	if n.watchIsolation(now); n.alone.held {
		t.Error("c sees most of those that stay, and does not know it")
	}
}

// TestRollCall: an agent whose memberlist still shows nodes that are cut off, as
// it does at first, evicts nobody. EvictAfter is far too short here, so that the
// first node to be missed is due while all others are still shown.
func TestRollCall(t *testing.T) {
	hasty := func(c *Config) { c.Timing.EvictAfter = time.Second }
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	virtually(t, func(t *testing.T, f *fleet) {
		for i, name := range names {
			if i == 0 {
				f.node(name, bootstrap, hasty)
			} else {
				f.node(name, hasty)
			}
		}
		f.agree(time.Minute, names...)
		var minority []netip.AddrPort
		for _, name := range names[:3] {
			minority = append(minority, f.members[name].Status().Gossip)
		}
		if err := f.network.Partition(minority); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		f.agreeAmong(names[:3], time.Second, names...)
		f.agreeAmong(names[3:], time.Second, names[3:]...)
		for _, name := range names[:3] {
			if n := f.members[name].Stats().Evictions; n != 0 {
				t.Errorf("%s, cut off with a minority, has evicted %d", name, n)
			}
		}
	})
}
