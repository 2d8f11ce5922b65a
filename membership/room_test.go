package membership

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
)

func TestCheckRoom(t *testing.T) {
	nodes := func(n int, weight float64) (list []ring.Node) {
		for i := range n {
			list = append(list, ring.Node{ID: fmt.Sprint("n", i), Weight: weight})
		}
		return list
	}
	for _, c := range []struct {
		rule         string
		nodes        []ring.Node
		virtualNodes int
		want         string // part of the error; empty: none
	}{
		{"nobody", nil, 160, ""},
		{"ten thousand ordinary nodes", nodes(10_000, 1), 160, ""},
		{"the default is 160", nodes(1, 1639), 0, `weight of node "n0": got 1639, want at most 1638 with 160 virtual nodes: a node may have 262144 tokens`},
		{"the largest node", nodes(1, 1638), 160, ""},
		{"a weight for fewer virtual nodes", nodes(1, 65536), 4, ""},
		{"the weight of a slip", nodes(1, 65536), 160, `weight of node "n0": got 65536`},
		{"no weight is too large to be told", nodes(1, math.MaxFloat64), ring.MaxTokens, `want at most 0.015625 with`},
		{"as many as there is room for", nodes(26_214, 1), 160, ""},
		{"one more", nodes(26_215, 1), 160, "tokens of all 26215 nodes: got 4194400, want at most 4194304"},
		{"the heaviest is named", append(nodes(16, 1600), ring.Node{ID: "heavy", Weight: 1638}), 160, `most, 262080, has node "heavy"`},
	} {
		err := CheckRoom(c.nodes, c.virtualNodes)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.rule, err, c.want)
		}
	}
	for _, v := range []int{1, 100, 160, MaxNodeTokens, ring.MaxTokens} {
		most := MostWeight(v)
		if err := CheckRoom(nodes(1, most), v); err != nil {
			t.Error(err)
		}
		if err := CheckRoom(nodes(1, most+1), v); err == nil {
			t.Errorf("%d virtual nodes: a weight of %g passes", v, most+1)
		}
	}
}
