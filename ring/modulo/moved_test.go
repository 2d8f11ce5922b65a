package modulo

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

// movedOracle walks through one period hash by hash, and counts how often each
// hash that moves comes back within the 2^64.
func movedOracle(from, to *Modulo) *big.Int {
	space := new(big.Int).Lsh(big.NewInt(1), 64)
	period := from.count * to.count // some multiple of the period
	moved := new(big.Int)
	for hash := range period {
		if from.nodes[from.OwnerOfHash(hash)].ID == to.nodes[to.OwnerOfHash(hash)].ID {
			continue
		}
		last := new(big.Int).Sub(space, new(big.Int).SetUint64(hash+1))
		moved.Add(moved, last.Quo(last, new(big.Int).SetUint64(period))).Add(moved, big.NewInt(1))
	}
	return moved
}

func TestMovedMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := mustNew(t, drawNodes(t, "from"), Config{})
		to := mustNew(t, drawNodes(t, "to"), Config{})
		c := compare(from, to)
		high, low := c.moved()
		placementtest.Moves(t, from, to, high, low, movedOracle(from, to))
	})
}

func TestKeptMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := mustNew(t, drawNodes(t, "from"), Config{})
		to := mustNew(t, drawNodes(t, "to"), Config{})
		c := compare(from, to)
		limit := rapid.Uint64Max(c.period).Draw(t, "limit")
		want := uint64(0)
		for hash := range limit {
			if from.nodes[from.OwnerOfHash(hash)].ID == to.nodes[to.OwnerOfHash(hash)].ID {
				want++
			}
		}
		if got := c.kept(limit); got != want {
			t.Fatalf("kept below %d of %d: got %d, want %d", limit, c.period, got, want)
		}
	})
}

func TestFloorSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Max(300).Draw(t, "n")
		a := rapid.Uint64Max(1000).Draw(t, "a")
		b := rapid.Uint64Max(1000).Draw(t, "b")
		m := rapid.Uint64Range(1, 1000).Draw(t, "m")
		want := uint64(0)
		for k := range n {
			want += (a*k + b) / m
		}
		if got := floorSum(n, a, b, m); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

// The part that stays is min(N,M)/lcm(N,M), up to the last, broken period.
func TestMovedClosedForm(t *testing.T) {
	for _, c := range []struct {
		from, to int
		want     float64
	}{
		{10, 11, 10.0 / 11}, {11, 10, 10.0 / 11}, {10, 12, 5.0 / 6}, {10, 20, 1.0 / 2}, {20, 10, 1.0 / 2},
		{10, 10, 0}, {1, 2, 1.0 / 2}, {1, 1, 0}, {100, 101, 100.0 / 101}, {1000, 1001, 1000.0 / 1001}, {64, 48, 3.0 / 4},
		{4096, 4095, 4095.0 / 4096},
	} {
		from, to := mustNew(t, numbered(c.from), Config{}), mustNew(t, numbered(c.to), Config{})
		got, err := from.Moved(to)
		tolerance := math.Ldexp(float64(c.from*c.to), -64) + 1e-15 // the second for the rounding of want
		if err != nil || math.Abs(got-c.want) > tolerance {
			t.Errorf("from %d to %d: got %v, %v; want %v", c.from, c.to, got, err, c.want)
		}
	}
}

// A node taken from the middle shifts all behind it: the order of the list is
// part of the placement.
func TestMovedByOrder(t *testing.T) {
	nodes := numbered(10)
	from := mustNew(t, nodes, Config{})
	swapped := numbered(10)
	swapped[2], swapped[7] = swapped[7], swapped[2]
	got, err := from.Moved(mustNew(t, swapped, Config{}))
	if err != nil || math.Abs(got-0.2) > 1e-15 {
		t.Errorf("two of ten swapped: moved %v, %v; want 0.2", got, err)
	}
	whole, err := mustNew(t, ring.Nodes("a"), Config{}).Moved(mustNew(t, ring.Nodes("b"), Config{}))
	if whole != 1 || err != nil {
		t.Errorf("one node replaced: moved %v, %v; want 1", whole, err)
	}
	others, err := mustNew(t, ring.Nodes("a", "b"), Config{}).Moved(mustNew(t, ring.Nodes("c", "d"), Config{}))
	if others != 1 || err != nil {
		t.Errorf("all nodes replaced: moved %v, %v; want 1", others, err)
	}
}
