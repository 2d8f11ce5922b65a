package dataserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// A target is a data server of one kind, reached in one way.
type target struct {
	kind    membership.Kind
	address string
	open    func(prefix string) dataserver.Server
	set     func(keys ...string)
	missing func(keys ...string) []string // those of the keys that are not there
	restart func()
}

var targets = map[string]func(t *testing.T) target{
	"fake": fakeTarget,
	"redis": func(t *testing.T) target {
		s := servertest.Redis(t)
		return redisTarget(t, s, "redis://"+s.Addr(), s.Addr(), dataserver.TLSFiles{})
	},
	"redis TLS": func(t *testing.T) target {
		s := servertest.RedisTLS(t)
		return redisTarget(t, s, "rediss://"+s.Addr(), s.Addr(), filesOf(s))
	},
	"redis unix": func(t *testing.T) target {
		dir, err := os.MkdirTemp("", "rw") // the path must be short
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		socket := filepath.Join(dir, "redis.sock")
		s := servertest.Redis(t, "--unixsocket", socket)
		return redisTarget(t, s, "redis+unix://"+socket, "unix://"+socket, dataserver.TLSFiles{})
	},
	"memcached": func(t *testing.T) target {
		s := servertest.Memcached(t)
		return memcachedTarget(t, s, "memcached://"+s.Addr(), s.Addr(), dataserver.TLSFiles{})
	},
	"memcached TLS": func(t *testing.T) target {
		s := servertest.Start(t, servers.Config{Kind: servers.Memcached, TLS: true})
		return memcachedTarget(t, s, "memcacheds://"+s.Addr(), s.Addr(), filesOf(s))
	},
	"memcached unix": func(t *testing.T) target {
		s := servertest.Start(t, servers.Config{Kind: servers.Memcached, Unix: true})
		return memcachedTarget(t, s, "memcached+unix://"+s.Addr(), "unix://"+s.Addr(), dataserver.TLSFiles{})
	},
}

func filesOf(s *servertest.Server) dataserver.TLSFiles {
	file := func(name string) string { return filepath.Join(s.Dir(), name) }
	return dataserver.TLSFiles{CAFile: file("ca.pem"), CertFile: file("cert.pem"), KeyFile: file("key.pem")}
}

func fakeTarget(t *testing.T) target {
	fakes := make(map[string]*dataservertest.Fake)
	all := func(f func(*dataservertest.Fake)) {
		for _, fake := range fakes {
			f(fake)
		}
	}
	// One for each prefix, which hold the same keys.
	var keys []string
	return target{
		kind: membership.Redis, address: "fake:1",
		open: func(prefix string) dataserver.Server {
			fake := dataservertest.New(membership.Redis, "fake:1", prefix)
			fake.Set(keys...)
			fake.SetMemory(7, 9)
			fakes = map[string]*dataservertest.Fake{prefix: fake}
			t.Cleanup(func() { fake.Close() })
			return fake
		},
		set: func(more ...string) {
			keys = append(keys, more...)
			all(func(f *dataservertest.Fake) { f.Set(more...) })
		},
		missing: func(asked ...string) (missing []string) {
			all(func(f *dataservertest.Fake) {
				there := f.Keys()
				missing = slices.DeleteFunc(slices.Clone(asked), func(k string) bool { return slices.Contains(there, k) })
			})
			return missing
		},
		restart: func() { all(func(f *dataservertest.Fake) { f.Restart(false) }) },
	}
}

func opener(t *testing.T, config dataserver.Config) func(prefix string) dataserver.Server {
	return func(prefix string) dataserver.Server {
		config.Prefix, config.Timeout = prefix, 20*time.Second
		s, err := dataserver.Open(config)
		must(t, err)
		t.Cleanup(func() { s.Close() })
		return s
	}
}

func redisTarget(t *testing.T, s *servertest.Server, url, address string, files dataserver.TLSFiles) target {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), TLSConfig: s.TLS(), Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return target{
		kind: membership.Redis, address: address,
		open: opener(t, dataserver.Config{URL: url, TLS: files}),
		set: func(keys ...string) {
			for _, key := range keys {
				must(t, client.Set(t.Context(), key, "v", 0).Err())
			}
		},
		missing: func(keys ...string) (missing []string) {
			for _, key := range keys {
				n, err := client.Exists(t.Context(), key).Result()
				must(t, err)
				if n == 0 {
					missing = append(missing, key)
				}
			}
			return missing
		},
		restart: s.Restart,
	}
}

