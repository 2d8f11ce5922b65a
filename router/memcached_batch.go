package router

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// batch is an operation on many keys: cut by node, sent to all of them at the same
// time, and, where a node failed, dealt with by the failure policy.
type batch struct {
	m *Memcached
	operation
	keys []string // as the caller gave them

	// send asks one node for the keys at these places, and returns the result of
	// each in the same order, or none with an error.
	send func(ctx context.Context, c *memcache.Client, at []int, limit time.Duration) ([]memcache.Result, error)

	// One for each key. Nodes write to places of their own.
	results []memcache.Result
	nodes   []*memcachedNode // who was asked last

	asked map[*memcachedNode]bool

	aside []int        // keys on the move: see setAside
	apart map[int]bool // the same
}

// run returns once every key has its outcome, with the error of the whole: a
// *MultiError if keys failed.
func (b *batch) run(ctx context.Context, s *snapshot[*memcachedNode], groups []keyGroup) error {
	b.results = make([]memcache.Result, len(b.keys))
	b.nodes = make([]*memcachedNode, len(b.keys))
	b.asked = make(map[*memcachedNode]bool)
	if s.moving != nil {
		groups = b.setAside(s, groups)
	}
	b.exchange(ctx, s, groups, 0)
	b.runAside(ctx)
	if ctx.Err() == nil {
		b.afterFailure(ctx, s)
	}
	return b.err()
}

// exchange asks nodes that were entered, and leaves them.
func (b *batch) exchange(ctx context.Context, s *snapshot[*memcachedNode], groups []keyGroup, limit time.Duration) {
	for _, g := range groups {
		b.asked[g.node] = true
	}
	b.m.crew.together(len(groups), func(i int) {
		n, at := groups[i].node, groups[i].at
		defer n.leave()
		var results []memcache.Result
		err := b.m.ask(ctx, s, n, b.operation, len(at), func(ctx context.Context, c *memcache.Client) (err error) {
			results, err = b.send(ctx, c, at, limit)
			return gravest(results, err)
		})
		for j, place := range at {
			b.nodes[place] = n
			if j < len(results) {
				b.results[place] = results[j]
				b.unbury(place)
				b.results[place].Err = n.blame(ctx, results[j].Err)
			} else {
				b.results[place] = memcache.Result{Err: err}
			}
		}
	})
}

// gravest is the error that says most of a node: that it could not be reached is
// more than that it refused one of the keys.
func gravest(results []memcache.Result, err error) error {
	for i := range results {
		if kind := memcachedKindOf(results[i].Err); kind != fine && kind != reply {
			return results[i].Err
		}
	}
	return err
}

// blame puts the error of one key into the router's terms.
func (n *memcachedNode) blame(ctx context.Context, err error) error {
	switch memcachedKindOf(err) {
	case fine, reply:
		return err
	case timeout:
		err = asDeadline(ctx, err)
	}
	return n.fail(err)
}

// afterFailure applies the failure policy to the keys whose node failed.
func (b *batch) afterFailure(ctx context.Context, s *snapshot[*memcachedNode]) {
	switch b.m.cfg.Failure.Policy {
	case Miss:
		for i := range b.results {
			if b.what == toRead && unreachable(b.results[i].Err) {
				b.results[i] = memcache.Result{Response: memcache.Response{Status: memcache.StatusMiss}}
			}
		}
	case Successor:
		b.onSuccessors(ctx, s)
	}
}

func unreachable(err error) bool {
	var failed *NodeError
	return errors.As(err, &failed)
}

// onSuccessors does for the keys of failed nodes, on the next ones, what
// Memcached.afterFailure does for one key.
func (b *batch) onSuccessors(ctx context.Context, s *snapshot[*memcachedNode]) {
	groups, owners := b.moved(s)
	failures := make([]error, len(b.results))
	for at := range b.results {
		failures[at] = b.results[at].Err
	}
	b.exchange(ctx, s, groups, b.m.cfg.Failure.GutterTTL)
	if b.what != toDelete {
		return
	}
	for at, owner := range owners { // it may come back with the value
		b.results[at], b.nodes[at] = memcache.Result{Err: failures[at]}, owner
	}
}

// moved cuts the keys of failed nodes by their next nodes, which it enters. A key
// whose next node is being retired stays with its error.
func (b *batch) moved(s *snapshot[*memcachedNode]) (groups []keyGroup, owners map[int]*memcachedNode) {
	owners = make(map[int]*memcachedNode)
	index := make(map[*memcachedNode]int)
	for at, key := range b.keys {
		if b.apart[at] || !unreachable(b.results[at].Err) {
			continue
		}
		owner := b.nodes[at]
		next := s.successor(key, owner)
		if next == nil {
			continue
		}
		g, has := index[next]
		if !has {
			if next.enter() == 0 {
				continue
			}
			g = len(groups)
			index[next] = g
			groups = append(groups, keyGroup{node: next})
		}
		owners[at] = owner
		groups[g].at = append(groups[g].at, at)
	}
	return groups, owners
}

// err makes one error of those of the keys.
func (b *batch) err() error {
	var failed *MultiError
	for at := range b.results {
		err := b.results[at].Err
		if err == nil {
			continue
		}
		if failed == nil {
			failed = &MultiError{Command: b.name, Failed: map[string]error{}, Keys: map[string]error{}, Total: len(b.asked)}
		}
		failed.Keys[b.keys[at]] = err
		// A node that could not be reached is worse than a key that was refused.
		id := b.nodes[at].member().ID
		if known, has := failed.Failed[id]; !has || unreachable(err) && !unreachable(known) {
			failed.Failed[id] = err
		}
	}
	if failed == nil {
		return nil // and not a *MultiError that is nil
	}
	return failed
}
