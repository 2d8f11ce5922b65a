package cache

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

func TestMatchFields(t *testing.T) {
	key := func(f func(*KeyBuilder)) string { b := &KeyBuilder{}; f(b); return string(b.text) }
	acme := key(func(b *KeyBuilder) { b.String("acme"); b.Int(7); b.String("d e:1") })
	for pattern, want := range map[string]bool{
		"": true, "*": true, "**": true, "***": true, "****": false, "s4:acme": true, "s4:acme*": true, "s4:acmei1:7": true,
		"*i1:7": true, "*i1:8": false, "s4:acm": false, "s5:acmei": false, "**s5:d%20e:1": true, "**s5:d%20e": false, acme: true, acme + "*": false,
	} {
		if got := matchFields(pattern, acme); got != want {
			t.Errorf("%q on %q: %v", pattern, acme, got)
		}
	}
	for _, broken := range []string{"s", "s4", "s4:", "s4:ac", "4:acme", "s9999999999999:x", "s1:%4", "S1:x", "#00"} {
		if _, _, whole := cutField(broken); whole {
			t.Errorf("%q is taken for a field", broken)
		}
	}
}

// longTenant makes a key that is on the wire as a hash.
var longTenant = strings.Repeat("long", 80)

// Over each store with two nodes: of two tenants one goes, another space stays, and so
// do counters, and what cannot be told goes too.
func TestInvalidatePattern(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		m := newManager(t, store)
		open := func(name string) *Space[userKey, user] {
			return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Name, c.Epochs, c.L1.MaxBytes = name, true, 1<<20
				c.Load = func(context.Context, userKey) (Loaded[user], error) { return Loaded[user]{Value: user{Name: "x"}}, nil }
			})
		}
		s, other := open("user"), open("user.other")
		var all []userKey
		for i := range int64(1500) {
			all = append(all, userKey{"acme", i}, userKey{"acm", i})
		}
		all = append(all, userKey{longTenant, 1})
		s.GetMany(t.Context(), all)
		mustGet(t, other, ada)
		if _, err := s.Incr(t.Context(), ada, 5); err != nil {
			t.Fatal(err)
		}
		removed, err := s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String("acme") })
		if err != nil || removed != 1501 {
			t.Errorf("%d removed, %v; want 1501", removed, err)
		}
		left := 0
		for k, a := range s.GetMany(t.Context(), all) {
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			if left++; (a.Meta.Source == FromL2) != (k.Tenant == "acm") {
				t.Fatalf("%.20v: from %v", k, a.Meta.Source)
			}
		}
		if _, meta := mustGet(t, other, ada); meta.Source == FromLoader {
			t.Error("another space lost its entry")
		}
		if n, err := s.Incr(t.Context(), ada, 0); n != 5 || err != nil {
			t.Errorf("the counter is %d, %v", n, err)
		}
		if removed, err = s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.Any(); b.Int(3) }); err != nil || removed != 3 {
			t.Errorf("by the second field: %d removed, %v; want 2 and the long key", removed, err)
		}
		if err := s.InvalidateMany(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Invalidations != uint64(len(all))+2 {
			t.Errorf("%d invalidations were counted, want %d", st.Invalidations, len(all)+2)
		}
		for _, a := range s.GetMany(t.Context(), all[:10]) {
			if a.Meta.Source != FromLoader {
				t.Errorf("after InvalidateMany: from %v", a.Meta.Source)
			}
		}
	})
}

// A load that was begun before a pattern was invalidated is not stored.
func TestPatternEndsLoads(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		m, other := newManager(t, store), newManager(t, store)
		value := "old"
		var there *Space[userKey, user]
		overtake := true
		load := func(context.Context, userKey) (Loaded[user], error) {
			read := value
			if overtake {
				overtake, value = false, "new"
				if _, err := there.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String("acme") }); err != nil {
					t.Error(err)
				}
			}
			return Loaded[user]{Value: user{Name: read}}, nil
		}
		here := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = load })
		there = newUsers(t, other, func(c *SpaceConfig[userKey, user]) { c.Load = load })
		mustGet(t, here, ada)
		if v, _ := mustGet(t, there, ada); v.Name != "new" {
			t.Errorf("%q was stored by a load from before", v.Name)
		}
	})
}

// SCAN and UNLINK on every node, and never KEYS.
func TestPatternCommands(t *testing.T) {
	var addresses []string
	var servers []*servertest.Server
	for range 3 {
		s := servertest.Redis(t)
		servers, addresses = append(servers, s), append(addresses, s.Addr())
	}
	client := redisFleet(t, addresses)
	s := newUsers(t, newManager(t, OnRedis(client)), func(c *SpaceConfig[userKey, user]) {
		c.Load = func(context.Context, userKey) (Loaded[user], error) { return Loaded[user]{}, nil }
	})
	var keys []userKey
	for i := range int64(300) {
		keys = append(keys, userKey{"acme", i})
	}
	s.GetMany(t.Context(), keys)
	if n, err := s.InvalidatePattern(t.Context(), func(*PatternBuilder) {}); n != 300 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	for _, server := range servers {
		one := redisFleet(t, []string{server.Addr()})
		if err := one.ForEachNode(t.Context(), commandStats(t)); err != nil {
			t.Error(err)
		}
	}
}

// dumbClient has no way to single servers.
type dumbClient struct{ MemcachedClient }

func TestScanUnsupported(t *testing.T) {
	address := servertest.Memcached(t).Addr()
	s := newUsers(t, newManager(t, OnMemcached(dumbClient{memcachedFleet(t, []string{address})})), nil)
	if _, err := s.InvalidatePattern(t.Context(), func(*PatternBuilder) {}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v, want ErrUnsupported", err)
	}
	client, err := memcache.New(memcache.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s = newUsers(t, newManager(t, OnMemcached(client)), nil)
	if _, err := s.InvalidatePattern(t.Context(), func(*PatternBuilder) {}); err != nil {
		t.Errorf("one server: %v", err)
	}
	if _, err := s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.Personal("x") }); !errors.As(err, new(*KeyError)) {
		t.Errorf("personal without a secret: %v", err)
	}
}

func commandStats(t *testing.T) func(context.Context, string, *redis.Client) error {
	return func(ctx context.Context, id string, node *redis.Client) error {
		stats, err := node.Info(ctx, "commandstats").Result()
		if !strings.Contains(stats, "cmdstat_scan:") || !strings.Contains(stats, "cmdstat_unlink:") || strings.Contains(stats, "cmdstat_keys:") {
			t.Errorf("a node was sent %s", stats)
		}
		return err
	}
}
