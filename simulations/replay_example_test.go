package simulations_test

import (
	"context"
	"fmt"

	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

// What does one more node cost a web shop, with the remainder of a division and
// with a ring?
func ExampleReplay() {
	requests, err := trace.Bundled(trace.Config{})
	if err != nil {
		panic(err)
	}
	defer requests.Close()
	nodes, err := simulations.ParseNodes("10")
	if err != nil {
		panic(err)
	}
	changes, err := simulations.ParseTimedChanges("+1@50000")
	if err != nil {
		panic(err)
	}
	report, err := simulations.Replay(context.Background(), simulations.ReplayConfig{
		Trace:      requests,
		Algorithms: []string{"modulo", "ring"},
		Nodes:      nodes,
		Changes:    changes,
		Capacity:   simulations.Capacity{Items: 500},
		Window:     5000,
	})
	if err != nil {
		panic(err)
	}
	for _, r := range report.Results {
		fmt.Printf("%-6s  moved %4.1f%%  hit rate over the next 1000: %4.1f%% (without the change: %4.1f%%)\n",
			r.Algorithm, 100**r.Moved, 100**r.HitRateNext1000, 100**r.ControlHitRateNext1000)
	}
	// Output:
	// modulo  moved 90.9%  hit rate over the next 1000: 45.3% (without the change: 79.9%)
	// ring    moved  9.4%  hit rate over the next 1000: 76.1% (without the change: 79.9%)
}

// The hit rate of one plain LRU cache, for two capacities in one pass.
func ExampleLRU() {
	requests, err := trace.Bundled(trace.Config{})
	if err != nil {
		panic(err)
	}
	defer requests.Close()
	report, err := simulations.LRU(context.Background(), simulations.LRUConfig{
		Trace:      requests,
		Capacities: []simulations.Capacity{{Items: 1000}, {Items: 5000}},
	})
	if err != nil {
		panic(err)
	}
	for _, r := range report.Results {
		fmt.Println(r.Capacity, r.Hits, "of", r.Requests)
	}
	// Output:
	// 1000 61882 of 95607
	// 5000 77153 of 95607
}
