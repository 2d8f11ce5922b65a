package multiprobe_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/multiprobe"
)

func Example() {
	nodes := ring.Nodes("cache-a", "cache-b", "cache-c", "cache-d")
	m, err := multiprobe.New(nodes, multiprobe.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bigger, err := m.Update(append(nodes, ring.Node{ID: "cache-e", Weight: 1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	receivers := map[string]int{}
	for i := range 1000 {
		key := fmt.Sprintf("user:%d", i)
		if after := bigger.Nodes()[bigger.OwnerIndex(key)]; after != m.Owner(key) {
			receivers[after.ID]++
		}
	}
	fmt.Println("keys moved, by their new owner:", receivers)
	fmt.Println("bytes of table:", m.MemoryBytes())
	// Output:
	// keys moved, by their new owner: map[cache-e:204]
	// bytes of table: 204
}
