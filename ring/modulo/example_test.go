package modulo_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/modulo"
)

func Example() {
	nodes := ring.Nodes("cache-a", "cache-b", "cache-c", "cache-d")
	m, err := modulo.New(nodes, modulo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user:1 lives on", m.Owner("user:1").ID)

	bigger, err := m.Update(append(nodes, ring.Node{ID: "cache-e", Weight: 1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	moved, err := m.Moved(bigger)
	fmt.Printf("one node more moves %.0f%% of all keys\n", 100*moved)
	// Output:
	// user:1 lives on cache-d
	// one node more moves 80% of all keys
}
