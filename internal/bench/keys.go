package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/ringway/ringway/ring"
)

// Sizes are the numbers of nodes that lookups are measured with.
var Sizes = []int{10, 100, 1000}

// KeyCount is the number of distinct keys that lookups go through, in random
// order, over and over.
//
// A benchmark that asks for a few keys measures a processor that has learnt the
// answers: every branch is predicted, and what is read of a table stays in the
// first-level cache. That flatters whatever branches and reads most. A binary
// search among 16,000 tokens took 24 ns a lookup with 1,024 keys and 86 ns with
// 2^14 (same machine, same minute), modulo 14 and 16. With 2^14 keys in an order
// without a pattern there are more outcomes than branch predictors remember, and
// lookups touch the whole of their tables. Far more keys would rather measure
// the reading of keys, which costs every contender the same: these fill half a
// megabyte.
const KeyCount = 1 << 14

// Keys returns KeyCount distinct keys of 20 bytes, the same on every call. They
// lie in memory one behind the other, in the order in which they are looked up,
// as keys do that come from a network buffer. The slice is shared: do not change
// it.
func Keys() []string { return allKeys() }

var allKeys = sync.OnceValue(func() []string {
	const length = 20
	random := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]bool, KeyCount)
	var text strings.Builder
	for len(seen) < KeyCount {
		key := fmt.Sprintf("user:%015d", random.Uint64N(1e15))
		if !seen[key] {
			seen[key] = true
			text.WriteString(key)
		}
	}
	keys := make([]string, KeyCount)
	for i := range keys {
		keys[i] = text.String()[i*length:][:length]
	}
	return keys
})

// Nodes returns n nodes of weight 1, up to 10,000 of them with IDs of the same
// length.
func Nodes(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("cache%04d", i), Weight: 1}
	}
	return nodes
}

// ids returns the names, for libraries that know no more of a node.
func ids(nodes []ring.Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.ID
	}
	return names
}
