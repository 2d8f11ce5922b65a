package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// Entries that are there, but of no use any more, are loaded by one call of LoadMany, as
// those that are missing.
func TestGetManyAfterInvalidation(t *testing.T) {
	ways := map[string]struct {
		change     func(*SpaceConfig[userKey, user])
		invalidate func(t *testing.T, s *Space[userKey, user]) error
		calls      int64 // at most: a tag of a value that has just changed has it loaded twice
	}{
		"tags of keys": {
			func(c *SpaceConfig[userKey, user]) { c.Tags.OfKey = func(k userKey) []Tag { return kind(k.Tenant) } },
			func(t *testing.T, s *Space[userKey, user]) error {
				return s.InvalidateTags(t.Context(), kind("many")...)
			}, 1},
		"tags of values": {
			func(c *SpaceConfig[userKey, user]) {
				c.Tags.OfValue = func(_ userKey, u user) []Tag { return kind(u.Roles[0]) }
			},
			func(t *testing.T, s *Space[userKey, user]) error {
				return s.InvalidateTags(t.Context(), kind("many")...)
			}, 2},
		"epoch": {
			func(c *SpaceConfig[userKey, user]) { c.Epochs = true },
			func(t *testing.T, s *Space[userKey, user]) error { return s.BumpEpoch(t.Context()) }, 1},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, store allStores) {
				src := new(manySource)
				s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
					c.LoadMany = src.load
					way.change(c)
				})
				want := func(what string, source Source, most int64) {
					t.Helper()
					src.calls.Store(0)
					src.keys.Store(0)
					for k, a := range s.GetMany(t.Context(), hundred()) {
						if a.Err != nil || a.Meta.Source != source || a.Value.Name != "user" {
							t.Fatalf("%s: %v: %+v", what, k, a)
						}
					}
					if n := src.calls.Load(); n > most || src.keys.Load() != 100*n {
						t.Errorf("%s: %d calls for %d keys, want %d with 100 each at most", what, n, src.keys.Load(), most)
					}
				}
				s.GetMany(t.Context(), hundred()) // and the tags of values are known
				want("before", FromL2, 0)
				if err := way.invalidate(t, s); err != nil {
					t.Fatal(err)
				}
				want("after", FromLoader, way.calls)
				want("then", FromL2, 0)
			})
		})
	}
}

// before is a store that lets somebody in before leases are taken.
type before struct {
	*Memory
	lease func()
}

func (b *before) LeaseMany(ctx context.Context, keys []string, r LeaseRequest) []Result {
	if f := b.lease; f != nil {
		b.lease = nil
		f()
	}
	return b.Memory.LeaseMany(ctx, keys, r)
}

// countedLeases counts the requests for leases of a batch.
type countedLeases struct {
	*Memory
	asked atomic.Int64
}

func (c *countedLeases) LeaseMany(ctx context.Context, keys []string, r LeaseRequest) []Result {
	c.asked.Add(1)
	return c.Memory.LeaseMany(ctx, keys, r)
}

// Entries that were seen to be of no use are known as such: their leases take one request.
func TestGetManyLeasesOnce(t *testing.T) {
	store, src := &countedLeases{Memory: NewMemory()}, new(manySource)
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
		c.LoadMany = src.load
		c.Tags.OfKey = func(k userKey) []Tag { return kind(k.Tenant) }
	})
	for range 2 {
		store.asked.Store(0)
		for k, a := range s.GetMany(t.Context(), hundred()) {
			if a.Err != nil || a.Meta.Source != FromLoader {
				t.Fatalf("%v: %+v", k, a)
			}
		}
		if n := store.asked.Load(); n != 1 {
			t.Errorf("%d requests for leases, want 1", n)
		}
		if err := s.InvalidateTags(t.Context(), kind("many")...); err != nil {
			t.Fatal(err)
		}
	}
}

// What another process has made since the entries were looked at is handed out, nobody
// loads it again, and its lease is given back.
func TestGetManySomebodyFaster(t *testing.T) {
	store, src := &before{Memory: NewMemory()}, new(manySource)
	space := func() *Space[userKey, user] {
		return newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.LoadMany = src.load
			c.Tags.OfKey = func(k userKey) []Tag { return kind(k.Tenant) }
		})
	}
	a, b := space(), space()
	a.GetMany(t.Context(), hundred())
	if err := a.InvalidateTags(t.Context(), kind("many")...); err != nil {
		t.Fatal(err)
	}
	src.keys.Store(0)
	store.lease = func() { b.GetMany(t.Context(), hundred()[:50]) }
	for k, got := range a.GetMany(t.Context(), hundred()) {
		want := FromLoader
		if k.ID < 50 {
			want = FromL2
		}
		if got.Err != nil || got.Meta.Source != want {
			t.Errorf("%v: %+v", k, got)
		}
	}
	if n := src.keys.Load(); n != 100 {
		t.Errorf("%d keys were loaded", n)
	}
	for _, key := range hundred() {
		k, _ := storeKeyOf(a.prefix, key, nil, nil)
		if g, err := store.Lease(t.Context(), k.text, LeaseRequest{Life: 1, Renew: true}); err != nil || g.State != Won {
			t.Fatalf("the lease of %v is somebody's: %v, %v", key, g.State, err)
		}
	}
}

func (s *copyStore) GetMany(ctx context.Context, keys []string) []Result {
	s.mu.Lock()
	for _, key := range keys {
		s.reads[key]++
	}
	s.mu.Unlock()
	return s.Memory.GetMany(ctx, keys)
}

// GetMany looks at copies of hot keys, fills those that are missing, and never finds one
// that is old.
func TestGetManySpread(t *testing.T) {
	spread(t, func(t *testing.T, s *Space[userKey, user], r *ledgered, store *copyStore) {
		bob := userKey{"acme", 2}
		r.set(bob, "Bob")
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		read := func(want string) {
			t.Helper()
			for range 200 {
				all := s.GetMany(t.Context(), []userKey{ada, bob})
				if all[ada].Err != nil || all[ada].Value.Name != want || all[bob].Err != nil || all[bob].Value.Name != "Bob" {
					t.Fatalf("%+v, want %q", all, want)
				}
			}
		}
		read("first")
		for n := range 3 {
			if _, err := store.Memory.Get(t.Context(), fmt.Sprint(k.text, "~", n+1)); err != nil {
				t.Errorf("copy %d: %v", n+1, err)
			}
		}
		clear(store.reads)
		for range 1000 {
			s.GetMany(t.Context(), []userKey{ada, bob})
		}
		for _, key := range []string{k.text, k.text + "~1", k.text + "~2", k.text + "~3"} {
			if n := store.reads[key]; n < 150 || n > 350 {
				t.Errorf("%d of 1,000 reads were of %s", n, key)
			}
		}
		if r.loads != 2 {
			t.Errorf("%d loads", r.loads)
		}
		if err := s.Put(t.Context(), ada, user{Name: "second"}); err != nil {
			t.Fatal(err)
		}
		read("second")
		r.set(ada, "third")
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		read("third")
	})
}
