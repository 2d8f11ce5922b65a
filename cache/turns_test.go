package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// turnsOf reads so many keys by one call, of a source that takes so long for each, and
// returns what came of them, and how many were loaded at a time and in all.
func turnsOf(t *testing.T, ctx context.Context, keys int, takes time.Duration, store Store, many bool, change func(*SpaceConfig[userKey, user])) (errs map[error]int, most, loads int64, took time.Duration) {
	var now, top, all atomic.Int64
	load := func(context.Context, userKey) (Loaded[user], error) {
		all.Add(1)
		n := now.Add(1)
		defer now.Add(-1)
		for is := top.Load(); n > is && !top.CompareAndSwap(is, n); is = top.Load() {
		}
		time.Sleep(takes)
		return Loaded[user]{Value: user{Name: "Ada"}}, nil
	}
	s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
		if c.Load = load; many {
			c.LoadMany = manyOf(load)
		}
		if change != nil {
			change(c)
		}
	})
	defer s.m.Close()
	var ids []userKey
	for i := range keys {
		ids = append(ids, userKey{fmt.Sprint("tenant", i%2), int64(i)})
	}
	begun := time.Now()
	errs = make(map[error]int)
	for _, a := range s.GetMany(ctx, ids) {
		errs[a.Err]++
	}
	took = time.Since(begun)
	time.Sleep(time.Minute) // what nobody waits for is done too
	return errs, top.Load(), all.Load(), took
}

// noLeases is a store whose leases cannot be had.
type noLeases struct{ *Memory }

func (noLeases) LeaseMany(_ context.Context, keys []string, _ LeaseRequest) []Result {
	results := make([]Result, len(keys))
	for i := range results {
		results[i].Err = errBroken
	}
	return results
}

func (noLeases) Lease(context.Context, string, LeaseRequest) (Grant, error) {
	return Grant{}, errBroken
}

// The keys of one call wait for their turn; none is shed for the others' sake, by
// whatever bound, and no bound is exceeded.
func TestGetManyWaitsForItsTurn(t *testing.T) {
	for _, c := range []struct {
		name   string
		keys   int
		takes  time.Duration
		store  func() Store
		many   bool
		most   int64
		change func(*SpaceConfig[userKey, user])
	}{
		{"zero config", 300, 1200 * time.Millisecond, func() Store { return NewMemory() }, false, batchWidth, nil},
		{"no leases", 300, 1200 * time.Millisecond, func() Store { return noLeases{NewMemory()} }, true, batchWidth, nil},
		{"a bound", 50, 1200 * time.Millisecond, func() Store { return NewMemory() }, false, 8, func(c *SpaceConfig[userKey, user]) { c.Limit.Max = 8 }},
		{"a rate", 100, 0, func() Store { return NewMemory() }, false, 100, func(c *SpaceConfig[userKey, user]) { c.Limit.PerSecond = 10 }},
		{"a bulkhead", 50, time.Second, func() Store { return NewMemory() }, false, 7, func(c *SpaceConfig[userKey, user]) { c.Bulkhead.Loads = 7 }},
		{"a tenant", 50, time.Second, func() Store { return NewMemory() }, false, 6, func(c *SpaceConfig[userKey, user]) {
			c.Bulkhead = BulkheadConfig[userKey]{Tenant: func(k userKey) string { return k.Tenant }, TenantLoads: 3}
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			errs, most, _, took := turnsOf(t, context.Background(), c.keys, c.takes, c.store(), c.many, c.change)
			if errs[nil] != c.keys || most > c.most {
				t.Errorf("%s: %v, %d at a time, after %v", c.name, errs, most, took)
			}
		})
	}
}

// What has not had its turn when the context ends is not begun any more.
func TestGetManyLeftBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer cancel()
		errs, most, loads, took := turnsOf(t, ctx, 300, time.Second, NewMemory(), false, func(c *SpaceConfig[userKey, user]) { c.Limit.Max = 64 })
		if errs[nil] != 64 || errs[context.DeadlineExceeded] != 300-64 || most > 64 || loads != 128 || took != 1500*time.Millisecond {
			t.Errorf("%v, %d at a time, %d in all, after %v", errs, most, loads, took)
		}
	})
}

// Where others use the source up, a call is shed as ever.
func TestGetManyIsShedForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		src.fail(nil, 2*time.Second)
		s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) { c.Load, c.Limit.Max = src.load, 1 })
		defer s.m.Close()
		go func() { _, _, _ = s.Get(context.Background(), userKey{"other", 1}) }()
		synctest.Wait()
		if _, _, err := getAmong(s); !errors.Is(err, ErrShed) {
			t.Errorf("%v, want ErrShed", err)
		}
	})
}
