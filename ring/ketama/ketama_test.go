package ketama_test

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/ketama"
)

// oracleOwner places a key by the definition: all points in one list, and the
// smallest that is not below the hash.
func oracleOwner(names []string, sums []int, lastWins bool, hash uint32) int {
	type point struct {
		hash uint32
		node int
	}
	var points []point
	for node, name := range names {
		for k := range sums[node] {
			sum := md5.Sum([]byte(name + "-" + strconv.Itoa(k)))
			for i := 0; i < 16; i += 4 {
				points = append(points, point{binary.LittleEndian.Uint32(sum[i:]), node})
			}
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	at := slices.IndexFunc(points, func(p point) bool { return p.hash >= hash })
	if at < 0 {
		at = 0
	}
	for lastWins && at+1 < len(points) && points[at+1].hash == points[at].hash {
		at++
	}
	return points[at].node
}

func TestOwnerAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		variant := ketama.Variant(rapid.IntRange(0, 3).Draw(t, "variant"))
		cfg := ketama.Config{Variant: variant, Names: ketama.NameAsListed}
		nodes := make([]ring.Node, rapid.IntRange(1, 12).Draw(t, "nodes"))
		for i := range nodes {
			nodes[i] = ring.Node{ID: fmt.Sprintf("10.0.%d.%d:11211", i, rapid.IntRange(0, 255).Draw(t, "host")), Weight: 1}
			if variant != ketama.Spymemcached {
				nodes[i].Weight = float64(rapid.IntRange(1, 1000).Draw(t, "weight"))
			}
		}
		k := mustNew(t, nodes, cfg)
		counts := k.PointCounts()
		for i := range counts {
			counts[i] /= 4
		}
		key := rapid.String().Draw(t, "key")
		want := oracleOwner(k.HashedNames(), counts, variant == ketama.Spymemcached, k.Hash(key))
		if got := k.OwnerIndex(key); got != want {
			t.Fatalf("%s: %q: got node %d, want %d", variant, key, got, want)
		}
	})
}

func TestPointCounts(t *testing.T) {
	want := []int{176, 88, 56, 104, 296, 236, 280, 28}
	for _, variant := range []ketama.Variant{ketama.Libketama, ketama.Libmemcached, ketama.Twemproxy} {
		if got := mustNew(t, testServers(), ketama.Config{Variant: variant}).PointCounts(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", variant, got, want)
		}
	}
	nodes := make([]ring.Node, 25)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("cache-%d", i), Weight: 1}
	}
	for variant, want := range map[ketama.Variant]int{ketama.Libketama: 160, ketama.Libmemcached: 156, ketama.Twemproxy: 156, ketama.Spymemcached: 160} {
		if got := mustNew(t, nodes, ketama.Config{Variant: variant}).PointCounts(); got[0] != want || got[24] != want {
			t.Errorf("%s, 25 equal servers: got %v points, want %d each", variant, got, want)
		}
	}
}

// TestPointCountsNearExact: whatever the rounding, it is by one sum at most.
func TestPointCountsNearExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, ring.MaxWeight), 1, 20).Draw(t, "weights")
		nodes, total := make([]ring.Node, len(weights)), int64(0)
		for i, w := range weights {
			nodes[i] = ring.Node{ID: fmt.Sprint("cache-", i), Weight: float64(w)}
			total += int64(w)
		}
		variant := rapid.SampledFrom([]ketama.Variant{ketama.Libketama, ketama.Libmemcached}).Draw(t, "variant")
		for i, got := range mustNew(t, nodes, ketama.Config{Variant: variant}).PointCounts() {
			exact, _ := big.NewRat(40*int64(len(weights))*int64(weights[i]), total).Float64()
			if got%4 != 0 || math.Abs(float64(got/4)-math.Floor(exact)) > 1 {
				t.Fatalf("%s: node %d has %d points of %f sums", variant, i, got, exact)
			}
		}
	})
}

