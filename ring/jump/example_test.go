package jump_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/jump"
)

func Example() {
	nodes := ring.Nodes("node-0", "node-1", "node-2")
	j, err := jump.New(nodes, jump.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bigger, err := j.Update(append(nodes, ring.Node{ID: "node-3", Weight: 1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"user:1", "user:2", "user:3", "user:4"} {
		fmt.Println(key, j.Owner(key).ID, "→", bigger.Nodes()[bigger.OwnerIndex(key)].ID)
	}
	_, err = j.Update(ring.Nodes("node-0", "node-2"))
	fmt.Println(err)
	// Output:
	// user:1 node-2 → node-2
	// user:2 node-0 → node-0
	// user:3 node-1 → node-1
	// user:4 node-2 → node-3
	// ring: change not supported by this placement: node "node-1": got removal from position 1 of 3, want removal from the end only ("node-2" stays)
}
