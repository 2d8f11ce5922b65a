package simulations

import (
	"context"
	"slices"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

// A migration brings entries over from nodes that are no longer their homes, so
// many a second. Meanwhile a read that misses at the new home is answered by the
// old one and takes the entry along, and an overwrite or delete reaches both
// (docs/protocol.md). What is at the new home already is never overwritten.
type migration struct {
	rate    float64 // entries a second
	began   float64 // second
	last    float64 // second up to which credit was given
	credit  float64 // entries that may be moved now
	queue   []uint32
	pending map[uint32]*runNode // where each entry of the queue still is
}

// changed says what a change of the ring moved, of the keys seen so far.
type changed struct {
	keys, moved, unnecessary int64
}

// reshape changes the ring. Nodes of back come back into it with what they hold.
func (f *runFleet) reshape(ctx context.Context, nodes []ring.Node, back []*runNode, c *chunk, seen, inFlightEach int) (changed, error) {
	below, err := f.below.Update(f.variant.placed(nodes))
	if err != nil {
		return changed{}, err
	}
	before := &runFleet{variant: f.variant, route: f.route, nodes: f.nodes, homes: f.homes, inFlight: f.inFlight, moving: f.moving}
	weights := make(map[*runNode]float64, len(f.nodes)) // which adopt may change
	for _, n := range f.nodes {
		weights[n] = n.Weight
	}
	if err := before.learn(ctx, c.keys, seen); err != nil {
		return changed{}, err
	}
	if err := f.place(below, inFlightEach, c.keys); err != nil {
		return changed{}, err
	}
	gone := f.adopt(nodes, back)
	f.homes = nil
	if err := f.learn(ctx, c.keys, seen); err != nil {
		return changed{}, err
	}
	for _, n := range gone {
		if n.down { // one that has left is done with; one that was evicted may return
			f.away[n.ID] = n
		}
	}
	out := f.countMoved(before, weights, c.keys, seen)
	f.migrate(before)
	if f.variant.Sweep && f.inFlight == nil {
		f.sweep()
	}
	return out, nil
}

// countMoved compares the first home of each key.
func (f *runFleet) countMoved(before *runFleet, weights map[*runNode]float64, keys keyView, seen int) changed {
	out := changed{keys: int64(seen)}
	stays := make(map[*runNode]bool, len(f.nodes))
	for _, n := range f.nodes {
		weight, there := weights[n]
		stays[n] = there && weight == n.Weight
	}
	for id := range seen {
		from, to := before.owner(id, keys), f.owner(id, keys)
		if from == to {
			continue
		}
		out.moved++
		if stays[from] && stays[to] {
			out.unnecessary++
		}
	}
	return out
}

func (f *runFleet) owner(id int, keys keyView) *runNode {
	if f.inFlight != nil {
		return f.nodes[f.route.OwnerIndex(keys.key(id))]
	}
	return f.nodes[f.homes[id*f.copies()]]
}

// migrate plans what has to be brought over after a change of the ring: what lies
// at a node that was a home of it before, or was the source of a migration that
// has not come to an end, and is none now. Nodes that are down cannot give.
func (f *runFleet) migrate(before *runFleet) {
	old := before.moving
	f.stopMoving()
	if f.variant.Migration == 0 || f.inFlight != nil {
		return
	}
	m := &migration{rate: f.variant.Migration, began: f.now.seconds, last: f.now.seconds, pending: make(map[uint32]*runNode)}
	if old != nil {
		for _, id := range old.queue {
			if from := old.pending[id]; from != nil && !f.isHome(id, from) {
				m.pending[id] = from
			}
		}
	}
	for at, from := range before.nodes {
		if from.down {
			continue
		}
		for e := range from.cache.Entries() {
			if m.pending[e.ID] == nil && before.isHomeAt(e.ID, int32(at)) && !f.isHome(e.ID, from) {
				m.pending[e.ID] = from
			}
		}
	}
	if len(m.pending) == 0 {
		return
	}
	for id := range m.pending {
		m.queue = append(m.queue, id)
	}
	// A server is scanned in the order of its own hash table, which knows nothing
	// of use: the most popular keys do not come first.
	slices.SortFunc(m.queue, func(a, b uint32) int {
		if splitmix.Mix(uint64(a)+1) < splitmix.Mix(uint64(b)+1) {
			return -1
		}
		return 1
	})
	f.moving = m
}

func (f *runFleet) isHomeAt(id uint32, at int32) bool {
	copies := f.copies()
	return slices.Contains(f.homes[int(id)*copies:(int(id)+1)*copies], at)
}

func (f *runFleet) isHome(id uint32, n *runNode) bool {
	copies := f.copies()
	return slices.ContainsFunc(f.homes[int(id)*copies:(int(id)+1)*copies], func(at int32) bool { return f.nodes[at] == n })
}

// advance moves as many entries as the time that has passed allows.
func (f *runFleet) advance() {
	m := f.moving
	m.credit += float64((f.now.seconds - m.last) * m.rate) // not fused, which would round otherwise elsewhere
	m.last = f.now.seconds
	for m.credit >= 1 && len(m.queue) > 0 {
		id := m.queue[0]
		m.queue = m.queue[1:]
		if m.bring(f, id) {
			m.credit--
		}
	}
	if len(m.queue) == 0 {
		f.stopMoving()
	}
}

// stopMoving ends a migration, if there is one.
func (f *runFleet) stopMoving() {
	if f.moving != nil {
		f.totals.movingSeconds += f.now.seconds - f.moving.began
		f.moving = nil
	}
}

// sweep removes what lies at nodes that are no home of it, and is not yet to be
// brought over from there.
func (f *runFleet) sweep() {
	for _, n := range f.nodes {
		if n.down {
			continue
		}
		for _, e := range entriesOf(n.cache) {
			if !f.isHome(e.ID, n) && (f.moving == nil || f.moving.pending[e.ID] != n) {
				n.cache.Delete(e.ID)
			}
		}
	}
}

// bring takes an entry from its old home to those of its new ones that are up and
// do not hold the key, and reports whether there was one to take.
func (m *migration) bring(f *runFleet, id uint32) bool {
	from := m.pending[id]
	if from == nil || from.down {
		return false
	}
	e, held := from.cache.Find(id)
	m.drop(id)
	if !held || e.Expires != 0 && e.Expires <= f.now.second {
		return false
	}
	e.Used = f.now.tick // as a server takes what is restored for just used
	copies := f.copies()
	for _, home := range f.homes[int(id)*copies : (int(id)+1)*copies] {
		if n := f.nodes[home]; !n.down && !n.cache.Holds(id, f.now.second) {
			n.cache.Put(e)
		}
	}
	f.totals.migrated++
	return true
}

// drop deletes an entry at its old home.
func (m *migration) drop(id uint32) {
	if from := m.pending[id]; from != nil {
		if !from.down {
			from.cache.Delete(id)
		}
		delete(m.pending, id)
	}
}
