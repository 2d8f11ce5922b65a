package ring

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// identical reports whether two rings are the same to the last bit, hash
// functions in tests apart.
func identical(a, b *Ring) bool {
	x, y := *a, *b
	x.cfg.Hasher.replaced, y.cfg.Hasher.replaced = nil, nil
	return reflect.DeepEqual(x, y)
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t), drawConfig(t)
		shuffled := rapid.Permutation(nodes).Draw(t, "shuffled")
		a, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(shuffled, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !identical(a, b) {
			t.Fatalf("rings of %v and %v differ", nodes, shuffled)
		}
	})
}

// TestUpdateEqualsNew walks a ring through random changes; after each it must be
// the ring that New builds from the same nodes.
func TestUpdateEqualsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t), drawConfig(t)
		r, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			before := *r
			var next *Ring
			if rapid.Bool().Draw(t, "join") {
				joining := drawNodes(t)
				next, err = r.With(joining...)
				nodes = slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool {
					return slices.ContainsFunc(joining, func(j Node) bool { return j.ID == n.ID })
				})
				nodes = append(nodes, joining...)
			} else if len(nodes) > 1 {
				leaving := nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "leaving")]
				next, err = r.Without(leaving.ID)
				nodes = slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n == leaving })
			} else {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := New(nodes, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !identical(next, fresh) || next.Fingerprint() != fresh.Fingerprint() {
				t.Fatalf("after the change to %v:\ngot\n%s\nwant\n%s", nodes, next.Describe(), fresh.Describe())
			}
			if !identical(r, &before) {
				t.Fatal("the change touched the ring it was asked of")
			}
			r = next
		}
	})
}

func TestUpdateErrors(t *testing.T) {
	r := mustNew(t, Nodes("a", "b"), Config{})
	for _, c := range []struct {
		name   string
		change func() (*Ring, error)
		want   error
	}{
		{"remove unknown", func() (*Ring, error) { return r.Without("c") }, ErrUnknownID},
		{"remove all", func() (*Ring, error) { return r.Without("a", "b") }, ErrNoNodes},
		{"add without ID", func() (*Ring, error) { return r.With(Node{Weight: 1}) }, ErrInvalidID},
		{"add twice", func() (*Ring, error) { return r.With(Nodes("c", "c")...) }, ErrDuplicateID},
		{"add nothing to nothing", func() (*Ring, error) { return new(Ring).With() }, ErrNoNodes},
	} {
		next, err := c.change()
		if next != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, next, err, c.want)
		}
	}
	if p, err := r.Update(nil); p != nil || !errors.Is(err, ErrNoNodes) {
		t.Errorf("Update(nil): got %v, %v", p, err)
	}
	if same, err := r.Without(); same != r || err != nil {
		t.Errorf("Without(): got %v, %v", same, err)
	}
	if one, err := new(Ring).With(Nodes("a")...); err != nil || one.Owner("x").ID != "a" {
		t.Errorf("the zero Ring with a node: got %v, %v", one, err)
	}
}

// TestDiffMatchesOracle asks both rings about each movement and about places
// outside all of them.
func TestDiffMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		from, to := drawNodes(t), drawNodes(t)
		a, err := New(from, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "other virtual nodes") {
			cfg.VirtualNodes++
		}
		b, err := New(to, cfg)
		if err != nil {
			t.Fatal(err)
		}
		movements, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		checkDiff(t, a, b, movements)
	})
}

