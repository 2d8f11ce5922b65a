package router

import (
	"context"
	"errors"

	"github.com/ringway/ringway/router/memcache"
)

// DeleteAll removes everything on every node; FlushAll is the same.
func (m *Memcached) DeleteAll(ctx context.Context) error { return m.FlushAll(ctx) }

// FlushAll removes everything on every node, the items of other programs
// included. If nodes fail the error is a *MultiError; the others are empty.
//
// While keys are on the move everything is removed twice, 2 s apart: a copy that
// is under way the first time must not come through.
func (m *Memcached) FlushAll(ctx context.Context) error {
	if m.fleet.current.Load().moving.underWay() {
		if err := m.everywhere(ctx, "flush_all", (*memcache.Client).FlushAll); err != nil {
			return err
		}
		if err := untilCopiesEnd(ctx); err != nil {
			return err
		}
	}
	return m.everywhere(ctx, "flush_all", (*memcache.Client).FlushAll)
}

// Ping asks every node for a sign of life. If some give none the error is a
// *MultiError.
func (m *Memcached) Ping(ctx context.Context) error {
	return m.everywhere(ctx, "ping", (*memcache.Client).Ping)
}

func (m *Memcached) everywhere(ctx context.Context, name string, do func(*memcache.Client, context.Context) error) error {
	groups, s, err := m.everyNode()
	if err != nil {
		return err
	}
	errs := make([]error, len(groups))
	m.crew.together(len(groups), func(i int) {
		n := groups[i].node
		defer n.leave()
		errs[i] = m.ask(ctx, s, n, operation{name: name}, 0, func(ctx context.Context, c *memcache.Client) error { return do(c, ctx) })
	})
	return gatherGroups(name, groups, errs)
}

// everyNode enters all nodes of the current snapshot, those included that keys
// are only being moved to: a group without keys each.
func (m *Memcached) everyNode() ([]keyGroup, *snapshot[*memcachedNode], error) {
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return nil, s, m.empty(s)
		}
		nodes := s.all()
		groups := make([]keyGroup, len(nodes))
		for i, n := range nodes {
			groups[i].node = n
		}
		if enterGroups(groups) {
			return groups, s, nil
		}
	}
}

// ForEachNode calls fn with the client of every node at the same time, and joins
// the errors, each as a *NodeError. It is the way to what Memcached does not have:
// statistics, dumps. The clients belong to the router: do not close them, or keep
// them after fn has returned.
func (m *Memcached) ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *memcache.Client) error) error {
	groups, _, err := m.everyNode()
	if err != nil {
		return err
	}
	errs := make([]error, len(groups))
	m.crew.together(len(groups), func(i int) {
		n := groups[i].node
		defer n.leave()
		if err := fn(ctx, n.member().ID, n.client); err != nil {
			errs[i] = n.fail(err)
		}
	})
	return errors.Join(errs...)
}
