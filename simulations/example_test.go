package simulations_test

import (
	"context"
	"fmt"

	"github.com/ringway/ringway/simulations"
)

func ExampleCompare() {
	nodes, err := simulations.ParseNodes("10")
	if err != nil {
		fmt.Println(err)
		return
	}
	change, err := simulations.ParseChange("+1")
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := simulations.Compare(context.Background(), simulations.CompareConfig{
		Algorithms: []string{"ring", "modulo"},
		Nodes:      nodes,
		Change:     change,
		Keys:       simulations.UniformKeys(100_000, 1),
		NoTiming:   true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range report.Results {
		fmt.Printf("%-6s moves %2.0f%% of the keys, %2.0f%% without need\n", r.Algorithm, 100**r.Moved, 100**r.MovedUnnecessary)
	}
	// Output:
	// ring   moves  9% of the keys,  0% without need
	// modulo moves 91% of the keys, 82% without need
}

func ExampleChange_Apply() {
	nodes, _ := simulations.ParseNodes("a,b:2,c")
	change, _ := simulations.ParseChange("+d,-1")
	after, err := change.Apply(nodes)
	for _, n := range after {
		fmt.Println(n.ID, n.Weight)
	}
	fmt.Println(err)
	// Output:
	// a 1
	// c 1
	// d 1
	// <nil>
}

func ExampleTokenTheory() {
	for _, v := range []int{1, 10, 160, 1000} {
		t := simulations.TokenTheory(100, v, 0)
		fmt.Printf("%4d virtual nodes: spread %4.1f%%, fullest node %.2f times its share\n", v, 100*t.CV, t.PeakToMean)
	}
	// Output:
	//    1 virtual nodes: spread 99.0%, fullest node 5.19 times its share
	//   10 virtual nodes: spread 31.4%, fullest node 1.97 times its share
	//  160 virtual nodes: spread  7.9%, fullest node 1.21 times its share
	// 1000 virtual nodes: spread  3.1%, fullest node 1.08 times its share
}