// TestEqualPoints uses two names that share the point 3783261613.
func TestEqualPoints(t *testing.T) {
	a, b := ring.Node{ID: "10.1.8.14:11211", Weight: 1}, ring.Node{ID: "10.1.8.27:11211", Weight: 1}
	for _, nodes := range [][]ring.Node{{a, b}, {b, a}} {
		for variant := ketama.Libketama; variant <= ketama.Twemproxy; variant++ {
			k := mustNew(t, nodes, ketama.Config{Variant: variant, Names: ketama.NameAsListed, KeyHash: ketama.MD5})
			key := ""
			for i := 0; key == ""; i++ {
				if _, point := k.Point(strconv.Itoa(i)); point == 3783261613 {
					key = strconv.Itoa(i)
				}
			}
			want := 0
			if variant == ketama.Spymemcached {
				want = 1
			}
			if got := k.OwnerIndex(key); got != want {
				t.Errorf("%s, %s first: got node %d, want %d", variant, nodes[0].ID, got, want)
			}
		}
	}
}

// TestKeyOnAPoint: a key that hashes to a point belongs to the point's server.
// A key of the same text as a point's label does.
func TestKeyOnAPoint(t *testing.T) {
	k := mustNew(t, testServers(), ketama.Config{})
	for i, name := range k.HashedNames() {
		for number := range 7 {
			key := fmt.Sprintf("%s-%d", name, number)
			if hash, point := k.Point(key); point != hash || k.OwnerIndex(key) != i {
				t.Errorf("%q hashes to %d, falls on %d and belongs to node %d, want node %d", key, hash, point, k.OwnerIndex(key), i)
			}
		}
	}
}

// TestRemovalMovesMoreThanItsShare is why ketama is a compatibility mode: the
// figures of the package comment, over keys and over the whole circle.
func TestRemovalMovesMoreThanItsShare(t *testing.T) {
	nodes := testServers()
	before := mustNew(t, nodes, ketama.Config{})
	after, err := before.Update(nodes[:7]) // without the server of weight 100
	if err != nil {
		t.Fatal(err)
	}
	const keys = 200_000
	owned, moved, unnecessary := 0, 0, 0
	for i := range keys {
		key := strconv.Itoa(i)
		from, to := before.OwnerIndex(key), after.OwnerIndex(key)
		switch {
		case from == 7:
			owned++
			moved++
		case from != to:
			moved++
			unnecessary++
		}
	}
	// The sampling error of 200,000 keys is below 0.1% at these fractions.
	within(t, "share of the server removed", float64(owned)/keys, 0.022, 0.001)
	within(t, "keys moved", float64(moved)/keys, 0.113, 0.002)
	within(t, "keys moved between servers that stay", float64(unnecessary)/keys, 0.091, 0.002)
	exact, err := before.Moved(after)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "moved, exactly", exact, 0.1136, 0.0001)
	within(t, "moved, over keys and exactly", float64(moved)/keys, exact, 0.003)
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.4f, want %.4f ± %.4f", what, got, want, tolerance)
	}
}

func TestMoved(t *testing.T) {
	all := mustNew(t, testServers(), ketama.Config{})
	if moved, err := all.Moved(all); moved != 0 || err != nil {
		t.Errorf("to itself: got %v, %v", moved, err)
	}
	elsewhere := mustNew(t, ring.Nodes("x:1", "y:1"), ketama.Config{})
	if moved, err := all.Moved(elsewhere); moved != 1 || err != nil {
		t.Errorf("to other nodes: got %v, %v, want 1", moved, err)
	}
	kind.MovedRefuses(t, all, map[string]*ketama.Ketama{
		"another key hash": mustNew(t, testServers(), ketama.Config{Variant: ketama.Twemproxy}),
		"unsigned chars":   mustNew(t, testServers(), ketama.Config{UnsignedChar: true}),
	})
	twemproxy := ketama.Config{Variant: ketama.Twemproxy}
	tags := twemproxy
	tags.HashTag = "{}"
	kind.MovedRefuses(t, mustNew(t, testServers(), twemproxy), map[string]*ketama.Ketama{"a hash tag": mustNew(t, testServers(), tags)})
}

