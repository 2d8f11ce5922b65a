package ketama_test

import (
	"fmt"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/ketama"
)

// The servers of libketama's own tests.
func Example() {
	nodes := []ring.Node{
		{ID: "10.0.1.1:11211", Weight: 600}, {ID: "10.0.1.2:11211", Weight: 300},
		{ID: "10.0.1.3:11211", Weight: 200}, {ID: "10.0.1.4:11211", Weight: 350},
		{ID: "10.0.1.5:11211", Weight: 1000}, {ID: "10.0.1.6:11211", Weight: 800},
		{ID: "10.0.1.7:11211", Weight: 950}, {ID: "10.0.1.8:11211", Weight: 100},
	}
	k, err := ketama.New(nodes, ketama.Config{Variant: ketama.Libmemcached})
	if err != nil {
		fmt.Println(err)
		return
	}
	hash, point := k.Point("SVa_]_V41)")
	fmt.Println(hash, point, k.Owner("SVa_]_V41)").ID)
	// Output: 443691461 445379617 10.0.1.7:11211
}

// A pool of twemproxy, as in its nutcracker.yml:
//
//	hash: fnv1a_64
//	hash_tag: "{}"
//	distribution: ketama
//	servers:
//	 - 127.0.0.1:6380:1 server1
//	 - 127.0.0.1:6381:1 server2
func ExampleNew_twemproxy() {
	k, err := ketama.New(ring.Nodes("server1", "server2"), ketama.Config{
		Variant: ketama.Twemproxy,
		Names:   ketama.NameAsListed, // the servers have aliases
		HashTag: "{}",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k.Owner("{user1000}.following") == k.Owner("{user1000}.followers"))
	// Output: true
}

// A fraction of a weight is refused: these clients know whole numbers only.
func ExampleNew_error() {
	_, err := ketama.New([]ring.Node{{ID: "10.0.0.1:11211", Weight: 0.5}}, ketama.Config{})
	fmt.Println(err)
	// Output: ring: weight of node "10.0.0.1:11211": got 0.5, want a whole number: these clients know no others
}
