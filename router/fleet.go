package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// peer is what a fleet needs to know of the client of one node.
type peer interface {
	member() membership.Member
	setMember(membership.Member) // same ID, kind and address: weight, zone, state
	retire(ctx context.Context)  // waits for requests in flight, then closes
}

// snapshot is one ring and the clients of its nodes. It never changes: a request
// works with the one that it loaded.
type snapshot[P peer] struct {
	view      membership.View
	placement ring.Placement // nil if nothing is to be routed: why says the reason
	built     ring.Placement // what placement is, or would be
	refusal   error          // why nothing is routed although there are nodes
	nodes     []P            // in the order of placement.Nodes
	index     map[string]int // of each node's ID in nodes

	moving *transition[P] // nil: no key is on the move, as nearly always

	superseded chan struct{} // closed once another snapshot is current
}

// fleet follows a Source and keeps the newest snapshot. Clients of nodes that a
// change does not concern stay as they are.
type fleet[P peer] struct {
	source membership.Source
	kind   membership.Kind
	place  PlacementConfig
	open   func(membership.Member) (P, error)
	report func(error)
	check  func(ring.Placement) error // what the router needs of a placement; nil: nothing

	failClosed bool          // on disagreement
	aftermath  time.Duration // how long a transition that has ended still matters
	tombstones bool          // it leaves them where items are looked for
	owes       func() bool   // whether nodes still have to be told something of it; nil: never

	change  sync.Mutex // held while a snapshot is made current
	current atomic.Pointer[snapshot[P]]
	ctx     context.Context // ends with close; nil if nothing is followed
	stop    context.CancelFunc
	done    chan struct{}  // closed when follow has ended
	drains  sync.WaitGroup // clients being retired
}

