package lifecycle

import (
	"slices"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// fits reports whether the next ring can be made with the node in it at a weight.
// One that cannot be would hold up the transition, and all that come after it.
func (m *Machine) fits(weight float64) bool {
	if m.cfg.Fits == nil {
		return true
	}
	nodes := slices.DeleteFunc(m.next(), func(n ring.Node) bool { return n.ID == m.rec.ID })
	if m.cfg.Fits(append(nodes, ring.Node{ID: m.rec.ID, Weight: weight, Zone: m.rec.Zone})) {
		return true
	}
	m.wait("a ring with room for it: virtual nodes × weights would be too many tokens")
	return false
}

// crowded reports whether a newcomer has to step back. Some that did not hear of
// each other fit each by itself, but not together: then those stay that come first
// by ID. All see the same.
func (m *Machine) crowded() bool {
	if m.cfg.Fits == nil {
		return false
	}
	later := make(map[string]bool)
	for _, r := range m.fleet() {
		later[r.ID] = r.State == membership.Announced && r.ID > m.rec.ID
	}
	return !m.cfg.Fits(slices.DeleteFunc(m.next(), func(n ring.Node) bool { return later[n.ID] }))
}

// next returns the nodes of the next ring.
func (m *Machine) next() []ring.Node {
	var view membership.View
	for _, r := range m.fleet() {
		view.Members = append(view.Members, r.Member())
	}
	return view.Next(m.cfg.Kind)
}
