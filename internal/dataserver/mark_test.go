package dataserver_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// A mark is no key of anybody's: it is not counted, swept, or purged key by key.
func TestMark(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		ctx, text := t.Context(), "a text\r\nof two lines"
		is := func(s dataserver.Server, want string) {
			t.Helper()
			if got, err := s.Marked(ctx); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		for _, prefix := range []string{"", "p:", strings.Repeat("é", 100)} {
			s := target.open(prefix)
			is(s, "")
			must(t, s.Mark(ctx, "another"))
			must(t, s.Mark(ctx, text))
			is(s, text)
			target.set(prefix + "key")
			if n, err := s.Count(ctx); n != 1 || err != nil {
				t.Errorf("%q: counted %d, %v", prefix, n, err)
			}
			if n, err := s.Sweep(ctx, func(string) bool { return false }, nil); n != 1 || err != nil {
				t.Errorf("%q: swept %d, %v", prefix, n, err)
			}
			is(s, text)
			target.set(prefix + "key")
			if n, err := s.Purge(ctx, nil); n != 1 || err != nil {
				t.Errorf("%q: purged %d, %v", prefix, n, err)
			}
			if prefix != "" {
				is(s, text)
			}
			must(t, s.Mark(ctx, ""))
			must(t, s.Mark(ctx, ""))
			is(s, "")
		}
	})
}

// A server whose memory is full is marked all the same.
func TestMarkWithoutMemory(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory-policy", "noeviction")
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	must(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if err := client.Set(t.Context(), "key", "v", 0).Err(); err == nil {
		t.Fatal("the server has memory left")
	}
	s := opener(t, dataserver.Config{URL: "redis://" + server.Addr()})("")
	must(t, s.Mark(t.Context(), "text"))
	if got, err := s.Marked(t.Context()); got != "text" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Who can come back with keys says so.
func TestLasting(t *testing.T) {
	onEach(t, func(t *testing.T, target target) {
		if got, err := target.open("").Lasting(t.Context()); got != (target.kind == membership.Redis) || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
	server := servertest.Memcached(t, "--memory-file="+filepath.Join(t.TempDir(), "memory"))
	if got, err := opener(t, dataserver.Config{URL: "memcached://" + server.Addr()})("").Lasting(t.Context()); !got || err != nil {
		t.Errorf("memcached with a memory file: %v, %v", got, err)
	}
}
