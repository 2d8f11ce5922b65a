package cache

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Without a level 1 as well the source is not asked for a version for so long.
func TestCheckAfterWithoutLevel1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var checks atomic.Int64
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				return Loaded[user]{Version: 1, Value: user{Name: "Ada"}}, nil
			}
			c.Check = CheckConfig[userKey]{After: 10 * time.Second, Version: func(context.Context, userKey) (uint64, error) {
				checks.Add(1)
				return 1, nil
			}}
		})
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(9 * time.Second)
		if wantName(t, s, "Ada", FromL2); checks.Load() != 0 {
			t.Errorf("%d checks within After", checks.Load())
		}
		time.Sleep(1100 * time.Millisecond)
		if wantName(t, s, "Ada", FromL2); checks.Load() != 1 {
			t.Errorf("%d checks after it, want 1", checks.Load())
		}
	})
}

// The source has said version 3. What a slow writer has stored meanwhile, version 2, is
// no answer.
func TestCheckAgainstSlowWriters(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		row := uint64(1)
		load := func(context.Context, userKey) (Loaded[user], error) {
			return Loaded[user]{Version: row, Value: user{Name: fmt.Sprint(row)}}, nil
		}
		slow := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Save = func(context.Context, userKey, user) (uint64, error) { return 2, nil }
		})
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Load = load
			c.Check.Version = func(ctx context.Context, key userKey) (uint64, error) {
				if row == 1 {
					row = 3
					if err := slow.Put(ctx, key, user{Name: "2"}); err != nil {
						t.Error(err)
					}
				}
				return row, nil
			}
		})
		wantName(t, s, "1", FromLoader)
		wantName(t, s, "3", FromLoader)
		wantName(t, s, "3", FromL2)
	})
}

// Others learn from the contract for how long a deletion of theirs has to hold off.
func TestContractSaysHoldOff(t *testing.T) {
	m := newManager(t, NewMemory())
	newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Life.HoldOff = 1500 * time.Millisecond })
	space, found := func() (ContractSpace, bool) { c := m.Contract(); return c.Space("user/3") }()
	if !found || space.HoldOff != 1500 {
		t.Errorf("%+v, %t; want 1500 ms", space, found)
	}
}

// Of the writes of a key that are one change, a value or a deletion ends what was to be
// added before, and not what comes after.
func TestChangesOfAKeyInOrder(t *testing.T) {
	write := func(kind behindKind, number uint64) behindWrite[userKey, user] {
		return behindWrite[userKey, user]{kind: kind, key: ada, number: number, delta: int64(number), value: user{Name: fmt.Sprint(number)}}
	}
	for _, c := range []struct {
		kinds  []behindKind
		write  Writing
		number uint64
		deltas []uint64
	}{
		{[]behindKind{behindDelta, behindValue, behindDelta, behindDelta}, WriteValue, 2, []uint64{3, 4}},
		{[]behindKind{behindValue, behindDelta, behindDelete, behindDelta}, WriteDelete, 3, []uint64{4}},
		{[]behindKind{behindDelta, behindDelta}, 0, 0, []uint64{1, 2}},
		{[]behindKind{behindDelta, behindDelete, behindValue}, WriteValue, 3, nil},
	} {
		var writes []behindWrite[userKey, user]
		for i, kind := range c.kinds {
			writes = append(writes, write(kind, uint64(i+1)))
		}
		batch := coalesce(writes)
		if len(batch) != 1 {
			t.Fatalf("%v: %d changes", c.kinds, len(batch))
		}
		var deltas []uint64
		for _, d := range batch[0].Deltas {
			deltas = append(deltas, d.Number)
		}
		if got := batch[0]; got.Write != c.write || got.Number != c.number || !slices.Equal(deltas, c.deltas) {
			t.Errorf("%v: %v of %d with deltas %v; want %v of %d with %v", c.kinds, got.Write, got.Number, deltas, c.write, c.number, c.deltas)
		}
	}
}
