package resizetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring/modulo"
	"github.com/ringway/ringway/router"
)

// A contender is a sharded cache whose fleet can be changed.
type contender struct {
	store
	owner func(key string, n int) string // with so many nodes

	// add and drain begin a change; it has come to its end when settled.
	add, drain func()
	settled    func(n int) bool
	moved      func() int64 // keys that movers have moved in the last change
}

// contenders are those that are compared, by name.
var contenders = []struct {
	name string
	make func(t *testing.T) *contender
}{
	{"ringway", newRingway},
	{"ring, keys not moved", newBareRing},
	{"modulo", newModulo},
}

// redisStore is a client of the library's.
type redisStore struct{ *router.Redis }

func (s redisStore) get(ctx context.Context, key string) (string, bool, error) {
	value, err := s.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	return value, err == nil, err
}

func (s redisStore) set(ctx context.Context, key, value string) error {
	return s.Set(ctx, key, value, life).Err()
}

// newStore returns a client whose patience is that of a very busy machine.
func newStore(t testing.TB, source membership.Source) redisStore {
	t.Helper()
	const patience = time.Minute
	r, err := router.NewRedis(t.Context(), router.Config{Source: source, DrainTimeout: patience,
		Node:    router.NodeConfig{DialTimeout: patience, ReadTimeout: patience},
		Breaker: router.BreakerConfig{Disabled: true}})
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return redisStore{r}
}

// newRingway has agents that move the keys.
func newRingway(t *testing.T) *contender {
	f := newFleet(t, startServers(t, nodes+1), nodes, rebalance.Limits{})
	c := &contender{store: newStore(t, f.client), owner: ringOwner(t), settled: f.settled, drain: f.leave}
	c.add = func() { f.join(nodes) }
	c.moved = func() int64 {
		if f.settled(nodes) { // back: the one that left has moved them
			return f.moved(f.agents[nodes])
		}
		return f.moved(f.agents[:nodes]...)
	}
	return c
}

func ringOwner(t testing.TB) func(key string, n int) string {
	before, after := ringOf(t, nodes), ringOf(t, nodes+1)
	return func(key string, n int) string {
		if n == nodes {
			return before.Owner(key).ID
		}
		return after.Owner(key).ID
	}
}

func members(servers []*servertest.Server) (list []membership.Member) {
	for i, s := range servers {
		list = append(list, membership.Member{ID: nodeName(i), Address: s.Addr()})
	}
	return list
}

// newBareRing has a list of nodes: a change takes effect at once, and moves no key.
func newBareRing(t *testing.T) *contender {
	all := members(startServers(t, nodes+1))
	source, err := membership.NewManual(all[:nodes]...)
	must(t, err)
	t.Cleanup(func() { source.Close() })
	s := newStore(t, source)
	change := func(n int) {
		must(t, source.Set(all[:n]...))
		view, err := source.Next(t.Context(), 0)
		must(t, err)
		eventually(t, "the client has heard of the change", func() bool { return s.Epoch() == view.Epoch })
	}
	return &contender{store: s, owner: ringOwner(t), settled: func(int) bool { return true }, moved: func() int64 { return 0 },
		add: func() { change(nodes + 1) }, drain: func() { change(nodes) }}
}

// moduloStore has a client for each node.
type moduloStore struct {
	place  *modulo.Modulo
	stores []redisStore
}

func (s *moduloStore) get(ctx context.Context, key string) (string, bool, error) {
	return s.stores[s.place.OwnerIndex(key)].get(ctx, key)
}

func (s *moduloStore) set(ctx context.Context, key, value string) error {
	return s.stores[s.place.OwnerIndex(key)].set(ctx, key, value)
}

// newModulo takes the hash modulo the number of nodes; it is changed while no
// request is under way.
func newModulo(t *testing.T) *contender {
	place := func(n int) *modulo.Modulo {
		m, err := modulo.New(nodeList(n), modulo.Config{})
		must(t, err)
		return m
	}
	before, after := place(nodes), place(nodes+1)
	s := &moduloStore{place: before}
	for _, m := range members(startServers(t, nodes+1)) {
		source, err := membership.Static(m)
		must(t, err)
		t.Cleanup(func() { source.Close() })
		s.stores = append(s.stores, newStore(t, source))
	}
	owner := func(key string, n int) string {
		if n == nodes {
			return before.Owner(key).ID
		}
		return after.Owner(key).ID
	}
	return &contender{store: s, owner: owner, settled: func(int) bool { return true }, moved: func() int64 { return 0 },
		add: func() { s.place = after }, drain: func() { s.place = before }}
}
