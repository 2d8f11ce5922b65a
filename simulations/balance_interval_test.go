package simulations

import (
	"context"
	"math"
	"testing"
)

func TestInterval99(t *testing.T) {
	upTo := func(n int) (list []float64) {
		for i := n; i > 0; i-- { // in no order
			list = append(list, float64(i))
		}
		return list
	}
	for _, c := range []struct {
		loads     []float64
		low, high float64
	}{
		{[]float64{1}, 1, 1},
		{[]float64{2, 1, 3}, 1, 3},
		{upTo(199), 1, 199},     // places 1 and 199
		{upTo(399), 2, 398},     // places 2 and 398
		{upTo(999), 5, 995},     // places 5 and 995
		{upTo(499), 2.5, 497.5}, // between two
	} {
		low, high := interval99(c.loads)
		if math.Abs(low-c.low) > 1e-9 || math.Abs(high-c.high) > 1e-9 {
			t.Errorf("of %d loads: %v to %v, want %v to %v", len(c.loads), low, high, c.low, c.high)
		}
	}
}

// The interval of a ring of one token a node is that of exponential shares: the closed
// form of the N-1-th power.
func TestBalanceInterval(t *testing.T) {
	report, err := Balance(context.Background(), BalanceConfig{Algorithms: []string{"ring", "jump"}, Nodes: []int{1000}, VirtualNodes: []int{1}, Runs: 10, Keys: 100_000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := report.Results[0]
	share := func(part float64) float64 { return 1000 * (1 - math.Pow(1-part, 1.0/999)) }
	if low, high := *r.Low99ToMean, *r.High99ToMean; math.Abs(low-share(0.005)) > 0.003 || math.Abs(high-share(0.995)) > 0.4 {
		t.Errorf("%v to %v, want %v to %v", low, high, share(0.005), share(0.995))
	}
	for _, r := range report.Results {
		if !(*r.MinToMean <= *r.Low99ToMean && *r.Low99ToMean < 1 && 1 < *r.High99ToMean && *r.High99ToMean <= *r.PeakToMean) {
			t.Errorf("%s: least %v, interval %v to %v, largest %v", r.Algorithm, *r.MinToMean, *r.Low99ToMean, *r.High99ToMean, *r.PeakToMean)
		}
	}
}
