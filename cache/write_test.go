package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// table is a source that is written too, with a version a row.
type table struct {
	mu       sync.Mutex
	row      user
	version  uint64
	versions bool
	fails    error
}

func (tb *table) save(_ context.Context, _ userKey, u user) (uint64, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.fails != nil {
		return 0, tb.fails
	}
	tb.row = u
	tb.version++
	if !tb.versions {
		return 0, nil
	}
	return tb.version, nil
}

func (tb *table) load(context.Context, userKey) (Loaded[user], error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	l := Loaded[user]{Value: tb.row}
	if tb.versions {
		l.Version = tb.version
	}
	return l, nil
}

func put(t *testing.T, s *Space[userKey, user], name string) {
	t.Helper()
	if err := s.Put(t.Context(), ada, user{Name: name}); err != nil {
		t.Fatal(err)
	}
}

func TestPut(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		for name, versions := range map[string]bool{"versions": true, "plain": false} {
			tb := &table{versions: versions, row: user{Name: "first"}}
			s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
				c.Name, c.Load, c.Save, c.L1.MaxBytes = name, tb.load, tb.save, 1<<20
			})
			wantName(t, s, "first", FromLoader)
			wantName(t, s, "first", FromL1)
			put(t, s, "second")
			from := FromLoader // without versions a write deletes
			if versions {
				from = FromL2
			}
			wantName(t, s, "second", from)
		}
	})
}

// A's write to the cache comes after B's, although A wrote the source first: B
// stays. 100,000 runs would take long over a network: the order is all that counts.
func TestPutOlderLoses(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		s := newUsers(t, newManager(t, store), nil)
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		write := func(name string, version uint64) {
			if err := s.writeThrough(t.Context(), ada, k, Loaded[user]{Value: user{Name: name}, Version: version}); err != nil {
				t.Fatal(err)
			}
		}
		write("B", 2)
		write("A", 1)
		if v, meta, err := s.GetWith(t.Context(), ada, nil); err != nil || v.Name != "B" || meta.Version != 2 {
			t.Errorf("%v, %+v, %v; want B", v, meta, err)
		}
		if n := s.Stats().RefusedOld; n != 1 {
			t.Errorf("%d refused, want 1", n)
		}
	})
}

func TestPutsRace(t *testing.T) {
	store := NewMemory()
	s := newUsers(t, newManager(t, store), nil)
	k, _ := storeKeyOf(s.prefix, ada, nil, nil)
	const seed, writers = 9, 100
	order := rand.New(rand.NewPCG(seed, 0)).Perm(writers)
	for range 1000 {
		var all sync.WaitGroup
		for _, i := range order {
			all.Go(func() {
				_ = s.writeThrough(t.Context(), ada, k, Loaded[user]{Value: user{Name: "x"}, Version: uint64(i + 1)})
			})
		}
		all.Wait()
		if _, meta, err := s.GetWith(t.Context(), ada, nil); err != nil || meta.Version != writers {
			t.Fatalf("version %d, %v; want the highest, %d (seed %d)", meta.Version, err, writers, seed)
		}
		del(t, store, k.text, AnyVersion, 0)
	}
}

// A load from a replica that lags does not replace what Put has stored.
func TestOlderLoadLoses(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.RefreshAhead = 0.5 }, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.set(ada, Loaded[user]{Value: user{Name: "new"}, Version: 2})
		wantName(t, s, "new", FromLoader)
		src.set(ada, Loaded[user]{Value: user{Name: "lagging"}, Version: 1})
		time.Sleep(4 * time.Minute)
		wantName(t, s, "new", FromL2)
		time.Sleep(time.Second) // refreshed behind it
		wantName(t, s, "new", FromL2)
		if s.Stats().RefusedOld == 0 {
			t.Error("no older value was refused: the test shows nothing")
		}
	})
}

func TestPutFails(t *testing.T) {
	broken := errors.New("broken")
	tb := &table{versions: true, row: user{Name: "first"}}
	store := NewMemory()
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Save = tb.load, tb.save })
	wantName(t, s, "first", FromLoader)
	tb.fails = broken
	if err := s.Put(t.Context(), ada, user{Name: "lost"}); !errors.Is(err, broken) {
		t.Errorf("Put: %v", err)
	}
	wantName(t, s, "first", FromLoader) // nobody knows what the write has done
	tb.fails = nil
	away := newUsers(t, newManager(t, brokenStore{store}), func(c *SpaceConfig[userKey, user]) { c.Load, c.Save = tb.load, tb.save })
	if err := away.Put(t.Context(), ada, user{Name: "written"}); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("Put without a store: %v", err)
	}
}

// A Put ends an absence, with and without versions.
func TestPutEndsAbsence(t *testing.T) {
	for _, versions := range []bool{false, true} {
		tb := &table{versions: versions}
		absent := true
		s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
			c.Save = tb.save
			c.Load = func(ctx context.Context, k userKey) (Loaded[user], error) {
				if absent {
					return Loaded[user]{}, ErrNotFound
				}
				return tb.load(ctx, k)
			}
		})
		if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		absent = false
		put(t, s, "here")
		if v, _ := mustGet(t, s, ada); v.Name != "here" {
			t.Errorf("%v", v)
		}
	}
}

// A node that cannot be reached is an error of Invalidate, also where the client's
// policy makes misses of it.
func TestInvalidateUnreachable(t *testing.T) {
	cfg := func(kind membership.Kind, address string) router.Config {
		return router.Config{Source: sourceOf(t, kind, []string{address}), Failure: router.FailureConfig{Policy: router.Miss}}
	}
	redisServer, memcachedServer := servertest.Redis(t), servertest.Memcached(t)
	redisClient, err := router.NewRedis(t.Context(), cfg(membership.Redis, redisServer.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer redisClient.Close()
	memcachedClient, err := router.NewMemcached(t.Context(), cfg(membership.Memcached, memcachedServer.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer memcachedClient.Close()
	redisServer.Kill()
	memcachedServer.Kill()
	for name, store := range map[string]Store{"redis": OnRedis(redisClient), "memcached": OnMemcached(memcachedClient)} {
		src := newSource()
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		wantName(t, s, "Ada", FromLoader)
		if err := s.Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
