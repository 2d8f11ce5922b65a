package rebalance

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
)

// planSeed is that of all random choices in the tests of plans. Errors show it.
const planSeed = 20261121

func planRandom() *rand.Rand { return rand.New(rand.NewPCG(planSeed, 7)) }

func planRing(t testing.TB, cfg ring.Config, nodes ...ring.Node) *ring.Ring {
	t.Helper()
	r, err := ring.New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newTestPlan(t testing.TB, from, to *ring.Ring, copies int) *Plan {
	t.Helper()
	p, err := NewPlan(PlanConfig{From: from, To: to, Copies: copies})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// randomNodes draws some of ten IDs, with weights and zones.
func randomNodes(random *rand.Rand) []ring.Node {
	var nodes []ring.Node
	for i := range 10 {
		if random.IntN(3) > 0 || i == 9 && len(nodes) == 0 {
			nodes = append(nodes, ring.Node{ID: fmt.Sprint("n", i), Weight: float64(1 + random.IntN(3)), Zone: []string{"", "a", "b"}[random.IntN(3)]})
		}
	}
	return nodes
}

// With one copy a plan is what ring.Diff says, to the last bit.
func TestPlanIsDiff(t *testing.T) {
	random := planRandom()
	for range 50 {
		cfg := ring.Config{VirtualNodes: 1 + random.IntN(40)}
		from, to := planRing(t, cfg, randomNodes(random)...), planRing(t, cfg, randomNodes(random)...)
		p := newTestPlan(t, from, to, 0)
		movements, err := ring.Diff(from, to)
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[Pair]*big.Int)
		for _, m := range movements {
			pair := Pair{m.From, m.To}
			if want[pair] == nil {
				want[pair] = new(big.Int)
			}
			places := new(big.Int).SetUint64(m.Range.Last - m.Range.First)
			want[pair].Add(want[pair], places.Add(places, big.NewInt(1)))
		}
		if len(p.Movements) != len(want) || !slices.IsSortedFunc(p.Movements, func(a, b PairMovement) int { return a.compare(b.Pair) }) {
			t.Fatalf("seed %d: got %v, want %d pairs in order", planSeed, p.Movements, len(want))
		}
		for _, m := range p.Movements {
			space := new(big.Float).SetMantExp(big.NewFloat(1), 64)
			fraction, _ := space.Quo(new(big.Float).SetInt(want[m.Pair]), space).Float64()
			if m.Fraction != fraction || m.From == m.To {
				t.Errorf("seed %d: %v: got %v, want %v", planSeed, m.Pair, m.Fraction, fraction)
			}
		}
		if moved, err := from.Moved(to); err != nil || p.Moved != moved || p.Copied != moved {
			t.Errorf("seed %d: moved %v, copied %v, want %v (%v)", planSeed, p.Moved, p.Copied, moved, err)
		}
	}
}

// With several copies, what is true of every place of the space is what package
// ring says of a key that lies there.
func TestHoldersAreReplicas(t *testing.T) {
	random := planRandom()
	for range 30 {
		cfg := ring.Config{VirtualNodes: 1 + random.IntN(20)}
		from, to := planRing(t, cfg, randomNodes(random)...), planRing(t, cfg, randomNodes(random)...)
		copies := 1 + random.IntN(4)
		var ranges []ring.Range
		var old, new [][]string
		err := eachHolders(from, to, copies, func(g ring.Range, before, after []string) {
			ranges, old, new = append(ranges, g), append(old, before), append(new, after)
		})
		if err != nil {
			t.Fatal(err)
		}
		next := uint64(0)
		for i, g := range ranges {
			if g.First != next || g.Last < g.First || i == len(ranges)-1 && g.Last != math.MaxUint64 {
				t.Fatalf("seed %d: range %d of %d is %v, want it to begin at %x", planSeed, i, len(ranges), g, next)
			}
			next = g.Last + 1
		}
		for i := range 2000 {
			key := fmt.Sprint("key:", i)
			hash := from.Hash(key)
			at := slices.IndexFunc(ranges, func(g ring.Range) bool { return g.Contains(hash) })
			if was, will := idsOf(from.Replicas(nil, key, copies)), idsOf(to.Replicas(nil, key, copies)); !slices.Equal(old[at], was) || !slices.Equal(new[at], will) {
				t.Fatalf("seed %d, %d copies, key %s: got %v to %v, want %v to %v", planSeed, copies, key, old[at], new[at], was, will)
			}
		}
	}
}

// The fractions of a plan with copies are what is counted over many keys.
func TestPlanOfCopiesMatchesKeys(t *testing.T) {
	cfg := ring.Config{VirtualNodes: 20}
	from := planRing(t, cfg, ring.Node{ID: "a", Weight: 1, Zone: "x"}, ring.Node{ID: "b", Weight: 2, Zone: "x"}, ring.Node{ID: "c", Weight: 1, Zone: "y"}, ring.Node{ID: "d", Weight: 1})
	to := planRing(t, cfg, ring.Node{ID: "a", Weight: 1, Zone: "x"}, ring.Node{ID: "c", Weight: 3, Zone: "y"}, ring.Node{ID: "d", Weight: 1}, ring.Node{ID: "e", Weight: 1, Zone: "y"})
	for copies := 1; copies <= 3; copies++ {
		p := newTestPlan(t, from, to, copies)
		const keys = 100_000
		counted := make(map[Pair]int)
		received := make(map[string]int)
		for i := range keys {
			key := fmt.Sprint("k", i)
			old, pairs := p.keyMoves(key)
			for _, pair := range pairs {
				counted[pair]++
				received[pair.To]++
			}
			for _, n := range to.Replicas(nil, key, copies) {
				if !slices.Contains(old, n.ID) {
					received[n.ID]--
				}
			}
		}
		for id, n := range received {
			if n != 0 {
				t.Errorf("%d copies: %s receives %d keys too many", copies, id, n)
			}
		}
		sum := 0.0
		for _, m := range p.Movements {
			got, bound := float64(counted[m.Pair])/keys, 5*math.Sqrt(m.Fraction*(1-m.Fraction)/keys)
			if math.Abs(got-m.Fraction) > bound {
				t.Errorf("%d copies, %v: %v of the keys, want %v ± %v", copies, m.Pair, got, m.Fraction, bound)
			}
			delete(counted, m.Pair)
			sum += m.Fraction
		}
		if len(counted) > 0 || math.Abs(sum-p.Copied) > 1e-12 {
			t.Errorf("%d copies: not in the plan: %v; sum %v, copied %v", copies, counted, sum, p.Copied)
		}
	}
}

// The owner brings a key to whoever comes.
func TestPairsOf(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"a", "a", ""}, {"a", "b", "a-b"}, {"ab", "ba", ""}, {"ab", "ac", "a-c"}, {"ab", "cb", "a-c"}, {"ab", "cd", "a-c a-d"},
		{"ba", "ca", "b-c"}, {"a", "ab", "a-b"}, {"ab", "a", ""},
	} {
		var got []string
		for _, pair := range pairsOf(strings.Split(test.old, ""), strings.Split(test.new, "")) {
			got = append(got, pair.From+"-"+pair.To)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s to %s: got %q, want %q", test.old, test.new, text, test.want)
		}
	}
}

