package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// secured reads, changes and tells over clients with the settings: two processes.
func secured(t *testing.T, address string, node router.NodeConfig, bus string) []*Space[userKey, user] {
	t.Helper()
	var src numbered
	var spaces []*Space[userKey, user]
	for range 2 {
		client, err := router.NewRedis(t.Context(), router.Config{Source: sourceOf(t, membership.Redis, []string{address}), Node: node})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		b, err := NewRedisBus(client, bus, BusConfig{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewManager(ManagerConfig{Store: OnRedis(client), Bus: b})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		spaces = append(spaces, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Epochs, c.L1 = src.load, true, L1Config{MaxBytes: 1 << 20, TTL: time.Hour}
		}))
	}
	return spaces
}

// allOperations does everything that needs a right of its own.
func allOperations(t *testing.T, spaces []*Space[userKey, user]) {
	t.Helper()
	one, two := spaces[0], spaces[1]
	for _, s := range spaces {
		eventually(t, "the bus is heard", func() bool { return !deaf(s) })
	}
	wantName(t, one, "0", FromLoader)
	wantName(t, two, "0", FromL2)
	for _, a := range two.GetMany(t.Context(), []userKey{ada, {"acme", 2}}) {
		if a.Err != nil {
			t.Error(a.Err)
		}
	}
	_, err := one.Incr(t.Context(), ada, 1)
	if err := errors.Join(err, one.Invalidate(t.Context(), ada), one.InvalidateBelow(t.Context(), ada, 3), one.BumpEpoch(t.Context())); err != nil {
		t.Error(err)
	}
	mustGet(t, one, ada)
	eventually(t, "the other process is told", func() bool { _, meta := mustGet(t, two, ada); return meta.Source == FromL2 || meta.Source == FromL1 })
	for _, s := range spaces {
		if st := s.Stats(); st.StoreErrors > 0 {
			t.Errorf("%+v", st)
		}
	}
}

func TestOverTLS(t *testing.T) {
	server := servertest.RedisTLS(t)
	allOperations(t, secured(t, server.Addr(), router.NodeConfig{TLS: server.TLS()}, "user"))
}

// leastRights is what docs/guide/caching.md tells to give: the keys of the space
// "user", the channels of the bus "user", and the commands that package cache sends.
const leastRights = "svc on >secret ~user/* &user:bus:* -@all" +
	" +get +mget +set +del +getrange +setrange +pttl +pexpire +incrby +time +eval +evalsha" +
	" +publish +subscribe +unsubscribe +ping +hello"

func TestLeastRights(t *testing.T) {
	server := servertest.RedisUsers(t, leastRights, "default off")
	svc := router.NodeConfig{Username: "svc", Password: "secret"}
	allOperations(t, secured(t, server.Addr(), svc, "user"))
}

// A user without the right to the keys: reads go to the source, and what could not
// be invalidated is said. One without the right to the channels never hears.
func TestWithoutRights(t *testing.T) {
	server := servertest.RedisUsers(t, leastRights, "other on >secret ~other/* &other:* +@all", "default off")
	spaces := secured(t, server.Addr(), router.NodeConfig{Username: "other", Password: "secret"}, "user")
	wantName(t, spaces[0], "0", FromLoader)
	if err := spaces[0].Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("Invalidate: %v", err)
	}
	if err := spaces[0].BumpEpoch(t.Context()); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("BumpEpoch: %v", err)
	}
	eventually(t, "it has noticed that it hears nothing", func() bool { return deaf(spaces[0]) })
}
