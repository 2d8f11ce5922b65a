package bounded

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/ringway/ringway/ring"
)

// Epsilon and weights are taken to nine decimals, as whole numbers of
// billionths. In binary floating point 0.1 is a little more than a tenth, and
// the capacity of one of 10 nodes for 100 requests would be
// ceil(1.1 · 100 · 0.1) = 12, not 11.
const billion = 1_000_000_000

// limits holds the capacities as fractions: that of node i for n requests is
// ceil(n · num[i] / den).
type limits struct {
	num []uint128 // (1+ε) · w of each node, at most 2^100
	den uint128   // W, at most 2^104
}

func newLimits(nodes []ring.Node, epsilon float64) (limits, error) {
	l := limits{num: make([]uint128, len(nodes))}
	for i, n := range nodes {
		weight := billionths(n.Weight)
		if weight == 0 {
			return l, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight, Want: "at least 0.000000001"}
		}
		l.num[i].hi, l.num[i].lo = bits.Mul64(billion+billionths(epsilon), weight)
		hi, lo := bits.Mul64(billion, weight)
		var carry uint64
		l.den.lo, carry = bits.Add64(l.den.lo, lo, 0)
		l.den.hi, _ = bits.Add64(l.den.hi, hi, carry)
	}
	return l, nil
}

// billionths rounds to nine decimals. Values are at most 2^20, so that the
// product is off by less than a quarter, and decimals of nine digits are exact.
func billionths(v float64) uint64 { return uint64(math.Round(v * billion)) }

// full reports whether a node that carries load is full for n requests:
// load >= ceil(n·num/den), which for whole numbers is load·den >= n·num.
func (l *limits) full(node, load, n int) bool {
	return !l.den.times(uint64(load)).less(l.num[node].times(uint64(n)))
}

// capacity returns ceil(n·num/den), for people and tests.
func (l *limits) capacity(node, n int) int {
	product := l.num[node].big()
	product.Mul(product, big.NewInt(int64(n)))
	quotient, rest := product.QuoRem(product, l.den.big(), new(big.Int))
	if rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsInt64() || quotient.Int64() > math.MaxInt {
		return math.MaxInt
	}
	return int(quotient.Int64())
}

type uint128 struct{ hi, lo uint64 }

type uint192 struct{ high, middle, low uint64 }

// times cannot overflow where x is below 2^128 and y is an int.
func (x uint128) times(y uint64) uint192 {
	carried, low := bits.Mul64(x.lo, y)
	high, middle := bits.Mul64(x.hi, y)
	middle, carry := bits.Add64(middle, carried, 0)
	return uint192{high + carry, middle, low}
}

func (x uint192) less(y uint192) bool {
	_, borrow := bits.Sub64(x.low, y.low, 0)
	_, borrow = bits.Sub64(x.middle, y.middle, borrow)
	_, borrow = bits.Sub64(x.high, y.high, borrow)
	return borrow != 0
}

func (x uint128) big() *big.Int {
	b := new(big.Int).SetUint64(x.hi)
	return b.Or(b.Lsh(b, 64), new(big.Int).SetUint64(x.lo))
}