// A fleet of fewer nodes than copies: whoever comes is sent what the owner has.
func TestPlanOfFewNodes(t *testing.T) {
	from, to := planRing(t, ring.Config{}, ring.Nodes("a")...), planRing(t, ring.Config{}, ring.Nodes("a", "b")...)
	p := newTestPlan(t, from, to, 2)
	if len(p.Movements) != 1 || p.Movements[0] != (PairMovement{Pair{"a", "b"}, 1}) || p.Copied != 1 || p.Moved >= 1 {
		t.Errorf("got %+v", p)
	}
}

func TestPlanAgainstOthers(t *testing.T) {
	ten := ring.Nodes("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	from := planRing(t, ring.Config{}, ten...)
	odd := []ring.Node{{ID: "a", Weight: 1.5}, {ID: "b", Weight: 1}}
	for _, test := range []struct {
		name          string
		to            []ring.Node
		ideal, modulo float64
	}{
		{"one more", append(slices.Clone(ten), ring.Node{ID: "aa", Weight: 1}), 1. / 11, 10. / 11},
		{"last one less", ten[:9], 1. / 10, 9. / 10},
		{"same", ten, 0, 0},
		{"weight doubled", append(slices.Clone(ten[:9]), ring.Node{ID: "j", Weight: 2}), 2./11 - 1./10, 1 - 11./110},
		{"no weights of a modulo client", odd, 1.5/2.5 - .1 + 1/2.5 - .1, -1},
	} {
		p := newTestPlan(t, from, planRing(t, ring.Config{}, test.to...), 1)
		if math.Abs(p.Ideal-test.ideal) > 1e-12 || math.Abs(p.Modulo-test.modulo) > 1e-9 {
			t.Errorf("%s: ideal %v, modulo %v, want %v and %v", test.name, p.Ideal, p.Modulo, test.ideal, test.modulo)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	a := planRing(t, ring.Config{}, ring.Nodes("a")...)
	other := planRing(t, ring.Config{Hasher: ring.Hasher{Seed: 1}}, ring.Nodes("a")...)
	for _, cfg := range []PlanConfig{{}, {From: a}, {To: a}, {From: a, To: other}, {From: a, To: other, Copies: 2}, {From: new(ring.Ring), To: a}} {
		if _, err := NewPlan(cfg); !errors.Is(err, ring.ErrNotComparable) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := NewPlan(PlanConfig{From: a, To: a, Copies: -1}); err == nil || !strings.Contains(err.Error(), "Copies: got -1") {
		t.Errorf("%v", err)
	}
}

func TestChange(t *testing.T) {
	nodes := []ring.Node{{ID: "b", Weight: 1, Zone: "x"}, {ID: "a", Weight: 2}}
	long := strings.Repeat("x", ring.MaxIDLength+1)
	for _, test := range []struct {
		name   string
		change Change
		want   string // the nodes, or a part of the error
		err    error
	}{
		{"several at once", Change{Add: ring.Nodes("c"), Remove: []string{"b"}, Weigh: map[string]float64{"a": 3}}, "[{a 3 } {c 1 }]", nil},
		{"all replaced", Change{Add: ring.Nodes("c"), Remove: []string{"a", "b"}}, "[{c 1 }]", nil},
		{"weight keeps the zone", Change{Weigh: map[string]float64{"b": 0.5}}, "[{b 0.5 x} {a 2 }]", nil},
		{"nothing", Change{}, "no change", ErrNoChange},
		{"unknown", Change{Remove: []string{"z"}}, `remove "z": unknown node`, ErrUnknownNode},
		{"unknown weight", Change{Weigh: map[string]float64{"z": 1}}, `weight "z": unknown node`, ErrUnknownNode},
		{"known", Change{Add: ring.Nodes("a")}, `add "a": node that is there`, ErrKnownNode},
		{"added twice", Change{Add: ring.Nodes("c", "c")}, `add "c": node named twice`, ErrTwice},
		{"removed twice", Change{Remove: []string{"a", "a"}}, `remove "a": node named twice`, ErrTwice},
		{"removed and weighed", Change{Remove: []string{"a"}, Weigh: map[string]float64{"a": 1}}, `weight "a": node named twice`, ErrTwice},
		{"last", Change{Remove: []string{"a", "b"}}, `remove "b": no node left`, ErrNobodyLeft},
		{"no weight", Change{Add: []ring.Node{{ID: "c"}}}, "want weight above 0", ring.ErrInvalidWeight},
		{"bad weight", Change{Weigh: map[string]float64{"a": math.NaN()}}, "want weight above 0", ErrNodeValue},
		{"no ID", Change{Add: ring.Nodes("")}, "want node ID 1 to 255 bytes", ErrNodeValue},
		{"long ID", Change{Add: ring.Nodes(long)}, "want node ID 1 to 255 bytes", ring.ErrInvalidID},
	} {
		got, err := test.change.Apply(nodes)
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if !errors.Is(err, test.err) || err == nil != (test.err == nil) || !strings.Contains(text, test.want) {
			t.Errorf("%s: got %v, %v; want %s", test.name, got, err, test.want)
		}
	}
	if fmt.Sprint(nodes) != "[{b 1 x} {a 2 }]" {
		t.Errorf("the list was changed: %v", nodes)
	}
}
