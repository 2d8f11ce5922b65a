package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errNoName = errors.New("it has no name")

func wantNamed(_ userKey, u user) error {
	if u.Name == "" {
		return errNoName
	}
	return nil
}

// A value that Validate refuses reaches neither the source nor the store, on whatever way.
func TestRefusedValuesGoNowhere(t *testing.T) {
	ctx := context.Background()
	saved := 0
	store := NewMemory()
	s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
		c.Validate = wantNamed
		c.Load = func(context.Context, userKey) (Loaded[user], error) { return Loaded[user]{}, nil }
		c.Save = func(context.Context, userKey, user) (uint64, error) { saved++; return 1, nil }
		c.SaveMany = func(context.Context, []Pair[userKey, user]) ([]uint64, error) { saved++; return []uint64{1, 1}, nil }
		c.LoadMany = manyOf(c.Load)
		c.Pause.Disabled = true
	})
	defer s.m.Close()
	for i, do := range []func() error{
		func() error { return s.Put(ctx, ada, user{}) },
		func() error {
			return s.PutMany(ctx, []Pair[userKey, user]{{userKey{"acme", 2}, user{Name: "Bob"}}, {ada, user{}}})
		},
		func() error { _, _, err := s.Get(ctx, ada); return err },
		func() error { _, _, err := getAmong(s); return err },
	} {
		if err := do(); !errors.Is(err, ErrInvalidValue) || !errors.Is(err, errNoName) {
			t.Errorf("%d: %v, want ErrInvalidValue", i, err)
		}
		if n := s.Stats().Refused; saved != 0 || len(store.cells) != 0 || n != uint64(i)+1 {
			t.Errorf("%d: %d saved, %d stored, %d refused", i, saved, len(store.cells), n)
		}
	}
}

// What a loader says is not to be kept is not, be it loaded among others.
func TestNoStoreIsNotKept(t *testing.T) {
	for _, read := range reads {
		src, store := newSource(), NewMemory()
		src.set(ada, Loaded[user]{Value: user{Name: "Ada"}, NoStore: true})
		s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
			if c.Load, c.L1.MaxBytes = src.load, 1<<20; read.many {
				c.LoadMany = manyOf(src.load)
			}
		})
		for range 2 {
			if _, meta, err := read.get(s); err != nil || meta.Source != FromLoader || len(store.cells) != 0 {
				t.Errorf("%s: %v, %v, %d stored", read.name, meta, err, len(store.cells))
			}
		}
		_ = s.m.Close()
	}
}

// A caller who leaves when the source has been written does not keep the fleet from it.
func TestPutGoesOnWithoutItsCaller(t *testing.T) {
	for _, version := range []uint64{0, 2} {
		src := newSource()
		ctx, cancel := context.WithCancel(context.Background())
		s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
			c.Load = src.load
			c.Save = func(_ context.Context, k userKey, u user) (uint64, error) {
				src.set(k, Loaded[user]{Value: u, Version: version})
				cancel()
				return version, nil
			}
			c.SaveMany = func(ctx context.Context, all []Pair[userKey, user]) ([]uint64, error) {
				v, err := c.Save(ctx, all[0].Key, all[0].Value)
				return []uint64{v}, err
			}
		})
		from := FromL2
		if version == 0 {
			from = FromLoader
		}
		wantName(t, s, "Ada", FromLoader)
		if err := s.Put(ctx, ada, user{Name: "Grace"}); err != nil {
			t.Errorf("Put: %v", err)
		}
		wantName(t, s, "Grace", from)
		ctx, cancel = context.WithCancel(context.Background()) // which Save calls
		if err := s.PutMany(ctx, []Pair[userKey, user]{{ada, user{Name: "Joan"}}}); err != nil {
			t.Errorf("PutMany: %v", err)
		}
		wantName(t, s, "Joan", from)
		cancel()
		_ = s.m.Close()
	}
}

