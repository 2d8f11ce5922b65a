package router

import (
	"context"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// setAside takes the keys out of the groups that must not take the short way. A
// group that has none left is left.
func (b *batch) setAside(s *snapshot[*memcachedNode], groups []keyGroup) []keyGroup {
	b.apart = make(map[int]bool)
	var stay []keyGroup
	for _, g := range groups {
		still := keyGroup{node: g.node}
		for _, at := range g.at {
			if b.mayStay(s, g.node, b.keys[at]) {
				still.at = append(still.at, at)
				continue
			}
			b.aside, b.apart[at], b.nodes[at] = append(b.aside, at), true, g.node
		}
		if len(still.at) == 0 {
			g.node.leave()
			continue
		}
		stay = append(stay, still)
	}
	return stay
}

// mayStay reports whether a key may be asked for with others. A tombstone in its
// place does no harm to a set, and is known when it is read.
func (b *batch) mayStay(s *snapshot[*memcachedNode], n *memcachedNode, key string) bool {
	if t := s.moving; t.underWay() && t.nodes[t.placement.OwnerIndex(key)] != n || b.m.spool.owes(n.about.Load().ID, key) {
		return false
	}
	return !s.moving.careful || b.what != toDelete
}

// runAside does what is left to do, each key by itself.
func (b *batch) runAside(ctx context.Context) {
	for _, at := range b.aside {
		b.asked[b.nodes[at]] = true
	}
	b.m.crew.abreast(len(b.aside), func(i int) {
		at := b.aside[i]
		request := func(ctx context.Context, c *memcache.Client) error {
			results, err := b.send(ctx, c, []int{at}, 0)
			if len(results) > 0 {
				b.results[at] = results[0]
			}
			return err
		}
		done, err := b.m.onMoving(ctx, b.keys[at], b.operation, request)
		if !done { // the transition has just ended
			err = b.m.on(ctx, b.keys[at], b.operation, func(ctx context.Context, c *memcache.Client, _ time.Duration) error { return request(ctx, c) })
		}
		switch {
		case err == ErrCacheMiss: // by the failure policy
			b.results[at] = memcache.Result{Response: memcache.Response{Status: memcache.StatusMiss}}
		case err != nil:
			b.results[at] = memcache.Result{Err: err}
		}
	})
}

// unbury makes a miss of a tombstone that was read.
func (b *batch) unbury(at int) {
	r := &b.results[at]
	if b.what != toRead || r.Err != nil || !r.Found() {
		return
	}
	if _, buried := transit.TombstoneOf(r.ClientFlags, len(r.Value)); buried {
		*r = memcache.Result{Response: memcache.Response{Status: memcache.StatusMiss}}
	}
}
