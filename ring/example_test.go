package ring_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
)

func Example() {
	r, err := ring.New(ring.Nodes("cache-a", "cache-b", "cache-c"), ring.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user:1 lives on", r.Owner("user:1").ID)

	bigger, err := r.With(ring.Node{ID: "cache-d", Weight: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	moved, _ := r.Moved(bigger)
	movements, _ := ring.Diff(r, bigger)
	receivers := map[string]bool{}
	for _, m := range movements {
		receivers[m.To] = true
	}
	fmt.Printf("%.1f%% of the keys move, to %v\n", 100*moved, receivers)
	// Output:
	// user:1 lives on cache-a
	// 26.5% of the keys move, to map[cache-d:true]
}

func ExampleRing_Replicas() {
	r, err := ring.New([]ring.Node{
		{ID: "a1", Weight: 1, Zone: "a"}, {ID: "a2", Weight: 1, Zone: "a"},
		{ID: "b1", Weight: 1, Zone: "b"}, {ID: "b2", Weight: 1, Zone: "b"},
	}, ring.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var room [2]ring.Node
	for _, n := range r.Replicas(room[:0], "user:1", 2) {
		fmt.Println(n.ID, "in zone", n.Zone)
	}
	// Output:
	// b2 in zone b
	// a2 in zone a
}

func ExampleRing_Describe() {
	r, err := ring.New([]ring.Node{{ID: "cache-a", Weight: 1}, {ID: "cache-b", Weight: 1}, {ID: "cache-c", Weight: 2, Zone: "eu-1"}}, ring.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(r.Describe())
	// Output:
	// ring c56c11c5e11606b5: 3 nodes, 640 tokens, 160 virtual nodes, xxhash64
	// node       weight  zone         tokens    share  of fair
	// cache-a         1                  160   24.27%    97.1%  ########|
	// cache-b         1                  160   22.25%    89.0%  ####### |
	// cache-c         2  eu-1            320   53.48%   107.0%  ########|#
}

func ExampleTag() {
	fmt.Println(ring.Tag("{user1000}.following"), ring.Tag("foo{}{bar}"))
	// Output: user1000 foo{}{bar}
}
