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

// A source that somebody writes without a word: a value is compared with it when it is
// read, over each store.
func TestCheck(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		var version atomic.Uint64
		var missing, fails atomic.Bool
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Load = func(ctx context.Context, k userKey) (Loaded[user], error) {
				if missing.Load() {
					return Loaded[user]{}, ErrNotFound
				}
				l, err := src.load(ctx, k)
				l.Version = version.Load()
				l.Value.Name = fmt.Sprint(l.Version)
				return l, err
			}
			c.Check.Version = func(context.Context, userKey) (uint64, error) {
				switch {
				case fails.Load():
					return 0, errors.New("the source is away")
				case missing.Load():
					return 0, ErrNotFound
				}
				return version.Load(), nil
			}
			c.L1.MaxBytes = 1 << 20
		})
		version.Store(1)
		wantName(t, s, "1", FromLoader)
		wantName(t, s, "1", FromL2)
		version.Store(2)
		wantName(t, s, "2", FromLoader)
		wantName(t, s, "2", FromL2)
		for _, a := range s.GetMany(t.Context(), []userKey{ada}) {
			if a.Meta.Source != FromL2 {
				t.Errorf("GetMany: from %v", a.Meta.Source)
			}
		}
		version.Store(3)
		for _, a := range s.GetMany(t.Context(), []userKey{ada}) {
			if a.Value.Name != "3" {
				t.Errorf("GetMany: %q", a.Value.Name)
			}
		}
		missing.Store(true)
		for _, want := range []Source{FromLoader, FromNegative} {
			if _, meta, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNotFound) || meta.Source != want {
				t.Errorf("deleted at the source: %v from %v, want %v", err, meta.Source, want)
			}
		}
		missing.Store(false)
		version.Store(4)
		wantName(t, s, "4", FromLoader)
		fails.Store(true)
		version.Store(5)
		wantName(t, s, "4", FromL2)
		if st := s.Stats(); st.Outdated != 4 || st.Checked < 9 {
			t.Errorf("%d outdated of %d checked", st.Outdated, st.Checked)
		}
	})
}

// With After a value is not checked so long, in level 1 neither, and callers at the
// same moment share a call and a load.
func TestCheckAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var version, checks, loads atomic.Uint64
		version.Store(1)
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				loads.Add(1)
				time.Sleep(10 * time.Millisecond)
				return Loaded[user]{Version: version.Load(), Value: user{Name: fmt.Sprint(version.Load())}}, nil
			}
			c.Check.After = 10 * time.Second
			c.Check.Version = func(context.Context, userKey) (uint64, error) {
				checks.Add(1)
				time.Sleep(10 * time.Millisecond)
				return version.Load(), nil
			}
			c.L1.MaxBytes = 1 << 20
		})
		mustGet(t, s, ada)
		for range 3 {
			time.Sleep(9 * time.Second)
			version.Add(1)
			before := checks.Load()
			if v, meta := mustGet(t, s, ada); v.Name == fmt.Sprint(version.Load()) || meta.Source != FromL1 || checks.Load() != before {
				t.Fatalf("after 9 s: %q from %v, %d checks", v.Name, meta.Source, checks.Load()-before)
			}
			time.Sleep(1100 * time.Millisecond)
			before, had := checks.Load(), loads.Load()
			done := make(chan string, 100)
			for range 100 {
				go func() { v, _, _ := s.Get(context.Background(), ada); done <- v.Name }()
			}
			for range 100 {
				if name := <-done; name != fmt.Sprint(version.Load()) {
					t.Errorf("after 10 s: %q, want %d", name, version.Load())
				}
			}
			if n := checks.Load() - before; n > 2 || loads.Load()-had != 1 {
				t.Errorf("100 callers: %d checks, %d loads; want 2 at most, and one", n, loads.Load()-had)
			}
		}
	})
}
