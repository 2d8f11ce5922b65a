package placementtest

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

// byHash is a placement that looks at the hash of a key alone, as all do that
// take a ring.Hasher.
type byHash interface{ OwnerOfHash(hash uint64) int }

// OwnsNothing checks the zero placement.
func (k Kind[P, C]) OwnsNothing(t *testing.T) {
	t.Helper()
	z := k.Zero
	if z.Owner("x") != (ring.Node{}) || z.OwnerIndex("x") != -1 || len(z.Nodes()) != 0 || z.MemoryBytes() != 0 {
		t.Errorf("the zero %T owns something", z)
	}
	if k.With == nil {
		return
	}
	for _, hash := range []uint64{0, 5, ^uint64(0)} {
		if got := any(z).(byHash).OwnerOfHash(hash); got != -1 {
			t.Errorf("the zero %T: node %d owns %#x", z, got, hash)
		}
	}
}

// CopiesNodes checks that a placement shares no slice of nodes with a caller.
func (k Kind[P, C]) CopiesNodes(t *testing.T, cfg C) {
	t.Helper()
	nodes := Numbered(3)
	p := k.Must(t, nodes, cfg)
	nodes[0].ID = "changed"
	p.Nodes()[1].ID = "changed"
	if got := p.Nodes(); !slices.Equal(got, Numbered(3)) {
		t.Errorf("a caller's slice changed the placement: %v", got)
	}
	given := Numbered(4)
	updated := k.Updated(t, p, given)
	given[3].ID = "changed"
	if got := updated.Nodes(); !slices.Equal(got, Numbered(4)) {
		t.Errorf("a caller's slice changed the placement after Update: %v", got)
	}
}

// UsesHasher checks, for each part of a Hasher alone, that lookups hash by it:
// the default takes a shorter path, and must take no other.
func (k Kind[P, C]) UsesHasher(t *testing.T) {
	t.Helper()
	for _, hasher := range hashers() {
		for _, p := range []P{
			k.Must(t, Numbered(50), k.With(hasher)),
			k.Updated(t, k.Must(t, Numbered(49), k.With(hasher)), Numbered(50)),
		} {
			nodes := p.Nodes()
			for i := range 100 {
				key := fmt.Sprintf("{%d}%d", i/3, i)
				want := any(p).(byHash).OwnerOfHash(hasher.Sum(key))
				if got := p.OwnerIndex(key); got != want || p.Owner(key) != nodes[want] {
					t.Fatalf("%+v: owner of %q: got %d, want %d", hasher, key, got, want)
				}
			}
		}
	}
}

// AllocatesNothing checks lookups over these nodes, with every hash function.
func (k Kind[P, C]) AllocatesNothing(t *testing.T, nodes ...[]ring.Node) {
	t.Helper()
	for _, nodes := range append(nodes, Numbered(10)) {
		for _, hasher := range hashers() {
			p := k.Must(t, nodes, k.With(hasher))
			if n := testing.AllocsPerRun(100, func() { p.Owner("{user:1}:profile"); p.OwnerIndex("x") }); n != 0 {
				t.Errorf("%d nodes, %+v: %v allocations a lookup", len(nodes), hasher, n)
			}
		}
	}
}

// UpdateEqualsNew checks that Update gives what New gives for the same Config,
// and leaves its receiver alone; and that it fails with nothing, not with a nil
// pointer in an interface that is not nil. The change is one that every placement
// can make: the last of ten nodes leaves, and two come.
func (k Kind[P, C]) UpdateEqualsNew(t *testing.T, cfg C) {
	t.Helper()
	nodes := Numbered(11)
	from, untouched := k.Must(t, nodes[:10], cfg), k.Must(t, nodes[:10], cfg)
	to := append(slices.Clone(nodes[:9]), ring.Nodes("x", "y")...)
	if got, want := k.Updated(t, from, to), k.Must(t, to, cfg); !reflect.DeepEqual(got, want) {
		t.Errorf("Update to %v differs from New", to)
	}
	if !reflect.DeepEqual(from, untouched) {
		t.Error("Update changed its receiver")
	}
	p, err := from.Update(nil)
	Refused(t, "Update(nil)", p, err, ring.ErrNoNodes, "at least one")
}

