package jump

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

var kind = placementtest.Kind[*Jump, Config]{
	New:  New,
	With: func(h ring.Hasher) Config { return Config{Hasher: h} },
	Zero: new(Jump),
}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg Config) *Jump {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

func numbered(n int) []ring.Node { return placementtest.Numbered(n) }

func TestZeroJump(t *testing.T)        { kind.OwnsNothing(t) }
func TestNodesAreCopied(t *testing.T)  { kind.CopiesNodes(t, Config{}) }
func TestOwnerUsesHasher(t *testing.T) { kind.UsesHasher(t) }
func TestNoAllocations(t *testing.T)   { kind.AllocatesNothing(t, numbered(100)) }
func TestUpdate(t *testing.T) {
	kind.UpdateEqualsNew(t, Config{Hasher: ring.Hasher{Seed: 5, HashTags: true}})
}

func TestGolden(t *testing.T) {
	kind.Golden(t, placementtest.Case[Config]{Name: "thousand", Nodes: numbered(1000)})
}

// oracle is the listing of the paper, figure by figure in numbers of 53 bits
// that are computed, not fused: no machine's floating point comes into it.
func oracle(key uint64, buckets int64) int64 {
	number := func(x int64) *big.Float { return new(big.Float).SetPrec(53).SetInt64(x) }
	b, j := int64(-1), int64(0)
	for j < buckets {
		b = j
		key = key*2862933555777941757 + 1
		quotient := new(big.Float).SetPrec(53).Quo(number(1<<31), number(int64(key>>33)+1))
		product := new(big.Float).SetPrec(53).Mul(number(b+1), quotient)
		j, _ = product.Int64()
	}
	return b
}

func TestOwnerMatchesOracle(t *testing.T) {
	placements := make(map[int]*Jump)
	for _, n := range []int{1, 2, 3, 10, 999, 20000} {
		placements[n] = mustNew(t, numbered(n), Config{})
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 10, 999, 20000}).Draw(t, "nodes")
		hash := rapid.Uint64().Draw(t, "hash")
		for range 20 {
			if got, want := placements[n].OwnerOfHash(hash), oracle(hash, int64(n)); int64(got) != want {
				t.Fatalf("owner of %d among %d: got %d, want %d", hash, n, got, want)
			}
			hash = hash*0x9e3779b97f4a7c15 + 1
		}
	})
}

// The steps where rounding matters most: those whose exact result is a whole
// number, which the rounded quotient may miss by one. Here an algorithm in
// integers differs from the paper's.
func TestStepMatchesOracle(t *testing.T) {
	number := func(x int64) *big.Float { return new(big.Float).SetPrec(53).SetInt64(x) }
	differs := 0
	for bucket := range int64(2000) {
		for shift := range 31 {
			for _, draw := range []int64{(bucket+1)<<shift - 1, (bucket + 1) << shift, 1<<31>>shift - 1} {
				if draw < 0 || draw >= 1<<31 {
					continue
				}
				quotient := new(big.Float).SetPrec(53).Quo(number(1<<31), number(draw+1))
				want, _ := quotient.Mul(number(bucket+1), quotient).Int64()
				if got := step(bucket, uint64(draw)); got != want {
					t.Fatalf("step(%d, %d): got %d, want %d", bucket, draw, got, want)
				}
				if (bucket+1)<<31/(draw+1) != want {
					differs++
				}
			}
		}
	}
	if differs == 0 {
		t.Error("no step tells rounded numbers from whole ones: this test checks nothing")
	}
}

// Vectors that implementations of the paper's listing in other languages share:
// github.com/dgryski/go-jump (jump_test.go) and google/guava (HashingTest.java).
func TestPublishedVectors(t *testing.T) {
	vectors := []struct {
		key     uint64
		buckets int
		want    int
	}{
		{1, 1, 0}, {42, 57, 43}, {0xDEAD10CC, 1, 0}, {0xDEAD10CC, 666, 361}, {256, 1024, 520},
		{10863919174838991, 11, 6}, {2016238256797177309, 11, 3}, {1673758223894951030, 11, 5},
		{2, 100001, 80343}, {2201, 100001, 22152}, {2202, 100001, 15018},
	}
	for key, want := range []int{0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83} {
		vectors = append(vectors, struct {
			key     uint64
			buckets int
			want    int
		}{uint64(key), 100, want})
	}
	for _, v := range vectors {
		j := &Jump{nodes: make([]ring.Node, v.buckets)}
		if got := j.OwnerOfHash(v.key); got != v.want {
			t.Errorf("key %d among %d: got %d, want %d", v.key, v.buckets, got, v.want)
		}
	}
}

