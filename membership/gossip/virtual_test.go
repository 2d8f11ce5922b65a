package gossip

import (
	"testing"
	"time"
)

// TestLifeOfAFleet: five nodes join one after the other, one crashes and is
// evicted, returns and is purged, one leaves.
func TestLifeOfAFleet(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.node("a", bootstrap)
		client := f.join(f.config("client"))
		t.Logf("first node: %v", f.agree(30*time.Second, "a"))
		var all []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if all = append(all, name); name != "a" {
				f.node(name)
				t.Logf("join of %s: %v", name, f.agree(time.Minute, all...))
			}
		}

		f.crash("c")
		f.servers["c"].set(func() { f.servers["c"].keys["old"] = true })
		t.Logf("eviction of c: %v", f.agree(2*time.Minute, "a", "b", "d", "e"))
		evictions := uint64(0)
		for _, g := range f.members {
			evictions += g.Stats().Evictions
		}
		if evictions == 0 {
			t.Errorf("nobody says that it evicted c")
		}

		f.node("c")
		t.Logf("return of c: %v", f.agree(2*time.Minute, all...))
		if s := f.servers["c"]; s.held() != 0 || s.purges != 1 {
			t.Errorf("c came back with %d keys after %d purges, want none after 1", s.held(), s.purges)
		}

		leaver := f.members["b"]
		delete(f.members, "b")
		if err := leaver.Leave(t.Context()); err != nil {
			t.Errorf("leave of b: %v", err)
		}
		t.Logf("leave of b: %v", f.agree(time.Minute, "a", "c", "d", "e"))

		time.Sleep(time.Minute)
		if why := f.difference([]string{"a", "c", "d", "e"}); why != "" {
			t.Errorf("a minute later: %s", why)
		}
		if v := f.view(client); len(v.Disagree) > 0 {
			t.Errorf("disagree: %v", v.Disagree)
		}
	})
}
