package rendezvous_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/rendezvous"
)

func Example() {
	r, err := rendezvous.New([]ring.Node{
		{ID: "cache-a", Weight: 1},
		{ID: "cache-b", Weight: 1},
		{ID: "cache-c", Weight: 2.5}, // a larger server
	}, rendezvous.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	counts := map[string]int{}
	for i := range 9000 {
		counts[r.Owner(fmt.Sprintf("user:%d", i)).ID]++
	}
	fmt.Println("user:1 lives on", r.Owner("user:1").ID)
	fmt.Println(counts)
	// Output:
	// user:1 lives on cache-c
	// map[cache-a:1959 cache-b:1960 cache-c:5081]
}
