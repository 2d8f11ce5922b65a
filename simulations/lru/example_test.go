package lru_test

import (
	"fmt"

	"github.com/ringway/ringway/simulations/lru"
)

func Example() {
	c, err := lru.New(lru.Config{Items: 2})
	if err != nil {
		panic(err)
	}
	for i, id := range []uint32{1, 2, 1, 3, 2, 1} {
		tick := uint64(i + 1)
		hit := c.Get(id, tick, 0)
		if !hit {
			c.Put(lru.Entry{ID: id, Used: tick})
		}
		fmt.Print(id, " ", hit, "; ")
	}
	fmt.Println()
	// Output:
	// 1 false; 2 false; 1 true; 3 false; 2 false; 1 false;
}
