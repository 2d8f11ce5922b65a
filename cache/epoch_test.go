package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func withEpochs(c *SpaceConfig[userKey, user]) { c.Epochs = true }

func bump(t *testing.T, s *Space[userKey, user]) {
	t.Helper()
	if err := s.BumpEpoch(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Over each store, with two processes: at once where it was bumped, and within a
// second or so elsewhere; values, absences and the first level alike.
func TestBumpEpoch(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, store allStores) {
		src := newSource()
		open := func(l1 uint64) *Space[userKey, user] {
			return newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Epochs, c.L1.MaxBytes, c.Life.NegativeTTL = src.load, true, l1, time.Hour
			})
		}
		here, there := open(1<<20), open(1<<20)
		bob := userKey{"acme", 2}
		for round := range 3 {
			name := fmt.Sprint("Ada ", round)
			src.set(ada, Loaded[user]{Value: user{Name: name}})
			bump(t, here)
			wantName(t, here, name, FromLoader)
			if _, meta, err := here.Get(t.Context(), bob); !errors.Is(err, ErrNotFound) || meta.Source != FromLoader {
				t.Fatalf("%+v, %v", meta, err)
			}
			wantName(t, here, name, FromL1)
			eventually(t, "the other process", func() bool { v, _ := mustGet(t, there, ada); return v.Name == name })
			wantName(t, there, name, FromL1)
		}
		for _, a := range here.GetMany(t.Context(), []userKey{ada}) {
			if a.Meta.Source != FromL1 {
				t.Errorf("GetMany: %+v", a)
			}
		}
		if here.Stats().OtherEpoch == 0 {
			t.Error("nothing was of another epoch: the test shows nothing")
		}
	})
}

// The epoch is lost: evicted, or with its node. What is there stays dead, and what
// was dead before does not come back.
func TestEpochLost(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, store allStores) {
		src := newSource()
		bob := userKey{"acme", 2}
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
		wantName(t, s, "Ada", FromLoader) // under the first epoch
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		first, err := store.Get(t.Context(), k.text)
		if err != nil {
			t.Fatal(err)
		}
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		src.set(bob, Loaded[user]{Value: user{Name: "Bob"}})
		bump(t, s)
		mustGet(t, s, bob) // under the second
		for range 3 {
			before, _ := s.epochOf(t.Context())
			del(t, store, s.epochs.key, AnyVersion, 0)
			eventually(t, "it is noticed", func() bool { now, _ := s.epochOf(t.Context()); return now != before })
			set(t, store, k.text, Entry{Value: first.Value, TTL: longTTL}) // it was there all the time
			if v, meta := mustGet(t, s, ada); v.Name != "new" || meta.Source != FromLoader {
				t.Fatalf("%q from %v: revived", v.Name, meta.Source)
			}
			if _, meta := mustGet(t, s, bob); meta.Source != FromLoader {
				t.Fatalf("from %v: it may have been bumped meanwhile", meta.Source)
			}
		}
	})
}

// Many processes that start at the same moment agree about the epoch: one load.
func TestEpochBeginsOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		var all sync.WaitGroup
		for range 20 {
			s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
			for range 5 {
				all.Go(func() { mustGet(t, s, ada) })
			}
		}
		all.Wait()
		src.wantLoads(t, 1)
	})
}

// countingStore counts requests, and can be told what to do before a Fill.
type countingStore struct {
	*Memory
	requests   atomic.Int64
	beforeFill func(key string)
	afterGet   func(key string)
}

func (s *countingStore) Get(ctx context.Context, key string) (Entry, error) {
	s.requests.Add(1)
	e, err := s.Memory.Get(ctx, key)
	if s.afterGet != nil {
		s.afterGet(key)
	}
	return e, err
}

func (s *countingStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	s.requests.Add(1)
	return s.Memory.Set(ctx, key, e)
}

func (s *countingStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	if s.beforeFill != nil {
		s.beforeFill(key)
	}
	return s.Memory.Fill(ctx, key, l, e)
}

// An answer about the epoch that is under way while it is bumped says nothing.
func TestBumpEpochDuringRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: NewMemory()}
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, withEpochs)
		first, _ := s.epochOf(t.Context())
		time.Sleep(600 * time.Millisecond)
		store.afterGet = func(string) { store.afterGet = nil; bump(t, s) }
		s.epochOf(t.Context()) // it is read behind this call
		synctest.Wait()
		if now, _ := s.epochOf(t.Context()); now == first {
			t.Error("the epoch of before, after BumpEpoch")
		}
	})
}

// One request makes a thousand entries misses, and reads cost one more a half
// second.
func TestBumpEpochCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: NewMemory()}
		src := newSource()
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
		const keys = 1000
		for i := range int64(keys) {
			src.set(userKey{"", i}, Loaded[user]{Value: user{Name: "x"}})
			mustGet(t, s, userKey{"", i})
		}
		before := store.requests.Load()
		bump(t, s)
		if n := store.requests.Load() - before; n != 1 {
			t.Errorf("%d requests", n)
		}
		src.loads.Store(0)
		for i := range int64(keys) {
			mustGet(t, s, userKey{"", i})
		}
		src.wantLoads(t, keys)
		before = store.requests.Load()
		for range 1000 { // ten seconds
			mustGet(t, s, ada)
			time.Sleep(10 * time.Millisecond)
		}
		if n := store.requests.Load() - before - 1000; n < 18 || n > 22 {
			t.Errorf("%d reads of the epoch in 10 s", n)
		}
	})
}

