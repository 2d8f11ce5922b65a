package cache

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childVariable); role != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

const childVariable = "RINGWAY_CACHE_TEST_CHILD"

// allStores are the capabilities that each of the three stores has.
type allStores interface {
	Store
	Leaser
	Batcher
	Counter
}

// A backend is a fleet that a store can be made over.
type backend struct {
	name  string
	start func(t *testing.T, servers int) (addresses []string)
	open  func(t testing.TB, addresses []string) allStores
}

var backends = []backend{
	{"memory", func(*testing.T, int) []string { return nil },
		func(testing.TB, []string) allStores { return NewMemory() }},
	{"redis", func(t *testing.T, n int) (addresses []string) {
		for range n {
			addresses = append(addresses, servertest.Redis(t).Addr())
		}
		return addresses
	}, func(t testing.TB, addresses []string) allStores { return OnRedis(redisFleet(t, addresses)) }},
	{"memcached", func(t *testing.T, n int) (addresses []string) {
		for range n {
			addresses = append(addresses, servertest.Memcached(t).Addr())
		}
		return addresses
	}, func(t testing.TB, addresses []string) allStores { return OnMemcached(memcachedFleet(t, addresses)) }},
}

// patient is for tests of something else than speed: a machine that is busy is not
// taken for a server that has failed.
func patient(source membership.Source) router.Config {
	return router.Config{Source: source, Breaker: router.BreakerConfig{Disabled: true},
		Node: router.NodeConfig{DialTimeout: time.Minute, ReadTimeout: time.Minute}}
}

func redisFleet(t testing.TB, addresses []string) *router.Redis {
	t.Helper()
	client, err := router.NewRedis(t.Context(), patient(sourceOf(t, membership.Redis, addresses)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func memcachedFleet(t testing.TB, addresses []string) *router.Memcached {
	t.Helper()
	client, err := router.NewMemcached(t.Context(), patient(sourceOf(t, membership.Memcached, addresses)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func sourceOf(t testing.TB, kind membership.Kind, addresses []string) membership.Source {
	t.Helper()
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: string(rune('a' + i)), Kind: kind, Address: address})
	}
	source, err := membership.Static(members...)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// eachBackend runs the test over all three stores, the fleets with two servers.
func eachBackend(t *testing.T, test func(t *testing.T, store allStores)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { test(t, b.open(t, b.start(t, 2))) })
	}
}

// eachBackendAtOnce is for tests that wait for ends of lives, which servers count in
// seconds: the stores wait at the same time. Nothing else runs meanwhile.
func eachBackendAtOnce(t *testing.T, test func(t *testing.T, store allStores)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b.open(t, b.start(t, 2)))
		})
	}
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

type userKey struct {
	Tenant string
	ID     int64
}

func (k userKey) AppendKey(b *KeyBuilder) {
	b.String(k.Tenant)
	b.Int(k.ID)
}

type user struct {
	Name  string
	Roles []string
}

var ada = userKey{"acme", 1}

func newManager(t testing.TB, store Store) *Manager {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func newUsers(t testing.TB, m *Manager, change func(*SpaceConfig[userKey, user])) *Space[userKey, user] {
	t.Helper()
	cfg := SpaceConfig[userKey, user]{Name: "user", Schema: 3}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSpace(m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cloneUser(u user) user {
	u.Roles = slices.Clone(u.Roles)
	return u
}

func mustGet(t testing.TB, s *Space[userKey, user], key userKey) (user, Meta) {
	t.Helper()
	v, meta, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatalf("Get(%v): %v", key, err)
	}
	return v, meta
}
