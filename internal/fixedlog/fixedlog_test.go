package fixedlog

import (
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

const precision = 200 // bits of the reference's numbers

// ln is the natural logarithm of x from 1 to 2, as 2·artanh((x-1)/(x+1)).
func ln(x *big.Float) *big.Float {
	number := func() *big.Float { return new(big.Float).SetPrec(precision) }
	one := number().SetInt64(1)
	z := number().Quo(number().Sub(x, one), number().Add(x, one))
	square := number().Mul(z, z)
	sum, power := number(), number().Set(z)
	for k := int64(1); k < precision; k += 2 {
		sum.Add(sum, number().Quo(power, number().SetInt64(k)))
		power.Mul(power, square)
	}
	return sum.Add(sum, sum)
}

var ln2 = ln(new(big.Float).SetPrec(precision).SetInt64(2))

// log2 is the reference: log2(x) for any x above 0.
func log2(x *big.Float) *big.Float {
	mantissa := new(big.Float).SetPrec(precision)
	exponent := x.MantExp(mantissa)
	mantissa.SetMantExp(mantissa, 1) // from 1 to 2
	result := new(big.Float).SetPrec(precision).Quo(ln(mantissa), ln2)
	return result.Add(result, new(big.Float).SetInt64(int64(exponent-1)))
}

// reference is -log2((u|1) / 2^64).
func reference(u uint64) *big.Float {
	x := new(big.Float).SetPrec(precision).SetUint64(u | 1)
	return new(big.Float).SetPrec(precision).Sub(new(big.Float).SetInt64(64), log2(x))
}

func toFloat(result uint64) *big.Float {
	x := new(big.Float).SetPrec(precision).SetUint64(result)
	return x.SetMantExp(x, -FractionBits)
}

// rounded returns x in units of 2^-bits.
func rounded(x *big.Float, bits int) uint64 {
	scaled := new(big.Float).SetMantExp(x, bits)
	result, _ := scaled.Add(scaled, big.NewFloat(0.5)).Uint64()
	return result
}

// The table is what its formula says, computed another way than gen.go does.
func TestTable(t *testing.T) {
	at := func(i int) *big.Float { // log2(1 + i/512)
		return log2(new(big.Float).SetPrec(precision).Quo(big.NewFloat(float64(512+i)), big.NewFloat(512)))
	}
	for i, p := range parabolas {
		start, middle, end := at(2*i), at(2*i+1), at(2*i+2)
		bend := new(big.Float).SetPrec(precision).Mul(middle, big.NewFloat(4))
		bend.Sub(bend, new(big.Float).Mul(start, big.NewFloat(2)))
		bend.Sub(bend, new(big.Float).Mul(end, big.NewFloat(2)))
		want := parabola{start: rounded(start, FractionBits), bend: rounded(bend, FractionBits+extraBits)}
		want.rise = (rounded(end, FractionBits)-want.start)<<extraBits + want.bend
		if p != want {
			t.Errorf("parabola %d is %#x, want %#x", i, p, want)
		}
	}
}

// What the package comment's proof of monotony rests on.
func TestMonotonyBounds(t *testing.T) {
	for i, p := range parabolas {
		next := uint64(One)
		if i+1 < len(parabolas) {
			next = parabolas[i+1].start
		}
		if p.rise-p.bend != (next-p.start)<<extraBits {
			t.Errorf("parabola %d does not end where the next one starts", i)
		}
		if p.rise-2*p.bend < 1<<61 || p.rise < 2*p.bend {
			t.Errorf("parabola %d is not steep enough at its end", i)
		}
		if p.bend > 1<<54 {
			t.Errorf("parabola %d bends by more than one unit from one argument to the next", i)
		}
	}
}

// Neighbours at every seam of the table, in every octave.
func TestMonotoneAtSeams(t *testing.T) {
	for zeros := range 56 {
		for i := range uint64(257) {
			seam := uint64(1)<<(63-zeros) + i<<(55-zeros) // 2^64 wraps to 0 at the very last
			for u := seam - 6; u != seam+6; u++ {
				if u == math.MaxUint64 {
					break
				}
				if NegLog2(u+1) > NegLog2(u) {
					t.Fatalf("NegLog2(%#x) = %d rises to %d at the next argument", u, NegLog2(u), NegLog2(u+1))
				}
			}
		}
	}
}

func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Uint64().Draw(t, "u")
		step := rapid.Uint64Max(math.MaxUint64-u).Draw(t, "step")
		if NegLog2(u+step) > NegLog2(u) {
			t.Fatalf("NegLog2(%d) = %d, NegLog2(%d) = %d", u, NegLog2(u), u+step, NegLog2(u+step))
		}
	})
}

