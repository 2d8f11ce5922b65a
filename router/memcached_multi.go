package router

import (
	"context"
	"errors"

	"github.com/ringway/ringway/router/memcache"
)

// GetMulti returns the items under those of the keys that are there, asked of
// all their nodes at the same time, one exchange a node. Nothing is sent if one
// of the keys cannot be (ErrMalformedKey). If nodes fail the map holds what was
// got all the same, and the error is a *MultiError by node; with Failure.Policy
// Miss or Successor the keys of a failed node count as absent. The map is never
// nil without an error.
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
	if err := groups[0].node.client.CheckGet(keys); err != nil {
		leaveGroups(groups)
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
	err = m.gatherGroups("get", groups, errs, m.cfg.Failure.Policy != FailFast && ctx.Err() == nil)
	var failed *MultiError
	if errors.As(err, &failed) {
		for key := range items { // a node may have failed after it gave some
			delete(failed.Keys, key)
		}
	}
	return items, err
}

// SetMulti stores all items, one exchange a node. Nothing is sent if one of them
// cannot be (ErrMalformedKey, ErrValueTooLarge). If nodes fail the error is a
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
	if err != nil || len(groups) == 0 {
		return err
	}
	if err := groups[0].node.client.CheckSet(items); err != nil {
		leaveGroups(groups)
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
			return nil, m.empty(s)
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
			leaveGroups(groups[:i])
			return false
		}
	}
	return true
}

func leaveGroups(groups []keyGroup) {
	for _, g := range groups {
		g.node.leave()
	}
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
