package simulations

import "slices"

// judge notes what is to be said of the loads of one run.
func (row *balanceRow) judge(run int, relative []float64) {
	row.runs[run] = spreadOf(relative)
	row.lows[run], row.highs[run] = interval99(relative)
}

// interval99 returns the loads between which 99% of the nodes lie: of N nodes in order
// those at the places (N+1) × 0.5% and (N+1) × 99.5%, between two nodes in proportion.
// The k-th of N equally likely draws is at k/(N+1) on average, so that this is right for
// any N but few; of fewer than 199 nodes it is the least and the largest.
func interval99(relative []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(relative))
	return figure(quantile(sorted, 0.005)), figure(quantile(sorted, 0.995))
}

// quantile is that of numbers in order, of which there must be one.
func quantile(sorted []float64, part float64) float64 {
	n := len(sorted)
	at := float64(float64(n+1)*part) - 1
	if at <= 0 {
		return sorted[0]
	}
	below := int(at)
	if below >= n-1 {
		return sorted[n-1]
	}
	rest := at - float64(below)
	// The conversion forbids fusing the product into the sum.
	return sorted[below] + float64(rest*(sorted[below+1]-sorted[below]))
}
