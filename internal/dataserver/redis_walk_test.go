package dataserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
)

// fill stores keys in a database.
func fill(t testing.TB, client *redis.Client, keys ...string) {
	t.Helper()
	pipe := client.Pipeline()
	for _, key := range keys {
		pipe.Set(t.Context(), key, "v", 0)
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
}

func numbered(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, prefix+strconv.Itoa(i))
	}
	return keys
}

func sizes(t testing.TB, clients ...*redis.Client) (sizes []int64) {
	t.Helper()
	for _, client := range clients {
		n, err := client.DBSize(t.Context()).Result()
		must(t, err)
		sizes = append(sizes, n)
	}
	return sizes
}

// Databases beside the configured one are neither counted nor touched.
func TestOtherDatabases(t *testing.T) {
	server := servertest.Redis(t)
	zero, two, five := direct(t, server, 0), direct(t, server, 2), direct(t, server, 5)
	none := func(string) bool { return false }
	for _, tt := range []struct {
		name, url, prefix string
		remove            func(s Server) (int64, error)
		removed           int64
		left              []int64 // in databases 0, 2 and 5
	}{
		{"purge 2", "/2", "", func(s Server) (int64, error) { return s.Purge(t.Context(), nil) }, 1200, []int64{1200, 0, 1200}},
		{"sweep 2", "/2", "", func(s Server) (int64, error) { return s.Sweep(t.Context(), none, nil) }, 1200, []int64{1200, 0, 1200}},
		{"purge a prefix of 2", "/2", "a:", func(s Server) (int64, error) { return s.Purge(t.Context(), nil) }, 700, []int64{1200, 500, 1200}},
		{"sweep a prefix of 2", "?db=2", "a:", func(s Server) (int64, error) { return s.Sweep(t.Context(), none, nil) }, 700, []int64{1200, 500, 1200}},
		{"purge 0", "", "", func(s Server) (int64, error) { return s.Purge(t.Context(), nil) }, 1200, []int64{0, 1200, 1200}},
		{"sweep a prefix of 0", "/0", "b:", func(s Server) (int64, error) { return s.Sweep(t.Context(), none, nil) }, 500, []int64{700, 1200, 1200}},
	} {
		for _, client := range []*redis.Client{zero, two, five} {
			must(t, client.FlushDB(t.Context()).Err())
			fill(t, client, slices.Concat(numbered("a:", 700), numbered("b:", 500))...)
		}
		s := open(t, Config{URL: "redis://" + server.Addr() + tt.url, Prefix: tt.prefix})
		if n, err := s.Count(t.Context()); err != nil || n != tt.removed {
			t.Errorf("%s: counted %d, %v, want %d", tt.name, n, err, tt.removed)
		}
		if n, err := tt.remove(s); err != nil || n != tt.removed {
			t.Errorf("%s: removed %d, %v, want %d", tt.name, n, err, tt.removed)
		}
		if left := sizes(t, zero, two, five); !slices.Equal(left, tt.left) {
			t.Errorf("%s: left %d, want %d", tt.name, left, tt.left)
		}
	}
}

// Where FLUSHDB is refused, keys go one by one.
func TestPurgeWithoutFlush(t *testing.T) {
	for name, server := range map[string]*servertest.Server{
		"renamed":       servertest.Redis(t, "--rename-command", "FLUSHDB", ""),
		"not permitted": servertest.RedisUsers(t, "default on nopass ~* &* +@all -flushdb"),
	} {
		client, other := direct(t, server, 0), direct(t, server, 1)
		fill(t, client, append(numbered("k", 1500), "")...) // Redis has an empty key too
		fill(t, other, "k")
		last := int64(0)
		n, err := open(t, Config{URL: "redis://" + server.Addr()}).Purge(t.Context(), func(n int64) {
			if n < last {
				t.Errorf("%s: progress goes back from %d to %d", name, last, n)
			}
			last = n
		})
		if err != nil || n != 1501 || last != n {
			t.Errorf("%s: removed %d, %v, reported %d", name, n, err, last)
		}
		if left := sizes(t, client, other); !slices.Equal(left, []int64{0, 1}) {
			t.Errorf("%s: left %d", name, left)
		}
	}
}

