package membership

import (
	"fmt"
	"math"

	"github.com/ringway/ringway/ring"
)

// Most tokens that a fleet lives with: far below ring.MaxTokens, which is what a ring
// can be made of at all. A token takes about 24 bytes and 0.1 µs, in every client,
// twice while keys move: a weight of 65,536 in place of 6.5536 is ten million tokens
// and a quarter of a gigabyte in each.
const (
	// MaxNodeTokens is for one node: a weight of 1,638 with 160 virtual nodes, and
	// 6 MB.
	MaxNodeTokens = 1 << 18

	// MaxFleetTokens is for all nodes of one kind together: 26,214 nodes of weight 1
	// with 160 virtual nodes, and 100 MB.
	MaxFleetTokens = 1 << 22
)

// CheckRoom fails if a ring of these nodes would have more tokens than a fleet lives
// with, of one node or of all together; virtualNodes 0 means ring.DefaultVirtualNodes.
// What else may be wrong with them is for ring.ValidateNodes to say.
func CheckRoom(nodes []ring.Node, virtualNodes int) error {
	return checkRoom(nodes, virtualNodes, MaxNodeTokens, MaxFleetTokens)
}

func checkRoom(nodes []ring.Node, virtualNodes int, mostOfOne, mostOfAll int64) error {
	if virtualNodes == 0 {
		virtualNodes = ring.DefaultVirtualNodes
	}
	total, largest, whose := int64(0), int64(0), ""
	for _, n := range nodes {
		tokens := int64(math.Round(float64(virtualNodes) * min(n.Weight, ring.MaxWeight)))
		if tokens > mostOfOne {
			return fmt.Errorf("membership: weight of node %q: got %.12g, want at most %.12g with %d virtual nodes: a node may have %d tokens",
				n.ID, n.Weight, MostWeight(virtualNodes), virtualNodes, mostOfOne)
		}
		if total += tokens; tokens > largest {
			largest, whose = tokens, n.ID
		}
	}
	if total > mostOfAll {
		return fmt.Errorf("membership: tokens of all %d nodes: got %d, want at most %d (virtual nodes × sum of weights); most, %d, has node %q",
			len(nodes), total, mostOfAll, largest, whose)
	}
	return nil
}

// MostWeight returns the largest weight that CheckRoom lets a single node have, cut to
// a whole number where it is above 1.
func MostWeight(virtualNodes int) float64 {
	most := float64(MaxNodeTokens) / float64(virtualNodes)
	if most > 1 {
		return math.Floor(most)
	}
	return most
}
