package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// interrupted is memory that lets something happen just after it was read.
type interrupted struct {
	*Memory
	after func() // is called once
}

func (s *interrupted) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	results, versions := s.Memory.GetTagged(ctx, keys, tags)
	if after := s.after; after != nil && len(keys) > 0 {
		s.after = nil
		after()
	}
	return results, versions
}

// What was read just before a tag was invalidated is not kept in level 1: nobody would
// tell it any more.
func TestTagInvalidatedBeforeLevel1(t *testing.T) {
	store, src := &interrupted{Memory: NewMemory()}, newSource()
	m := newManager(t, store)
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Load, c.L1.MaxBytes = src.load, 1<<20
		c.Tags.OfKey = func(userKey) []Tag { return kind("t") }
	})
	other := newUsers(t, newManager(t, store.Memory), func(c *SpaceConfig[userKey, user]) {
		c.Load, c.Tags.OfKey = src.load, func(userKey) []Tag { return kind("t") }
	})
	wantName(t, other, "Ada", FromLoader)
	store.after = func() {
		src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
		untag(t, m, "t")
	}
	wantName(t, s, "Ada", FromL2) // it was asked for before
	wantName(t, s, "Grace", FromLoader)
}

// A load of which nothing is stored has nobody who would notice that it is old: who
// comes after a tag was invalidated begins another one.
func TestTagsAndLoadsThatAreNotStored(t *testing.T) {
	endsSharing(t, func(c *SpaceConfig[userKey, user]) { c.Tags.OfKey = func(userKey) []Tag { return kind("t") } },
		func(s *Space[userKey, user]) { untag(t, s.m, "t") })
}

// endsSharing has a key loaded for two seconds, with nothing of it stored, and something
// invalidated meanwhile: who comes afterwards gets what the source has then.
func endsSharing(t *testing.T, change func(*SpaceConfig[userKey, user]), invalidate func(*Space[userKey, user])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var name atomic.Value
		name.Store("old")
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			change(c)
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				read := name.Load().(string)
				time.Sleep(2 * time.Second)
				return Loaded[user]{Value: user{Name: read}, NoStore: true}, nil
			}
		})
		first := make(chan string, 1)
		go func() { v, _, _ := s.Get(context.Background(), ada); first <- v.Name }()
		time.Sleep(time.Second)
		name.Store("new")
		invalidate(s)
		if v, _ := mustGet(t, s, ada); v.Name != "new" {
			t.Errorf("%q, to one who came after the invalidation", v.Name)
		}
		if got := <-first; got != "old" {
			t.Errorf("%q, to the one who came before it", got)
		}
	})
}

// Tags that keys say are known before the load: they are no reason to store something
// within HoldOff either.
func TestTagsOfKeysHoldOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		src := newSource()
		hold := func(name string, d time.Duration) *Space[userKey, user] {
			return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Name, c.Load, c.Life.HoldOff = name, src.load, d
				c.Tags.OfKey = func(userKey) []Tag { return kind("t") }
			})
		}
		held, free := hold("held", 10*time.Second), hold("free", 0)
		untag(t, m, "t")
		wantName(t, held, "Ada", FromLoader)
		wantName(t, free, "Ada", FromLoader)
		time.Sleep(9 * time.Second)
		wantName(t, held, "Ada", FromLoader)
		wantName(t, free, "Ada", FromL2)
		time.Sleep(2 * time.Second)
		wantName(t, held, "Ada", FromLoader)
		wantName(t, held, "Ada", FromL2)
	})
}

// silent is a store that answers no look, and gives leases out.
type silent struct {
	*Memory
	down   atomic.Bool
	leases atomic.Int64
}

func (s *silent) Get(ctx context.Context, key string) (Entry, error) {
	if s.down.Load() {
		return Entry{}, errors.New("no answer")
	}
	return s.Memory.Get(ctx, key)
}

func (s *silent) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	s.leases.Add(1)
	return s.Memory.Lease(ctx, key, r)
}

// Where the store did not answer no lease is taken: nothing will be stored, and others
// would wait for it.
func TestNoLeaseWhereTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := &crowd{}, &silent{Memory: NewMemory()}
		s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Load: src.load})
		defer end()
		other, endOther := newNumbers(t, store, SpaceConfig[userKey, int]{Load: src.load})
		defer endOther()
		store.down.Store(true)
		if got := sourceOfKey(t, s, 1); got != FromLoader || store.leases.Load() != 0 {
			t.Errorf("from %v, %d leases were asked for", got, store.leases.Load())
		}
		store.down.Store(false)
		begun := time.Now()
		if got := sourceOfKey(t, other, 1); got != FromLoader || time.Since(begun) > 0 {
			t.Errorf("another process has it from %v after %v", got, time.Since(begun))
		}
	})
}
