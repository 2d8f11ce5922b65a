package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// toldRights is what docs/guide/caching.md tells to give to a space "svc:user" and a bus
// "svc".
func toldRights(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile("../docs/guide/caching.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(guide)) {
		if strings.HasPrefix(line, "    ~svc:user/*") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatal("docs/guide/caching.md says no rights")
	return ""
}

// With the rights that the guide tells to give, and no others, everything works that a
// space does; and nothing of it is superfluous.
func TestToldRights(t *testing.T) {
	rights := toldRights(t)
	server := servertest.RedisUsers(t, "svc on >secret -@all "+rights, "admin on >secret ~* &* +@all", "default off")
	client, err := router.NewRedis(t.Context(), router.Config{Source: sourceOf(t, membership.Redis, []string{server.Addr()}),
		Node: router.NodeConfig{Username: "svc", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "admin", Password: "secret"})
	t.Cleanup(func() { _ = admin.Close() })
	bus, err := NewRedisBus(client, "svc", BusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(ManagerConfig{Store: OnRedis(client), Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	everythingOf(t, m)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	wantNoDenials(t, admin)
	stats, err := admin.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, right := range strings.Fields(rights) {
		if right == "+unsubscribe" { // for a client that ends a subscription and keeps its connection
			continue
		}
		if command, is := strings.CutPrefix(right, "+"); is && !strings.Contains(stats, "cmdstat_"+command+":calls=") {
			t.Errorf("%s is told to be given, and nothing sends it", right)
		}
	}
}

// wantNoDenials fails for what the server has denied, but for what a client says of itself.
func wantNoDenials(t *testing.T, admin *redis.Client) {
	t.Helper()
	log, err := admin.ACLLog(t.Context(), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, denied := range log {
		if !strings.HasPrefix(denied.Object, "client") {
			t.Errorf("denied to %s: %s %q", denied.Username, denied.Reason, denied.Object)
		}
	}
}

// everythingOf has a space do all that needs a right.
func everythingOf(t *testing.T, m *Manager) {
	t.Helper()
	var src numbered
	s, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "svc:user", Schema: 3, Load: src.load, Epochs: true, Controls: true,
		LoadMany: func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
			all := make(map[userKey]Loaded[user])
			for _, k := range keys {
				all[k] = Loaded[user]{Value: user{Name: src.name()}, Version: 7}
			}
			return all, nil
		},
		Save: func(context.Context, userKey, user) (uint64, error) { return 9, nil },
		Life: LifeConfig{HoldOff: time.Millisecond}, Hot: HotConfig{Keys: 2, Copies: 3},
		Filter: FilterConfig[userKey]{Keys: func(_ context.Context, add func(userKey)) error { add(ada); return nil }},
		Tags:   TagsConfig[userKey, user]{OfKey: func(k userKey) []Tag { return kind(k.Tenant) }}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is heard", func() bool { return !deafSpace(m) })
	keys := []userKey{ada, {"acme", 2}, {"acme", 3}}
	many := func() (errs []error) {
		for _, a := range s.GetMany(t.Context(), keys) {
			if !errors.Is(a.Err, ErrNotFound) {
				errs = append(errs, a.Err)
			}
		}
		return errs
	}
	do := func(what string, errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	do("announce", s.Announce(t.Context(), keys...))
	do("many", many()...)
	do("many again", many()...)
	_, _, err = s.Get(t.Context(), ada)
	do("get", err)
	do("put", s.Put(t.Context(), ada, user{Name: "put"}))
	_, err = s.Incr(t.Context(), ada, 2)
	do("incr", err, s.Invalidate(t.Context(), ada), s.InvalidateBelow(t.Context(), ada, 3), s.InvalidateMany(t.Context(), keys))
	time.Sleep(5 * time.Millisecond) // the hold-off, and nothing waits for more
	do("after the hold-off", many()...)
	do("tags", s.InvalidateTags(t.Context(), kind("acme")...), s.InvalidateTags(t.Context(), kind("acme")...))
	do("after tags", many()...)
	do("epoch", s.BumpEpoch(t.Context()))
	_, err = s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String("acme") })
	do("pattern", err)
	time.Sleep(5 * time.Millisecond)
	do("after a pattern", many()...)
	_, err = m.ListTag(t.Context(), kind("acme")[0])
	do("list", err)
	_, err = m.EraseTag(t.Context(), kind("acme")[0])
	do("erase", err, SetControl(t.Context(), m.cfg.Store, "svc:user/3", Control{Bypass: BypassAll}))
	_, err = m.Audit(t.Context(), AuditConfig{Prefix: "svc:user/", Rate: 1e6})
	do("audit", err)
	if st := s.Stats(); st.StoreErrors > 0 {
		t.Errorf("%+v", st)
	}
}

// deafSpace says whether the bus of a manager hears nothing.
func deafSpace(m *Manager) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deaf
}

// The short list of TestLeastRights is part of what the guide tells.
func TestToldRightsHoldTheLeast(t *testing.T) {
	told := strings.Fields(toldRights(t))
	for _, right := range strings.Fields(leastRights) {
		if strings.HasPrefix(right, "+") && !slices.Contains(told, right) {
			t.Error(fmt.Sprint(right, " is not told"))
		}
	}
}