// While others write, a sweep removes all that was there before and is not kept,
// and nothing that is.
func TestSweepWhileOthersWrite(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	server := servertest.Redis(t)
	client := direct(t, server, 0)
	old := numbered("old:", 5000)
	fill(t, client, old...)
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan []string)
	go func() {
		var keep []string
		for i := 0; ctx.Err() == nil; i++ {
			key := fmt.Sprintf("new:%d", i)
			if random.IntN(3) == 0 {
				key = "keep:" + key
				keep = append(keep, key)
			}
			if err := client.Set(context.Background(), key, "v", 0).Err(); err != nil {
				t.Error(err)
			}
		}
		written <- keep
	}()
	s := open(t, Config{URL: "redis://" + server.Addr()})
	keep := func(key string) bool { return strings.HasPrefix(key, "keep:") }
	removed, err := s.Sweep(t.Context(), keep, nil)
	stop()
	kept := <-written
	if err != nil || removed < int64(len(old)) {
		t.Errorf("removed %d, %v, want %d and more", removed, err, len(old))
	}
	for _, batch := range []struct {
		keys []string
		want int64
	}{{old, 0}, {kept, int64(len(kept))}} {
		if len(batch.keys) == 0 {
			continue
		}
		if n := client.Exists(t.Context(), batch.keys...).Val(); n != batch.want {
			t.Errorf("%d of %d keys such as %q are there, want %d", n, len(batch.keys), batch.keys[0], batch.want)
		}
	}
}