// IgnoresOrder checks that nodes in any order make the same placement, to the
// last bit.
func (k Kind[P, C]) IgnoresOrder(t *testing.T, nodes func(t *rapid.T, label string) []ring.Node, cfg func(*rapid.T) C) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		given, c := nodes(t, "nodes"), cfg(t)
		shuffled := rapid.Permutation(given).Draw(t, "shuffled")
		if a, b := k.Must(t, given, c), k.Must(t, shuffled, c); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v and %+v differ", a, b)
		}
	})
}

// MovesMinimally checks that no key moves between two nodes that keep their
// weight, whatever else changes; that a weight that rises gives no key away, and
// one that falls takes none.
func (k Kind[P, C]) MovesMinimally(t *testing.T, nodes func(t *rapid.T, label string) []ring.Node, cfg func(*rapid.T) C) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		from := k.Must(t, nodes(t, "from"), cfg(t))
		to := k.Updated(t, from, nodes(t, "to"))
		before, after := weights(from), weights(to)
		for i := range 100 {
			key := fmt.Sprint("key", i)
			loser, winner := from.Owner(key).ID, to.Owner(key).ID
			if loser != winner && after[loser] >= before[loser] && after[winner] <= before[winner] {
				t.Fatalf("%q moves from %s (weight %v, then %v) to %s (weight %v, then %v)", key,
					loser, before[loser], after[loser], winner, before[winner], after[winner])
			}
		}
	})
}

func weights(p ring.Placement) map[string]float64 {
	weights := make(map[string]float64)
	for _, n := range p.Nodes() {
		weights[n.ID] = n.Weight
	}
	return weights
}

type anotherKind struct{ ring.Placement }

// MovedRefuses checks that Moved refuses what it cannot compare with p, which
// has the Config With(ring.Hasher{}): other kinds, other hashers, no nodes, and
// these.
func (k Kind[P, C]) MovedRefuses(t *testing.T, p P, others map[string]P) {
	t.Helper()
	unlike := map[string]ring.Placement{"another kind": anotherKind{p}, "nothing": nil, "no nodes": k.Zero}
	for name, other := range others {
		unlike[name] = other
	}
	if k.With != nil {
		for _, hasher := range hashers()[1:] {
			unlike[fmt.Sprintf("%+v", hasher)] = k.Must(t, p.Nodes(), k.With(hasher))
		}
	}
	for name, to := range unlike {
		if _, err := any(p).(ring.HashPlacement).Moved(to); !errors.Is(err, ring.ErrNotComparable) {
			t.Errorf("moved to %s: got %v, want ErrNotComparable", name, err)
		}
	}
	if _, err := any(k.Zero).(ring.HashPlacement).Moved(p); !errors.Is(err, ring.ErrNotComparable) {
		t.Errorf("moved from no nodes: got %v, want ErrNotComparable", err)
	}
	if moved, err := any(p).(ring.HashPlacement).Moved(p); moved != 0 || err != nil {
		t.Errorf("moved to itself: got %v, %v, want 0", moved, err)
	}
}

// Moves checks how many hashes move from one placement to another, as counted in
// 128 bits, and that Moved rounds that correctly.
func Moves(t TB, from, to ring.HashPlacement, high, low uint64, want *big.Int) {
	t.Helper()
	got := new(big.Int).SetUint64(high)
	got.Lsh(got, 64).Add(got, new(big.Int).SetUint64(low))
	if got.Cmp(want) != 0 {
		t.Fatalf("moved from %v to %v: got %v hashes, want %v", from.Nodes(), to.Nodes(), got, want)
	}
	exact, _ := new(big.Rat).SetFrac(want, new(big.Int).Lsh(big.NewInt(1), 64)).Float64()
	if fraction, err := from.Moved(to); fraction != exact || err != nil {
		t.Fatalf("moved from %v to %v: got %v, %v; want %v", from.Nodes(), to.Nodes(), fraction, err, exact)
	}
}
