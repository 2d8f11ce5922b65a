package maglev

import (
	"math"
	"math/big"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

// movedOracle cuts the hash space at the edges of all slots of both tables, in
// whole numbers, and asks both about each piece.
func movedOracle(from, to *Maglev) *big.Int {
	space := new(big.Int).Lsh(big.NewInt(1), 64)
	edge := func(slot, size int) *big.Int { // the first hash of a slot, rounded up
		e := new(big.Int).Mul(space, big.NewInt(int64(slot)))
		return e.Add(e, big.NewInt(int64(size-1))).Quo(e, big.NewInt(int64(size)))
	}
	moved := new(big.Int)
	for i := range from.table {
		for j := range to.table {
			first, end := edge(i, len(from.table)), edge(i+1, len(from.table))
			if e := edge(j, len(to.table)); e.Cmp(first) > 0 {
				first = e
			}
			if e := edge(j+1, len(to.table)); e.Cmp(end) < 0 {
				end = e
			}
			if first.Cmp(end) >= 0 {
				continue
			}
			last := new(big.Int).Sub(end, big.NewInt(1))
			if from.OwnerOfHash(first.Uint64()) != int(from.table[i]) || from.OwnerOfHash(last.Uint64()) != int(from.table[i]) ||
				to.OwnerOfHash(first.Uint64()) != int(to.table[j]) || to.OwnerOfHash(last.Uint64()) != int(to.table[j]) {
				panic("lookups and slot edges disagree")
			}
			if from.nodes[from.table[i]].ID != to.nodes[to.table[j]].ID {
				moved.Add(moved, end.Sub(end, first))
			}
		}
	}
	return moved
}

func TestMovedMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SampledFrom([]int{11, 13, 31})
		from := mustNew(t, drawNodes(t, "from"), Config{TableSize: sizes.Draw(t, "size")})
		to := mustNew(t, drawNodes(t, "to"), Config{TableSize: sizes.Draw(t, "size")})
		high, low := from.moved(to)
		placementtest.Moves(t, from, to, high, low, movedOracle(from, to))
	})
}

// The edges of slots are those of lookups, the only table size included that
// divides the space evenly.
func TestLast(t *testing.T) {
	for _, size := range []int{2, 3, 31, 65537} {
		m := &Maglev{table: make([]uint32, size)}
		for slot := range size {
			last := m.last(slot)
			at, _ := bits.Mul64(last, uint64(size))
			next, _ := bits.Mul64(last+1, uint64(size)) // past the last slot the space begins anew
			if int(at) != slot || int(next) != (slot+1)%size {
				t.Fatalf("last hash of slot %d of %d: %#x is in slot %d, and the next in %d", slot, size, last, at, next)
			}
		}
	}
}

func TestMovedWhole(t *testing.T) {
	a, b := mustNew(t, ring.Nodes("a"), Config{TableSize: 2}), mustNew(t, ring.Nodes("b"), Config{TableSize: 3})
	if moved, err := a.Moved(b); moved != 1 || err != nil {
		t.Errorf("one node replaced: moved %v, %v; want 1", moved, err)
	}
	if moved, err := a.Moved(a); moved != 0 || err != nil {
		t.Errorf("nothing changed: moved %v, %v; want 0", moved, err)
	}
}

// For tables of one size, moved is nearly the fraction of slots that differ: the
// slots are equal to one part in 2^64/size.
func TestMovedCountsSlots(t *testing.T) {
	from, to := mustNew(t, numbered(50), Config{}), mustNew(t, numbered(49), Config{})
	differ := 0
	for slot := range from.table {
		if from.nodes[from.table[slot]] != to.nodes[to.table[slot]] {
			differ++
		}
	}
	moved, err := from.Moved(to)
	if want := float64(differ) / DefaultTableSize; err != nil || math.Abs(moved-want) > 1e-12 {
		t.Errorf("got %v, %v; want %v", moved, err, want)
	}
}
