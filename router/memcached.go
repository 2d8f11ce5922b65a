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

// Errors of the memcached operations, as contracts: see package memcache, which
// has a few more. Test with errors.Is.
var (
	ErrCacheMiss    = memcache.ErrCacheMiss    // the key is not there; nothing was changed
	ErrCASConflict  = memcache.ErrCASConflict  // the item is another one than its CAS says; nothing was changed
	ErrNotStored    = memcache.ErrNotStored    // the condition of Add, Replace, Append … did not hold; nothing was changed
	ErrServerError  = memcache.ErrServerError  // the server answered SERVER_ERROR: out of memory, too large
	ErrMalformedKey = memcache.ErrMalformedKey // the key cannot be sent; nothing was
)

// Memcached is a client for a fleet of memcached servers: each key goes to the
// node that owns it. Its methods read like gomemcache's with a context first. It
// is safe for concurrent use; the zero value is not usable.
//
// Every operation may fail with a *NodeError (its node cannot be reached, did not
// answer in time, or the context ended), ErrNoNodes, ErrClosed, and what its
// comment names. Nothing that may have been carried out is ever sent twice. What
// happens while a node cannot be reached is Config.Failure's choice: see
// FailurePolicy, and "When something fails" above.
//
// Keys are 1 to 250 bytes without spaces and control characters: see
// MemcachedConfig.EncodeKeys for others. A malformed one is refused, with nothing
// sent. Values are copied before a call returns, and those returned are the
// caller's own.
type Memcached struct {
	cfg    Config
	fleet  *fleet[*memcachedNode]
	closed atomic.Bool
}

// NewMemcached returns a client that follows cfg.Source. It returns once the
// first view of the fleet is there, for which ctx bounds the wait, and dials no
// server before the first operation. Close it when done.
//
// It follows the members of kind membership.Memcached. What concerns Redis alone
// has no effect: Commands, NoAutoPipeline, OnNewNode, Tracer, and Node's Username,
// Password, Credentials, DB, WriteTimeout and PoolSize. A replication factor is
// refused.
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
		source: cfg.Source, kind: membership.Memcached, place: cfg.Placement, report: cfg.OnError, failClosed: cfg.FailClosed,
		check: cfg.check,
		open:  func(member membership.Member) (*memcachedNode, error) { return newMemcachedNode(member, cfg) },
	}
	if err := startFleet(ctx, m.fleet); err != nil {
		return nil, err
	}
	return m, nil
}

// Close ends the client: it waits for requests in flight, at most
// Config.DrainTimeout. Later operations fail with ErrClosed. The Source is left
// open. A second call does nothing.
func (m *Memcached) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	return m.fleet.close(context.Background())
}

// Stats returns what is known of each node, in the order of the placement. A
// batch counts as one operation a node; the connections are shared, so that none
// counts as idle and nobody waits for one.
func (m *Memcached) Stats() []NodeStats {
	var all []NodeStats
	for _, n := range m.fleet.all() {
		all = append(all, n.snapshot())
	}
	return all
}

// Epoch returns the epoch of the ring that operations are routed by.
func (m *Memcached) Epoch() uint64 { return m.fleet.current.Load().view.Epoch }

// NodeFor returns the ID of the node that owns the key, and "" if the fleet has
// no nodes. By the time it returns the fleet may have changed.
func (m *Memcached) NodeFor(key string) string {
	s := m.fleet.current.Load()
	if s.placement == nil {
		return ""
	}
	return s.nodes[s.placement.OwnerIndex(key)].member().ID
}

func (m *Memcached) empty(s *snapshot[*memcachedNode]) error {
	if m.closed.Load() {
		return ErrClosed
	}
	return s.why()
}

// use says what an operation does, for the failure policy.
type use uint8

const (
	reads   use = iota // may be asked elsewhere, and be a miss
	sets               // may be done elsewhere instead: a second time makes no difference
	deletes            // is done elsewhere too, and has failed all the same
	alters             // may be done elsewhere only if it was not done here
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
			return m.empty(s)
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
	instead := next.ask(ctx, func(c *memcache.Client) error { return request(c, m.cfg.Failure.GutterTTL) })
	if what == deletes {
		return err // the owner may come back with the value
	}
	return instead
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

// GetAndTouch is Get, and gives the item the time to live ttl, counted as
// Item.TTL is.
func (m *Memcached) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (item Item, err error) {
	err = m.on(ctx, key, reads, func(c *memcache.Client, limit time.Duration) (err error) {
		item, err = c.GetAndTouch(ctx, key, limited(ttl, limit))
		return err
	})
	return item, err
}

// Touch gives the item the time to live ttl, counted as Item.TTL is, or returns
// ErrCacheMiss.
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

// Append puts the value behind the one that is there, whose flags and time to
// live stay; ErrNotStored if there is none.
func (m *Memcached) Append(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Append)
}

// Prepend is Append in front.
func (m *Memcached) Prepend(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).Prepend)
}

// CompareAndSwap stores the item if what is there still has the item's CAS, which
// Get has filled in: else ErrCASConflict, and an error that matches ErrNotStored
// and ErrCacheMiss if it is gone. A CAS of 0 is refused.
func (m *Memcached) CompareAndSwap(ctx context.Context, item Item) error {
	return m.store(ctx, item, alters, (*memcache.Client).CompareAndSwap)
}

// Delete removes the item, or returns ErrCacheMiss. Under Successor, one that
// fails on the owner is done on the next node too, lest the value be read there,
// and has failed all the same: the owner may come back with the value.
func (m *Memcached) Delete(ctx context.Context, key string) error {
	return m.on(ctx, key, deletes, func(c *memcache.Client, _ time.Duration) error { return c.Delete(ctx, key) })
}

// Increment adds delta to a decimal number and returns the sum, which wraps
// around at 2^64, or ErrCacheMiss. A value that is no number is an error that
// matches memcache.ErrClientError. The time to live stays.
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

// DeleteAll removes everything on every node; FlushAll is the same.
func (m *Memcached) DeleteAll(ctx context.Context) error { return m.FlushAll(ctx) }

// FlushAll removes everything on every node, the items of other programs
// included. If nodes fail the error is a *MultiError; the others are empty.
func (m *Memcached) FlushAll(ctx context.Context) error {
	return m.everywhere(ctx, "flush_all", (*memcache.Client).FlushAll)
}

// Ping asks every node for a sign of life. If some give none the error is a
// *MultiError.
func (m *Memcached) Ping(ctx context.Context) error {
	return m.everywhere(ctx, "ping", (*memcache.Client).Ping)
}

func (m *Memcached) everywhere(ctx context.Context, name string, do func(*memcache.Client, context.Context) error) error {
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return m.empty(s)
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
// the errors, each as a *NodeError. It is the way to what Memcached does not have:
// leases, stale items, statistics, dumps. The clients belong to the router: do not
// close them, or keep them after fn has returned.
func (m *Memcached) ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *memcache.Client) error) error {
	s := m.fleet.current.Load()
	if s.placement == nil {
		return m.empty(s)
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
