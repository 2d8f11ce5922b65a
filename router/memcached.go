package router

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// Item is a value with its key, flags and time to live: see memcache.Item.
type Item = memcache.Item

// Errors of the memcached operations, as contracts: see package memcache.
var (
	ErrCacheMiss    = memcache.ErrCacheMiss
	ErrCASConflict  = memcache.ErrCASConflict
	ErrNotStored    = memcache.ErrNotStored
	ErrServerError  = memcache.ErrServerError
	ErrMalformedKey = memcache.ErrMalformedKey
)

// Memcached is a client for a fleet of memcached servers: each key goes to the
// node that owns it. Its methods read like gomemcache's with a context first. It
// is safe for concurrent use.
//
// Nothing that may have been carried out is ever sent twice. A node that cannot
// be reached gives a *NodeError, or follows Config.Failure: with Miss a read is
// then a cache miss, and Successor asks the next node on the ring, where what is
// written lives for Failure.GutterTTL at most.
type Memcached struct {
	cfg    Config
	fleet  *fleet[*memcachedNode]
	closed atomic.Bool
}

// NewMemcached returns a client that follows cfg.Source. It returns once the
// first view of the fleet is there, for which ctx bounds the wait, and dials no
// server before the first operation. Close it when done.
//
// What concerns Redis alone has no effect: Commands, NoAutoPipeline, OnNewNode,
// and Node's Username, Password, Credentials, DB and PoolSize. A replication
// factor is refused.
func NewMemcached(ctx context.Context, cfg Config) (*Memcached, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Replication.Factor > 1 {
		return nil, errors.New("router: config Replication.Factor: copies are for Redis only, want 0 or 1 with memcached")
	}
	m := &Memcached{cfg: cfg}
	m.fleet = &fleet[*memcachedNode]{
		source: cfg.Source, kind: membership.Memcached, place: cfg.Placement, report: cfg.OnError,
		open: func(member membership.Member) (*memcachedNode, error) { return newMemcachedNode(member, cfg) },
	}
	if err := startFleet(ctx, m.fleet); err != nil {
		return nil, err
	}
	return m, nil
}

// Close ends the client: it waits for requests in flight, at most
// Config.DrainTimeout. Later operations fail with ErrClosed.
func (m *Memcached) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	return m.fleet.close(context.Background())
}

// Stats returns what is known of each node, in the order of the placement.
func (m *Memcached) Stats() []NodeStats {
	var all []NodeStats
	for _, n := range m.fleet.all() {
		all = append(all, n.snapshot())
	}
	return all
}

// Epoch returns the epoch of the ring that operations are routed by.
func (m *Memcached) Epoch() uint64 { return m.fleet.current.Load().view.Epoch }

// NodeFor returns the ID of the node that owns the key, "" without nodes.
func (m *Memcached) NodeFor(key string) string {
	s := m.fleet.current.Load()
	if s.placement == nil {
		return ""
	}
	return s.nodes[s.placement.OwnerIndex(key)].member().ID
}

func (m *Memcached) empty() error {
	if m.closed.Load() {
		return ErrClosed
	}
	return ErrNoNodes
}

// use says what an operation does, for the failure policy.
type use uint8

const (
	reads  use = iota // may be asked elsewhere, and be a miss
	sets              // may be done elsewhere instead: a second time makes no difference
	alters            // may be done elsewhere only if it was not done here
)

// on runs an operation on the owner of the key. request is given a limit of the
// time to live, 0 for none.
func (m *Memcached) on(ctx context.Context, key string, what use, request func(c *memcache.Client, limit time.Duration) error) error {
	if err := m.cfg.Keys.check(key); err != nil {
		return err
	}
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return m.empty()
		}
		n := s.nodes[s.placement.OwnerIndex(key)]
		if n.enter() == 0 {
			continue // it is being retired: there is a newer snapshot
		}
		err := n.ask(ctx, func(c *memcache.Client) error { return request(c, 0) })
		n.leave()
		if err != nil && m.cfg.Failure.Policy != FailFast {
			return m.afterFailure(ctx, s, n, key, what, err, request)
		}
		return err
	}
}

func (m *Memcached) afterFailure(ctx context.Context, s *snapshot[*memcachedNode], owner *memcachedNode, key string, what use, err error, request func(*memcache.Client, time.Duration) error) error {
	var failed *NodeError
	if !errors.As(err, &failed) || ctx.Err() != nil {
		return err
	}
	if m.cfg.Failure.Policy == Miss {
		if what == reads {
			return ErrCacheMiss
		}
		return err
	}
	ring, walks := s.placement.(walker)
	if !walks || what == alters && !neverSent(failed.Err) {
		return err
	}
	var next *memcachedNode
	ring.EachOwner(key, func(i int) bool {
		next = s.nodes[i]
		return next == owner
	})
	if next == nil || next == owner || next.enter() == 0 {
		return err
	}
	defer next.leave()
	return next.ask(ctx, func(c *memcache.Client) error { return request(c, m.cfg.Failure.GutterTTL) })
}

