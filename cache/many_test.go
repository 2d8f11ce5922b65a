package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringway/ringway/router"
)

// manySource counts what it is asked for, at once and in all.
type manySource struct {
	calls, keys atomic.Int64
	fails       atomic.Bool
}

func (m *manySource) load(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
	m.calls.Add(1)
	m.keys.Add(int64(len(keys)))
	if m.fails.Load() {
		return nil, errAway
	}
	found := make(map[userKey]Loaded[user])
	for _, k := range keys {
		if k.ID < 1000 {
			found[k] = Loaded[user]{Value: user{Name: "user", Roles: []string{k.Tenant}}}
		}
	}
	return found, nil
}

func hundred() (keys []userKey) {
	for i := range int64(100) {
		keys = append(keys, userKey{"many", i})
	}
	return keys
}

func TestGetMany(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := new(manySource)
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.LoadMany = src.load })
		keys := append(hundred(), userKey{"many", 5000}, userKey{"many", 3}) // one that is not there, one twice
		mustGet(t, s, keys[7])
		want := func(from, seventh Source) {
			t.Helper()
			answers := s.GetMany(t.Context(), keys)
			if len(answers) != 101 {
				t.Fatalf("%d answers", len(answers))
			}
			for k, a := range answers {
				switch {
				case k.ID == 5000:
					if !errors.Is(a.Err, ErrNotFound) {
						t.Errorf("%v: %+v", k, a)
					}
				case a.Err != nil || a.Value.Name != "user" || k.ID != 7 && a.Meta.Source != from || k.ID == 7 && a.Meta.Source != seventh:
					t.Errorf("%v: %+v", k, a)
				}
			}
		}
		want(FromLoader, FromL2)
		want(FromL2, FromL2)
		if src.calls.Load() != 2 || src.keys.Load() != 101 {
			t.Errorf("%d calls for %d keys, want 2 for 101", src.calls.Load(), src.keys.Load())
		}
	})
}

// One round trip a node to read, one for the leases and one to store: however many
// keys there are.
func TestGetManyRoundTrips(t *testing.T) {
	b := backends[1]
	addresses := b.start(t, 2)
	client := redisFleet(t, addresses)
	src := new(manySource)
	s := newUsers(t, newManager(t, OnRedis(client)), func(c *SpaceConfig[userKey, user]) { c.LoadMany = src.load })
	warm := []userKey{{"warm", 1}, {"warm", 2}, {"warm", 3}, {"warm", 4}, {"warm", 5}, {"warm", 6}, {"warm", 7}, {"warm", 8}}
	s.GetMany(t.Context(), warm) // the scripts are loaded
	before := operations(client.Stats())
	s.GetMany(t.Context(), hundred())
	if n := operations(client.Stats()) - before; n != 6 {
		t.Errorf("%d exchanges with two nodes, want 3 with each", n)
	}
	before = operations(client.Stats())
	s.GetMany(t.Context(), hundred())
	if n := operations(client.Stats()) - before; n != 2 {
		t.Errorf("%d exchanges with two nodes for hits, want 1 with each", n)
	}
}

func operations(stats []router.NodeStats) (n uint64) {
	for _, s := range stats {
		n += s.Operations
	}
	return n
}

// Many callers, each with all keys: each key is loaded once.
func TestGetManyStampede(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := new(manySource)
		var all sync.WaitGroup
		for range 2 { // two processes
			m := newManager(t, store)
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.LoadMany = src.load })
			for range 8 {
				all.Go(func() {
					for k, a := range s.GetMany(t.Context(), hundred()) {
						if a.Err != nil {
							t.Errorf("%v: %v", k, a.Err)
						}
					}
				})
			}
		}
		if all.Wait(); src.keys.Load() != 100 {
			t.Errorf("%d keys loaded, want 100", src.keys.Load())
		}
	})
}

func TestGetManyFails(t *testing.T) {
	src := new(manySource)
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) { c.LoadMany, c.Pause.Disabled = src.load, true })
	src.fails.Store(true)
	for k, a := range s.GetMany(t.Context(), hundred()) {
		if !errors.Is(a.Err, errAway) {
			t.Errorf("%v: %v", k, a.Err)
		}
	}
	src.fails.Store(false)
	for k, a := range s.GetMany(t.Context(), hundred()) { // the leases were given back
		if a.Err != nil || a.Meta.Source != FromLoader {
			t.Errorf("%v: %+v", k, a)
		}
	}
	if n := s.Stats().LeaseWaits; n != 0 {
		t.Errorf("%d waits for leases", n)
	}
}

func TestPutMany(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := new(manySource)
		var pairs []Pair[userKey, user]
		for _, k := range hundred() {
			pairs = append(pairs, Pair[userKey, user]{k, user{Name: "written"}})
		}
		var fails error
		saved := 0
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.LoadMany = src.load
			c.SaveMany = func(_ context.Context, pairs []Pair[userKey, user]) ([]uint64, error) {
				saved++
				versions := slices.Repeat([]uint64{8}, len(pairs))
				versions[5] = 0
				return versions, fails
			}
		})
		s.GetMany(t.Context(), hundred())
		if err := s.PutMany(t.Context(), pairs); err != nil || saved != 1 {
			t.Fatal(err, saved)
		}
		for k, a := range s.GetMany(t.Context(), hundred()) {
			name, version := "written", uint64(8)
			if k.ID == 5 { // without a version: deleted
				name, version = "user", 0
			}
			if a.Err != nil || a.Value.Name != name || a.Meta.Version != version {
				t.Errorf("%v: %+v", k, a)
			}
		}
		fails = errAway
		if err := s.PutMany(t.Context(), pairs); !errors.Is(err, errAway) {
			t.Errorf("PutMany: %v", err)
		}
		if a := s.GetMany(t.Context(), hundred())[pairs[0].Key]; a.Value.Name != "user" {
			t.Errorf("after a write that failed: %+v", a)
		}
	})
}
