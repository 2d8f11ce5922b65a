package dataserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what must happen and has no set time. It is never waited for
// in a test that passes.
const patience = 20 * time.Second

// logged holds what go-redis logged in all tests of the package: the logger is
// one for the whole program.
var logged recorder

func init() { redis.SetLogger(&logged) }

type recorder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *recorder) Printf(_ context.Context, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func background(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens a Server that is closed before the process it speaks to.
func open(t testing.TB, config Config) Server {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = patience
	}
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openRedis(t testing.TB, config Config) *redisServer {
	t.Helper()
	return open(t, config).(*redisServer)
}

func openMemcached(t testing.TB, config Config) *memcachedServer {
	t.Helper()
	return open(t, config).(*memcachedServer)
}

// direct returns a client for a database of a Redis, for the test's own use.
func direct(t testing.TB, s *servertest.Server, db int) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), DB: db, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return client
}

// directMemcached is direct for a memcached.
func directMemcached(t testing.TB, s *servertest.Server) *memcache.Client {
	t.Helper()
	client, err := memcache.New(memcache.Config{Address: s.Addr(), EncodeKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// eventually polls: what is waited for is an event in another process.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
