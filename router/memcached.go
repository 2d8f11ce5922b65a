package router

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ringway/ringway/internal/transit"
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
	policy movePolicy // of operations on keys that have two owners
	spool  *spool     // what nodes have to be told and could not
	crew   *crew
	closed atomic.Bool
}

// NewMemcached returns a client that follows cfg.Source. It returns once the
// first view of the fleet is there, for which ctx bounds the wait, and dials no
// server before the first operation. Close it when done.
//
// It follows the members of kind membership.Memcached. What concerns Redis alone
// has no effect: Commands, NoAutoPipeline, OnNewNode, and Node's Username, Password,
// Credentials, DB, WriteTimeout and PoolSize. A replication factor is refused.
func NewMemcached(ctx context.Context, cfg Config) (*Memcached, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Replication.Factor > 1 {
		return nil, errors.New("router: config Replication.Factor: copies are for Redis only, want 0 or 1 with memcached")
	}
	m := &Memcached{cfg: cfg, policy: cacheMode{}, crew: newCrew()}
	m.spool = newSpool(m.payDebt)
	m.fleet = &fleet[*memcachedNode]{
		source: cfg.Source, kind: membership.Memcached, place: cfg.Placement, report: cfg.OnError, failClosed: cfg.FailClosed,
		check: cfg.check, aftermath: 2 * transit.TombstoneLife, tombstones: true, owes: m.spool.owing,
		open: func(member membership.Member) (*memcachedNode, error) { return newMemcachedNode(member, cfg) },
	}
	if err := startFleet(ctx, m.fleet); err != nil {
		m.spool.close()
		return nil, err
	}
	return m, nil
}

// Close ends the client: it waits for requests in flight, at most
// Config.DrainTimeout. Later operations fail with ErrClosed. The Source is left
// open. An error also says if there were nodes that could not be told, while keys
// moved, that an item was written or deleted elsewhere. A second call does nothing.
func (m *Memcached) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	err := m.spool.settleWithin(m.cfg.DrainTimeout)
	m.spool.close()
	defer m.crew.close()
	return errors.Join(err, m.fleet.close(context.Background()))
}

// Stats returns what is known of each node, in the order of the placement. A
// batch counts as one operation a node; the connections are shared, so that none
// counts as idle and nobody waits for one.
func (m *Memcached) Stats() []NodeStats {
	var all []NodeStats
	for _, n := range m.fleet.all() {
		stats := n.snapshot()
		stats.Owed = m.spool.size(stats.Node)
		all = append(all, stats)
	}
	return all
}

// Epoch returns the epoch of the ring that operations are routed by.
func (m *Memcached) Epoch() uint64 { return m.fleet.current.Load().view.Epoch }

// NodeFor returns the ID of the node that owns the key, by the current ring if it
// is on the move, and "" if the fleet has no nodes. By the time it returns the fleet may have changed.
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
	return s.why(membership.Memcached)
}