func memcachedTarget(t *testing.T, s *servertest.Server, url, address string, files dataserver.TLSFiles) target {
	dial := s.Addr()
	if s.Addr()[0] == '/' {
		dial = "unix://" + dial
	}
	client, err := memcache.New(memcache.Config{Address: dial, TLS: s.TLS(), EncodeKeys: true})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return target{
		kind: membership.Memcached, address: address,
		open: opener(t, dataserver.Config{URL: url, TLS: files}),
		set: func(keys ...string) {
			for _, key := range keys {
				must(t, client.Set(t.Context(), memcache.Item{Key: key, Value: []byte("v")}))
			}
		},
		missing: func(keys ...string) (missing []string) {
			for _, key := range keys {
				_, err := client.Get(t.Context(), key)
				if errors.Is(err, memcache.ErrCacheMiss) {
					missing = append(missing, key)
					continue
				}
				must(t, err)
			}
			return missing
		},
		restart: s.Restart,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onEach(t *testing.T, test func(t *testing.T, target target)) {
	for name, start := range targets {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// prefixes have all that means something to a pattern, a URI or a line.
var prefixes = []string{"plain:", "a*[", `a?]\`, `\`, "[^a]", "%41", "key=", "sp ace\r\n", "\xff\xfe", "世"}

// under returns keys that begin with the prefix, beside some that nearly do or
// that a pattern or an encoding would take for it.
func under(prefix string) (inside, outside []string) {
	for _, tail := range []string{"", "1", "*", " b\r\nc", "\xff\x01\x7f", "é", "[x]", `\`} {
		inside = append(inside, prefix+tail)
	}
	for i := range 30 {
		inside = append(inside, fmt.Sprint(prefix, "many", i))
	}
	outside = []string{"a", "ab", "aZ[", "abcd", "aX]", `aXX\`, "A", "^", "ÿ", "x" + prefix, "a*", `a?]`, "plain", "key", "sp", "\xff", "%4"}
	return inside, slices.DeleteFunc(outside, func(k string) bool { return strings.HasPrefix(k, prefix) })
}

func TestPrefix(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		ctx := t.Context()
		for _, prefix := range prefixes {
			inside, outside := under(prefix)
			target.set(inside...)
			target.set(outside...)
			s := target.open(prefix)
			if n, err := s.Count(ctx); err != nil || n != int64(len(inside)) {
				t.Errorf("prefix %q: count: got %d, %v, want %d", prefix, n, err, len(inside))
			}
			keep := func(key string) bool {
				if !slices.Contains(inside, key) {
					t.Errorf("prefix %q: asked about %q", prefix, key)
				}
				return len(key)%2 == 0
			}
			var kept, gone []string
			for _, key := range inside {
				if len(key)%2 == 0 {
					kept = append(kept, key)
				} else {
					gone = append(gone, key)
				}
			}
			reported := int64(-1)
			n, err := s.Sweep(ctx, keep, func(n int64) { reported = n })
			if err != nil || n != int64(len(gone)) || reported != n {
				t.Errorf("prefix %q: sweep: got %d, %v, reported %d, want %d", prefix, n, err, reported, len(gone))
			}
			if missing := target.missing(inside...); !slices.Equal(missing, gone) {
				t.Errorf("prefix %q: swept %q, want %q", prefix, missing, gone)
			}
			n, err = s.Purge(ctx, nil)
			if err != nil || n != int64(len(kept)) {
				t.Errorf("prefix %q: purge: got %d, %v, want %d", prefix, n, err, len(kept))
			}
			if missing := target.missing(inside...); !slices.Equal(missing, inside) {
				t.Errorf("prefix %q: purged %q, want %q", prefix, missing, inside)
			}
			if missing := target.missing(outside...); len(missing) > 0 {
				t.Errorf("prefix %q: %q went too", prefix, missing)
			}
			if n, err := s.Count(ctx); err != nil || n != 0 {
				t.Errorf("prefix %q: count in the end: got %d, %v", prefix, n, err)
			}
		}
	})
}

func TestWholeServer(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		ctx := t.Context()
		s := target.open("")
		if s.Kind() != target.kind || s.Address() != target.address {
			t.Errorf("got %s at %s, want %s at %s", s.Kind(), s.Address(), target.kind, target.address)
		}
		if n, err := s.Purge(ctx, nil); err != nil || n != 0 {
			t.Errorf("purge of nothing: got %d, %v", n, err)
		}
		keys, more := under("x")
		keys = append(keys, more...)
		target.set(keys...)
		must(t, s.Probe(ctx))
		if n, err := s.Count(ctx); err != nil || n != int64(len(keys)) {
			t.Errorf("count: got %d, %v, want %d", n, err, len(keys))
		}
		used, limit, err := s.Memory(ctx)
		if err != nil || used <= 0 || limit < 0 || limit == 0 && target.kind == membership.Memcached {
			t.Errorf("memory: got %d, %d, %v", used, limit, err)
		}
		if n, err := s.Sweep(ctx, func(key string) bool { return key != "x1" }, nil); err != nil || n != 1 {
			t.Errorf("sweep: got %d, %v, want 1", n, err)
		}
		reported := int64(-1)
		n, err := s.Purge(ctx, func(n int64) { reported = n })
		if want := int64(len(keys) - 1); err != nil || n != want || reported != n {
			t.Errorf("purge: got %d, %v, reported %d, want %d", n, err, reported, want)
		}
		if missing := target.missing(keys...); !slices.Equal(missing, keys) {
			t.Errorf("purged %q, want %q", missing, keys)
		}
		if n, err := s.Sweep(ctx, nil, nil); err == nil || n != 0 {
			t.Errorf("a sweep without a rule: got %d, %v", n, err)
		}
	})
}

// A restart is seen, and costs no call: the connection that was kept open is
// replaced.
func TestRestart(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		ctx := t.Context()
		s := target.open("")
		must(t, s.Probe(ctx))
		first, err := s.Identity(ctx)
		must(t, err)
		for range 3 {
			if again, err := s.Identity(ctx); err != nil || again != first {
				t.Errorf("got %q, %v; before %q", again, err, first)
			}
		}
		target.restart()
		must(t, s.Probe(ctx))
		target.restart()
		second, err := s.Identity(ctx)
		if err != nil || second == first || second == "" {
			t.Errorf("after a restart: got %q, %v, before %q", second, err, first)
		}
		target.restart()
		target.set("k")
		if n, err := s.Purge(ctx, nil); err != nil || n != 1 {
			t.Errorf("purge after a restart: got %d, %v", n, err)
		}
	})
}

// everyCall makes each call of a Server that can fail.
func everyCall(s dataserver.Server, ctx context.Context) map[string]error {
	_, identity := s.Identity(ctx)
	_, count := s.Count(ctx)
	_, purge := s.Purge(ctx, nil)
	_, sweep := s.Sweep(ctx, func(string) bool { return false }, nil)
	_, _, memory := s.Memory(ctx)
	_, marked := s.Marked(ctx)
	return map[string]error{
		"mark": s.Mark(ctx, "text"), "marked": marked,
		"probe": s.Probe(ctx), "identity": identity, "count": count, "purge": purge, "sweep": sweep, "memory": memory,
	}
}

func TestContextAndClose(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		target.set("k", "p:1")
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		for _, prefix := range []string{"", "p:"} {
			s := target.open(prefix)
			must(t, s.Probe(t.Context()))
			for what, err := range everyCall(s, canceled) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s with a canceled context: %v", what, err)
				}
			}
			for range 2 {
				must(t, s.Close())
			}
			for what, err := range everyCall(s, t.Context()) {
				if !errors.Is(err, dataserver.ErrClosed) {
					t.Errorf("%s after Close: %v", what, err)
				}
			}
		}
		if missing := target.missing("k", "p:1"); len(missing) > 0 {
			t.Errorf("%q went", missing)
		}
	})
}
