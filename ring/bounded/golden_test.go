package bounded_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/placementtest/golden"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/bounded"
)

// TestGolden holds where requests go, in a fixed sequence, over a ring and over
// a placement that is no Walker.
func TestGolden(t *testing.T) {
	nodes := numbered(5)
	nodes[4].Weight = 0.5
	var lines strings.Builder
	lines.WriteString("# placement\tepsilon\trequest\tkey\tnode: nothing ends\n")
	for _, tt := range []struct {
		name    string
		p       ring.Placement
		epsilon float64
	}{
		{"ring", mustRing(t, nodes), 0.25},
		{"modulo", modulo(nodes), 0.1},
	} {
		b := mustNew(t, tt.p, bounded.Config{Epsilon: tt.epsilon})
		for i := range 40 {
			key := fmt.Sprint("key-", i*i%11)
			fmt.Fprintf(&lines, "%s\t%v\t%d\t%s\t%s\n", tt.name, tt.epsilon, i+1, key, b.Nodes()[b.Acquire(key)].ID)
		}
	}
	golden.Text(t, "testdata/golden.tsv", lines.String())
}

// FuzzNew bounds anything: an error, or a placement that places every key, never
// a panic.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 1.0, 2.0, 0.25, "key", uint8(40), false)
	f.Add("a", 0.1, 0.1, 1e-9, "", uint8(3), true)
	f.Add("a,b,b", 1e-300, 1e300, -1.0, "{a}", uint8(255), false)
	f.Add("a,b", 1e-9, 1048576.0, 1e6, "\xff", uint8(9), true)
	f.Fuzz(func(t *testing.T, ids string, first, others, epsilon float64, key string, requests uint8, overRing bool) {
		var nodes []ring.Node
		for i, id := range strings.Split(ids, ",") {
			weight := others
			if i == 0 {
				weight = first
			}
			nodes = append(nodes, ring.Node{ID: id, Weight: weight})
		}
		if len(nodes) > 32 || overRing && first+others*float64(len(nodes)) > 1000 {
			return // no more than a ring is quick to build for
		}
		var p ring.Placement = modulo(nodes)
		if overRing {
			r, err := ring.New(nodes, ring.Config{})
			if err != nil {
				return
			}
			p = r
		}
		b, err := bounded.New(p, bounded.Config{Epsilon: epsilon})
		if err != nil {
			if b != nil || err.Error() == "" {
				t.Fatalf("got %v, %v", b, err)
			}
			return
		}
		for range requests {
			next := b.OwnerIndex(key)
			capacity := b.Capacity(next)
			if node := b.Acquire(key); node != next || b.Loads()[node] > capacity {
				t.Fatalf("node %d, said to be %d, carries %d of %d", node, next, b.Loads()[node], capacity)
			}
		}
	})
}
