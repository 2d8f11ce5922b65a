package membership

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
)

// node is a Redis server in a state, taking part in a transition.
func node(id string, state State, transition uint64) Member {
	return Member{ID: id, Kind: Redis, Address: "h:1", State: state, Weight: 1, Transition: transition}
}

func reweighed(id string, step State, transition uint64) Member {
	m := node(id, Active, transition)
	m.Step, m.NextWeight = step, 3
	return m
}

// TestTwoRings holds which nodes own keys now and which will: "a" in the current
// ring only, "+a" in the next only, "a*3" a weight of 3 there.
func TestTwoRings(t *testing.T) {
	joining, memcached := node("j", Joining, 0), node("m", Importing, 1)
	memcached.Kind = Memcached
	sick := node("s", Active, 0)
	sick.Health = Unhealthy
	dead := node("d", Exporting, 7)
	dead.Health = Dead
	for name, c := range map[string]struct {
		members []Member
		current string
		next    string
		number  uint64
		phase   Phase
	}{
		"nobody":                           {nil, "", "", 0, Stable},
		"stable":                           {[]Member{node("a", Active, 0), node("b", Left, 5), joining}, "a", "a", 0, Stable},
		"one comes":                        {[]Member{node("a", Active, 0), node("b", Announced, 5)}, "a", "a b", 5, PhaseAnnounced},
		"one imports":                      {[]Member{node("a", Active, 0), node("b", Importing, 5)}, "a", "a b", 5, PhaseImporting},
		"one goes":                         {[]Member{node("a", Active, 0), node("b", Leaving, 5)}, "a b", "a", 5, PhaseAnnounced},
		"one exports":                      {[]Member{node("a", Active, 0), node("b", Exporting, 5)}, "a b", "a", 5, PhaseImporting},
		"the slowest decides":              {[]Member{node("a", Importing, 5), node("b", Announced, 5), node("c", Exporting, 5)}, "c", "a b", 5, PhaseAnnounced},
		"a later one waits":                {[]Member{node("a", Active, 0), node("b", Importing, 5), node("c", Announced, 6)}, "a", "a b", 5, PhaseImporting},
		"one that will go stays till then": {[]Member{node("a", Active, 0), node("b", Importing, 5), node("c", Leaving, 6)}, "a c", "a b c", 5, PhaseImporting},
		"weight":                           {[]Member{node("a", Active, 0), reweighed("b", Announced, 5)}, "a b", "a b*3", 5, PhaseAnnounced},
		"one that moves keys goes first":   {[]Member{node("a", Active, 0), node("b", Announced, 5), node("c", Importing, 6)}, "a", "a c", 6, PhaseImporting},
		"of two that wait the first":       {[]Member{node("a", Active, 0), node("b", Announced, 6), node("c", Announced, 5)}, "a", "a c", 5, PhaseAnnounced},
		"weight later":                     {[]Member{node("a", Importing, 4), reweighed("b", Importing, 5)}, "b", "a b", 4, PhaseImporting},
		"health has no part":               {[]Member{sick, dead}, "d s", "s", 7, PhaseImporting},
		"other kinds have no part":         {[]Member{node("a", Active, 0), memcached, {ID: "r", Kind: Router, State: Announced}}, "a", "a", 0, Stable},
	} {
		m, err := NewManual(c.members...)
		if err != nil {
			t.Fatal(name, err)
		}
		v, err := m.Next(t.Context(), 0)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := shown(v.Current(Redis)); got != c.current {
			t.Errorf("%s: current ring %q, want %q", name, got, c.current)
		}
		if got := shown(v.Next(Redis)); got != c.next {
			t.Errorf("%s: next ring %q, want %q", name, got, c.next)
		}
		if number, phase := v.Transition(Redis); number != c.number || phase != c.phase {
			t.Errorf("%s: transition %d %s, want %d %s", name, number, phase, c.number, c.phase)
		}
		m.Close()
	}
}

func shown(nodes []ring.Node) string {
	var words []string
	for _, n := range nodes {
		word := n.ID
		if n.Weight != 1 {
			word += fmt.Sprint("*", n.Weight)
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestWordsOfMembers(t *testing.T) {
	for want, m := range map[string]Member{
		"kind":        {ID: "a", Address: "h:1", Kind: "etcd"},
		"state":       {ID: "a", Address: "h:1", State: "UNHEALTHY"},
		"health":      {ID: "a", Address: "h:1", Health: "ill"},
		"step":        {ID: "a", Address: "h:1", State: Leaving, Step: Announced, NextWeight: 1},
		"next weight": {ID: "a", Address: "h:1", Step: Announced},
	} {
		if _, err := NewManual(m); err == nil || !strings.Contains(err.Error(), want+` of member "a"`) {
			t.Errorf("%+v: got %v, want an error about its %s", m, err, want)
		}
	}
	if got := (Member{State: Leaving, Health: Dead}).Status() + " " + (Member{State: Leaving}).Status(); got != "DEAD LEAVING" {
		t.Errorf("Status: %s", got)
	}
}
