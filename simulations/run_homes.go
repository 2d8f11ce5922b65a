package simulations

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/ringway/ringway/ring"
)

func sortedNodes(nodes map[string]*runNode) []*runNode {
	return slices.SortedFunc(maps.Values(nodes), func(a, b *runNode) int { return cmp.Compare(a.ID, b.ID) })
}

// A homeFinder tells which nodes hold a key.
type homeFinder struct {
	placement ring.Placement
	nodes     []ring.Node
	ring      *ring.Ring // nil unless the placement is one
	position  map[string]int32
	copies    int
	found     []ring.Node // room for the ring's answer
}

func newHomeFinder(p ring.Placement, nodes []*runNode, copies int) *homeFinder {
	h := &homeFinder{placement: p, copies: copies}
	if copies == 1 {
		return h
	}
	h.ring, _ = p.(*ring.Ring)
	h.nodes = p.Nodes()
	h.position = make(map[string]int32, len(nodes))
	for i, n := range h.nodes {
		h.position[n.ID] = int32(i)
	}
	return h
}

// appendHomes appends the positions of the key's owner and of the nodes that hold
// its further copies. A ring has an order of its own for these; for the other
// placements they are the owners of the key with a number behind it. Both look
// for zones that have no copy yet first.
func (h *homeFinder) appendHomes(homes []int32, key string) []int32 {
	if h.copies == 1 {
		return append(homes, int32(h.placement.OwnerIndex(key)))
	}
	if h.ring != nil {
		h.found = h.ring.Replicas(h.found[:0], key, h.copies)
		for _, n := range h.found {
			homes = append(homes, h.position[n.ID])
		}
		return homes
	}
	return h.appendOwners(homes, key)
}

// triesEach is how many numbers are tried for each copy before nodes are taken in
// the order of the list.
const triesEach = 16

func (h *homeFinder) appendOwners(homes []int32, key string) []int32 {
	start := len(homes)
	homes = append(homes, int32(h.placement.OwnerIndex(key)))
	add := func(node int32, freshZone bool) {
		for _, other := range homes[start:] {
			if other == node || freshZone && h.nodes[other].Zone != "" && h.nodes[other].Zone == h.nodes[node].Zone {
				return
			}
		}
		if len(homes)-start < h.copies {
			homes = append(homes, node)
		}
	}
	for _, freshZone := range []bool{true, false} {
		for i := 1; i <= triesEach*h.copies && len(homes)-start < h.copies; i++ {
			add(int32(h.placement.OwnerIndex(key+"\x00"+strconv.Itoa(i))), freshZone)
		}
		for i := 0; i < len(h.nodes) && len(homes)-start < h.copies; i++ {
			add(int32(i), freshZone)
		}
	}
	return homes
}
