package bounded

import (
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/ringway/ringway/ring"
)

// TestFullAgainstBigNumbers compares up to the largest values that New lets
// through, which no test could reach by counting.
func TestFullAgainstBigNumbers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(size int) uint64 { return rng.Uint64() >> (64 - size) >> rng.IntN(size) }
	for range 20_000 {
		l := limits{num: []uint128{{word(36), word(63) + 1}}, den: uint128{word(40), word(63) + 1}}
		n, load := int(word(bits.UintSize-1)), int(word(bits.UintSize-1))
		if near := l.capacity(0, n); near < math.MaxInt && rng.IntN(2) == 0 {
			load = max(0, near+rng.IntN(3)-1)
		}
		// load >= n·num/den
		want := new(big.Int).Mul(l.den.big(), big.NewInt(int64(load))).Cmp(new(big.Int).Mul(l.num[0].big(), big.NewInt(int64(n)))) >= 0
		if got := l.full(0, load, n); got != want {
			t.Fatalf("load %d of %d requests, %v of %v: full is %v, want %v", load, n, l.num[0], l.den, got, want)
		}
		if capacity := l.capacity(0, n); capacity < math.MaxInt && want != (load >= capacity) {
			t.Fatalf("load %d of %d requests, capacity %d: full is %v", load, n, capacity, want)
		}
	}
}

func TestTimesAgainstBigNumbers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		x, y := uint128{rng.Uint64() >> 24, rng.Uint64()}, rng.Uint64()>>1
		p := x.times(y)
		got := new(big.Int).Lsh(new(big.Int).SetUint64(p.high), 128)
		got.Add(got, uint128{p.middle, p.low}.big())
		if want := new(big.Int).Mul(x.big(), new(big.Int).SetUint64(y)); got.Cmp(want) != 0 {
			t.Fatalf("%v · %d: got %v, want %v", x, y, got, want)
		}
	}
}

// TestLimitsAddUp: the denominator of many nodes needs more than 64 bits.
func TestLimitsAddUp(t *testing.T) {
	nodes := make([]ring.Node, 40_000)
	want := new(big.Int)
	for i := range nodes {
		nodes[i].Weight = ring.MaxWeight - float64(i)
		want.Add(want, big.NewInt(ring.MaxWeight-int64(i)))
	}
	want.Mul(want, big.NewInt(billion*billion))
	l, err := newLimits(nodes, 1_000_000)
	if err != nil || l.den.big().Cmp(want) != 0 {
		t.Errorf("got %v, %v, want %v", l.den.big(), err, want)
	}
	num := new(big.Int).Mul(big.NewInt(1_000_001*billion), big.NewInt(ring.MaxWeight*billion))
	if l.num[0].big().Cmp(num) != 0 {
		t.Errorf("got %v, want %v", l.num[0].big(), num)
	}
}