// An old value in place of an error is handed out, and the error told.
func TestOldValuesAreTold(t *testing.T) {
	for _, read := range reads {
		synctest.Test(t, func(t *testing.T) {
			src := newSource()
			s, told := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
				if c.Load, c.Life.TTL = src.load, time.Second; read.many {
					c.LoadMany = manyOf(src.load)
				}
			})
			defer s.m.Close()
			if _, meta, err := read.get(s); err != nil || meta.Source != FromLoader {
				t.Fatal(meta, err)
			}
			time.Sleep(1500 * time.Millisecond)
			src.fail(errBroken, 0)
			if _, meta, err := read.get(s); err != nil || meta.Source != FromStale || told.count(errBroken) != 1 {
				t.Errorf("%s: %v, %v, told %d times", read.name, meta, err, told.count(errBroken))
			}
		})
	}
}

// An absence is remembered for NegativeTTL: past it the source's error is an error.
func TestAbsencesAreNoOldValues(t *testing.T) {
	for _, read := range reads {
		synctest.Test(t, func(t *testing.T) {
			src := newSource()
			delete(src.rows, ada)
			s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Life = src.load, LifeConfig{NegativeTTL: time.Second, StaleOnError: time.Hour, StaleWhileRevalidate: time.Hour}
				if read.many {
					c.LoadMany = manyOf(src.load)
				}
			})
			defer s.m.Close()
			if _, _, err := read.get(s); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			src.fail(errBroken, 0)
			if _, _, err := read.get(s); !errors.Is(err, errBroken) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v, want the error of the source", read.name, err)
			}
		})
	}
}

// Bytes of others that a codec panics on are a miss.
func TestDecodePanicIsAMiss(t *testing.T) {
	for _, read := range reads {
		src, store := newSource(), NewMemory()
		before, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		mustGet(t, before, ada)
		_ = before.m.Close()
		s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
			c.Codec, c.Load = buggy{decode: true}, src.load
			if read.many {
				c.LoadMany = manyOf(src.load)
			}
		})
		v, meta, err := read.get(s)
		if err != nil || v.Name != "Ada" || meta.Source != FromLoader || s.Stats().Undecodable != 1 {
			t.Errorf("%s: %v, %v, %v, %d undecodable", read.name, v, meta, err, s.Stats().Undecodable)
		}
		_ = s.m.Close()
	}
}

// What level 1 has is its own: not the loader's, and not that of a caller who was given it
// from the store.
func TestLevel1SharesNothing(t *testing.T) {
	store := NewMemory()
	src := newSource()
	rows := []string{"admin"}
	src.set(ada, Loaded[user]{Value: user{"Ada", rows}})
	change := func(c *SpaceConfig[userKey, user]) { c.Load, c.L1.MaxBytes, c.Clone = src.load, 1<<20, cloneUser }
	one, _ := usersOf(t, store, change)
	two, _ := usersOf(t, store, change)
	defer one.m.Close()
	defer two.m.Close()
	wantName(t, one, "Ada", FromLoader)
	rows[0] = "changed by the loader"
	v, meta := mustGet(t, two, ada)
	if meta.Source != FromL2 {
		t.Fatal(meta)
	}
	v.Roles[0] = "changed by a caller"
	for _, s := range []*Space[userKey, user]{one, two} {
		for range 2 {
			v, meta := mustGet(t, s, ada)
			if meta.Source != FromL1 || v.Roles[0] != "admin" {
				t.Errorf("%v from %v", v, meta.Source)
			}
			v.Roles[0] = "changed again"
		}
	}
}

// Hit is false for what a loader was asked for, and where there is nothing.
func TestHit(t *testing.T) {
	for source := range FromPending + 1 {
		if hit := (Meta{Source: source}).Hit(); hit != (source != 0 && source != FromLoader) {
			t.Errorf("%v: %v", source, hit)
		}
	}
}
