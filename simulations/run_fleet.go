package simulations

import (
	"context"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/bounded"
	"github.com/ringway/ringway/simulations/lru"
	"github.com/ringway/ringway/simulations/trace"
)

// runChunk is how many requests are done between two looks at the context: few,
// so that a run ends at once.
const runChunk = 2048

// A runNode is one node, with what it has done.
type runNode struct {
	ring.Node // with its zone, whether or not the placement knows that
	cache     *lru.Cache
	down      bool
	requests  int64 // it was asked, in all
	bytes     int64 // of the entries asked for

	// What requests and bytes were when the current window, or the current
	// measurement of balance, began.
	windowRequests, markRequests, markBytes int64
}

// runTotals counts what a fleet did, from the beginning.
type runTotals struct {
	stale    int64 // hits on a value that was written since
	failed   int64 // requests for which no node was up
	migrated int64 // entries brought over

	movingSeconds float64 // during which entries were being brought over
}

// A runFleet is the nodes of one variant, each with its cache.
type runFleet struct {
	variant  *Variant
	below    ring.Placement // without the bound
	route    ring.Placement
	nodes    []*runNode          // in the placement's order
	away     map[string]*runNode // evicted ones, which may come back
	homes    []int32             // Copies positions of nodes by key; empty where the placement counts load
	inFlight *inFlight           // nil unless the placement counts load
	moving   *migration          // nil unless entries are being brought over
	totals   runTotals

	// now is the request that is being served.
	now struct {
		tick    uint64
		second  int64
		seconds float64
		version uint32
	}
}

func newRunFleet(v *Variant, inFlightEach int) (*runFleet, error) {
	f := &runFleet{variant: v, away: make(map[string]*runNode)}
	below, err := Build(belowOf(v.Algorithm), v.placed(v.Nodes), v.Options)
	if err != nil {
		return nil, err
	}
	if err := f.place(below, inFlightEach, keyView{}); err != nil {
		return nil, err
	}
	f.adopt(v.Nodes, nil)
	return f, nil
}

// belowOf names the placement that is bounded.
func belowOf(algorithm string) string {
	if algorithm == "bounded" {
		return "ring"
	}
	return algorithm
}

// placed returns the nodes as the placement sees them.
func (v *Variant) placed(nodes []ring.Node) []ring.Node {
	if !v.IgnoreZones {
		return nodes
	}
	out := make([]ring.Node, len(nodes))
	for i, n := range nodes {
		out[i] = ring.Node{ID: n.ID, Weight: n.Weight}
	}
	return out
}

// place takes a placement. A bounded one starts with the requests that are in
// flight now.
func (f *runFleet) place(below ring.Placement, inFlightEach int, keys keyView) error {
	f.below, f.route = below, below
	if f.variant.Bounded == 0 {
		return nil
	}
	counting, err := bounded.New(below, bounded.Config{Epsilon: f.variant.Bounded - 1})
	if err != nil {
		return err
	}
	f.route = counting
	before := f.inFlight
	f.inFlight = newInFlight(counting, inFlightEach*len(counting.Nodes()))
	if before != nil {
		f.inFlight.repeat(before, keys)
	}
	return nil
}

