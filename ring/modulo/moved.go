package modulo

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/ringway/ringway/ring"
)

// Moved returns the exact fraction of the 64-bit hash space whose owner has
// another ID in to, correctly rounded. It fails with ring.ErrNotComparable if to
// is not a *Modulo, hashes keys otherwise, or either has no nodes. It takes time
// in proportion to the slots and the logarithm of their number.
//
// Where no slot list is involved, the part that keeps its owner differs from
// min(N,M)/lcm(N,M) by less than lcm(N,M)/2^64, the part of the last, broken
// period.
func (m *Modulo) Moved(to ring.Placement) (float64, error) {
	other, isModulo := to.(*Modulo)
	if !isModulo {
		return 0, fmt.Errorf("modulo: %w: modulo and a %T", ring.ErrNotComparable, to)
	}
	if m.count == 0 || other.count == 0 {
		return 0, fmt.Errorf("modulo: %w: one of them is empty", ring.ErrNotComparable)
	}
	if !m.cfg.Hasher.Equal(other.cfg.Hasher) {
		return 0, fmt.Errorf("modulo: %w: their hashers differ", ring.ErrNotComparable)
	}
	c := compare(m, other)
	high, low := c.moved()
	return float64(high) + math.Ldexp(float64(low), -64), nil
}

// comparison holds two placements against each other. Which slots a hash falls
// on in both repeats with a period: the least common multiple of their numbers
// of slots.
type comparison struct {
	from, to uint64 // numbers of slots
	period   uint64
	stay     []stay
}

// stay is a node that both have, with its slots in both: they are contiguous.
type stay struct{ from, to slotRange }

type slotRange struct{ first, end uint64 } // end is not part of it

func compare(from, to *Modulo) comparison {
	c := comparison{from: from.count, to: to.count}
	c.period = c.from / gcd(c.from, c.to) * c.to
	after := make(map[string]slotRange, len(to.nodes))
	to.eachRange(func(id string, r slotRange) { after[id] = r })
	from.eachRange(func(id string, r slotRange) {
		if s, both := after[id]; both {
			c.stay = append(c.stay, stay{r, s})
		}
	})
	return c
}

func (m *Modulo) eachRange(yield func(id string, r slotRange)) {
	end := uint64(0)
	for i, n := range m.nodes {
		first := end
		for end++; m.slots != nil && end < m.count && m.slots[end] == uint32(i); end++ {
		}
		yield(n.ID, slotRange{first, end})
	}
}

// moved counts the hashes that change owner, in 128 bits: all of them are 2^64.
func (c *comparison) moved() (high, low uint64) {
	if c.period == 1 { // one node each: the 2^64 periods do not fit what follows
		return 1 - c.kept(1), 0
	}
	periods, rest := bits.Div64(1, 0, c.period) // of the whole space
	high, low = bits.Mul64(periods, c.period-c.kept(c.period))
	low, carry := bits.Add64(low, rest-c.kept(rest), 0)
	return high + carry, low
}

// kept counts the hashes below limit, at most a period, that both placements
// give to the same node.
func (c *comparison) kept(limit uint64) (count uint64) {
	for _, s := range c.stay {
		for slot := s.from.first; slot < min(s.from.end, limit); slot++ {
			// The hashes of this slot are slot + k·from for k < n. Such a hash x
			// is in the range [a, b) of the other's slots if the whole part of
			// (x-a)/to is one more than that of (x-b)/to, else they are equal.
			// Both are shifted by one to stay positive.
			n := (limit-1-slot)/c.from + 1
			count += floorSum(n, c.from, slot+c.to-s.to.first, c.to) -
				floorSum(n, c.from, slot+c.to-s.to.end, c.to)
		}
	}
	return count
}

// floorSum returns the sum over k < n of the whole part of (a·k + b)/m, modulo
// 2^64, for n, a, m below 2^32. It is Euclid's algorithm: once the whole
// multiples of m are taken out of a and b, the sum counts the grid points under
// a line flatter than the diagonal; counted by rows instead of columns, they
// are those of the same kind of sum with a and m exchanged.
func floorSum(n, a, b, m uint64) uint64 {
	whole := n*(n-1)/2*(a/m) + n*(b/m)
	a, b = a%m, b%m
	top := a*n + b
	if top < m { // n = 0 and a = 0 come here
		return whole
	}
	return whole + floorSum(top/m, m, top%m, a)
}
