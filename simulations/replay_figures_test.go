package simulations

import (
	"math/rand/v2"
	"testing"
)

// Where there are many points, each two become one, as if the step had been twice
// as long from the start.
func TestSeriesHalves(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int64{1, 999, maxSeries - 1, maxSeries, maxSeries + 1, 2*maxSeries - 1, 2 * maxSeries, 4*maxSeries + 3, 9*maxSeries + 1} {
		outcomes := make([]byte, n)
		for i := range outcomes {
			outcomes[i] = byte(random.IntN(3))
		}
		for _, step := range []int64{1, 3} {
			s := series{step: step}
			for rest := outcomes; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(2*maxSeries))
				s.add(rest[:n], rest[:n])
				rest = rest[n:]
			}
			for step*maxSeries <= n {
				step *= 2
			}
			got := s.all()
			for i, p := range got {
				from := int64(i) * step
				part := outcomes[from:min(from+step, n)]
				want := asJSON(t, naiveScore(part, 0, step).rate())
				if p.Request != from || asJSON(t, p.HitRate) != want || asJSON(t, p.ControlHitRate) != want {
					t.Fatalf("%d outcomes, point %d of %d in steps of %d: %s, want %s", n, i, len(got), step, asJSON(t, p), want)
				}
			}
			if want := (n + step - 1) / step; int64(len(got)) != want {
				t.Fatalf("%d outcomes in steps of %d: %d points, want %d", n, step, len(got), want)
			}
		}
	}
}