// startFleet waits for the first view, which ctx bounds, and follows the source
// from then on until close.
func startFleet[P peer](ctx context.Context, f *fleet[P]) error {
	view, err := f.source.Next(ctx, 0)
	if err != nil {
		return fmt.Errorf("router: first view of the fleet: %w", err)
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	if err := f.apply(view); err != nil {
		f.stop()
		return err
	}
	f.done = make(chan struct{})
	go f.follow(f.ctx, view.Version)
	return nil
}

func (f *fleet[P]) follow(ctx context.Context, version uint64) {
	defer close(f.done)
	for {
		view, err := f.source.Next(ctx, version)
		if err != nil {
			if ctx.Err() == nil {
				f.report(fmt.Errorf("router: the fleet is no longer followed: %w", err))
			}
			return
		}
		version = view.Version
		if err := f.apply(view); err != nil {
			f.report(err) // the last good snapshot stays
		}
	}
}

// apply makes the view current. If it cannot be used nothing changes.
func (f *fleet[P]) apply(view membership.View) error {
	f.change.Lock()
	defer f.change.Unlock()
	nodes := view.Current(f.kind)
	old := f.current.Load()
	next := &snapshot[P]{view: view, superseded: make(chan struct{})}
	if len(nodes) > 0 {
		var err error
		if next.placement, err = f.placementOf(old, nodes); err != nil {
			return fmt.Errorf("router: placement of epoch %d: %w", view.Epoch, err)
		}
		if f.check != nil {
			if err = f.check(next.placement); err != nil {
				return fmt.Errorf("router: %w", err)
			}
		}
		if next.moving, err = f.transitionOf(old, next); err != nil {
			return fmt.Errorf("router: placement after epoch %d: %w", view.Epoch, err)
		}
	}
	next.built = next.placement
	stale, err := f.adopt(old, next)
	if err != nil {
		return err
	}
	f.agree(old, next)
	f.replace(next)
	f.calmLater(old, next)
	for _, p := range stale {
		f.drains.Go(func() { p.retire(context.Background()) })
	}
	return nil
}

// replace makes a snapshot current, and tells those who wait for the change.
func (f *fleet[P]) replace(next *snapshot[P]) {
	if old := f.current.Swap(next); old != nil {
		close(old.superseded)
	}
}

func (f *fleet[P]) placementOf(old *snapshot[P], nodes []ring.Node) (ring.Placement, error) {
	if err := f.place.room(nodes); err != nil {
		return nil, err
	}
	if old != nil && old.built != nil {
		return old.built.Update(keepOrder(old.built.Nodes(), nodes))
	}
	return f.place.build(nodes)
}

// keepOrder puts the nodes that stay in their old order and newcomers behind, as
// the placements that depend on order want.
func keepOrder(old, nodes []ring.Node) []ring.Node {
	byID := make(map[string]ring.Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	ordered := make([]ring.Node, 0, len(nodes))
	for _, n := range old {
		if m, stays := byID[n.ID]; stays {
			ordered = append(ordered, m)
			delete(byID, n.ID)
		}
	}
	for _, n := range nodes {
		if m, new := byID[n.ID]; new {
			ordered = append(ordered, m)
		}
	}
	return ordered
}

// adopt fills in the clients of the next snapshot: those of the old one where ID
// and address are the same, new ones elsewhere. It returns the clients that are
// left over. On an error it has opened nothing that stays open.
func (f *fleet[P]) adopt(old, next *snapshot[P]) (stale []P, err error) {
	known := make(map[string]P) // clients of the old snapshot that are not taken over yet
	if old != nil {
		for _, p := range old.all() {
			known[p.member().ID] = p
		}
	}
	if next.placement == nil {
		return f.all(), nil
	}
	a := adoption[P]{fleet: f, view: next.view, known: known, taken: make(map[string]P)}
	next.nodes, next.index, err = a.clients(next.placement)
	if err == nil && next.moving.underWay() {
		next.moving.nodes, next.moving.index, err = a.clients(next.moving.placement)
	}
	if err != nil {
		for _, p := range a.opened {
			p.retire(context.Background())
		}
		return nil, err
	}
	for id, p := range a.taken { // nothing can fail any more
		m, _ := next.view.Member(id)
		p.setMember(m)
	}
	for _, p := range known {
		stale = append(stale, p)
	}
	return stale, nil
}

// adoption collects the clients of one snapshot.
type adoption[P peer] struct {
	fleet  *fleet[P]
	view   membership.View
	known  map[string]P // by ID, of the old snapshot, not taken over
	taken  map[string]P // by ID, of the new one
	opened []P
}

// clients returns the clients of a placement's nodes, in their order, and the
// place of each.
func (a *adoption[P]) clients(placement ring.Placement) (clients []P, index map[string]int, err error) {
	nodes := placement.Nodes()
	index = make(map[string]int, len(nodes))
	for i, n := range nodes {
		index[n.ID] = i
		p, err := a.client(n.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("router: node %q: %w", n.ID, err)
		}
		clients = append(clients, p)
	}
	return clients, index, nil
}

func (a *adoption[P]) client(id string) (P, error) {
	if p, has := a.taken[id]; has {
		return p, nil
	}
	m, isMember := a.view.Member(id)
	if p, has := a.known[id]; has && isMember && p.member().Address == m.Address {
		delete(a.known, id)
		a.taken[id] = p
		return p, nil
	}
	var none P
	if !isMember {
		return none, errForeignNode
	}
	p, err := a.fleet.open(m)
	if err != nil {
		return none, err
	}
	a.opened = append(a.opened, p)
	a.taken[id] = p
	return p, nil
}

// errForeignNode: PlacementConfig.New made up a node.
var errForeignNode = errors.New("the placement has it, the fleet has not")

// all returns the clients of the current snapshot, those of nodes that are only in
// the next ring included.
func (f *fleet[P]) all() []P {
	if s := f.current.Load(); s != nil {
		return s.all()
	}
	return nil
}

// close stops following, closes the source if the router owns it, and retires
// every client. ctx bounds the wait for requests in flight.
func (f *fleet[P]) close(ctx context.Context) error {
	f.stop()
	<-f.done
	f.change.Lock()
	nodes := f.all()
	f.replace(&snapshot[P]{superseded: make(chan struct{})})
	f.change.Unlock()
	for _, p := range nodes {
		f.drains.Go(func() { p.retire(ctx) })
	}
	f.drains.Wait()
	return nil
}

// PlacementConfig decides which node owns which key. Every client of a fleet
// must use the same one. The zero value is a ring of 160 virtual nodes with
// hash tags on.
type PlacementConfig struct {
	// VirtualNodes of a node of weight 1; 0 means ring.DefaultVirtualNodes. A view
	// whose ring would have more tokens than membership.MaxNodeTokens for one node, or
	// membership.MaxFleetTokens in all, is refused.
	VirtualNodes int

	// Hash is the hash function, Seed its secret seed: see ring.Hasher.
	Hash ring.HashFunction
	Seed uint64

	// WholeKeys turns hash tags off: the whole key is hashed.
	WholeKeys bool

	// New builds another placement than the ring, such as balanced.New. It
	// takes its own configuration; the fields above then have no effect.
	New func(nodes []ring.Node) (ring.Placement, error)
}

// room fails if a ring of these nodes would be larger than a fleet may have: weights
// may come from outside, such as a DNS server.
func (c PlacementConfig) room(nodes []ring.Node) error {
	if c.New != nil {
		return nil
	}
	return membership.CheckRoom(nodes, c.VirtualNodes)
}

func (c PlacementConfig) build(nodes []ring.Node) (ring.Placement, error) {
	if c.New != nil {
		p, err := c.New(nodes)
		if err == nil && p == nil {
			err = errors.New("PlacementConfig.New returned no placement")
		}
		return p, err
	}
	r, err := ring.New(nodes, ring.Config{
		VirtualNodes: c.VirtualNodes,
		Hasher:       ring.Hasher{Function: c.Hash, Seed: c.Seed, HashTags: !c.WholeKeys},
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}
