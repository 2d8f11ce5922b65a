package ring

import (
	"slices"
	"sort"
	"strings"
)

func compareID(n Node, id string) int { return strings.Compare(n.ID, id) }

// With returns the ring with these nodes added, or changed where the ring
// already has their ID (a new weight or zone). The result is identical to a
// ring built afresh from the same nodes. Only the tokens of the nodes given are
// computed; the others are merged in, which takes a few nanoseconds a token.
// Errors are those of New.
func (r *Ring) With(nodes ...Node) (*Ring, error) {
	if len(nodes) == 0 && len(r.nodes) > 0 {
		return r, nil
	}
	if err := ValidateNodes(nodes); err != nil {
		return nil, err
	}
	given := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		given[n.ID] = true
	}
	return r.replace(append(r.nodesBut(given), nodes...))
}

// Without returns the ring without the nodes of these IDs. It fails with
// ErrUnknownID if one is not in the ring, and with ErrNoNodes if none would be
// left.
func (r *Ring) Without(ids ...string) (*Ring, error) {
	if len(ids) == 0 && len(r.nodes) > 0 {
		return r, nil
	}
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		if r.position(id) < 0 {
			return nil, &InputError{Err: ErrUnknownID, Node: id, Value: id, Want: "the ID of a node in the ring"}
		}
		gone[id] = true
	}
	return r.replace(r.nodesBut(gone))
}

func (r *Ring) nodesBut(ids map[string]bool) []Node {
	return slices.DeleteFunc(r.Nodes(), func(n Node) bool { return ids[n.ID] })
}

// Update returns the ring of another node list under the same Config, by the
// same merge as With. It makes *Ring a Placement.
func (r *Ring) Update(nodes []Node) (Placement, error) {
	updated, err := r.replace(nodes)
	if err != nil {
		return nil, err // not a nil *Ring in a Placement, which would not be nil
	}
	return updated, nil
}

// replace returns the ring of these nodes. What the receiver already knows is
// taken over: the tokens of a node whose count of them did not change, in their
// order.
func (r *Ring) replace(nodes []Node) (*Ring, error) {
	cfg, err := r.cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ValidateNodes(nodes); err != nil {
		return nil, err
	}
	sorted := SortedByID(nodes)
	if err := checkTokenCounts(sorted, cfg.VirtualNodes); err != nil {
		return nil, err
	}
	next := &Ring{cfg: cfg, nodes: sorted}
	kept := make([]uint32, len(r.nodes)) // old position to new position
	for i := range kept {
		kept[i] = dropped
	}
	var fresh []uint32 // new positions whose tokens are to be computed
	for i, n := range sorted {
		old := r.position(n.ID)
		if old >= 0 && tokenCount(cfg.VirtualNodes, r.nodes[old].Weight) == tokenCount(cfg.VirtualNodes, n.Weight) {
			kept[old] = uint32(i)
			continue
		}
		fresh = append(fresh, uint32(i))
	}
	next.merge(r, kept, fresh)
	next.finish()
	return next, nil
}

const dropped = ^uint32(0)

// merge fills in the tokens: those of the old ring that are kept, under their
// new positions, and those of the fresh nodes. Both lists are in ring order,
// and stay so under the new positions, since both numberings follow the IDs.
// Fresh tokens are few against the old ones, so what lies between two of them
// is taken over as a whole.
func (r *Ring) merge(old *Ring, kept, fresh []uint32) {
	freshTokens, freshOwners := r.generate(fresh)
	room := len(old.tokens) + len(freshTokens)
	r.tokens, r.owners = make([]uint64, 0, room), make([]uint32, 0, room)
	all := !slices.Contains(kept, dropped)
	taken := 0 // of the old tokens
	for i, token := range freshTokens {
		owner := freshOwners[i]
		end := taken + sort.Search(len(old.tokens)-taken, func(n int) bool { return old.tokens[taken+n] >= token })
		for end < len(old.tokens) && old.tokens[end] == token && (kept[old.owners[end]] == dropped || kept[old.owners[end]] < owner) {
			end++
		}
		r.takeOver(old, taken, end, kept, all)
		r.tokens, r.owners = append(r.tokens, token), append(r.owners, owner)
		taken = end
	}
	r.takeOver(old, taken, len(old.tokens), kept, all)
}

// takeOver appends the old tokens from one position to another, as far as their
// nodes are kept; all says that all of them are.
func (r *Ring) takeOver(old *Ring, from, to int, kept []uint32, all bool) {
	if all {
		r.tokens = append(r.tokens, old.tokens[from:to]...)
		for _, owner := range old.owners[from:to] {
			r.owners = append(r.owners, kept[owner])
		}
		return
	}
	for i, owner := range old.owners[from:to] {
		if owner = kept[owner]; owner != dropped {
			r.tokens, r.owners = append(r.tokens, old.tokens[from+i]), append(r.owners, owner)
		}
	}
}
