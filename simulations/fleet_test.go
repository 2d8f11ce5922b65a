package simulations

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

func ids(nodes []ring.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	return strings.Join(out, " ")
}

func mustNodes(t testing.TB, text string) []ring.Node {
	t.Helper()
	nodes, err := ParseNodes(text)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

func mustChange(t testing.TB, text string) Change {
	t.Helper()
	c, err := ParseChange(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseNodes(t *testing.T) {
	if got := ids(mustNodes(t, "3")); got != "node1 node2 node3" {
		t.Errorf("3 is %s", got)
	}
	got := mustNodes(t, "b,a:2,c:0.5:east")
	want := []ring.Node{{ID: "b", Weight: 1}, {ID: "a", Weight: 2}, {ID: "c", Weight: 0.5, Zone: "east"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseNodesRefuses(t *testing.T) {
	for _, test := range []struct{ text, found string }{
		{"", "an empty ID"},
		{"0", `"0"`},
		{"-1", `"-1"`},
		{"100001", `"100001"`},
		{"99999999999999999999", `"99999999999999999999"`},
		{"a,", "an empty ID"},
		{"a,a", `node ID given twice "a"`},
		{"1,2", `"1"`},
		{"a:", `"a:"`},
		{"a:0", `"a:0"`},
		{"a:-1", `"a:-1"`},
		{"a:nan", `"a:nan"`},
		{"a:inf", `"a:inf"`},
		{"a:1e9", `"a:1e9"`},
		{"a:1:", `"a:1:"`},
		{"a:1:z:y", `"a:1:z:y"`},
		{"a b", `"a b"`},
		{"a\nb", `"a\nb"`},
		{"a@7", `"a@7"`},
		{"a\u202eb", `"a\u202eb"`},
		{"a\u0085b", `"a\u0085b"`},
		{"a\u009b31m", `"a\u009b31m"`},
		{"a\xffb", `"a\xffb"`},
		{"a:1:z\x1b[31m", `"a:1:z\x1b[31m"`},
		{"a:1:z\u202e", `"a:1:z\u202e"`},
		{"a:1:z\xff", `"a:1:z\xff"`},
		{"a" + strings.Repeat(",b", MaxNodes), "a list of 100001"},
		{strings.Repeat("x", 256), "node ID \"" + strings.Repeat("x", 64) + "\"… (256 bytes)"},
	} {
		nodes, err := ParseNodes(test.text)
		var bad *InputError
		if !errors.As(err, &bad) || bad.What != "nodes" || !strings.HasPrefix(bad.Found, test.found) || bad.Want == "" {
			t.Errorf("%.40q: got %v, %v; want found %s", test.text, ids(nodes), err, test.found)
		}
	}
}

func TestChangeApply(t *testing.T) {
	for _, test := range []struct{ fleet, change, want string }{
		{"3", "+1", "node1 node2 node3 node4"},
		{"3", "+2", "node1 node2 node3 node4 node5"},
		{"a,b", "+1", "a b node3"},
		{"node3,b", "+1", "node3 b node4"}, // node3 is taken
		{"10", "-1", "node1 node2 node3 node4 node6 node7 node8 node9 node10"},
		{"10", "-2", "node1 node2 node4 node5 node6 node8 node9 node10"},
		{"2", "-1", "node2"},
		{"4", "-3", "node4"}, // the last stays to the end
		{"3", "-node2", "node1 node3"},
		{"3", "+x:2:east,-node1", "node2 node3 x"},
		{"3", "-node3,+1", "node1 node2 node3"}, // the name is free again
		{"a,b:2", "=a:3", "a b"},
	} {
		fleet := mustNodes(t, test.fleet)
		first := slices.Clone(fleet)
		got, err := mustChange(t, test.change).Apply(fleet)
		if err != nil || ids(got) != test.want {
			t.Errorf("%s of %s: got %s, %v; want %s", test.change, test.fleet, ids(got), err, test.want)
		}
		if !slices.Equal(fleet, first) {
			t.Errorf("%s: Apply changed the list that it was given", test.change)
		}
	}
	got, err := mustChange(t, "+x:2:east,=node1:0.5").Apply(mustNodes(t, "node1:1:west"))
	if want := []ring.Node{{ID: "node1", Weight: 0.5, Zone: "west"}, {ID: "x", Weight: 2, Zone: "east"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err := (Change{}).Apply(mustNodes(t, "2")); err != nil || ids(got) != "node1 node2" {
		t.Errorf("the zero Change: got %s, %v", ids(got), err)
	}
}

func TestChangeRefuses(t *testing.T) {
	for _, text := range []string{"", "1", "a", "+", "-", "+0", "-0", "+-1", "--1", "+1,", ",+1", "+1@5", "+100001", "+99999999999999999999",
		"-a:2", "+a:", "-a:", "=a", "=a:", "=a:2:z", "=3", "+a:0", "+a b", "*1",
		"+a\u202eb", "-a\u009bb", "=a\xff:2", "+a:1:z\x1b", "+a:1:z\u0085"} {
		var bad *InputError
		if c, err := ParseChange(text); !errors.As(err, &bad) || bad.What != "change" || bad.Want == "" {
			t.Errorf("ParseChange(%q): got %v, %v", text, c, err)
		}
	}
	for _, test := range []struct{ fleet, change, want string }{
		{"3", "-3", "at least one of the 3 nodes left"},
		{"3", "-4", "at least one of the 3 nodes left"},
		{"1", "-node1", "at least one node left"},
		{"3", "-2,-1", "at least one of the 1 nodes left"},
		{"3", "-x", "the ID of a node in the fleet (node1, node2, node3)"},
		{"3", "=x:2", "the ID of a node in the fleet (node1, node2, node3)"},
		{"3", "+node2", "an ID that is not in the fleet yet"},
		{"3", "+x,+x", "an ID that is not in the fleet yet"},
		{"99999", "+2", "at most 100000 nodes in all"},
	} {
		var bad *InputError
		if nodes, err := mustChange(t, test.change).Apply(mustNodes(t, test.fleet)); !errors.As(err, &bad) || bad.What != "change" || bad.Want != test.want {
			t.Errorf("%s of %s: got %s, %v", test.change, test.fleet, ids(nodes), err)
		}
	}
}

// -K takes exactly K nodes, and not the last one.
func TestRemoveMiddle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 300).Draw(t, "n")
		k := rapid.IntRange(1, n-1).Draw(t, "k")
		change, err := ParseChange(fmt.Sprint("-", k))
		if err != nil {
			t.Fatal(err)
		}
		fleet, _ := ParseNodes(fmt.Sprint(n))
		left, err := change.Apply(fleet)
		if err != nil || len(left) != n-k {
			t.Fatalf("%d left, %v", len(left), err)
		}
		if left[len(left)-1].ID != nodeName(n) {
			t.Fatalf("the last node left: %s", ids(left))
		}
	})
}

func TestParseTimedChanges(t *testing.T) {
	got, err := ParseTimedChanges("-1@900,+x@500,+1@900")
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if got[0].At != 500 || got[0].Change.String() != "+x" || got[1].At != 900 || got[1].Change.String() != "-1,+1" {
		t.Errorf("got %v", got)
	}
	for _, text := range []string{"", "+1", "+1,-1@5", "+1@", "+1@0", "+1@-3", "+1@x", "+1@5@6", "@5", "+1@99999999999999999999"} {
		var bad *InputError
		if got, err := ParseTimedChanges(text); !errors.As(err, &bad) || bad.What != "change" {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

// What a change prints is read back as the same change, and no text makes the
// parsers panic.
func FuzzParseChange(f *testing.F) {
	for _, text := range []string{"+1", "-2", "+a:2:east,-b,=c:0.5", "+1@5,-a@6", "+a:1:z", "+a:1e-5", "uniform:7", "ring,jump"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if nodes, err := ParseNodes(text); err == nil && ring.ValidateNodes(nodes) != nil {
			t.Errorf("ParseNodes(%q) let through %v", text, nodes)
		}
		if changes, err := ParseTimedChanges(text); err == nil && len(changes) == 0 {
			t.Errorf("ParseTimedChanges(%q) returned nothing", text)
		}
		if count, ok, err := ParseUniform(text); ok && err == nil && (count < 1 || count > MaxUniformKeys) {
			t.Errorf("ParseUniform(%q) let through %d", text, count)
		}
		if names, err := ParseAlgorithms(text); err == nil && len(names) == 0 {
			t.Errorf("ParseAlgorithms(%q) returned nothing", text)
		}
		c, err := ParseChange(text)
		if err != nil {
			return
		}
		again, err := ParseChange(c.String())
		if err != nil || !slices.Equal(again.steps, c.steps) {
			t.Errorf("%q printed as %q, read back as %v, %v", text, c, again, err)
		}
		fleet, _ := ParseNodes("4")
		if nodes, err := c.Apply(fleet); err == nil && ring.ValidateNodes(nodes) != nil {
			t.Errorf("Apply(%q) let through %v", text, nodes)
		}
	})
}
