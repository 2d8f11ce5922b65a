package swim

import (
	"math"
	"testing"
)

// Bounds are within a small factor of what is expected, or, where gossip may leave
// somebody out, of the time until states are exchanged: one that lets everything pass
// says nothing.
func TestBoundsAreTight(t *testing.T) {
	for _, size := range []int{8, 12, 20, 60, 100, 500} {
		few := size * 3 / 10
		for name, e := range map[string]expectation{
			"join": joinExpectation(size, 0.05), "crash": crashExpectation(size, 0.05), "leave": leaveExpectation(size, 0.05),
			"partition": splitExpectation(few, size-few, 0.05), "heal": healExpectation(size, 0.05),
		} {
			slow := max(e.all, exchange(size))
			if name == "crash" || name == "partition" {
				slow = e.all
			}
			if e.earliest > e.half || e.half > e.latestHalf || e.half > e.all || e.latestHalf > e.latest || e.latest > 3.5*slow {
				t.Errorf("%s of %d: %+v", name, size, e)
			}
			if (name == "crash" || name == "partition") && e.latestHalf > 3.5*e.half {
				t.Errorf("%s of %d: half by %v, expected %v", name, size, e.latestHalf, e.half)
			}
		}
	}
}

// Confirmations shorten a suspicion, from six times the least; the smaller side of a
// partition has too few of them, and probes slowly.
func TestSuspicion(t *testing.T) {
	for confirmations, want := range map[int]float64{0: 48, 1: 48 - 40*math.Log(2)/math.Log(3), 2: 8, 3: 8} {
		if got := suspicion(100, confirmations); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d confirmations: %v s, want %v", confirmations, got, want)
		}
	}
	if e := splitExpectation(30, 70, 0); e.all < 2*e.half || e.all < 8*(1+70.0/30)+20 {
		t.Errorf("the smaller side: %+v", e)
	}
}