// The epoch outlives the longest time to live, unchanged; and to store it anew does
// not undo what was bumped at that moment.
func TestEpochIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: NewMemory()}
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, withEpochs)
		first, _ := s.epochOf(t.Context())
		for range 40 {
			time.Sleep(25 * time.Hour)
			if now, known := s.epochOf(t.Context()); now != first || !known {
				t.Fatalf("epoch %d, want %d for 40 days", now, first)
			}
		}
		time.Sleep(25 * time.Hour)
		var bumped uint64
		store.beforeFill = func(key string) { // another process, in the middle of it
			if store.beforeFill = nil; key == s.epochs.key {
				bumped = newEpoch()
				set(t, store, key, epochEntry(bumped))
			}
		}
		if now, _ := s.epochOf(t.Context()); now != bumped || bumped == 0 {
			t.Errorf("epoch %d, want the one that was bumped, %d", now, bumped)
		}
	})
}

// A load that was begun before, and an entry that is found before: neither is handed
// to who asks after.
func TestBumpEpochDuringLoad(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { withEpochs(c); withL1(c) }, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(nil, time.Second)
		var all sync.WaitGroup
		all.Go(func() { mustGet(t, s, ada) })
		time.Sleep(500 * time.Millisecond)
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		bump(t, s)
		if v, _ := mustGet(t, s, ada); v.Name != "new" {
			t.Errorf("%q, of a load from before", v.Name)
		}
		all.Wait()
		wantName(t, s, "new", FromL1)
	})
}

// While the node of the epoch is away: a process that knew it goes on, one that did
// not caches nothing and serves all the same, and nobody waits again and again.
func TestEpochUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &deafTo{Memory: NewMemory()}
		src := newSource()
		bob := userKey{"acme", 2}
		src.set(bob, Loaded[user]{Value: user{Name: "Bob"}})
		open := func() *Space[userKey, user] {
			return newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Epochs, c.Save = src.load, true, func(context.Context, userKey, user) (uint64, error) { return 7, nil }
				c.LoadMany = func(ctx context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
					l, err := src.load(ctx, keys[0])
					return map[userKey]Loaded[user]{keys[0]: l}, err
				}
			})
		}
		knows := open()
		wantName(t, knows, "Ada", FromLoader)
		store.key.Store(knows.epochs.key)
		time.Sleep(time.Minute)
		wantName(t, knows, "Ada", FromL2)
		starts := open()
		begun := time.Now()
		for range 1000 {
			wantName(t, starts, "Ada", FromLoader)
			for _, a := range starts.GetMany(t.Context(), []userKey{bob}) { // which nobody has cached
				if a.Err != nil || a.Meta.Source != FromLoader {
					t.Fatalf("%+v", a)
				}
			}
		}
		if waited := time.Since(begun); waited > time.Second {
			t.Errorf("waited %v", waited)
		}
		if st := starts.Stats(); st.Stored != 0 || st.StoreErrors > 3 {
			t.Errorf("%+v", st)
		}
		put(t, starts, "written") // and the old entry is gone
		if _, err := store.Get(t.Context(), knows.prefix+"s4:acmei1:1"); !errors.Is(err, ErrMiss) {
			t.Errorf("after Put: %v", err)
		}
		if err := starts.BumpEpoch(t.Context()); !errors.Is(err, ErrNotInvalidated) {
			t.Errorf("BumpEpoch: %v", err)
		}
		store.key.Store("")
		time.Sleep(time.Second)
		mustGet(t, starts, ada)
		wantName(t, starts, "Ada", FromL2)
	})
}

// deafTo does not answer for one key.
type deafTo struct {
	*Memory
	key atomic.Value
}

func (s *deafTo) away(key string) bool { k, _ := s.key.Load().(string); return k == key }

func (s *deafTo) Get(ctx context.Context, key string) (Entry, error) {
	if s.away(key) {
		return Entry{}, errAway
	}
	return s.Memory.Get(ctx, key)
}

func (s *deafTo) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	if s.away(key) {
		return Grant{}, errAway
	}
	return s.Memory.Lease(ctx, key, r)
}

func (s *deafTo) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if s.away(key) {
		return errAway
	}
	return s.Memory.Delete(ctx, key, below, holdOff)
}

func (s *deafTo) Set(ctx context.Context, key string, e Entry) (bool, error) {
	if s.away(key) {
		return false, errAway
	}
	return s.Memory.Set(ctx, key, e)
}

// With a bus another process learns of it at once.
func TestBumpEpochIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, store, src := newEther(1, 0), NewMemory(), newSource()
		var spaces []*Space[userKey, user]
		for range 2 {
			s, m, _ := e.process(t, store, func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
			defer m.Close()
			spaces = append(spaces, s)
		}
		time.Sleep(time.Minute)
		mustGet(t, spaces[1], ada)
		wantName(t, spaces[1], "Ada", FromL1)
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		bump(t, spaces[0])
		synctest.Wait()
		wantName(t, spaces[1], "new", FromLoader)
	})
}

func TestBumpEpochRefused(t *testing.T) {
	s := newUsers(t, newManager(t, NewMemory()), nil)
	if err := s.BumpEpoch(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("no epochs: %v", err)
	}
	m := newManager(t, plainStore{NewMemory()})
	if _, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "x", Epochs: true}); !errors.Is(err, ErrConfig) {
		t.Errorf("no leases: %v", err)
	}
}
