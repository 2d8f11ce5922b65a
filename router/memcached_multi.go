package router

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

const itemReturns = memcache.ReturnValue | memcache.ReturnFlags | memcache.ReturnCAS

// GetMulti returns the items under those of the keys that are there, asked of
// all their nodes at the same time, one exchange a node. Nothing is sent if one
// of the keys cannot be (ErrMalformedKey). If keys fail the map holds what was
// got all the same, and the error is a *MultiError with each of them. With
// Failure.Policy Miss the keys of a failed node count as absent; with Successor
// they are asked of their next nodes, once more one exchange a node. The map is
// never nil without an error.
func (m *Memcached) GetMulti(ctx context.Context, keys []string) (map[string]Item, error) {
	s, groups, err := m.group(keys)
	if err != nil || len(groups) == 0 {
		return map[string]Item{}, err
	}
	if err := groups[0].node.client.CheckGet(keys); err != nil {
		leaveGroups(groups)
		return map[string]Item{}, err
	}
	b := batch{m: m, operation: operation{"get", toRead}, keys: keys}
	b.send = func(ctx context.Context, c *memcache.Client, at []int, _ time.Duration) ([]memcache.Result, error) {
		return getEach(ctx, c, pick(at, func(i int) memcache.GetRequest {
			return memcache.GetRequest{Key: keys[i], Return: itemReturns}
		}))
	}
	err = b.run(ctx, s, groups)
	items := make(map[string]Item, len(keys))
	for at, key := range keys {
		if r := &b.results[at]; r.Err == nil && r.Found() {
			items[key] = Item{Key: key, Value: r.Value, Flags: r.ClientFlags, CAS: r.CAS}
		}
	}
	var failed *MultiError
	if errors.As(err, &failed) {
		for key := range items { // that were given twice, and failed once
			delete(failed.Keys, key)
		}
	}
	return items, err
}

// getEach asks once more for what a server refused without saying which key it
// meant, each key by itself.
func getEach(ctx context.Context, c *memcache.Client, requests []memcache.GetRequest) ([]memcache.Result, error) {
	results, err := c.MetaGetMulti(ctx, requests)
	var refused *memcache.ServerError
	if !errors.As(err, &refused) {
		return results, err
	}
	err = nil
	for i := range results {
		r := &results[i]
		if errors.As(r.Err, &refused) && refused.Ambiguous {
			r.Response, r.Err = c.MetaGet(ctx, requests[i])
		}
		if err == nil {
			err = r.Err
		}
	}
	return results, err
}

// SetMulti stores all items, one exchange a node. Nothing is sent if one of them
// cannot be (ErrMalformedKey, ErrValueTooLarge). If items fail the error is a
// *MultiError with the key of each and why: its node, or the server that refused
// this item (ErrServerError: too large for it, out of memory). The others are
// stored. With Failure.Policy Successor the items of a failed node are stored on
// their next nodes, for Failure.GutterTTL at most. Of items with the same key any
// one is left.
func (m *Memcached) SetMulti(ctx context.Context, items []Item) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	s, groups, err := m.group(keys)
	if err != nil || len(groups) == 0 {
		return err
	}
	if err := groups[0].node.client.CheckSet(items); err != nil {
		leaveGroups(groups)
		return err
	}
	b := batch{m: m, operation: operation{"set", toSet}, keys: keys}
	b.send = func(ctx context.Context, c *memcache.Client, at []int, limit time.Duration) ([]memcache.Result, error) {
		return setEach(ctx, c, pick(at, func(i int) memcache.SetRequest {
			return memcache.SetRequest{
				Key: keys[i], Value: items[i].Value, TTL: limited(items[i].TTL, limit), ClientFlags: items[i].Flags,
			}
		}))
	}
	return b.run(ctx, s, groups)
}

// setEach has every item answered, by asking for something in return: of items
// that were stored in silence, and one that was refused, nobody could tell which
// one that is.
func setEach(ctx context.Context, c *memcache.Client, requests []memcache.SetRequest) ([]memcache.Result, error) {
	for i := range requests {
		requests[i].Return = memcache.ReturnCAS
	}
	results, err := c.MetaSetMulti(ctx, requests)
	for i := range results {
		if r := &results[i]; r.Err == nil && r.Status != memcache.StatusOK {
			r.Err = ErrNotStored
		}
	}
	return results, err
}

// DeleteMulti deletes the items under the keys, one exchange a node. A key that is
// not there is no error. Nothing is sent if one of the keys cannot be
// (ErrMalformedKey). If keys fail the error is a *MultiError with each of them;
// the others are gone. Failure.Policy is applied as by Delete.
func (m *Memcached) DeleteMulti(ctx context.Context, keys []string) error {
	s, groups, err := m.group(keys)
	if err != nil || len(groups) == 0 {
		return err
	}
	if err := groups[0].node.client.CheckGet(keys); err != nil {
		leaveGroups(groups)
		return err
	}
	b := batch{m: m, operation: operation{"delete", toDelete}, keys: keys}
	b.send = func(ctx context.Context, c *memcache.Client, at []int, _ time.Duration) ([]memcache.Result, error) {
		return c.MetaDeleteMulti(ctx, pick(at, func(i int) memcache.DeleteRequest {
			return memcache.DeleteRequest{Key: keys[i]}
		}))
	}
	return b.run(ctx, s, groups)
}

// pick makes a request for each of these places.
func pick[R any](at []int, request func(i int) R) []R {
	requests := make([]R, len(at))
	for j, i := range at {
		requests[j] = request(i)
	}
	return requests
}

// keyGroup is what goes to one node of an operation on many keys.
type keyGroup struct {
	node *memcachedNode
	at   []int // where the keys stand in what the caller gave
}

// group checks the keys against the guard, cuts them by owner, and enters every
// node concerned.
func (m *Memcached) group(keys []string) (*snapshot[*memcachedNode], []keyGroup, error) {
	for _, key := range keys {
		if err := m.cfg.Keys.check(key); err != nil {
			return nil, nil, err
		}
	}
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return s, nil, m.empty(s)
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
			groups[g].at = append(groups[g].at, at)
		}
		if enterGroups(groups) {
			return s, groups, nil
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

// gatherGroups makes one error of those of the nodes.
func gatherGroups(name string, groups []keyGroup, errs []error) error {
	failed := &MultiError{Command: name, Failed: map[string]error{}, Total: len(groups)}
	for i, err := range errs {
		if err != nil {
			failed.Failed[groups[i].node.member().ID] = err
		}
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
}
