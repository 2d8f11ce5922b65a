package cache

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counted is memory that counts deletions, and may hide keys from the first scan.
type counted struct {
	*Memory
	one, many atomic.Int64
	hide      string // this key is elsewhere when the keys are gone through at first
	scans     int
}

func (c *counted) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	c.one.Add(1)
	return c.Memory.Delete(ctx, key, below, holdOff)
}

func (c *counted) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	c.many.Add(1)
	return c.Memory.DeleteMany(ctx, keys, holdOff)
}

func (c *counted) ScanKeys(ctx context.Context, prefix string, batch func([]string) error) error {
	c.scans++
	return c.Memory.ScanKeys(ctx, prefix, func(keys []string) error {
		if c.scans == 1 {
			keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == c.hide })
		}
		return batch(keys)
	})
}

// Many keys are deleted together, so that a store can see to them in one exchange.
func TestManyInvalidationsAreOneExchange(t *testing.T) {
	store := &counted{Memory: NewMemory()}
	s := newUsers(t, newManager(t, store), nil)
	if err := s.InvalidateMany(t.Context(), ids(100)); err != nil {
		t.Fatal(err)
	}
	if one, many := store.one.Load(), store.many.Load(); one != 0 || many != 1 {
		t.Errorf("%d deletions of one key, %d of many; want one of many", one, many)
	}
}

// A key that was on its way to another node when the keys were gone through is found
// when they are again.
func TestPatternFindsKeysThatMove(t *testing.T) {
	store, src := &counted{Memory: NewMemory()}, newSource()
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	wantName(t, s, "Ada", FromLoader)
	k, err := s.keyOf(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	store.hide = k.text
	if n, err := s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String(ada.Tenant) }); n != 1 || err != nil {
		t.Errorf("%d removed, %v; want 1", n, err)
	}
	wantName(t, s, "Ada", FromLoader)
}

// A pattern that all keys match is for values: counters and the epoch stay.
func TestPatternOfEverythingSparesCounters(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		open := func() *Space[userKey, user] {
			return newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
		}
		s := open()
		if err := s.BumpEpoch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Incr(t.Context(), ada, 5); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is cached", func() bool { _, meta := mustGet(t, s, ada); return meta.Source == FromL2 })
		epoch, known := s.epochOf(t.Context())
		if n, err := s.InvalidatePattern(t.Context(), func(*PatternBuilder) {}); n != 1 || err != nil {
			t.Errorf("%d removed, %v; want the value", n, err)
		}
		if n, err := s.Incr(t.Context(), ada, 0); n != 5 || err != nil {
			t.Errorf("the counter is %d, %v", n, err)
		}
		other := open()
		if now, there := other.epochOf(t.Context()); !known || !there || now != epoch {
			t.Errorf("the epoch is %d, %t; it was %d, %t", now, there, epoch, known)
		}
	})
}

// Who comes after a pattern was invalidated shares no load that was begun before.
func TestPatternEndsSharing(t *testing.T) {
	endsSharing(t, func(*SpaceConfig[userKey, user]) {}, func(s *Space[userKey, user]) {
		if _, err := s.InvalidatePattern(context.Background(), func(*PatternBuilder) {}); err != nil {
			t.Error(err)
		}
	})
}

// The first levels of other processes hear of a pattern.
func TestPatternIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, store, src := newEther(1, 0), NewMemory(), newSource()
		change := func(c *SpaceConfig[userKey, user]) { c.Load = src.load }
		here, m, _ := e.process(t, store, change)
		there, m2, _ := e.process(t, store, change)
		defer m.Close()
		defer m2.Close()
		time.Sleep(time.Minute) // the bus is heard
		mustGet(t, here, ada)
		mustGet(t, there, ada)
		wantName(t, there, "Ada", FromL1)
		src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
		if n, err := here.InvalidatePattern(context.Background(), func(b *PatternBuilder) { b.String(ada.Tenant) }); n != 1 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		time.Sleep(100 * time.Millisecond)
		wantName(t, there, "Grace", FromLoader)
	})
}

// A tag that another process has invalidated between the look at it and the fill: the
// caller gets the value from after it, and no dead entry is left.
func TestTagInvalidatedBeforeTheFill(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		var loads, value atomic.Int64
		value.Store(1)
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Tags.OfKey = func(userKey) []Tag { return kind("t") }
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				read := value.Load()
				if loads.Add(1) == 1 {
					value.Add(1)
					untag(t, newManager(t, store), "t")
				}
				return Loaded[user]{Value: user{Name: []string{"", "old", "new"}[read]}}, nil
			}
		})
		wantName(t, s, "new", FromLoader)
		if n := loads.Load(); n != 2 {
			t.Errorf("%d loads, want 2", n)
		}
		wantName(t, s, "new", FromL2)
	})
}
