package demo

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/modulo"
)

// shadow is a fleet in memory that places by modulo: it is given the requests of
// the real one, has the same nodes at the same time, and forgets what expires. It
// sees what a client would that takes the hash of the key modulo the number of
// nodes. It is kind to it: a key that comes back to a node where it still lies is a
// hit, although it may be old.
type shadow struct {
	layout atomic.Pointer[layout]
}

// layout is the shadow's nodes at one time. It does not change, but for the times in
// expires.
type layout struct {
	nodes  []string
	owners []string // of each key, the node's ID
	dead   string   // a node that does not answer; empty: all do

	// expires has an entry for each of nodes, whoever started it, and for those that
	// were there before. By node, then by key: in ms since 1970, 0: not there. The times
	// are guarded by the key's lock in the oracle, and go from layout to layout.
	expires map[string][]int64
}

// follow gives the shadow its nodes, in the order in which they came. A node that
// died stays so until it is none of them.
func (s *shadow) follow(keys []string, nodes []string) {
	old := s.layout.Load()
	if old == nil {
		old = &layout{}
	}
	if slices.Equal(old.nodes, nodes) {
		return
	}
	owners, err := moduloOwners(keys, nodes)
	if err != nil {
		return // as before: what modulo cannot place is no reason to end the fleet
	}
	next := &layout{nodes: slices.Clone(nodes), owners: owners, expires: maps.Clone(old.expires)}
	if next.expires == nil {
		next.expires = make(map[string][]int64)
	}
	if slices.Contains(nodes, old.dead) {
		next.dead = old.dead
	}
	for _, id := range nodes {
		if next.expires[id] == nil {
			next.expires[id] = make([]int64, len(keys))
		}
	}
	s.layout.Store(next)
}

// moduloOwners returns the ID of each key's owner by modulo over nodes, in their
// order.
func moduloOwners(keys, nodes []string) ([]string, error) {
	placement, err := modulo.New(ring.Nodes(nodes...), modulo.Config{})
	if err != nil {
		return nil, err
	}
	owners := make([]string, len(keys))
	for i, key := range keys {
		owners[i] = placement.Owner(key).ID
	}
	return owners, nil
}

// byNumber orders cache-2 before cache-10.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	if a < b {
		return -1
	}
	return 1
}

// dies makes a node stop answering, with all that it holds.
func (s *shadow) dies(id string) {
	next := *s.layout.Load()
	next.dead = id
	s.layout.Store(&next)
}

// get reports a hit; otherwise the key is loaded, and stored if its node answers.
// The caller holds the key.
func (s *shadow) get(key int, now time.Time, ttl time.Duration) (hit bool) {
	l := s.layout.Load()
	owner := l.owners[key]
	if owner == l.dead {
		return false
	}
	if l.expires[owner][key] > now.UnixMilli() {
		return true
	}
	l.expires[owner][key] = now.Add(ttl).UnixMilli()
	return false
}

// store stores a key. The caller holds it.
func (s *shadow) store(key int, now time.Time, ttl time.Duration) {
	if l := s.layout.Load(); l.owners[key] != l.dead {
		l.expires[l.owners[key]][key] = now.Add(ttl).UnixMilli()
	}
}