func TestHashTag(t *testing.T) {
	plain := mustNew(t, testServers(), ketama.Config{Variant: ketama.Twemproxy})
	braces := mustNew(t, testServers(), ketama.Config{Variant: ketama.Twemproxy, HashTag: "{}"})
	dollars := mustNew(t, testServers(), ketama.Config{Variant: ketama.Twemproxy, HashTag: "$$"})
	for _, tt := range [][3]string{ // key, hashed with {}, hashed with $$
		{"{user1000}.following", "user1000", "{user1000}.following"},
		{"foo{}{bar}", "foo{}{bar}", "foo{}{bar}"},
		{"foo{{bar}}zap", "{bar", "foo{{bar}}zap"},
		{"foo{bar}{zap}", "bar", "foo{bar}{zap}"},
		{"foo", "foo", "foo"},
		{"a{b", "a{b", "a{b"},
		{"a$b$c", "a$b$c", "b"},
		{"a$$c", "a$$c", "a$$c"},
	} {
		if braces.Hash(tt[0]) != plain.Hash(tt[1]) {
			t.Errorf("{}: %q does not hash as %q", tt[0], tt[1])
		}
		if dollars.Hash(tt[0]) != plain.Hash(tt[2]) {
			t.Errorf("$$: %q does not hash as %q", tt[0], tt[2])
		}
	}
}

func TestNodesAreCopied(t *testing.T) { kind.CopiesNodes(t, ketama.Config{}) }

func TestUpdate(t *testing.T) {
	kind.UpdateEqualsNew(t, ketama.Config{Variant: ketama.Twemproxy, KeyHash: ketama.Murmur, HashTag: "{}"})
}

func TestMemoryBytes(t *testing.T) {
	k := mustNew(t, testServers(), ketama.Config{})
	if got := k.MemoryBytes(); got < 8*k.Points() || got > 64*k.Points() {
		t.Errorf("%d bytes for %d points", got, k.Points())
	}
}

func TestZeroKetama(t *testing.T) {
	kind.OwnsNothing(t)
	if hash, point := kind.Zero.Point("a"); hash != 0 || point != 0 {
		t.Errorf("the zero Ketama has a point %d, for a hash of %d", point, hash)
	}
}

func TestNoAllocation(t *testing.T) {
	keys := []string{"", "user:1000", "a key of more than sixty-four bytes, which MD5 takes in two blocks of its own"}
	for hash := ketama.MD5; hash <= ketama.Murmur; hash++ {
		k := mustNew(t, testServers(), ketama.Config{Variant: ketama.Twemproxy, KeyHash: hash})
		if n := testing.AllocsPerRun(100, func() {
			for _, key := range keys {
				k.Owner(key)
				k.OwnerIndex(key)
				k.Point(key)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", hash, n)
		}
	}
}

func BenchmarkOwnerIndex(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		nodes := make([]ring.Node, n)
		for i := range nodes {
			nodes[i] = ring.Node{ID: fmt.Sprintf("10.0.%d.%d:11211", i/256, i%256), Weight: 1}
		}
		for _, hash := range []ketama.KeyHash{ketama.MD5, ketama.FNV1a64} {
			k := mustNew(b, nodes, ketama.Config{Variant: ketama.Twemproxy, KeyHash: hash})
			placementtest.Lookups(b, fmt.Sprintf("%s/%d", hash, n), k)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	nodes := make([]ring.Node, 100)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("10.0.0.%d:11211", i), Weight: 1}
	}
	for b.Loop() {
		mustNew(b, nodes, ketama.Config{})
	}
}