// adopt gives every node of the placement its state: that which it has, that of
// the nodes which come back, or none. It returns the nodes that have gone.
func (f *runFleet) adopt(nodes []ring.Node, back []*runNode) (gone []*runNode) {
	known := make(map[string]*runNode)
	for _, n := range append(f.nodes, back...) {
		known[n.ID] = n
	}
	byID := make(map[string]ring.Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	list := f.route.Nodes()
	f.nodes = make([]*runNode, len(list))
	for i, n := range list {
		node := known[n.ID]
		delete(known, n.ID)
		if node == nil {
			node = &runNode{Node: byID[n.ID], cache: f.variant.cacheOf(n)}
		} else if node.Weight != n.Weight { // another weight is another capacity
			resized := f.variant.cacheOf(n)
			resized.Merge(entriesOf(node.cache))
			node.cache, node.Weight = resized, n.Weight
		}
		f.nodes[i] = node
	}
	return sortedNodes(known)
}

// clone returns a fleet that goes its own way from here.
func (f *runFleet) clone(inFlightEach int, keys keyView) (*runFleet, error) {
	twin := *f
	twin.nodes = make([]*runNode, len(f.nodes))
	for i, n := range f.nodes {
		copied := *n
		copied.cache = n.cache.Clone()
		twin.nodes[i] = &copied
	}
	twin.away = make(map[string]*runNode)
	// A placement that counts load must not be shared.
	return &twin, twin.place(f.below, inFlightEach, keys)
}

// learn works out where new keys belong.
func (f *runFleet) learn(ctx context.Context, keys keyView, upTo int) error {
	if f.inFlight != nil {
		return nil
	}
	copies := f.copies()
	finder := newHomeFinder(f.route, f.nodes, copies)
	for id := len(f.homes) / copies; id < upTo; id++ {
		if id%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		f.homes = finder.appendHomes(f.homes, keys.key(id))
	}
	return nil
}

// copies is how many homes a key has: no more than there are nodes.
func (f *runFleet) copies() int { return min(f.variant.Copies, len(f.nodes)) }

// serve serves one request, and returns what became of it.
func (f *runFleet) serve(e *event, keys keyView) byte {
	var one [1]int32
	homes := one[:]
	if f.inFlight != nil {
		one[0] = int32(f.inFlight.route(e.id, keys.key(int(e.id))))
	} else {
		copies := f.copies()
		homes = f.homes[int(e.id)*copies : (int(e.id)+1)*copies]
	}
	if e.op == trace.Get {
		return f.get(e, homes)
	}
	up := false
	for _, home := range homes {
		if n := f.nodes[home]; !n.down {
			up = true
			n.requests++
			n.bytes += e.size
			f.write(e, n)
		}
	}
	if f.moving != nil && e.op != trace.Update {
		f.moving.drop(e.id) // an overwrite or a delete goes to the old owner too
	}
	if !up {
		f.totals.failed++
	}
	return uncounted
}

// write changes what one node holds. The version of what it stores is the one
// that the database has from now on.
func (f *runFleet) write(e *event, n *runNode) {
	switch e.op {
	case trace.Update:
		if f.moving != nil && !n.cache.Holds(e.id, e.now) {
			f.moving.bring(f, e.id)
		}
		if !n.cache.Holds(e.id, e.now) {
			return
		}
		n.cache.Put(f.entry(e))
	case trace.Set:
		n.cache.Put(f.entry(e))
	case trace.Delete:
		n.cache.Delete(e.id)
	}
}

func (f *runFleet) entry(e *event) lru.Entry {
	stored := e.entry(f.now.tick)
	stored.Version = f.now.version
	return stored
}

// get reads a key at one of its homes. A miss loads the value and stores it at
// all of them that are up.
func (f *runFleet) get(e *event, homes []int32) byte {
	n := f.reader(homes)
	if n == nil {
		f.totals.failed++
		return miss
	}
	n.requests++
	n.bytes += e.size
	found := n.cache.Get(e.id, f.now.tick, e.now)
	if !found && f.moving != nil && f.moving.bring(f, e.id) {
		found = n.cache.Get(e.id, f.now.tick, e.now)
	}
	if !found {
		for _, home := range homes {
			if other := f.nodes[home]; !other.down {
				other.cache.Put(f.entry(e))
			}
		}
		return miss
	}
	if f.now.version > 0 {
		if held, _ := n.cache.Find(e.id); held.Version < f.now.version {
			f.totals.stale++
		}
	}
	return hit
}

// reader returns the node that a read goes to, nil where none is up.
func (f *runFleet) reader(homes []int32) *runNode {
	first := 0
	if f.variant.SpreadReads && len(homes) > 1 {
		first = int(f.now.tick % uint64(len(homes)))
	}
	for i := range homes {
		if n := f.nodes[homes[(first+i)%len(homes)]]; !n.down {
			return n
		}
	}
	return nil
}
