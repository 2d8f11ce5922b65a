package ring

import (
	"fmt"
	"math"
	"math/bits"
)

// Range is a stretch of the 64-bit hash space, both ends included, First never
// above Last: the whole space is {0, math.MaxUint64}. A stretch that passes the
// top of the space is given as two.
type Range struct{ First, Last uint64 }

// Contains reports whether the hash lies in the range.
func (g Range) Contains(hash uint64) bool { return g.First <= hash && hash <= g.Last }

// Fraction returns the range's part of the hash space, from 0 to 1.
func (g Range) Fraction() float64 { return math.Ldexp(float64(g.Last-g.First)+1, -64) }

func (g Range) String() string { return fmt.Sprintf("%016x-%016x", g.First, g.Last) }

// Movement is a range of the hash space that changes owner between two rings.
type Movement struct {
	Range    Range
	From, To string // node IDs, different from each other
}

// Diff returns the exact movements from one ring to another: the ranges whose
// owner has another ID in to, in ascending order, none of them touching another
// with the same From and To. Nodes are told apart by ID alone, so that a change
// of weight or zone shows only in the ranges that it moves.
//
// The rings must hash keys alike (the same Hasher); their virtual nodes may
// differ. Else Diff fails with ErrNotComparable. It takes time in proportion to
// the tokens of both.
func Diff(from, to *Ring) ([]Movement, error) {
	var movements []Movement
	err := eachMovement(from, to, func(g Range, old, new uint32) {
		m := Movement{Range: g, From: from.nodes[old].ID, To: to.nodes[new].ID}
		if last := len(movements) - 1; last >= 0 && movements[last].continuedBy(m) {
			movements[last].Range.Last = m.Range.Last
			return
		}
		movements = append(movements, m)
	})
	return movements, err
}

func (m Movement) continuedBy(n Movement) bool {
	return m.Range.Last+1 == n.Range.First && m.From == n.From && m.To == n.To
}

// Moved returns the exact fraction of the hash space whose owner differs from
// that in another ring, correctly rounded. It makes *Ring a HashPlacement.
func (r *Ring) Moved(to Placement) (float64, error) {
	other, isRing := to.(*Ring)
	if !isRing || other == nil {
		return 0, fmt.Errorf("ring: %w: a ring and a %T", ErrNotComparable, to)
	}
	var high, low uint64 // 128 bits: the whole space is 2^64
	err := eachMovement(r, other, func(g Range, _, _ uint32) {
		var carry uint64
		low, carry = bits.Add64(low, g.Last-g.First, 0)
		high += carry
		low, carry = bits.Add64(low, 1, 0)
		high += carry
	})
	return float64(high) + math.Ldexp(float64(low), -64), err
}

// eachMovement calls yield for the stretches between neighbouring tokens of
// either ring whose owners differ, in ascending order.
func eachMovement(from, to *Ring, yield func(g Range, old, new uint32)) error {
	if from == nil || to == nil || len(from.nodes) == 0 || len(to.nodes) == 0 {
		return fmt.Errorf("ring: %w: one of them is empty", ErrNotComparable)
	}
	if !from.cfg.Hasher.Equal(to.cfg.Hasher) {
		return fmt.Errorf("ring: %w: their hashers differ", ErrNotComparable)
	}
	same := samePositions(from, to)
	i, j := 0, 0
	for first := uint64(0); ; {
		// The token at or after first in each ring owns what begins there; past
		// the last token that is token 0, and the stretch ends with the space.
		old, oldEnd := from.stretch(i)
		new, newEnd := to.stretch(j)
		last := min(oldEnd, newEnd)
		if same[old] != new {
			yield(Range{first, last}, old, new)
		}
		if last == math.MaxUint64 {
			return nil
		}
		first = last + 1
		for i < len(from.tokens) && from.tokens[i] < first {
			i++
		}
		for j < len(to.tokens) && to.tokens[j] < first {
			j++
		}
	}
}

// stretch returns the owner of the stretch that ends with the token at this
// position, and that end.
func (r *Ring) stretch(i int) (owner uint32, end uint64) {
	if i < len(r.tokens) {
		return r.owners[i], r.tokens[i]
	}
	return r.owners[0], math.MaxUint64
}

// samePositions maps the positions of from to those of to, by ID.
func samePositions(from, to *Ring) []uint32 {
	same := make([]uint32, len(from.nodes))
	for i, n := range from.nodes {
		same[i] = dropped
		if p := to.position(n.ID); p >= 0 {
			same[i] = uint32(p)
		}
	}
	return same
}