// neverSent reports a failure before the server saw anything.
func neverSent(err error) bool {
	var silent *memcache.NoReplyError
	return errors.Is(err, ErrBreakerOpen) || errors.As(err, &silent) && !silent.Sent
}

// Get returns the item under the key, with value, flags and CAS, or
// ErrCacheMiss.
func (m *Memcached) Get(ctx context.Context, key string) (item Item, err error) {
	err = m.on(ctx, key, reads, func(c *memcache.Client, _ time.Duration) (err error) {
		item, err = c.Get(ctx, key)
		return err
	})
	return item, err
}

// GetAndTouch is Get, and gives the item the time to live ttl.
func (m *Memcached) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (item Item, err error) {
	err = m.on(ctx, key, reads, func(c *memcache.Client, limit time.Duration) (err error) {
		item, err = c.GetAndTouch(ctx, key, limited(ttl, limit))
		return err
	})
	return item, err
}

// Touch gives the item the time to live ttl, or returns ErrCacheMiss.
func (m *Memcached) Touch(ctx context.Context, key string, ttl time.Duration) error {
	return m.on(ctx, key, alters, func(c *memcache.Client, limit time.Duration) error { return c.Touch(ctx, key, limited(ttl, limit)) })
}

func limited(ttl, limit time.Duration) time.Duration {
	if limit == 0 {
		return ttl
	}
	return ttlWithin(ttl, limit)
}

// store runs an operation that takes an item.
func (m *Memcached) store(ctx context.Context, item Item, what use, do func(*memcache.Client, context.Context, Item) error) error {
	return m.on(ctx, item.Key, what, func(c *memcache.Client, limit time.Duration) error {
		item.TTL = limited(item.TTL, limit)
		return do(c, ctx, item)
	})
}

// Set stores the item, whatever was there.
func (m *Memcached) Set(ctx context.Context, item Item) error {
	return m.store(ctx, item, sets, (*memcache.Client).Set)
}

// Add stores the item if there is none under its key, else ErrNotStored.
func (m *Memcached) Add(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Add)
}

// Replace stores the item if there is one under its key, else ErrNotStored.
func (m *Memcached) Replace(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Replace)
}

// Append puts the value behind the one that is there, else ErrNotStored.
func (m *Memcached) Append(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Append)
}

// Prepend puts the value before the one that is there, else ErrNotStored.
func (m *Memcached) Prepend(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Prepend)
}

// CompareAndSwap stores the item if what is there still has the item's CAS:
// else ErrCASConflict, and ErrNotStored if it is gone.
func (m *Memcached) CompareAndSwap(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).CompareAndSwap)
}

// Delete removes the item, or returns ErrCacheMiss.
func (m *Memcached) Delete(ctx context.Context, key string) error {
	return m.on(ctx, key, alters, func(c *memcache.Client, _ time.Duration) error { return c.Delete(ctx, key) })
}

// Increment adds delta to a decimal number and returns the sum, or ErrCacheMiss.
func (m *Memcached) Increment(ctx context.Context, key string, delta uint64) (value uint64, err error) {
	err = m.on(ctx, key, alters, func(c *memcache.Client, _ time.Duration) (err error) {
		value, err = c.Increment(ctx, key, delta)
		return err
	})
	return value, err
}

// Decrement takes delta from a decimal number, down to 0, and returns what is
// left, or ErrCacheMiss.
func (m *Memcached) Decrement(ctx context.Context, key string, delta uint64) (value uint64, err error) {
	err = m.on(ctx, key, alters, func(c *memcache.Client, _ time.Duration) (err error) {
		value, err = c.Decrement(ctx, key, delta)
		return err
	})
	return value, err
}

// GetMulti returns the items under those of the keys that are there, asked of
// all their nodes at the same time, one exchange a node. If nodes fail the map
// holds what the others gave, and the error is a *MultiError by node; with
// Failure.Policy Miss or Successor the keys of a failed node count as absent.
func (m *Memcached) GetMulti(ctx context.Context, keys []string) (map[string]Item, error) {
	for _, key := range keys {
		if err := m.cfg.Keys.check(key); err != nil {
			return nil, err
		}
	}
	groups, err := m.group(keys)
	if err != nil || len(groups) == 0 {
		return map[string]Item{}, err
	}
	found := make([]map[string]Item, len(groups))
	errs := m.each(ctx, groups, func(i int, c *memcache.Client) (err error) {
		found[i], err = c.GetMulti(ctx, groups[i].keys)
		return err
	})
	items := make(map[string]Item, len(keys))
	for _, part := range found {
		for key, item := range part {
			items[key] = item
		}
	}
	return items, m.gatherGroups("get", groups, errs, m.cfg.Failure.Policy != FailFast)
}

