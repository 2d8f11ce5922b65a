package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// A hold-off that is asked for later, and ends sooner, does not shorten one that stands.
func TestHoldOffIsNotShortened(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		del(t, s, "k", 5, time.Hour)
		del(t, s, "k", 9, 50*time.Millisecond)
		begun := time.Now()
		eventually(t, "the shorter one would have ended", func() bool { return time.Since(begun) > 2100*time.Millisecond })
		lease(t, s, "k", LeaseRequest{}, HoldOff)
	})
}

// A lease ends by the clock of the server too: one whose holder's clock stands still
// stores nothing.
func TestLeaseEndsByTheServersClock(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		const life = 100 * time.Millisecond
		set(t, s, "k", stored("old", 0))
		g := lease(t, s, "k", LeaseRequest{Life: life, Renew: true}, Won)
		begun := time.Now()
		if _, is := s.(*Redis); !is {
			t.Skip("it has no clock of its own for what is renewed")
		}
		eventually(t, "the lease ends", func() bool { return time.Since(begun) > life+10*time.Millisecond })
		g.Lease.until = time.Now().Add(time.Hour)
		fill(t, s, "k", g.Lease, stored("late", 0), Lost)
		wantEntry(t, s, "k", "old", 0)
	})
}

// InvalidateMany keeps loads of a lagging replica away, as Invalidate does.
func TestInvalidateManyHoldsOff(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.HoldOff = src.load, time.Minute })
		keys := []userKey{ada, {"acme", 2}}
		for _, key := range keys {
			src.set(key, Loaded[user]{Value: user{Name: "Ada"}})
			mustGet(t, s, key)
		}
		if err := s.InvalidateMany(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			k, err := storeKeyOf("user/3/", key, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			lease(t, store, k.text, LeaseRequest{}, HoldOff)
		}
	})
}

// fieldsKey is a key with one text, or without a field.
type fieldsKey string

func (k fieldsKey) AppendKey(b *KeyBuilder) {
	if k != "" {
		b.String(string(k))
	}
}

// A key has a field, and 4096 bytes at most.
func TestKeyBounds(t *testing.T) {
	for length, refused := range map[int]bool{0: true, 1: false, maxRawKey: false, maxRawKey + 1: true} {
		var bad *KeyError
		if _, err := storeKeyOf("user/3/", fieldsKey(strings.Repeat("k", length)), nil, nil); errors.As(err, &bad) != refused {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// countStore notes how long counters are to live.
type countStore struct {
	*Memory
	ttl time.Duration
}

func (s *countStore) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	s.ttl = ttl
	return s.Memory.Incr(ctx, key, delta, ttl)
}

// A counter lives as long as a value of its space.
func TestCountersLive(t *testing.T) {
	store := &countStore{Memory: NewMemory()}
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Life.TTL = 7 * time.Minute })
	if n, err := s.Incr(t.Context(), ada, 3); n != 3 || err != nil || store.ttl != 7*time.Minute {
		t.Errorf("%d, %v, to live for %v", n, err, store.ttl)
	}
}

// setStore lets a test read while an entry is on its way to the store.
type setStore struct {
	*Memory
	before func()
}

func (s *setStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	s.before()
	return s.Memory.Set(ctx, key, e)
}

// What a Get in the same process finds while a Put is on its way does not stay in level 1.
func TestPutEndsWhatWasReadMeanwhile(t *testing.T) {
	store := &setStore{Memory: NewMemory(), before: func() {}}
	src := newSource()
	src.set(ada, Loaded[user]{Value: user{Name: "old"}, Version: 1})
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
		c.Load, c.L1 = src.load, L1Config{MaxBytes: 1 << 20, TTL: time.Hour}
		c.Save = func(context.Context, userKey, user) (uint64, error) { return 2, nil }
	})
	mustGet(t, s, ada)
	store.before = func() {
		if v, _ := mustGet(t, s, ada); v.Name != "old" {
			t.Errorf("meanwhile %q was read", v.Name)
		}
	}
	if err := s.Put(t.Context(), ada, user{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	if v, meta := mustGet(t, s, ada); v.Name != "new" {
		t.Errorf("after it %q from %v", v.Name, meta.Source)
	}
}