func checkDiff(t *rapid.T, a, b *Ring, movements []Movement) {
	hashes := []uint64{0, math.MaxUint64}
	for _, token := range append(slices.Clone(a.tokens), b.tokens...) {
		hashes = append(hashes, token-1, token, token+1)
	}
	for _, m := range movements {
		hashes = append(hashes, m.Range.First-1, m.Range.First, m.Range.Last, m.Range.Last+1)
	}
	for _, hash := range hashes {
		i := slices.IndexFunc(movements, func(m Movement) bool { return m.Range.Contains(hash) })
		old, new := a.nodes[a.OwnerOfHash(hash)].ID, b.nodes[b.OwnerOfHash(hash)].ID
		switch {
		case i < 0 && old != new:
			t.Fatalf("%#016x goes from %s to %s, but is in no movement", hash, old, new)
		case i >= 0 && (movements[i].From != old || movements[i].To != new || old == new):
			t.Fatalf("%#016x goes from %s to %s, not as in %v", hash, old, new, movements[i])
		}
	}
	sum := 0.0
	for i, m := range movements {
		sum += m.Range.Fraction()
		if m.Range.First > m.Range.Last || i > 0 && movements[i-1].Range.Last >= m.Range.First {
			t.Fatalf("movements out of order at %d: %v", i, movements)
		}
		if i > 0 && movements[i-1].continuedBy(m) {
			t.Fatalf("movements %v and %v are one", movements[i-1], m)
		}
	}
	moved, err := a.Moved(b)
	if err != nil || math.Abs(moved-sum) > 1e-12 {
		t.Fatalf("moved: got %v, %v; the movements add up to %v", moved, err, sum)
	}
}

func TestDiffWhole(t *testing.T) {
	a, b := mustNew(t, Nodes("a"), Config{}), mustNew(t, Nodes("b"), Config{})
	movements, err := Diff(a, b)
	want := []Movement{{Range{0, math.MaxUint64}, "a", "b"}}
	if err != nil || !slices.Equal(movements, want) {
		t.Errorf("got %v, %v; want %v", movements, err, want)
	}
	if moved, err := a.Moved(b); moved != 1 || err != nil {
		t.Errorf("moved: got %v, %v; want 1", moved, err)
	}
	if movements, err := Diff(a, a); len(movements) != 0 || err != nil {
		t.Errorf("a ring to itself: got %v, %v", movements, err)
	}
	if got := want[0].Range.String(); got != "0000000000000000-ffffffffffffffff" {
		t.Errorf("range: %s", got)
	}
}

func TestDiffNotComparable(t *testing.T) {
	r := mustNew(t, Nodes("a"), Config{})
	for _, cfg := range []Config{{Hasher: Hasher{Seed: 1}}, {Hasher: Hasher{Function: Murmur3}}, {Hasher: Hasher{HashTags: true}}} {
		if _, err := Diff(r, mustNew(t, Nodes("a"), cfg)); !errors.Is(err, ErrNotComparable) {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
	if _, err := Diff(new(Ring), r); !errors.Is(err, ErrNotComparable) {
		t.Errorf("the zero Ring: got %v", err)
	}
	for what, diff := range map[string]func() error{
		"from nil": func() error { _, err := Diff(nil, r); return err },
		"to nil":   func() error { _, err := Diff(r, nil); return err },
		"moved":    func() error { _, err := r.Moved((*Ring)(nil)); return err },
	} {
		if err := diff(); !errors.Is(err, ErrNotComparable) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := r.Moved(other{}); !errors.Is(err, ErrNotComparable) {
		t.Errorf("another placement: got %v", err)
	}
}

type other struct{ Placement }

// TestMinimalMovement is the promise of consistent hashing, exactly: a join
// moves keys to the newcomer only, a leave those of the leaver only, and a
// growing weight moves keys only to the node that grows.
func TestMinimalMovement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t), drawConfig(t)
		small, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		big, err := small.With(Node{ID: "joins", Weight: 1.5})
		if err != nil {
			t.Fatal(err)
		}
		bigger, err := big.With(Node{ID: "joins", Weight: 2.5})
		if err != nil {
			t.Fatal(err)
		}
		onlyWith := func(from, to *Ring, wrong func(Movement) bool) {
			movements, err := Diff(from, to)
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(movements, wrong); i >= 0 {
				t.Fatalf("unnecessary movement %v", movements[i])
			}
		}
		onlyWith(small, big, func(m Movement) bool { return m.To != "joins" })
		onlyWith(big, small, func(m Movement) bool { return m.From != "joins" })
		onlyWith(big, bigger, func(m Movement) bool { return m.To != "joins" })
	})
}

