package ring

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestNewErrors(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name  string
		nodes []Node
		cfg   Config
		want  error
		text  string
	}{
		{"no nodes", nil, Config{}, ErrNoNodes, "ring: number of nodes: got 0, want at least one"},
		{"empty ID", Nodes("a", ""), Config{}, ErrInvalidID, `ring: node ID: got "", want 1 to 255 bytes`},
		{"long ID", Nodes(long), Config{}, ErrInvalidID, `ring: node ID: got "` + long[:64] + `"… (256 bytes), want 1 to 255 bytes`},
		{"twice", Nodes("a", "b", "a"), Config{}, ErrDuplicateID, `ring: node ID given twice: got "a", want every ID once`},
		{"weight 0", []Node{{ID: "a"}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got 0, want above 0, at most 1048576`},
		{"weight -1", []Node{{ID: "a", Weight: -1}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got -1, want above 0, at most 1048576`},
		{"weight NaN", []Node{{ID: "a", Weight: math.NaN()}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got NaN, want above 0, at most 1048576`},
		{"weight infinite", []Node{{ID: "a", Weight: math.Inf(1)}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got +Inf, want above 0, at most 1048576`},
		{"weight huge", []Node{{ID: "a", Weight: 1 << 21}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got 2.097152e+06, want above 0, at most 1048576`},
		{"weight too small", []Node{{ID: "a", Weight: 0.001}}, Config{}, ErrInvalidWeight, `ring: weight of node "a": got 0.001, want at least 0.00313 to have a token`},
		{"zone", []Node{{ID: "a", Weight: 1, Zone: long}}, Config{}, ErrInvalidZone, `ring: zone of node "a": got "` + long[:64] + `"… (256 bytes), want at most 255 bytes`},
		{"tokens", Nodes("a", "b"), Config{VirtualNodes: 1<<23 + 1}, ErrTooManyTokens, "ring: number of tokens: got 16777218, want at most 16777216 (virtual nodes × sum of weights)"},
		{"tokens beyond 32 bits", []Node{{ID: "a", Weight: 1 << 20}}, Config{VirtualNodes: 1 << 24}, ErrTooManyTokens, "ring: number of tokens: got 17592186044416, want at most 16777216 (virtual nodes × sum of weights)"},
		{"virtual nodes", Nodes("a"), Config{VirtualNodes: -1}, ErrInvalidConfig, "ring: config VirtualNodes: got -1, want 1 to 16777216, or 0 for 160"},
		{"virtual nodes huge", Nodes("a"), Config{VirtualNodes: 1<<24 + 1}, ErrInvalidConfig, "ring: config VirtualNodes: got 16777217, want 1 to 16777216, or 0 for 160"},
		{"hash", Nodes("a"), Config{Hasher: Hasher{Function: 9}}, ErrInvalidConfig, "ring: config Hasher.Function: got HashFunction(9), want XXHash64 or Murmur3"},
		{"murmur3 seed", Nodes("a"), Config{Hasher: Hasher{Function: Murmur3, Seed: 1 << 32}}, ErrInvalidConfig, "ring: config Hasher.Seed: got a seed over 32 bits, want at most 32 bits with Murmur3"},
	} {
		r, err := New(c.nodes, c.cfg)
		var input *InputError
		if r != nil || !errors.Is(err, c.want) || !errors.As(err, &input) {
			t.Errorf("%s: got %v, %v; want an *InputError that is %v", c.name, r, err, c.want)
			continue
		}
		if err.Error() != c.text {
			t.Errorf("%s: got %s\nwant %s", c.name, err, c.text)
		}
	}
}

func TestParseHashFunction(t *testing.T) {
	for _, f := range []HashFunction{XXHash64, Murmur3} {
		if got, err := ParseHashFunction(f.String()); got != f || err != nil {
			t.Errorf("%v: got %v, %v", f, got, err)
		}
	}
	if _, err := ParseHashFunction("md5"); !errors.Is(err, ErrInvalidConfig) {
		t.Errorf("md5: got %v", err)
	}
}

// TestTag holds the table of the Redis Cluster specification and some more.
func TestTag(t *testing.T) {
	for key, want := range map[string]string{
		"{user1000}.following": "user1000",
		"foo{}{bar}":           "foo{}{bar}",
		"foo{{bar}}zap":        "{bar",
		"foo{bar}{zap}":        "bar",
		"foo":                  "foo",
		"{}":                   "{}",
		"a{b":                  "a{b",
		"":                     "",
		"}{a}":                 "a",
		"a}b{":                 "a}b{",
	} {
		if got := Tag(key); got != want {
			t.Errorf("Tag(%q): got %q, want %q", key, got, want)
		}
	}
	r := mustNew(t, Nodes("a", "b", "c", "d", "e"), Config{Hasher: Hasher{HashTags: true}})
	for i := range 100 {
		tag := fmt.Sprint("user", i)
		if r.Owner("{"+tag+"}.following") != r.Owner("{"+tag+"}.followers") || r.Owner("{"+tag+"}x") != r.Owner(tag) {
			t.Errorf("keys with tag %q have different owners", tag)
		}
	}
	// A node ID with braces is a label, not a key: its tokens must all differ.
	braces := mustNew(t, Nodes("{a}1", "{a}2"), Config{Hasher: Hasher{HashTags: true}})
	if share := braces.Share("{a}1"); share < 0.3 || share > 0.7 {
		t.Errorf("share of a node with a tag in its ID: %v", share)
	}
}

func TestFingerprintTellsApart(t *testing.T) {
	base := []Node{{"a", 1, "z"}, {"b", 1, ""}}
	seen := make(map[Fingerprint]string)
	for name, r := range map[string]*Ring{
		"base":          mustNew(t, base, Config{}),
		"weight":        mustNew(t, []Node{{"a", 1.001, "z"}, {"b", 1, ""}}, Config{}),
		"zone":          mustNew(t, []Node{{"a", 1, ""}, {"b", 1, "z"}}, Config{}),
		"ID":            mustNew(t, []Node{{"a", 1, "z"}, {"c", 1, ""}}, Config{}),
		"boundary":      mustNew(t, []Node{{"az", 1, ""}, {"b", 1, ""}}, Config{}),
		"virtual nodes": mustNew(t, base, Config{VirtualNodes: 161}),
		"hash":          mustNew(t, base, Config{Hasher: Hasher{Function: Murmur3}}),
		"seed":          mustNew(t, base, Config{Hasher: Hasher{Seed: 1}}),
		"tags":          mustNew(t, base, Config{Hasher: Hasher{HashTags: true}}),
	} {
		if f, err := FingerprintOf(r.Nodes(), r.cfg); err != nil || f != r.Fingerprint() {
			t.Errorf("%s: without the ring %s, %v; of the ring %s", name, f, err, r.Fingerprint())
		}
		if twin, known := seen[r.Fingerprint()]; known {
			t.Errorf("%s has the fingerprint of %s", name, twin)
		}
		seen[r.Fingerprint()] = name
	}
	a := mustNew(t, base, Config{})
	if f := a.Fingerprint(); f != mustNew(t, base, Config{VirtualNodes: 160}).Fingerprint() || f.Short() != f.String()[:16] {
		t.Error("equal rings, different fingerprints")
	}
}

func TestZeroRing(t *testing.T) {
	var r Ring
	if r.Owner("a") != (Node{}) || r.OwnerIndex("a") != -1 || r.OwnerOfHash(1) != -1 || r.OwnerBytes(nil) != (Node{}) {
		t.Error("the zero Ring owns something")
	}
	if r.Successors(nil, "a", 1) != nil || r.Replicas(nil, "a", 1) != nil || r.Share("a") != 0 || len(r.Shares()) != 0 {
		t.Error("the zero Ring has nodes")
	}
	r.EachOwner("a", func(int) bool { t.Error("the zero Ring yields a node"); return true })
	if !strings.Contains(r.Describe(), "0 nodes") {
		t.Error(r.Describe())
	}
}

func TestRingIsImmutable(t *testing.T) {
	given := Nodes("b", "a")
	r := mustNew(t, given, Config{})
	given[0].ID = "changed"
	r.Nodes()[0].ID = "changed"
	r.Shares()[0] = 7
	if a, known := r.Node("a"); !known || a.ID != "a" || r.Len() != 2 || r.Share("a") > 1 {
		t.Errorf("the ring changed: %v", r.Nodes())
	}
	if _, known := r.Node("changed"); known {
		t.Error("the ring took over a change of what it was given")
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	for name, hasher := range map[string]Hasher{
		"xxhash64": {}, "murmur3": {Function: Murmur3}, "seed": {Seed: 1}, "murmur3 seed": {Function: Murmur3, Seed: 1}, "tags": {HashTags: true},
	} {
		nodes := Nodes("a", "b", "c", "d", "e", "f")
		nodes[0].Zone, nodes[1].Zone, nodes[2].Zone = "x", "x", "y"
		r := mustNew(t, nodes, Config{Hasher: hasher})
		key, bytes := "user:{1234567890}:profile", []byte("user:1234567890:profile")
		dst := make([]Node, 0, 6)
		for what, f := range map[string]func(){
			"Owner":           func() { r.Owner(key) },
			"OwnerBytes":      func() { r.OwnerBytes(bytes) },
			"OwnerIndex":      func() { r.OwnerIndex(key) },
			"OwnerIndexBytes": func() { r.OwnerIndexBytes(bytes) },
			"Successors":      func() { r.Successors(dst, key, 5) },
			"Replicas":        func() { r.Replicas(dst, key, 5) },
			"EachOwner":       func() { r.EachOwner(key, func(int) bool { return true }) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, what, n)
			}
		}
	}
}

// FuzzNew feeds bytes as nodes and configuration: New answers with a ring that
// agrees with itself, or with an *InputError, and never panics.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 1.0, 160, uint8(0), uint64(0), "key")
	f.Add("a,a", 1.0, 0, uint8(1), uint64(1), "{x}y")
	f.Add(",", -1.0, -5, uint8(2), uint64(1<<40), "")
	f.Fuzz(func(t *testing.T, ids string, weight float64, virtualNodes int, function uint8, seed uint64, key string) {
		if virtualNodes > 1000 && weight*float64(virtualNodes) < 1<<25 {
			virtualNodes %= 1000 // within the limits, but slow
		}
		var nodes []Node
		for i, id := range strings.Split(ids, ",") {
			nodes = append(nodes, Node{ID: id, Weight: math.Min(weight, 1000) + float64(i%2), Zone: id[:len(id)/2]})
		}
		if len(nodes) > 20 {
			nodes = nodes[:20]
		}
		cfg := Config{VirtualNodes: virtualNodes, Hasher: Hasher{Function: HashFunction(function), Seed: seed, HashTags: seed%2 == 1}}
		r, err := New(nodes, cfg)
		if err != nil {
			var input *InputError
			if !errors.As(err, &input) || r != nil {
				t.Fatalf("got %v, %v", r, err)
			}
			return
		}
		owner := r.Owner(key)
		if _, known := r.Node(owner.ID); !known || r.OwnerBytes([]byte(key)) != owner || r.Replicas(nil, key, 1)[0] != owner {
			t.Fatalf("owner of %q: %v", key, owner)
		}
		if !strings.HasSuffix(r.Describe(), "\n") {
			t.Fatal(r.Describe())
		}
	})
}
