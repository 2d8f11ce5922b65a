package simulations

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ringway/ringway/ring"
)

// position returns where a node stands in the ring's list, or -1.
func (p *planner) position(id string) int {
	if p.where == nil {
		p.where = make(map[string]int, len(p.nodes))
		for i, n := range p.nodes {
			p.where[n.ID] = i
		}
	}
	if at, there := p.where[id]; there {
		return at
	}
	return -1
}

// pick returns the nodes of the ring that a change is about.
func (p *planner) pick(c FleetChange) ([]string, error) {
	var ids []string
	switch {
	case c.Node != "":
		if p.position(c.Node) < 0 {
			return nil, badRun("changes", quote(c.String()), "the ID of a node in the fleet ("+someIDs(p.nodes)+")")
		}
		ids = []string{c.Node}
	case c.Zone != "":
		for _, n := range p.nodes {
			if n.Zone == c.Zone {
				ids = append(ids, n.ID)
			}
		}
		if len(ids) == 0 {
			return nil, badRun("changes", quote(c.String()), "a zone of the fleet")
		}
	default:
		count := max(1, c.Count)
		if count >= len(p.nodes) {
			return nil, badRun("changes", fmt.Sprintf("%s of %d", c, len(p.nodes)), "at least one node left")
		}
		for i := range count {
			ids = append(ids, p.nodes[(2*i+1)*(len(p.nodes)-1)/(2*count)].ID)
		}
	}
	for _, id := range ids {
		if c.Kind == Fail && p.down[id] > 0 {
			return nil, badRun("changes", quote(c.String()), "a node that is up; "+id+" is down")
		}
	}
	return ids, nil
}

// pickDown returns the nodes that a Return is about.
func (p *planner) pickDown(c FleetChange) ([]string, error) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(p.down)) {
		n, evicted := p.gone[id]
		if !evicted {
			n = p.nodes[p.position(id)]
		}
		if (c.Node == "" || c.Node == id) && (c.Zone == "" || c.Zone == n.Zone) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, badRun("changes", quote(c.String()), "a node that is down by then")
	}
	return ids, nil
}

// fail takes nodes down, and plans their eviction.
func (p *planner) fail(ids []string, at int64) error {
	wait, err := p.cfg.requests(p.variant.EvictAfter)
	if input := (*InputError)(nil); errors.As(err, &input) {
		return &InputError{What: "evict_after", Found: "an eviction after " + input.Found, Want: input.Want}
	}
	p.fails++
	failure := p.fails
	for _, id := range ids {
		p.down[id] = failure
	}
	p.act(action{at: at, kind: crash, ids: ids})
	p.later(at+wait, func(p *planner, at int64) error { return p.evict(ids, failure, at) })
	return nil
}

// evict takes those nodes out of the ring that are still down since that failure.
func (p *planner) evict(ids []string, failure int, at int64) error {
	dead := make(map[string]bool, len(ids))
	for _, id := range ids {
		dead[id] = p.down[id] == failure
	}
	var next []ring.Node
	for _, n := range p.nodes {
		if dead[n.ID] {
			p.gone[n.ID] = n
		} else {
			next = append(next, n)
		}
	}
	switch len(next) {
	case len(p.nodes):
		return nil
	case 0:
		return badRun("changes", "an eviction of all nodes ("+someIDs(p.nodes)+")", "at least one node left")
	}
	p.become(next)
	p.act(action{at: at, kind: reshape, nodes: next})
	return nil
}

// restore brings nodes back up, and into the ring if they were evicted.
func (p *planner) restore(ids []string, at int64, keep bool) {
	a := action{at: at, kind: revive, ids: ids, keep: keep}
	next := p.nodes[:len(p.nodes):len(p.nodes)]
	for _, id := range ids {
		delete(p.down, id)
		if n, evicted := p.gone[id]; evicted {
			delete(p.gone, id)
			next = append(next, n)
		}
	}
	if len(next) > len(p.nodes) {
		p.become(next)
		a.nodes = next
	}
	p.act(a)
}

// forget drops what was known of nodes that have left, or joined anew, while they
// were down.
func (p *planner) forget() {
	for id := range p.down {
		_, evicted := p.gone[id]
		if present := p.position(id) >= 0; present == evicted {
			delete(p.down, id)
			delete(p.gone, id)
		}
	}
}
