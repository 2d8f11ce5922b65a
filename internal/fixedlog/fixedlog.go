package fixedlog

import "math/bits"

//go:generate go run gen.go

const (
	// FractionBits is the number of bits after the binary point of what NegLog2
	// returns.
	FractionBits = 57

	// One is the logarithm 1, that of an argument of 2^63.
	One = 1 << FractionBits

	// Max is what NegLog2 returns for 0 and 1, its largest value: 64.
	Max = 64 * One
)

// extraBits of the factors of a parabola lie beyond FractionBits. Without them
// rounding would break monotony.
const extraBits = 13

// parabola approximates log2(1+x) for an interval of x of the width 1/256: at
// the position t, from 0 to 1, it is start + t·(rise − bend·t).
type parabola struct {
	start uint64 // in units of 2^-57
	rise  uint64 // in units of 2^-70
	bend  uint64 // in units of 2^-70
}

// NegLog2 returns -log2((u|1) / 2^64) in units of 2^-57: a logarithm of the
// middle of the interval of width 2^-63 that holds u/2^64, so that 0 has one
// too. The result is at least 1 and at most Max, and never rises where u does.
// Its absolute error is below 2^-29 (1.9e-9), and its relative error below
// 2^-20 (1e-6) while the result is above 2^-36. It takes 3 to 5 ns.
func NegLog2(u uint64) uint64 {
	u |= 1
	zeros := uint(bits.LeadingZeros64(u))
	fraction := u << (zeros & 63) << 1 // of u divided by the power of two below it, in units of 2^-64
	p := &parabolas[fraction>>56]
	t := fraction << 8
	bent, _ := bits.Mul64(p.bend, t)
	risen, _ := bits.Mul64(p.rise-bent, t)
	return uint64(1+zeros)<<FractionBits - p.start - risen>>extraBits
}
