package balanced_test

import (
	"fmt"
	"slices"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
)

func Example() {
	small, err := balanced.New(ring.Nodes("cache-a", "cache-b", "cache-c"), balanced.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	big, err := small.With(ring.Node{ID: "cache-d", Weight: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	moved, err := small.Moved(big)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user:1 lives on", big.Owner("user:1").ID)
	fmt.Printf("%.1f%% of the keys move, and the fullest node holds %.1f%%\n", 100*moved, 100*slices.Max(big.Shares()))
	// Output:
	// user:1 lives on cache-b
	// 24.9% of the keys move, and the fullest node holds 25.2%
}