// Small arguments one by one: all of them, so that no rounding hides.
func TestMonotoneExhaustive(t *testing.T) {
	previous := NegLog2(0)
	for u := range uint64(1 << 18) {
		now := NegLog2(u)
		if now > previous {
			t.Fatalf("NegLog2 rises at %d", u)
		}
		previous = now
	}
}

func TestError(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	worst, worstRelative := 0.0, 0.0
	check := func(u uint64) {
		want := reference(u)
		difference, _ := new(big.Float).Sub(toFloat(NegLog2(u)), want).Float64()
		value, _ := want.Float64()
		worst = max(worst, math.Abs(difference))
		if value > math.Ldexp(1, -36) {
			worstRelative = max(worstRelative, math.Abs(difference)/value)
		}
	}
	for range 700 {
		u := random.Uint64()
		check(u)
		check(u >> random.IntN(64))
		check(^(u >> random.IntN(64))) // close to 2^64: logarithms close to 0
	}
	for i := range uint64(256) { // where the interpolation is worst: near the start
		check(1<<63 + i<<47)
	}
	t.Logf("largest error %.3g, relative %.3g", worst, worstRelative)
	if worst > math.Ldexp(1, -29) {
		t.Errorf("error %g is above 2^-29", worst)
	}
	if worst < math.Ldexp(1, -30) {
		t.Errorf("error %g is below 2^-30: this test does not reach the worst arguments", worst)
	}
	if worstRelative > math.Ldexp(1, -20) {
		t.Errorf("relative error %g is above 2^-20", worstRelative)
	}
}

func TestAgainstMathLog2(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		u := random.Uint64() >> random.IntN(63)
		got := math.Ldexp(float64(NegLog2(u)), -FractionBits)
		want := 64 - math.Log2(float64(u|1))
		if math.Abs(got-want) > math.Ldexp(1, -28) {
			t.Fatalf("NegLog2(%d) = %.12g, want %.12g", u, got, want)
		}
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct{ u, want uint64 }{
		{0, Max}, {1, Max}, {1 << 62, 2 * One}, {1 << 63, One}, {math.MaxUint64, 1},
	} {
		if got := NegLog2(c.u); got != c.want {
			t.Errorf("NegLog2(%#x) = %d, want %d", c.u, got, c.want)
		}
	}
}

// The results are part of what places keys.
func TestFrozen(t *testing.T) {
	h := fnv.New64a()
	random := rand.New(rand.NewPCG(5, 6))
	for range 100_000 {
		u := random.Uint64() >> random.IntN(64)
		result := NegLog2(u)
		for shift := 0; shift < 64; shift += 8 {
			h.Write([]byte{byte(result >> shift)})
		}
	}
	const want = uint64(0xcf56467ab7bb15db)
	if got := h.Sum64(); got != want {
		t.Errorf("results hash to %#x, want %#x: NegLog2 has changed, which moves keys in every fleet "+
			"with weights under package rendezvous or balanced; that is a breaking change", got, want)
	}
}

func BenchmarkNegLog2(b *testing.B) {
	var sum, u uint64
	for b.Loop() {
		u = u*6364136223846793005 + 1
		sum += NegLog2(u)
	}
	sink = sum
}

var sink uint64
