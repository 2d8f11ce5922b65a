package workload

import "math"

// A zipf draws ranks from 0 to n-1, rank k with a weight of (k+1)^-alpha, for any
// alpha of 0 and more: by inversion of the sums of weights, with a guide table
// (Chen and Asau, 1974) that leads to the right place in about one step.
type zipf struct {
	sums  []float64 // of the weights up to and with each rank
	guide []uint32  // of each of len(sums) equal parts of the total: the first rank that ends in it or beyond
}

func newZipf(n int, alpha float64) *zipf {
	z := &zipf{sums: make([]float64, n), guide: make([]uint32, n)}
	total := 0.0
	power := newPower(alpha)
	for k := range n {
		total += 1 / power.of(float64(k+1))
		z.sums[k] = total
	}
	rank := 0
	for part := range n {
		low := float64(part) / float64(n) * total
		for z.sums[rank] <= low && rank < n-1 {
			rank++
		}
		z.guide[part] = uint32(rank)
	}
	return z
}

// rank turns 53 random bits into a rank.
func (z *zipf) rank(bits uint64) int {
	n := len(z.sums)
	u := float64(bits) / (1 << 53)
	target := u * z.sums[n-1]
	rank := int(z.guide[min(int(u*float64(n)), n-1)])
	for rank < n-1 && z.sums[rank] <= target {
		rank++
	}
	return rank
}

// A power raises to a fixed exponent by multiplications and square roots, which
// IEEE 754 rounds alike everywhere; math.Pow is not promised to.
type power struct {
	whole    int
	fraction uint64 // in 2^-fractionBits
}

const fractionBits = 24 // the exponent is right to 6e-8

func newPower(exponent float64) power {
	whole := math.Floor(exponent)
	return power{int(whole), uint64(math.Round((exponent - whole) * (1 << fractionBits)))}
}

func (p power) of(x float64) float64 {
	result := 1.0
	for range p.whole {
		result = float64(result * x)
	}
	root := x
	for bit := fractionBits - 1; bit >= 0; bit-- {
		root = math.Sqrt(root)
		if p.fraction>>bit&1 == 1 {
			result = float64(result * root)
		}
	}
	if p.fraction == 1<<fractionBits { // rounded up to a whole
		result = float64(result * x)
	}
	return result
}
