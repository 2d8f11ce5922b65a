package simulations

import (
	"context"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/lru"
)

// A cacheFleet is the nodes of one placement, each with its cache.
type cacheFleet struct {
	placement ring.Placement
	nodes     []ring.Node  // in the placement's order
	caches    []*lru.Cache // of the nodes
	owners    []int32      // by key; nil where the placement counts load
	inFlight  *inFlight    // nil unless the placement counts load
}

func newCacheFleet(p ring.Placement, cfg *ReplayConfig) *cacheFleet {
	f := &cacheFleet{placement: p, nodes: p.Nodes()}
	for _, n := range f.nodes {
		f.caches = append(f.caches, cfg.Capacity.times(n.Weight).cache())
	}
	if counting, counts := p.(loadCounter); counts {
		f.inFlight = newInFlight(counting, cfg.inFlight*len(f.nodes))
	}
	return f
}

// serve lets the fleet serve a chunk, and notes what became of each request.
func (f *cacheFleet) serve(c *chunk, outcomes []byte) {
	if f.inFlight != nil {
		for i := range c.events {
			e := &c.events[i]
			node := f.inFlight.route(e.id, c.keys.key(int(e.id)))
			outcomes[i] = e.apply(f.caches[node], uint64(c.base)+uint64(i)+1)
		}
		return
	}
	// Every key that is new in the chunk is asked for in it, so that no owner is
	// looked up in vain.
	for id := len(f.owners); id < c.keys.len(); id++ {
		f.owners = append(f.owners, int32(f.placement.OwnerIndex(c.keys.key(id))))
	}
	for i := range c.events {
		e := &c.events[i]
		outcomes[i] = e.apply(f.caches[f.owners[e.id]], uint64(c.base)+uint64(i)+1)
	}
}

// ownersOf returns the owner of each of the first n keys. The slice is the
// fleet's own, which is only appended to, unless its placement counts load.
func (f *cacheFleet) ownersOf(ctx context.Context, keys keyView, n int) ([]int32, error) {
	owners := f.owners
	for id := len(owners); id < n; id++ {
		if id%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		owners = append(owners, int32(f.placement.OwnerIndex(keys.key(id))))
	}
	return owners, nil
}

// A transition is a fleet that takes over from another one.
type transition struct {
	old, new *cacheFleet
	position []int32 // in new of each node of old; -1 where it has left
	from, to []int32 // owners by key, of the keys seen so far
}

// change prepares the fleet that follows: finish completes it. The old one's
// caches belong to the new one after that: a caller that wants to go on with the
// old one clones it first.
func (f *cacheFleet) change(ctx context.Context, p ring.Placement, cfg *ReplayConfig, keys keyView, seen int) (*transition, error) {
	t := &transition{old: f, new: newCacheFleet(p, cfg)}
	positions := make(map[string]int32, len(t.new.nodes))
	for i, n := range t.new.nodes {
		positions[n.ID] = int32(i)
	}
	for _, n := range f.nodes {
		at, stays := positions[n.ID]
		if !stays {
			at = -1
		}
		t.position = append(t.position, at)
	}
	if f.inFlight != nil && t.new.inFlight != nil {
		t.new.inFlight.repeat(f.inFlight, keys)
	}
	var err error
	if t.from, err = f.ownersOf(ctx, keys, seen); err == nil {
		t.to, err = t.new.ownersOf(ctx, keys, seen)
	}
	if t.new.inFlight == nil {
		t.new.owners = t.to
	}
	return t, err
}

// moved returns how many of the keys have another owner.
func (t *transition) moved() int64 {
	n := int64(0)
	for id, from := range t.from {
		if t.position[from] != t.to[id] {
			n++
		}
	}
	return n
}

// leave takes out of the old caches what lies at an owner which is one no longer,
// and has not expired, for each new owner.
func (t *transition) leave(now int64) (incoming [][]lru.Entry, migrated int64) {
	incoming = make([][]lru.Entry, len(t.new.caches))
	for i, at := range t.position {
		for _, e := range entriesOf(t.old.caches[i]) {
			to := t.to[e.ID]
			if t.from[e.ID] != int32(i) || to == at || e.Expires != 0 && e.Expires <= now {
				continue
			}
			t.old.caches[i].Delete(e.ID)
			incoming[to] = append(incoming[to], e)
			migrated++
		}
	}
	return incoming, migrated
}

// finish gives the nodes that stay their caches, and everybody what is incoming.
func (t *transition) finish(incoming [][]lru.Entry) {
	for i, at := range t.position {
		switch {
		case at < 0:
		case t.old.nodes[i].Weight == t.new.nodes[at].Weight:
			t.new.caches[at] = t.old.caches[i]
		default: // another weight is another capacity
			t.new.caches[at].Merge(entriesOf(t.old.caches[i]))
		}
	}
	for i, entries := range incoming {
		if len(entries) > 0 {
			t.new.caches[i].Merge(entries)
		}
	}
}

func entriesOf(c *lru.Cache) []lru.Entry {
	all := make([]lru.Entry, 0, c.Len())
	for e := range c.Entries() {
		all = append(all, e)
	}
	return all
}

// clone returns a fleet that goes its own way from here, with the same placement:
// the receiver must not serve on with it if it counts load.
func (f *cacheFleet) clone() *cacheFleet {
	twin := *f
	twin.caches = make([]*lru.Cache, len(f.caches))
	for i, c := range f.caches {
		twin.caches[i] = c.Clone()
	}
	return &twin
}

// A loadCounter is a placement whose answer depends on the requests in flight,
// as that of package bounded does.
type loadCounter interface {
	Acquire(key string) int
	Release(node int)
}

// requestsInFlight is how many requests a placement that counts load sees, for
// each node. A trace does not tell how long requests take; few make the bound
// bite on noise, many on lasting differences in popularity, which is what it is
// for.
const requestsInFlight = 1000

// inFlight holds the trailing requests of a fleet: each is acquired when it comes
// and released when it leaves the window.
type inFlight struct {
	placement loadCounter
	window    []flight // a ring buffer, once it is full
	oldest    int
	size      int
}

type flight struct {
	id   uint32
	node int32
}

func newInFlight(p loadCounter, size int) *inFlight {
	return &inFlight{placement: p, size: size}
}

// route returns the node that the next request goes to.
func (w *inFlight) route(id uint32, key string) int {
	if len(w.window) < w.size {
		node := w.placement.Acquire(key)
		w.window = append(w.window, flight{id, int32(node)})
		return node
	}
	w.placement.Release(int(w.window[w.oldest].node))
	node := w.placement.Acquire(key)
	w.window[w.oldest] = flight{id, int32(node)}
	w.oldest++
	if w.oldest == w.size {
		w.oldest = 0
	}
	return node
}

// repeat routes the trailing requests of another window through this one, which
// is new.
func (w *inFlight) repeat(other *inFlight, keys keyView) {
	n := len(other.window)
	for i := max(0, n-w.size); i < n; i++ {
		id := other.window[(other.oldest+i)%n].id
		w.route(id, keys.key(int(id)))
	}
}
