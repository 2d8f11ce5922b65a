package workload

import "github.com/ringway/ringway/internal/fixedlog"

// exponential turns 64 random bits into a deviate of the exponential law of mean
// 1, by inversion: -ln(u).
func exponential(bits uint64) float64 {
	const ln2 = 0.693147180559945309417232121458176568
	return float64(fixedlog.NegLog2(bits)) / (1 << 57) * ln2
}
