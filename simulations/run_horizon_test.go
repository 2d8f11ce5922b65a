package simulations

import (
	"testing"

	"github.com/ringway/ringway/simulations/workload"
)

// The extra loads of the changes, one by one, are those of the whole: the horizon
// ends both.
func TestRunExtraLoadsAddUp(t *testing.T) {
	w := workload.Config{Keys: 2000, Requests: 40_000, Seed: 1, Alpha: 0.8}
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "5"), Capacity: Capacity{Items: 200}, Changes: []FleetChange{change(t, 10_000, "-1"), change(t, 15_000, "-1")}}
	for _, horizon := range []int64{0, 3000} {
		r := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{v}, Window: 1000, Horizon: horizon}).Results[0]
		if first, second := *r.Changes[0].ExtraLoads, *r.Changes[1].ExtraLoads; first+second != *r.ExtraLoads || second <= 0 {
			t.Errorf("horizon %d: %d and %d extra loads, %d in all", horizon, first, second, *r.ExtraLoads)
		}
	}
}
