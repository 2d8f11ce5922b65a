package dataserver

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

func TestAt(t *testing.T) {
	for _, c := range []struct{ url, address, want string }{
		{"redis://127.0.0.1:6379", "10.0.0.2:7000", "redis://10.0.0.2:7000"},
		{"redis://127.0.0.1:6379/3", "10.0.0.2:7000", "redis://10.0.0.2:7000/3"},
		{"redis://127.0.0.1/3", "[::1]:7000", "redis://[::1]:7000/3"},
		{"redis://u:p%40ss@localhost", "cache-b:6379", "redis://u:p%40ss@cache-b:6379"},
		{"redis://localhost/3", "unix:///run/b.sock", "redis+unix:///run/b.sock?db=3"},
		{"redis+unix:///run/a.sock?db=3", "unix:///run/b.sock", "redis+unix:///run/b.sock?db=3"},
		{"redis+unix:///run/a.sock?db=3", "cache-b:6379", "redis://cache-b:6379/3"},
		{"memcached://localhost", "cache-b:11211", "memcached://cache-b:11211"},
		{"memcached+unix:///run/a.sock", "unix:///run/b.sock", "memcached+unix:///run/b.sock"},
		{"redis://localhost", "", ""},
		{"redis://localhost", "no port", ""},
		{"redis://localhost", "unix://relative", ""},
		{"nonsense", "cache-b:6379", ""},
	} {
		got, err := Config{URL: c.url, Prefix: "p", Rate: 3}.At(c.address)
		switch {
		case c.want == "" && !errors.Is(err, ErrInvalidConfig):
			t.Errorf("%s at %q: %v, %q", c.url, c.address, err, got.URL)
		case c.want != "" && (err != nil || got.URL != c.want || got.Prefix != "p" || got.Rate != 3):
			t.Errorf("%s at %q: %v, %q, want %q", c.url, c.address, err, got.URL, c.want)
		}
	}
	if got, err := (Config{URL: "rediss://localhost", TLS: TLSFiles{ServerName: "x"}}).At("unix:///b"); err != nil || got.TLS != (TLSFiles{}) {
		t.Errorf("a socket with TLS: %+v, %v", got, err)
	}
}

