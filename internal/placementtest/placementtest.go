package placementtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

// TB is what *testing.T, *testing.B, *testing.F and *rapid.T share.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Placement is what nearly every placement offers.
type Placement interface {
	comparable
	ring.Placement
	ring.Sized
	Owner(key string) ring.Node
}

// Kind is a placement under test: P is a pointer to its type, C its Config.
type Kind[P Placement, C any] struct {
	New func(nodes []ring.Node, cfg C) (P, error)

	// With returns a Config with this hasher, and otherwise as good as any. It
	// is nil for a placement that takes no ring.Hasher.
	With func(ring.Hasher) C

	// Zero is the placement that no New made.
	Zero P
}

// Must returns the placement, and ends the test where there is none.
func (k Kind[P, C]) Must(t TB, nodes []ring.Node, cfg C) P {
	t.Helper()
	p, err := k.New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Updated returns p.Update(nodes), and ends the test where that fails.
func (k Kind[P, C]) Updated(t TB, p P, nodes []ring.Node) P {
	t.Helper()
	updated, err := p.Update(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return updated.(P)
}

// Numbered returns n nodes of weight 1: node-000, node-001 and so on.
func Numbered(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("node-%03d", i), Weight: 1}
	}
	return nodes
}

// Listed returns a node for each of the IDs, which are separated by commas, and
// gives every other one that weight: nodes from what a fuzzer makes up.
func Listed(ids string, weight float64) []ring.Node {
	nodes := ring.Nodes(strings.Split(ids, ",")...)
	for i := range nodes {
		if i%2 == 1 {
			nodes[i].Weight = weight
		}
	}
	return nodes
}

// DrawHasher draws a hasher that is valid.
func DrawHasher(t *rapid.T) ring.Hasher {
	return ring.Hasher{
		Function: rapid.SampledFrom([]ring.HashFunction{ring.XXHash64, ring.Murmur3}).Draw(t, "function"),
		Seed:     rapid.Uint64Max(math.MaxUint32).Draw(t, "seed"),
		HashTags: rapid.Bool().Draw(t, "tags"),
	}
}

// hashers are the default, which placements may take a shorter path for, and
// every way to leave it, alone and together.
func hashers() []ring.Hasher {
	return []ring.Hasher{{}, {Function: ring.Murmur3}, {Seed: 3}, {HashTags: true}, {Seed: 1, HashTags: true}}
}

// Refuses checks that New refuses these nodes or this Config, as Refused says.
func (k Kind[P, C]) Refuses(t TB, name string, nodes []ring.Node, cfg C, want error, says string) {
	t.Helper()
	p, err := k.New(nodes, cfg)
	Refused(t, name, p, err, want, says)
}

// Refused checks the answer to a bad input: nothing, in an interface too, and an
// *ring.InputError that is want and whose text has says in it, or is it if says
// begins with "ring: ".
func Refused[P comparable](t TB, name string, p P, err, want error, says string) {
	t.Helper()
	var nothing P
	var input *ring.InputError
	whole := strings.HasPrefix(says, "ring: ")
	switch {
	case p != nothing || !errors.As(err, &input) || !errors.Is(err, want):
		t.Errorf("%s: got %v, %v; want nothing and an *InputError that is %q", name, p, err, want)
	case !strings.Contains(err.Error(), says) || whole && err.Error() != says:
		t.Errorf("%s: got %v\nwant %s", name, err, says)
	}
}

// Try builds from what a fuzzer made up. New refuses it with nothing but an
// *ring.InputError, or the owner of the key is one of the nodes, which the
// placement has as they were given; then built is true.
func (k Kind[P, C]) Try(t TB, nodes []ring.Node, cfg C, key string) (p P, built bool) {
	t.Helper()
	p, err := k.New(nodes, cfg)
	if err != nil {
		var nothing P
		if input := (*ring.InputError)(nil); p != nothing || !errors.As(err, &input) || err.Error() == "" {
			t.Fatalf("got %v and an error of type %T: %v", p, err, err)
		}
		return p, false
	}
	has := p.Nodes()
	if i := p.OwnerIndex(key); i < 0 || i >= len(has) || p.Owner(key) != has[i] {
		t.Fatalf("%q belongs to node %d of %d, %v", key, i, len(has), p.Owner(key))
	}
	if !slices.Equal(ring.SortedByID(has), ring.SortedByID(nodes)) {
		t.Fatalf("nodes: got %v, want %v", has, nodes)
	}
	return p, true
}