// A longer list moves keys only to the nodes appended.
func TestAppendMovesToNewNodesOnly(t *testing.T) {
	nodes := numbered(2000)
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(1, 1000).Draw(t, "small")
		large := rapid.IntRange(small, 2000).Draw(t, "large")
		from := mustNew(t, nodes[:small], Config{})
		to, err := from.Update(nodes[:large])
		if err != nil {
			t.Fatal(err)
		}
		back, err := to.Update(nodes[:small])
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			key := fmt.Sprint("key", i)
			before, after := from.OwnerIndex(key), to.OwnerIndex(key)
			if before != after && after < small {
				t.Fatalf("%q moves from %d to %d among %d nodes that stay", key, before, after, small)
			}
			if back.OwnerIndex(key) != before {
				t.Fatalf("%q does not return to %d", key, before)
			}
		}
	})
}

// The fraction moved by one node more is 1/(N+1), within four standard errors of
// the sample.
func TestAppendMovesItsShare(t *testing.T) {
	const keys = 200_000
	for _, n := range []int{1, 10, 100} {
		from, to := mustNew(t, numbered(n), Config{}), mustNew(t, numbered(n+1), Config{})
		random := rand.New(rand.NewPCG(1, uint64(n)))
		moved := 0
		for range keys {
			hash := random.Uint64()
			if from.OwnerOfHash(hash) != to.OwnerOfHash(hash) {
				moved++
			}
		}
		want := 1 / float64(n+1)
		got, deviation := float64(moved)/keys, math.Sqrt(want*(1-want)/keys)
		if math.Abs(got-want) > 4*deviation {
			t.Errorf("%d to %d: moved %v, want %v ± %v", n, n+1, got, want, 4*deviation)
		}
	}
}

// Lamping and Veach give the standard error of the bucket sizes at N = 1000 as
// 0.00000000764, against 0.0316 for the ring with 1000 points a node. A sample
// cannot show so little, but it can show that nothing comes on top of the
// sampling itself: then the sum of (count-mean)²/mean has the mean N-1 and the
// standard deviation sqrt(2(N-1)) = 44.7. The ring's 0.0316 would add 2,000 to
// it here.
func TestSpreadAtThousand(t *testing.T) {
	const n, keys = 1000, 2_000_000
	j := mustNew(t, numbered(n), Config{})
	var counts [n]int
	random := rand.New(rand.NewPCG(7, 8))
	for range keys {
		counts[j.OwnerOfHash(random.Uint64())]++
	}
	sum := 0.0
	for _, count := range counts {
		d := float64(count) - keys/n
		sum += d * d / (keys / n)
	}
	if deviation := math.Sqrt(2 * (n - 1)); math.Abs(sum-(n-1)) > 4*deviation {
		t.Errorf("chi-square of %d buckets: got %.0f, want %d ± %.0f", n, sum, n-1, 4*deviation)
	}
}

// The sizes of 1000 buckets, exactly, if each jump drew 31 independent random
// bits: the chance of each step is a count of draws, and the rest follows. What
// the rounding to 31 bits leaves is uneven by some 2.4e-7, a standard error far
// below the 0.0316 of the ring with 1000 points a node, if not the paper's
// 0.00000000764 (which is about sqrt(1000/2^64), the sampling error of all 2^64
// hashes).
func TestBucketSizes(t *testing.T) {
	const n, draws = 1000, 1 << 31
	var visited, size [n]float64
	visited[0] = 1
	for b := range n {
		atLeast := float64(draws) // draws that lead to b+1 or beyond
		for i := b + 1; i < n; i++ {
			beyond := drawsTo(int64(b), int64(i+1))
			visited[i] += visited[b] * (atLeast - beyond) / draws
			atLeast = beyond
		}
		size[b] = visited[b] * atLeast / draws
	}
	sum := 0.0
	for _, s := range size {
		sum += (s*n - 1) * (s*n - 1)
	}
	if got := math.Sqrt(sum / n); got > 2.5e-7 || got < 2.3e-7 {
		t.Errorf("standard error of the bucket sizes: got %.3g, want 2.4e-7", got)
	}
}

// drawsTo counts the draws that lead from a bucket to that one or beyond.
func drawsTo(bucket, to int64) float64 {
	count := min((bucket+1)<<31/to, 1<<31) // without rounding
	for count > 0 && step(bucket, uint64(count-1)) < to {
		count--
	}
	return float64(count)
}

