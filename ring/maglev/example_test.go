package maglev_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/maglev"
)

func Example() {
	nodes := ring.Nodes("cache-a", "cache-b", "cache-c", "cache-d", "cache-e")
	m, err := maglev.New(nodes, maglev.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user:1 lives on", m.Owner("user:1").ID)

	smaller, err := m.Update(nodes[:4])
	if err != nil {
		fmt.Println(err)
		return
	}
	moved, err := m.Moved(smaller)
	fmt.Printf("cache-e owned 20%% of the keys; without it %.1f%% move\n", 100*moved)
	// Output:
	// user:1 lives on cache-a
	// cache-e owned 20% of the keys; without it 20.1% move
}
