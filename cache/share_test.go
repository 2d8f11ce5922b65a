package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowStore takes a while for each Get, and counts them.
type slowStore struct {
	*Memory
	gets atomic.Int64
}

func (s *slowStore) Get(ctx context.Context, key string) (Entry, error) {
	s.gets.Add(1)
	e, err := s.Memory.Get(ctx, key)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
	return e, err
}

// Ten thousand callers of one key are two requests: that of the first, and one for
// all others.
func TestLookupsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Memory: NewMemory()}
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		src := newSource()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		mustGet(t, s, ada)
		for range 2 {
			store.gets.Store(0)
			var all sync.WaitGroup
			for range 10_000 {
				all.Go(func() {
					v, _ := mustGet(t, s, ada)
					v.Roles[0] = "changed" // a copy of each caller's own
				})
			}
			all.Wait()
			if n := store.gets.Load(); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
			if v, _ := mustGet(t, s, ada); v.Roles[0] != "admin" {
				t.Errorf("%q: somebody else's change", v.Roles[0])
			}
		}
		for i := range s.lookups.stripe {
			if n := len(s.lookups.stripe[i].under); n > 0 {
				t.Errorf("stripe %d: %d keys are left", i, n)
			}
		}
	})
}

// What another process has deleted before a call began, the call does not get from a
// request that was under way.
func TestSharedLookupBeginsAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Memory: NewMemory()}
		src := newSource()
		var spaces []*Space[userKey, user]
		for range 2 {
			m, err := NewManager(ManagerConfig{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			spaces = append(spaces, newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = src.load }))
		}
		mustGet(t, spaces[0], ada)
		var all sync.WaitGroup
		all.Go(func() { wantName(t, spaces[0], "Ada", FromL2) })
		time.Sleep(500 * time.Millisecond) // it has read, and is not answered yet
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		if err := spaces[1].Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			all.Go(func() {
				if v, _ := mustGet(t, spaces[0], ada); v.Name != "new" {
					t.Errorf("%q, deleted before the call began", v.Name)
				}
			})
		}
		all.Wait()
	})
}

// One who leaves takes nobody with him, also the first of those who share.
func TestSharedLookupIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Memory: NewMemory()}
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		src := newSource()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		mustGet(t, s, ada)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if i < 3 {
					if _, _, err := s.Get(ctx, ada); !errors.Is(err, context.Canceled) {
						t.Errorf("caller %d: %v", i, err)
					}
					return
				}
				wantName(t, s, "Ada", FromL2)
			})
			synctest.Wait()
		}
		time.Sleep(100 * time.Millisecond)
		cancel()
		all.Wait()
		// And Close ends those who wait.
		for i := range 4 {
			all.Go(func() {
				if _, _, err := s.Get(context.Background(), ada); err != nil && !errors.Is(err, ErrClosed) {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		_ = m.Close()
		all.Wait()
	})
}