func TestErrors(t *testing.T) {
	kind.Refuses(t, "no nodes", nil, Config{}, ring.ErrNoNodes, "at least one")
	kind.Refuses(t, "empty ID", ring.Nodes("a", ""), Config{}, ring.ErrInvalidID, "1 to 255 bytes")
	kind.Refuses(t, "weights", []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}, Config{}, ring.ErrInvalidWeight, `of node "b": got 2, want 1`)
	kind.Refuses(t, "seed", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: ring.Murmur3, Seed: 1 << 32}}, ring.ErrInvalidConfig, "32 bits")
	if _, err := New([]ring.Node{{ID: "a", Weight: 0.5}, {ID: "b", Weight: 0.5}}, Config{}); err != nil {
		t.Errorf("equal weights that are not 1: %v", err)
	}
}

func TestUpdateRefusals(t *testing.T) {
	for _, c := range []struct {
		from, to string
		node     string // that the error names; none if the change can be made
		says     string
	}{
		{"a b c d", "a b c d e f", "", ""},
		{"a b c d", "a b", "", ""},
		{"a b c d", "a b c d", "", ""},
		{"a b c d", "a b x y z", "", ""}, // c and d leave, then others are appended
		{"a b", "x", "", ""},
		{"a b c d", "a c d", "b", `ring: change not supported by this placement: node "b": got removal from position 1 of 4, want removal from the end only ("c" stays)`},
		{"a b c d", "b c d", "a", "position 0 of 4"},
		{"a b c d", "a x c d", "b", "removal from position 1"},
		{"a b c d", "a b x c d", "x", `ring: change not supported by this placement: node "x": got insertion at position 2, want nodes appended at the end ("c" stays)`},
		{"a b c d", "a c b d", "b", `ring: change not supported by this placement: node "b": got a move from position 1 to 2, want nodes that stay to keep their order`},
		{"a b c", "a c x", "b", `("c" stays)`},
	} {
		from := mustNew(t, ring.Nodes(strings.Fields(c.from)...), Config{})
		next, err := from.Update(ring.Nodes(strings.Fields(c.to)...))
		if c.node == "" {
			if err != nil || len(next.Nodes()) != len(strings.Fields(c.to)) {
				t.Errorf("%s to %s: got %v, %v", c.from, c.to, next, err)
			}
			continue
		}
		placementtest.Refused(t, c.from+" to "+c.to, next, err, ring.ErrUnsupported, c.says)
		if input := (*ring.InputError)(nil); errors.As(err, &input) && input.Node != c.node {
			t.Errorf("%s to %s: got an error about %s, want %s", c.from, c.to, input.Node, c.node)
		}
	}
}

// Update refuses whenever nodes that stay would exchange keys, and not without
// need: what it lets pass moves none between them.
func TestUpdateLetsNothingElsePass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-h]`), 1, 8, rapid.ID[string])
		from := mustNew(t, ring.Nodes(ids.Draw(t, "from")...), Config{})
		fresh := mustNew(t, ring.Nodes(ids.Draw(t, "to")...), from.cfg)
		if _, err := from.Update(fresh.nodes); err != nil {
			return
		}
		for i := range 300 {
			key := fmt.Sprint("key", i)
			before, after := from.Owner(key), fresh.Owner(key)
			if before != after && slices.Contains(fresh.nodes, before) && slices.Contains(from.nodes, after) {
				t.Fatalf("%q moves from %s to %s, which both stay", key, before.ID, after.ID)
			}
		}
	})
}

// FuzzNew builds from anything, and changes to anything: lists of IDs separated
// by commas, with one weight for every other node.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", "a,b", 1.0, uint8(0), "key")
	f.Add("", "a", math.NaN(), uint8(200), "")
	f.Add("a,b,c", "c,b,a", 1.0, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids, then string, weight float64, function uint8, key string) {
		j, built := kind.Try(t, placementtest.Listed(ids, weight), Config{Hasher: ring.Hasher{Function: ring.HashFunction(function)}}, key)
		if !built {
			return
		}
		next, err := j.Update(ring.Nodes(strings.Split(then, ",")...))
		if input := (*ring.InputError)(nil); err != nil && (next != nil || !errors.As(err, &input)) {
			t.Fatalf("got %v and an error of type %T", next, err)
		}
	})
}

func BenchmarkOwner(b *testing.B) { kind.BenchmarkOwner(b, Config{}) }
