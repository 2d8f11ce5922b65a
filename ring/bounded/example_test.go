package bounded_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/bounded"
)

// Ten requests for one hot key: three nodes share them, where a ring alone would
// send all to the owner.
func Example() {
	r, err := ring.New(ring.Nodes("cache-a", "cache-b", "cache-c"), ring.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := bounded.New(r, bounded.Config{}) // ε = 0.25
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 10 {
		node := b.Acquire("hot")
		defer b.Release(node) // when the request has ended
	}
	fmt.Println(b.Loads(), "at most", b.Capacity(0))
	// Output: [4 5 1] at most 5
}

// A fleet changes while requests are in flight. They are released where they
// were acquired, and the new placement knows of them.
func ExampleBounded_Update() {
	r, _ := ring.New(ring.Nodes("cache-a", "cache-b"), ring.Config{})
	before, _ := bounded.New(r, bounded.Config{})
	node := before.Acquire("key")

	p, err := before.Update(ring.Nodes("cache-a", "cache-b", "cache-c"))
	if err != nil {
		fmt.Println(err)
		return
	}
	after := p.(*bounded.Bounded)
	fmt.Println(after.Loads())
	before.Release(node)
	fmt.Println(after.Loads())
	// Output:
	// [0 1 0]
	// [0 0 0]
}
