package balanced

import "github.com/ringway/ringway/ring"

// With returns the placement with these nodes added, or changed where it has
// their ID already. The result is what New gives for the same nodes.
func (b *Balanced) With(nodes ...ring.Node) (*Balanced, error) {
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	given := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		given[n.ID] = true
	}
	return b.replace(append(b.nodesBut(given), nodes...))
}

// Without returns the placement without the nodes of these IDs. It fails with
// ring.ErrUnknownID if there is none of one of them, and with ring.ErrNoNodes if
// none would be left.
func (b *Balanced) Without(ids ...string) (*Balanced, error) {
	gone := make(map[string]bool, len(ids))
	known := b.positions()
	for _, id := range ids {
		if _, has := known[id]; !has {
			return nil, &ring.InputError{Err: ring.ErrUnknownID, Node: id, Value: id, Want: "the ID of a node of the placement"}
		}
		gone[id] = true
	}
	return b.replace(b.nodesBut(gone))
}

// Update returns the placement of another node list under the same Config. It
// makes *Balanced a ring.Placement.
func (b *Balanced) Update(nodes []ring.Node) (ring.Placement, error) {
	updated, err := b.replace(nodes)
	if err != nil {
		return nil, err
	}
	return updated, nil
}

func (b *Balanced) nodesBut(ids map[string]bool) []ring.Node {
	kept := make([]ring.Node, 0, len(b.nodes))
	for _, n := range b.nodes {
		if !ids[n.ID] {
			kept = append(kept, n)
		}
	}
	return kept
}

func (b *Balanced) positions() map[string]int {
	positions := make(map[string]int, len(b.nodes))
	for i, n := range b.nodes {
		positions[n.ID] = i
	}
	return positions
}

// replace builds the placement of these nodes from the slots' first wishes as
// they were, which is nearly all of the work: a slot whose first wish stays has
// it compared with the newcomers only, and a slot whose first wish goes starts
// afresh. Then deferred acceptance runs from the beginning, as in New, since
// every capacity may have changed.
func (b *Balanced) replace(nodes []ring.Node) (*Balanced, error) {
	cfg, err := b.cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := validate(nodes, cfg); err != nil {
		return nil, err
	}
	if len(b.first) == 0 {
		return New(nodes, cfg)
	}
	next := newBalanced(nodes, cfg)
	kept := make([]int, len(b.nodes)) // old position to new position, -1 where the node goes
	for i := range kept {
		kept[i] = -1
	}
	var fresh []uint32 // new positions of nodes that are new, or whose weight is
	old := b.positions()
	for i, n := range next.nodes {
		if p, had := old[n.ID]; had && b.nodes[p].Weight == n.Weight {
			kept[p] = i
			continue
		}
		fresh = append(fresh, uint32(i))
	}
	m := newMarket(next.nodes, cfg)
	next.first = make([]uint16, len(b.first))
	for slot, node := range b.first {
		next.first[slot] = uint16(m.renew(uint32(slot), kept[node], fresh).node)
	}
	next.table = m.assign(next.first)
	return next, nil
}

// renew returns the slot's first wish, given where the node of the one it had
// stands now (-1: nowhere), and the nodes that it has not been compared with.
func (m *market) renew(slot uint32, node int, fresh []uint32) wish {
	if node < 0 {
		return m.best(slot)
	}
	w := wish{draw(m.seeds[node], slot), uint32(node)}
	for _, f := range fresh {
		if next := (wish{draw(m.seeds[f], slot), f}); m.better(next, w) {
			w = next
		}
	}
	return w
}
