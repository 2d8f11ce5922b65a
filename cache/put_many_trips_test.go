package cache

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

// tripCounter counts what a Redis client sends: commands alone, and pipelines.
type tripCounter struct{ alone, pipelines atomic.Int64 }

func (c *tripCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (c *tripCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.alone.Add(1)
		return next(ctx, cmd)
	}
}

func (c *tripCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.pipelines.Add(1)
		return next(ctx, cmds)
	}
}

// savedAs returns a space whose source gives each write the version, and pairs for it.
func savedAs(t *testing.T, store Store, version uint64, pairs int) (*Space[userKey, user], []Pair[userKey, user]) {
	t.Helper()
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
		c.Loads = LoadsConfig{Timeout: 20 * time.Second}
		c.SaveMany = func(_ context.Context, pairs []Pair[userKey, user]) ([]uint64, error) {
			versions := make([]uint64, len(pairs))
			for i := range versions {
				versions[i] = version
			}
			return versions, nil
		}
	})
	var all []Pair[userKey, user]
	for i := range int64(pairs) {
		all = append(all, Pair[userKey, user]{userKey{"acme", i}, user{Name: "Ada"}})
	}
	return s, all
}

// However many keys: one pipeline for a node of Redis, with versions and without.
func TestPutManyIsOnePipeline(t *testing.T) {
	for name, version := range map[string]uint64{"versions": 1, "no versions": 0} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: servertest.Redis(t).Addr()})
			t.Cleanup(func() { _ = client.Close() })
			s, pairs := savedAs(t, OnRedis(client), version, 300)
			if err := s.PutMany(t.Context(), pairs); err != nil { // the server has the scripts
				t.Fatal(err)
			}
			trips := &tripCounter{}
			client.AddHook(trips)
			if err := s.PutMany(t.Context(), pairs); err != nil {
				t.Fatal(err)
			}
			if alone, pipelines := trips.alone.Load(), trips.pipelines.Load(); alone != 0 || pipelines != 1 {
				t.Errorf("%d commands alone and %d pipelines, want one pipeline", alone, pipelines)
			}
		})
	}
}

// waitForAll answers the first looks at keys when all of them have come: requests that
// wait for each other's replies never would.
type waitForAll struct {
	MemcachedClient
	mu      sync.Mutex
	missing int
	all     chan struct{} // closed when none is missing
}

func (g *waitForAll) MetaGet(ctx context.Context, r memcache.GetRequest) (memcache.Response, error) {
	g.mu.Lock()
	if g.missing--; g.missing == 0 {
		close(g.all)
	}
	g.mu.Unlock()
	select {
	case <-g.all:
		return g.MemcachedClient.MetaGet(ctx, r)
	case <-ctx.Done():
		return memcache.Response{}, ctx.Err()
	}
}

// On Memcached no key of a batch waits for another one's replies.
func TestPutManyOnMemcachedAtOnce(t *testing.T) {
	const keys = 1000
	client, err := memcache.New(memcache.Config{Address: servertest.Memcached(t).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, version := range map[string]uint64{"versions": 1, "no versions": 0} {
		t.Run(name, func(t *testing.T) {
			store := OnMemcached(&waitForAll{MemcachedClient: client, missing: keys, all: make(chan struct{})})
			s, pairs := savedAs(t, store, version, keys)
			if err := s.PutMany(t.Context(), pairs); err != nil {
				t.Error(err)
			}
		})
	}
}
