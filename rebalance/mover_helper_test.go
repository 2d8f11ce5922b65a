package rebalance

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/memcache"
)

// patience is for what must happen and has no set time.
const patience = 60 * time.Second

const testTransition = 7

var bothKinds = []membership.Kind{membership.Redis, membership.Memcached}

// A testFleet is members with a real server each.
type testFleet struct {
	t       testing.TB
	kind    membership.Kind
	view    membership.View
	servers map[string]*servertest.Server
	config  Config // of the movers, but for Self and the URL
	suffix  string // of URLs: "/2"
	stores  map[string]store
}

// newFleet starts a server for each member.
func newFleet(t testing.TB, kind membership.Kind, members ...membership.Member) *testFleet {
	t.Helper()
	return newFleetWith(t, kind, nil, members...)
}

// newFleetWith gives some servers more arguments.
func newFleetWith(t testing.TB, kind membership.Kind, args map[string][]string, members ...membership.Member) *testFleet {
	t.Helper()
	f := &testFleet{t: t, kind: kind, servers: make(map[string]*servertest.Server), stores: make(map[string]store)}
	f.config.Logger = slog.New(slog.DiscardHandler)
	for i := range members {
		m := &members[i]
		m.Kind = kind
		if kind == membership.Redis {
			f.servers[m.ID] = servertest.Redis(t, append([]string{"--enable-debug-command", "yes"}, args[m.ID]...)...)
		} else {
			f.servers[m.ID] = servertest.Memcached(t, args[m.ID]...)
		}
		m.Address = f.servers[m.ID].Addr()
		if m.State != membership.Active && m.State != "" || m.Step != "" {
			m.Transition = testTransition
		}
	}
	f.see(members...)
	return f
}

func (f *testFleet) see(members ...membership.Member) {
	f.t.Helper()
	view, err := membership.NewView(1, members...)
	must(f.t, err)
	f.view = view
}

func active(id string) membership.Member { return membership.Member{ID: id, State: membership.Active} }
func coming(id string) membership.Member {
	return membership.Member{ID: id, State: membership.Importing}
}

func (f *testFleet) url(id string) string {
	scheme := "redis://"
	if f.kind == membership.Memcached {
		scheme = "memcached://"
	}
	return scheme + f.servers[id].Addr() + f.suffix
}

// mover returns the one of a node.
func (f *testFleet) mover(id string) *Mover {
	f.t.Helper()
	cfg := f.config
	cfg.Self, cfg.Source.URL = id, f.url(id)
	m, err := New(cfg)
	must(f.t, err)
	f.t.Cleanup(func() { must(f.t, m.Close()) })
	return m
}

// handOver runs one hand-over of each node to its end.
func (f *testFleet) handOver(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		must(f.t, f.mover(id).HandOver(within(f.t), f.view, testTransition))
	}
}

// store returns the server of a node, as clients see it.
func (f *testFleet) store(id string) store {
	f.t.Helper()
	if s := f.stores[id]; s != nil {
		return s
	}
	server := dataserver.Config{URL: f.url(id), Timeout: patience}
	if f.kind == membership.Redis {
		client, err := dataserver.RedisClient(server, 8)
		must(f.t, err)
		f.t.Cleanup(func() { client.Close() })
		f.stores[id] = redisStore{transit.Redis{Client: client}}
	} else {
		client, err := dataserver.MemcachedClient(server, 4)
		must(f.t, err)
		f.t.Cleanup(func() { client.Close() })
		f.stores[id] = memcachedStore{transit.Memcached{Client: client}}
	}
	return f.stores[id]
}

func (f *testFleet) redis(id string) *redis.Client { return f.store(id).(redisStore).Client }

// fence lets the mover in at these nodes until the test ends.
func (f *testFleet) fence(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		fence := transit.Fence{Prefix: f.config.Source.Prefix, Transition: testTransition}
		s := f.store(id)
		must(f.t, s.SetFence(f.t.Context(), fence))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for pause.For(ctx, transit.FenceRenewal) == nil {
				_ = s.SetFence(ctx, fence)
			}
		}()
		f.t.Cleanup(func() { cancel(); <-done })
	}
}

// rings returns the current and the next ring.
func (f *testFleet) rings() (now, next *ring.Ring) {
	f.t.Helper()
	now, err := ring.New(f.view.Current(f.kind), f.config.Placement)
	must(f.t, err)
	next, err = ring.New(f.view.Next(f.kind), f.config.Placement)
	must(f.t, err)
	return now, next
}