func TestClients(t *testing.T) {
	ctx := background(t)
	r := servertest.RedisUsers(t, "alice on >secret ~* &* +@all", "default off")
	for password, want := range map[string]error{"secret": nil, "wrong": ErrCredentials} {
		c, err := RedisClient(Config{URL: "redis://" + r.Addr() + "/2", Username: "alice", Password: password, Timeout: patience}, 3)
		must(t, err)
		if err := c.Ping(ctx).Err(); (err == nil) != (want == nil) || err != nil && !strings.Contains(err.Error(), want.Error()) {
			t.Errorf("password %q: %v, want %v", password, err, want)
		}
		if err := c.Do(ctx, "CLIENT", "INFO").Err(); want == nil && err != nil {
			t.Error(err)
		}
		must(t, c.Close())
	}
	m := servertest.Memcached(t)
	c, err := MemcachedClient(Config{URL: "memcached://" + m.Addr(), Timeout: patience}, 3)
	must(t, err)
	must(t, c.Set(ctx, memcache.Item{Key: "with spaces", Value: []byte("v")}))
	must(t, c.Close())
	for _, wrong := range []Config{{URL: "nonsense"}, {URL: "memcached://h"}, {URL: "redis://h", Password: "x", PasswordEnv: "y"}} {
		if _, err := RedisClient(wrong, 1); !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for _, wrong := range []Config{{URL: "nonsense"}, {URL: "redis://h"}, {URL: "memcached://h", Password: "x"}} {
		if _, err := MemcachedClient(wrong, 1); !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	if kind, err := (Config{URL: "rediss://h"}).Kind(); kind != membership.Redis || err != nil {
		t.Errorf("%v, %v", kind, err)
	}
}

// TestEach: every key under the prefix once at least, and none of the servers' own.
func TestEach(t *testing.T) {
	red, mem := servertest.Redis(t), servertest.Memcached(t)
	r, m := direct(t, red, 0), directMemcached(t, mem)
	fill(t, r, slices.Concat(numbered("a:", 3000), numbered("b:", 100), []string{transit.Marker("a:1"), transit.FenceKey("")})...)
	for _, key := range slices.Concat(numbered("a:", 3000), numbered("b:", 100), []string{transit.FenceKey("")}) {
		must(t, m.Set(t.Context(), memcache.Item{Key: key, Value: []byte("v")}))
	}
	for _, url := range []string{"redis://" + red.Addr(), "memcached://" + mem.Addr()} {
		for prefix, want := range map[string]int{"": 3100, "a:": 3000, "c:": 0} {
			s := open(t, Config{URL: url, Prefix: prefix})
			if cached, ok := s.(*memcachedServer); ok {
				cached.gatherMax = 700 // the dump begins anew
			}
			seen := make(map[string]bool)
			err := Each(background(t), s, func(key string) bool { return !seen[key] }, func(found []Found) error {
				for _, f := range found {
					seen[f.Key] = true
					if (f.Size > 0) != (s.Kind() == membership.Memcached) {
						t.Errorf("%s: %d bytes", f.Key, f.Size)
					}
				}
				return nil
			})
			if err != nil || len(seen) != want || transit.IsMarker(slices.Max(append(slices.Collect(maps.Keys(seen)), ""))) {
				t.Errorf("%s, prefix %q: %d keys, %v, want %d", url, prefix, len(seen), err, want)
			}
			boom := errors.New("boom")
			if err := Each(t.Context(), s, keepEverything, func([]Found) error { return boom }); want > 0 && err != boom {
				t.Errorf("%s: an error of page: %v", url, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := Each(ctx, s, keepEverything, func([]Found) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: cancelled: %v", url, err)
			}
		}
	}
	if err := Each(t.Context(), nil, nil, nil); err == nil {
		t.Error("no server at all")
	}
}

// TestMarkersAreNotKeys: fences and tombstones are not counted, and stay where keys
// are removed one by one.
func TestMarkersAreNotKeys(t *testing.T) {
	red, mem := servertest.Redis(t), servertest.Memcached(t)
	r, m := direct(t, red, 0), directMemcached(t, mem)
	fence := transit.Fence{Transition: 1}
	markers := []string{transit.Marker("k"), transit.FenceKey(""), transit.PartKey("k", "1")}
	for name, s := range map[string]Server{"redis": open(t, Config{URL: "redis://" + red.Addr()}), "memcached": open(t, Config{URL: "memcached://" + mem.Addr()})} {
		fill(t, r, append(numbered("k", 10), markers...)...)
		must(t, transit.Memcached{Client: m}.SetFence(t.Context(), fence))
		for _, key := range numbered("k", 10) {
			must(t, m.Set(t.Context(), memcache.Item{Key: key, Value: []byte("v")}))
		}
		if n, err := s.Count(t.Context()); n != 10 || err != nil {
			t.Errorf("%s: counted %d, %v", name, n, err)
		}
		if n, err := s.Sweep(t.Context(), keepNothing, nil); n != 10 || err != nil {
			t.Errorf("%s: swept %d, %v", name, n, err)
		}
		if n, err := s.Count(t.Context()); n != 0 || err != nil {
			t.Errorf("%s: counted %d, %v after the sweep", name, n, err)
		}
	}
	if n := r.Exists(t.Context(), markers...).Val(); n != int64(len(markers)) {
		t.Errorf("redis: %d markers of %d", n, len(markers))
	}
	if fenced, err := (transit.Memcached{Client: m}).Fenced(t.Context(), fence); !fenced || err != nil {
		t.Errorf("memcached: fenced %v, %v", fenced, err)
	}
}

func TestNameable(t *testing.T) {
	for _, c := range []struct {
		key  string
		want bool
	}{
		{"key", true}, {"with spaces", true}, {strings.Repeat("k", 250), true},
		{strings.Repeat(" ", 186), true}, {strings.Repeat(" ", 187), false}, {strings.Repeat("k", 200) + "\x7f", false},
	} {
		if nameable(c.key) != c.want {
			t.Errorf("%q: %v", c.key, !c.want)
		}
	}
}