// TestSharesFollowBeta compares shares with their distribution: with V tokens
// on each of N nodes a share follows Beta(V, V(N-1)), whose coefficient of
// variation is sqrt((N-1)/(NV+1)). Forty rings of 100 nodes give 4000 shares, of
// which the standard deviation is known to 1/sqrt(2·4000) = 1.1%; 5% is allowed.
func TestSharesFollowBeta(t *testing.T) {
	const n, v, rings = 100, 160, 40
	var squares float64
	for s := range rings {
		nodes := make([]Node, n)
		for i := range nodes {
			nodes[i] = Node{ID: fmt.Sprintf("ring%d-node%d", s, i), Weight: 1}
		}
		sum := 0.0
		for _, share := range mustNew(t, nodes, Config{}).Shares() {
			sum += share
			squares += (share*n - 1) * (share*n - 1)
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("shares add up to %v", sum)
		}
	}
	got, want := math.Sqrt(squares/(n*rings)), math.Sqrt((n-1.0)/(n*v+1))
	if math.Abs(got/want-1) > 0.05 {
		t.Errorf("coefficient of variation: got %.4f, want %.4f", got, want)
	}
}

// TestShareIsExact measures one share by hand: two tokens, set by the hash.
func TestShareIsExact(t *testing.T) {
	tokens := map[string]uint64{"a": 1 << 62, "b": 1 << 63}
	cfg := Config{VirtualNodes: 1, Hasher: Hasher{replaced: func(label string) uint64 { return tokens[label[1:2]] }}}
	r := mustNew(t, Nodes("a", "b"), cfg)
	if r.Share("a") != 0.75 || r.Share("b") != 0.25 || r.Share("c") != 0 {
		t.Errorf("shares: a %v, b %v, c %v; want 0.75, 0.25, 0", r.Share("a"), r.Share("b"), r.Share("c"))
	}
	tokens["c"], tokens["d"] = 5, 5
	if r := mustNew(t, Nodes("c", "d"), cfg); r.Share("c") != 1 || r.Share("d") != 0 {
		t.Errorf("shares where all tokens are one: c %v, d %v; want 1, 0", r.Share("c"), r.Share("d"))
	}
	one := mustNew(t, Nodes("a"), cfg)
	if one.Share("a") != 1 {
		t.Errorf("share of the only node: %v", one.Share("a"))
	}
	// An owner holds (previous token, token].
	for hash, want := range map[uint64]string{0: "a", 1 << 62: "a", 1<<62 + 1: "b", 1 << 63: "b", 1<<63 + 1: "a", math.MaxUint64: "a"} {
		if got := r.nodes[r.OwnerOfHash(hash)].ID; got != want {
			t.Errorf("owner of %#x: got %s, want %s", hash, got, want)
		}
	}
}

// TestWeightedShares: over many rings, the mean share of a node follows its
// weight. The mean of 200 rings is known to about 8%/sqrt(200) = 0.6%.
func TestWeightedShares(t *testing.T) {
	weights := []float64{0.5, 1, 1, 2, 3.5}
	sums := make([]float64, len(weights))
	const rings = 200
	rng := rand.New(rand.NewPCG(11, 0))
	for range rings {
		nodes := make([]Node, len(weights))
		for i, w := range weights {
			nodes[i] = Node{ID: fmt.Sprintf("%d-%x", i, rng.Uint64()), Weight: w}
		}
		for i, share := range mustNew(t, nodes, Config{}).Shares() {
			sums[i] += share / rings
		}
	}
	for i, w := range weights {
		if want := w / 8; math.Abs(sums[i]/want-1) > 0.03 {
			t.Errorf("mean share of weight %v: got %.4f, want %.4f", w, sums[i], want)
		}
	}
}