// store is what a test does with a server.
type store interface {
	set(ctx context.Context, key, value string, ttl time.Duration) error
	// get returns a value; "" and false if there is none.
	get(ctx context.Context, key string) (value string, ttl time.Duration, there bool, err error)
	del(ctx context.Context, key string) error
	bury(ctx context.Context, key string) error
	fill(ctx context.Context, items map[string]testItem) error
	SetFence(ctx context.Context, f transit.Fence) error
	DropFence(ctx context.Context, prefix string) error
}

type testItem struct {
	value string
	ttl   time.Duration
}

type redisStore struct{ transit.Redis }

func (s redisStore) set(ctx context.Context, key, value string, ttl time.Duration) error {
	return s.Client.Set(ctx, key, value, ttl).Err()
}

func (s redisStore) get(ctx context.Context, key string) (string, time.Duration, bool, error) {
	pipe := s.Client.Pipeline()
	value, ttl := pipe.Get(ctx, key), pipe.PTTL(ctx, key)
	_, err := pipe.Exec(ctx)
	if err == redis.Nil {
		return "", 0, false, nil
	}
	return value.Val(), max(ttl.Val(), 0), true, err
}

func (s redisStore) del(ctx context.Context, key string) error {
	return s.Client.Unlink(ctx, key).Err()
}

func (s redisStore) bury(ctx context.Context, key string) error {
	s.Transition = testTransition
	_, err := s.Bury(ctx, transit.Closed, key)
	return err
}

func (s redisStore) fill(ctx context.Context, items map[string]testItem) error {
	pipe := s.Client.Pipeline()
	for key, item := range items {
		pipe.Set(ctx, key, item.value, item.ttl)
	}
	_, err := pipe.Exec(ctx)
	return err
}

type memcachedStore struct{ transit.Memcached }

func (s memcachedStore) set(ctx context.Context, key, value string, ttl time.Duration) error {
	return s.Client.Set(ctx, memcache.Item{Key: key, Value: []byte(value), TTL: ttl, Flags: 5})
}

func (s memcachedStore) get(ctx context.Context, key string) (string, time.Duration, bool, error) {
	v, err := s.Take(ctx, key)
	if err != nil || v.State != 0 {
		return "", 0, false, err
	}
	if v.Item.Flags != 5 {
		err = fmt.Errorf("%q has flags %d", key, v.Item.Flags)
	}
	return string(v.Item.Value), v.Item.TTL, true, err
}

func (s memcachedStore) del(ctx context.Context, key string) error {
	_, err := s.Client.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
	return err
}

func (s memcachedStore) bury(ctx context.Context, key string) error {
	_, err := s.Bury(ctx, transit.Closed, key)
	return err
}

func (s memcachedStore) fill(ctx context.Context, items map[string]testItem) error {
	var requests []memcache.SetRequest
	for key, item := range items {
		requests = append(requests, memcache.SetRequest{Key: key, Value: []byte(item.value), TTL: item.ttl, ClientFlags: 5})
	}
	_, err := s.Client.MetaSetMulti(ctx, requests)
	return err
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls: what is waited for happens elsewhere.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// inBackground runs a hand-over beside the test.
func (f *testFleet) inBackground(m *Mover) (wait func() error, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(within(f.t))
	result := make(chan error, 1)
	go func() { result <- m.HandOver(ctx, f.view, testTransition) }()
	return func() error { return <-result }, cancel
}

// ownedBy makes keys until n of them go from one node to another; "" is any node
// but the source, and the same node means keys that stay.
func (f *testFleet) ownedBy(from, to, prefix string, n int) (keys []string) {
	now, next := f.rings()
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprintf("%s%d", prefix, i)
		then := next.Owner(key).ID
		if now.Owner(key).ID == from && (then == to || to == "" && then != from) {
			keys = append(keys, key)
		}
	}
	return keys
}

// leftovers returns the names of parts on a Redis server.
func leftovers(t testing.TB, c *redis.Client) (parts []string) {
	t.Helper()
	all, err := c.Keys(t.Context(), "__ringway:part:*").Result()
	must(t, err)
	for _, key := range all {
		parts = append(parts, strings.ToValidUTF8(key, "?"))
	}
	return parts
}

func found(key string) dataserver.Found { return dataserver.Found{Key: key} }
