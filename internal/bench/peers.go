package bench

import (
	"github.com/cespare/xxhash/v2"
	"github.com/dgryski/go-jump"
	"github.com/dgryski/go-rendezvous"
	"github.com/golang/groupcache/consistenthash"
	"github.com/serialx/hashring"

	"github.com/ringway/ringway/ring"
)

// peers are libraries by others, set up as their documentation has it, with 160
// points a node where they have points. go-jump leaves the hash of the key to
// its caller; groupcache's hash can be replaced, but its callers rarely do.
var peers = []Contender{
	{"dgryski/go-jump", "xxhash", func(nodes []ring.Node) (Pass, error) {
		n := len(nodes)
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(nodes[jump.Hash(xxhash.Sum64String(key), n)].ID)
			}
			return sum
		}, nil
	}},
	{"dgryski/go-rendezvous", "xxhash", func(nodes []ring.Node) (Pass, error) {
		r := rendezvous.New(ids(nodes), xxhash.Sum64String)
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(r.Lookup(key))
			}
			return sum
		}, nil
	}},
	{"golang/groupcache/consistenthash", "its CRC-32, 160 points a node", func(nodes []ring.Node) (Pass, error) {
		m := consistenthash.New(ring.DefaultVirtualNodes, nil)
		m.Add(ids(nodes)...)
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(m.Get(key))
			}
			return sum
		}, nil
	}},
	{"serialx/hashring", "its MD5, 160 points a node", func(nodes []ring.Node) (Pass, error) {
		h := hashring.NewWithWeights(weights(nodes))
		return func(keys []string) (sum int) {
			for _, key := range keys {
				node, _ := h.GetNode(key)
				sum += len(node)
			}
			return sum
		}, nil
	}},
}

// weights returns what serialx/hashring takes for 160 points a node: there a
// weight is a number of points.
func weights(nodes []ring.Node) map[string]int {
	w := make(map[string]int, len(nodes))
	for _, n := range nodes {
		w[n.ID] = ring.DefaultVirtualNodes
	}
	return w
}
