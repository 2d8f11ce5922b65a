package maglev

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/ringway/ringway/ring"
)

// Moved returns the exact fraction of the 64-bit hash space whose owner has
// another ID in to, correctly rounded. The tables may differ in size. It fails
// with ring.ErrNotComparable if to is not a *Maglev, hashes keys otherwise, or
// either has no nodes. It takes time in proportion to the tables.
func (m *Maglev) Moved(to ring.Placement) (float64, error) {
	other, isMaglev := to.(*Maglev)
	if !isMaglev {
		return 0, fmt.Errorf("maglev: %w: maglev and a %T", ring.ErrNotComparable, to)
	}
	if len(m.table) == 0 || len(other.table) == 0 {
		return 0, fmt.Errorf("maglev: %w: one of them is empty", ring.ErrNotComparable)
	}
	if !m.cfg.Hasher.Equal(other.cfg.Hasher) {
		return 0, fmt.Errorf("maglev: %w: their hashers differ", ring.ErrNotComparable)
	}
	high, low := m.moved(other)
	return float64(high) + math.Ldexp(float64(low), -64), nil
}

// moved counts the hashes that change owner, in 128 bits: all of them are 2^64.
func (m *Maglev) moved(other *Maglev) (high, low uint64) {
	same := m.samePositions(other)
	first := uint64(0)
	for i, j := 0, 0; ; {
		last := min(m.last(i), other.last(j))
		if same[m.table[i]] != int(other.table[j]) {
			var carry uint64
			low, carry = bits.Add64(low, last-first, 1) // 1: both ends belong to the range
			high += carry
		}
		if last == math.MaxUint64 {
			return high, low
		}
		if last == m.last(i) {
			i++
		}
		if last == other.last(j) {
			j++
		}
		first = last + 1
	}
}

// last returns the last hash of a slot.
func (m *Maglev) last(slot int) uint64 {
	size := uint64(len(m.table))
	if uint64(slot+1) == size {
		return math.MaxUint64
	}
	quotient, remainder := bits.Div64(uint64(slot+1), 0, size) // where the next slot begins, rounded down
	if remainder == 0 {
		return quotient - 1
	}
	return quotient
}

// samePositions maps the positions of m's nodes to those of the other's, by ID;
// -1 where the other has none.
func (m *Maglev) samePositions(other *Maglev) []int {
	same := make([]int, len(m.nodes))
	for i, n := range m.nodes {
		at, both := slices.BinarySearchFunc(other.nodes, n.ID, func(o ring.Node, id string) int { return strings.Compare(o.ID, id) })
		if same[i] = at; !both {
			same[i] = -1
		}
	}
	return same
}