// A walk that loses its connection ends: a cursor is good only where it came
// from. What was removed before is in the result.
func TestWalkLosesItsConnection(t *testing.T) {
	for _, prefix := range []string{"", "k"} {
		server := servertest.Redis(t, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
		client := direct(t, server, 0)
		fill(t, client, numbered("k", 3000)...)
		s := open(t, Config{URL: "redis://" + server.Addr(), Prefix: prefix})
		asked := 0
		restart := func() {
			if asked++; asked == 1500 {
				server.Restart()
			}
		}
		n, err := s.Sweep(t.Context(), func(string) bool { restart(); return false }, nil)
		if !errors.Is(err, ErrConnectionLost) || n == 0 || n >= 3000 {
			t.Errorf("prefix %q: got %d, %v", prefix, n, err)
		}
		if left := sizes(t, client)[0]; left != 3000-n {
			t.Errorf("prefix %q: %d left, %d reported", prefix, left, n)
		}
		if again, err := s.Sweep(t.Context(), func(string) bool { return false }, nil); err != nil || n+again != 3000 {
			t.Errorf("prefix %q: anew: got %d, %v", prefix, again, err)
		}
	}
}

// What an exchange removed counts though its second half fails.
func TestWalkFailsHalfway(t *testing.T) {
	server := startResp(t, func(n int, command []string) string {
		switch {
		case command[0] == "UNLINK":
			return ":1\r\n"
		case command[0] == "SCAN" && command[1] == "0":
			return "*2\r\n" + bulk("7") + "*1\r\n" + bulk("k")
		case command[0] == "SCAN":
			return "-LOADING once more\r\n"
		}
		return healthy(command)
	})
	n, err := open(t, Config{URL: server.url()}).Purge(background(t), nil)
	if n != 1 || !errors.Is(err, ErrLoading) || errors.Is(err, ErrConnectionLost) {
		t.Errorf("got %d, %v", n, err)
	}
}

// A connection that ends between two pages must not be replaced by another.
func TestWalkDialsOnce(t *testing.T) {
	server := startResp(t, func(_ int, command []string) string {
		if command[0] == "SCAN" {
			return "*2\r\n" + bulk("7") + "*1\r\n" + bulk("k")
		}
		return healthy(command)
	})
	s := open(t, Config{URL: server.url()})
	n, err := s.Sweep(background(t), func(string) bool { server.dropAll(); return true }, nil)
	if !errors.Is(err, ErrConnectionLost) || n != 0 {
		t.Errorf("got %d, %v", n, err)
	}
	if dials := server.dropAll(); dials != 1 {
		t.Errorf("%d connections, want 1", dials)
	}
}

// A server that never gives out the last cursor is not asked for ever.
func TestEndlessScan(t *testing.T) {
	server := startResp(t, func(n int, command []string) string {
		if command[0] == "SCAN" {
			return "*2\r\n" + bulk(strconv.Itoa(n+1)) + "*1\r\n" + bulk(fmt.Sprint("k", n))
		}
		return healthy(command)
	})
	s := openRedis(t, Config{URL: server.url()})
	s.maxPages = 50
	_, err := s.Sweep(background(t), func(string) bool { return true }, nil)
	wantError(t, err, ErrEndless)
}

// What a server returns that is not under the prefix is left alone, whatever the
// server makes of the pattern; keys that it returns twice are harmless.
func TestServerIgnoresThePattern(t *testing.T) {
	var unlinked []string
	server := startResp(t, func(_ int, command []string) string {
		switch command[0] {
		case "SCAN":
			return "*2\r\n" + bulk("0") + "*4\r\n" + bulk("p:1") + bulk("q:1") + bulk("p:1") + bulk("p")
		case "UNLINK":
			unlinked = append(unlinked, command[1:]...)
			return ":1\r\n"
		}
		return healthy(command)
	})
	s := open(t, Config{URL: server.url(), Prefix: "p:"})
	if n, err := s.Count(background(t)); err != nil || n != 2 {
		t.Errorf("counted %d, %v", n, err)
	}
	n, err := s.Purge(background(t), nil)
	if err != nil || n != 1 || !slices.Equal(unlinked, []string{"p:1", "p:1"}) {
		t.Errorf("got %d, %v, removed %q", n, err, unlinked)
	}
}

// A walk that waits for its rate holds up nobody else, and ends when it is told.
func TestProbeDuringAWalk(t *testing.T) {
	redis, memcached := servertest.Redis(t), servertest.Memcached(t)
	fill(t, direct(t, redis, 0), numbered("k", 2000)...)
	fillMemcached(t, directMemcached(t, memcached), numbered("k", 2000)...)
	for _, url := range []string{"redis://" + redis.Addr(), "memcached://" + memcached.Addr()} {
		s := open(t, Config{URL: url, Rate: 1})
		ctx, cancel := context.WithCancel(background(t))
		begun, done := make(chan struct{}), make(chan error)
		var once sync.Once
		go func() {
			_, err := s.Sweep(ctx, func(string) bool { return false }, func(int64) { once.Do(func() { close(begun) }) })
			done <- err
		}()
		<-begun
		must(t, s.Probe(background(t)))
		n, err := s.Count(background(t))
		if err != nil || n < 1000 {
			t.Errorf("%s: %d keys, %v", url, n, err)
		}
		cancel()
		wantError(t, <-done, context.Canceled)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			rate, n int
			want    time.Duration
		}{{0, 500, 0}, {1, 0, 0}, {1000, 500, 500 * time.Millisecond}, {3, 1, time.Second / 3}, {1, 1 << 18, (1 << 18) * time.Second}} {
			b := newBase(Config{Rate: tt.rate}, endpoint{})
			start := time.Now()
			if err := b.rest(t.Context(), tt.n); err != nil {
				t.Error(err)
			}
			if got := time.Since(start); (got - tt.want).Abs() > time.Microsecond {
				t.Errorf("%d keys at %d a second: %v, want %v", tt.n, tt.rate, got, tt.want)
			}
			b.cancel()
		}
	})
}
