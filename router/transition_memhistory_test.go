package router

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// TestMemcachedHistory: see history.
func TestMemcachedHistory(t *testing.T) {
	s := newMemStage(t)
	h := &history{t: t}
	var routers [2]*memActor
	for i := range routers {
		routers[i] = s.router(membership.Joining, Config{})
		h.routers[i] = memSubject{routers[i]}
	}
	h.pass = func() bool { return s.pass(routers[0]) }
	h.run()
}

type memSubject struct{ *memActor }

func (m memSubject) see(state membership.State) {
	before := m.Epoch()
	if err := m.source.Set(m.stage.members(state)...); err != nil {
		m.stage.t.Error(err)
	}
	for m.Epoch() == before && m.stage.t.Context().Err() == nil {
	}
}

func (m memSubject) get(how int, keys ...string) ([]string, error) {
	values := make([]string, len(keys))
	if how%2 == 0 || len(keys) > 1 {
		items, err := m.GetMulti(context.Background(), keys)
		for i, key := range keys {
			values[i] = string(items[key].Value)
		}
		return values, err
	}
	item, err := m.Get(context.Background(), keys[0])
	values[0] = string(item.Value)
	if errors.Is(err, ErrCacheMiss) {
		err = nil
	}
	return values, err
}

func (m memSubject) set(how int, value string, keys ...string) error {
	items := make([]Item, len(keys))
	for i, key := range keys {
		items[i] = Item{Key: key, Value: []byte(value), TTL: time.Duration(how%2) * time.Hour}
	}
	if how%3 == 0 || len(items) > 1 {
		return m.SetMulti(context.Background(), items)
	}
	return m.Set(context.Background(), items[0])
}

func (m memSubject) delete(how int, keys ...string) (int, error) {
	if how%2 == 0 || len(keys) > 1 {
		return -1, m.DeleteMulti(context.Background(), keys)
	}
	err := m.Delete(context.Background(), keys[0])
	if errors.Is(err, ErrCacheMiss) {
		return 0, nil
	}
	return 1, err
}

func (m memSubject) append(how int, key, value string) error {
	ctx, item := context.Background(), Item{Key: key, Value: []byte(value)}
	if how%2 == 0 {
		old, err := m.Get(ctx, key)
		if err == nil {
			old.Value = append(old.Value, value...)
			// Where it was brought over since, the item has another CAS.
			if err = m.CompareAndSwap(ctx, old); !errors.Is(err, ErrCASConflict) {
				return err
			}
		}
	}
	err := m.Append(ctx, item)
	if errors.Is(err, ErrNotStored) {
		err = m.Add(ctx, item)
	}
	return err
}

func (m memSubject) take(key string) (string, error) {
	ctx := context.Background()
	for {
		item, err := m.Get(ctx, key)
		if err == nil {
			err = m.DeleteCAS(ctx, key, item.CAS)
		}
		switch {
		case errors.Is(err, ErrCacheMiss):
			return "", nil
		case !errors.Is(err, ErrCASConflict):
			return string(item.Value), err
		}
	}
}

// pass goes once over all nodes, as the mover does, and reports whether there was
// nothing left to move.
func (s *memStage) pass(r *memActor) (finished bool) {
	ctx := context.Background()
	t := r.fleet.current.Load().moving
	finished = true
	for i, c := range s.clients {
		var keys []string
		for info, err := range c.Metadump(ctx) {
			if errors.Is(err, memcache.ErrBusy) {
				return false
			}
			if err != nil {
				s.t.Errorf("mover: %v", err)
				return true
			}
			keys = append(keys, info.Key)
		}
		for _, key := range keys {
			next := t.placement.OwnerIndex(key)
			if id := t.nodes[next].member().ID; int(id[4]-'0') != i {
				moved, err := moveItemSlowly(transit.Memcached{Client: c}, transit.Memcached{Client: s.clients[id[4]-'0']}, key)
				if err != nil {
					s.t.Errorf("mover: %v", err)
				}
				finished = finished && !moved
			}
		}
	}
	return finished
}

// moveItemSlowly moves one item, with pauses between the steps, and reports
// whether there was one: a tombstone may stay.
func moveItemSlowly(o, n transit.Memcached, key string) (there bool, err error) {
	ctx := context.Background()
	look, err := n.Look(ctx, key)
	if err != nil {
		return true, err
	}
	v, err := o.Take(ctx, key)
	if err != nil || v.State == transit.Gone {
		return false, err
	}
	pauseAtRandom()
	outcome, _, err := n.Store(ctx, look, v)
	if err != nil {
		return true, err
	}
	pauseAtRandom()
	switch outcome {
	case transit.Copied:
	case transit.Present: // a read has copied it, if it is the same
		other, err := n.Take(ctx, key)
		if err != nil || other.State != 0 || !bytes.Equal(other.Item.Value, v.Item.Value) {
			return true, err
		}
	default:
		return true, nil
	}
	_, err = o.Remove(ctx, v)
	return true, err
}