// SetMulti stores all items, one exchange a node. If nodes fail the error is a
// *MultiError that names the keys concerned; the others are stored.
func (m *Memcached) SetMulti(ctx context.Context, items []Item) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
		if err := m.cfg.Keys.check(item.Key); err != nil {
			return err
		}
	}
	groups, err := m.group(keys)
	if err != nil {
		return err
	}
	errs := m.each(ctx, groups, func(i int, c *memcache.Client) error {
		part := make([]Item, len(groups[i].at))
		for j, at := range groups[i].at {
			part[j] = items[at]
		}
		return c.SetMulti(ctx, part)
	})
	return m.gatherGroups("set", groups, errs, false)
}

// DeleteAll removes everything on every node; FlushAll is the same.
func (m *Memcached) DeleteAll(ctx context.Context) error { return m.FlushAll(ctx) }

// FlushAll removes everything on every node. If nodes fail the error is a
// *MultiError; the others are empty.
func (m *Memcached) FlushAll(ctx context.Context) error {
	return m.everywhere(ctx, "flush_all", (*memcache.Client).FlushAll)
}

// Ping asks every node for a sign of life.
func (m *Memcached) Ping(ctx context.Context) error {
	return m.everywhere(ctx, "ping", (*memcache.Client).Ping)
}

func (m *Memcached) everywhere(ctx context.Context, name string, do func(*memcache.Client, context.Context) error) error {
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return m.empty()
		}
		groups := make([]keyGroup, len(s.nodes))
		for i, n := range s.nodes {
			groups[i].node = n
		}
		if !enterGroups(groups) {
			continue
		}
		errs := m.each(ctx, groups, func(_ int, c *memcache.Client) error { return do(c, ctx) })
		return m.gatherGroups(name, groups, errs, false)
	}
}

// ForEachNode calls fn with the client of every node at the same time, and joins
// the errors. The clients belong to the router.
func (m *Memcached) ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *memcache.Client) error) error {
	s := m.fleet.current.Load()
	if s.placement == nil {
		return m.empty()
	}
	errs := make([]error, len(s.nodes))
	together(len(s.nodes), func(i int) {
		n := s.nodes[i]
		if n.enter() == 0 {
			errs[i] = n.fail(ErrClosed)
			return
		}
		defer n.leave()
		if err := fn(ctx, n.member().ID, n.client); err != nil {
			errs[i] = n.fail(err)
		}
	})
	return errors.Join(errs...)
}

// keyGroup is what goes to one node of an operation on many keys.
type keyGroup struct {
	node *memcachedNode
	keys []string
	at   []int // where the keys stand in what the caller gave
}

// group cuts keys by owner, each once, and enters every node concerned.
func (m *Memcached) group(keys []string) ([]keyGroup, error) {
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return nil, m.empty()
		}
		index := make(map[int]int)
		var groups []keyGroup
		for at, key := range keys {
			owner := s.placement.OwnerIndex(key)
			g, has := index[owner]
			if !has {
				g = len(groups)
				index[owner] = g
				groups = append(groups, keyGroup{node: s.nodes[owner]})
			}
			groups[g].keys = append(groups[g].keys, key)
			groups[g].at = append(groups[g].at, at)
		}
		if enterGroups(groups) {
			return groups, nil
		}
	}
}

// enterGroups enters all nodes, or none.
func enterGroups(groups []keyGroup) bool {
	for i := range groups {
		if groups[i].node.enter() == 0 {
			for _, g := range groups[:i] {
				g.node.leave()
			}
			return false
		}
	}
	return true
}

// each runs a request for every group at the same time, and leaves the nodes.
func (m *Memcached) each(ctx context.Context, groups []keyGroup, request func(i int, c *memcache.Client) error) []error {
	errs := make([]error, len(groups))
	together(len(groups), func(i int) {
		n := groups[i].node
		defer n.leave()
		errs[i] = n.ask(ctx, func(c *memcache.Client) error { return request(i, c) })
	})
	return errs
}

// gatherGroups makes one error of those of the nodes; misses says that a node
// that could not be reached counts as without the keys.
func (m *Memcached) gatherGroups(name string, groups []keyGroup, errs []error, misses bool) error {
	failed := &MultiError{Command: name, Failed: map[string]error{}, Keys: map[string]error{}, Total: len(groups)}
	for i, err := range errs {
		var unreachable *NodeError
		if err == nil || misses && errors.As(err, &unreachable) {
			continue
		}
		failed.Failed[groups[i].node.member().ID] = err
		for _, key := range groups[i].keys {
			failed.Keys[key] = err
		}
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
}
