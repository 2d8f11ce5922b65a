package jump_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/jump"
)

func Example() {
	shards := ring.Nodes("shard-0", "shard-1", "shard-2")
	j, err := jump.New(shards, jump.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bigger, err := j.Update(append(shards, ring.Node{ID: "shard-3", Weight: 1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"user:1", "user:2", "user:3", "user:4"} {
		fmt.Println(key, j.Owner(key).ID, "→", bigger.Nodes()[bigger.OwnerIndex(key)].ID)
	}
	_, err = j.Update(ring.Nodes("shard-0", "shard-2"))
	fmt.Println(err)
	// Output:
	// user:1 shard-2 → shard-2
	// user:2 shard-0 → shard-0
	// user:3 shard-1 → shard-1
	// user:4 shard-2 → shard-3
	// ring: change not supported by this placement: node "shard-1": got removal from position 1 of 3, want removal from the end only ("shard-2" stays)
}
