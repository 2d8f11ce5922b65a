package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("the source is broken")

func withoutPause(c *SpaceConfig[userKey, user]) { c.Pause.Disabled = true }

// wantPaused checks that nobody was asked, and what the error matches.
func wantPaused(t *testing.T, src *source, get func() error) {
	t.Helper()
	before := src.loads.Load()
	if err := get(); !errors.Is(err, ErrPaused) || !errors.Is(err, errBroken) {
		t.Errorf("%v, want ErrPaused and the source's error", err)
	}
	if n := src.loads.Load() - before; n != 0 {
		t.Errorf("%d loads", n)
	}
}

// A key that is asked for all the time, of a source that fails at once: the loads are
// further apart each time, up to Max, and begin anew once one has succeeded.
func TestPauseAfterFailedLoads(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(errBroken, 0)
		begun, asked := time.Now(), 0
		var at []time.Duration // of loads
		for time.Since(begun) < time.Minute {
			before := src.loads.Load()
			_, _, err := s.Get(t.Context(), ada)
			switch asked++; {
			case src.loads.Load() > before:
				if errors.Is(err, ErrPaused) || !errors.Is(err, errBroken) {
					t.Fatalf("a load: %v", err)
				}
				at = append(at, time.Since(begun))
			case !errors.Is(err, ErrPaused) || !errors.Is(err, errBroken):
				t.Fatalf("no load: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
		want := 100 * time.Millisecond
		for i := range at[1:] {
			if gap := at[i+1] - at[i]; gap < want/2 || gap > want+2*time.Millisecond {
				t.Errorf("pause %d: %v, want %v to %v", i, gap, want/2, want)
			}
			want = min(2*want, 3*time.Second)
		}
		if n := s.Stats().Paused; int(n) != asked-len(at) {
			t.Errorf("%d counted, want %d", n, asked-len(at))
		}
		time.Sleep(3 * time.Second)
		src.fail(nil, 0)
		wantName(t, s, "Ada", FromLoader)
		if n := s.pauses.known.Load(); n != 0 {
			t.Errorf("%d keys are known, want none", n)
		}
	})
}

// Who has an old value gets that, and is not kept waiting; what another process has
// stored meanwhile is found.
func TestPauseWithOldValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, src, other := NewMemory(), newSource(), newSource()
		one, two := newManager(t, store), newManager(t, store)
		s := newUsers(t, one, func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.TTL, c.Life.NoJitter = src.load, time.Second, true })
		there := newUsers(t, two, func(c *SpaceConfig[userKey, user]) { c.Load = other.load })
		mustGet(t, s, ada)
		time.Sleep(1100 * time.Millisecond)
		src.fail(errBroken, 0)
		before := src.loads.Load()
		for range 100 {
			wantName(t, s, "Ada", FromStale)
		}
		if n := src.loads.Load() - before; n != 1 {
			t.Errorf("%d loads, want 1", n)
		}
		other.set(ada, Loaded[user]{Value: user{Name: "new"}})
		wantName(t, there, "new", FromLoader)
		wantName(t, s, "new", FromL2)
		_, _ = one.Close(), two.Close()
	})
}

// What is no failure of the source pauses nothing.
func TestPauseAfterFailuresOnly(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{"not found": ErrNotFound, "shed": ErrShed, "canceled": context.Canceled} {
		if got := failureOrFound(t.Context(), err); got {
			t.Errorf("%s is taken for a failure", name)
		}
	}
	if failureOrFound(withCaller(gone), errBroken) || failure(context.WithoutCancel(withCaller(gone)), context.DeadlineExceeded) {
		t.Error("the end of the caller's context is taken for a failure")
	}
	if !failure(t.Context(), context.DeadlineExceeded) || !failure(t.Context(), ErrLoadTimeout) || !failure(t.Context(), errBroken) {
		t.Error("a failure is not taken for one")
	}
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.NoNegative = true }, func(t *testing.T, s *Space[userKey, user], src *source) {
		for range 3 {
			if _, _, err := s.Get(t.Context(), userKey{"acme", 404}); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrPaused) {
				t.Errorf("%v", err)
			}
		}
		src.wantLoads(t, 3)
	})
}

func failureOrFound(ctx context.Context, err error) bool {
	return !errors.Is(err, ErrNotFound) && failure(ctx, err)
}

// Put and Invalidate end a pause, but not what is known of the failures; it can be
// switched off; and loaders that are given to calls neither begin nor obey one.
func TestPauseEnds(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		get := func() error { _, _, err := s.Get(t.Context(), ada); return err }
		src.fail(errBroken, 0)
		_ = get()
		wantPaused(t, src, get)
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if err := get(); errors.Is(err, ErrPaused) || !errors.Is(err, errBroken) {
			t.Errorf("after Invalidate: %v", err)
		}
		time.Sleep(99 * time.Millisecond) // the second pause lasts 100 ms to 200 ms
		wantPaused(t, src, get)
		own := func(context.Context, userKey) (Loaded[user], error) {
			return Loaded[user]{Value: user{Name: "own"}}, nil
		}
		if v, _, err := s.GetWith(t.Context(), ada, own); err != nil || v.Name != "own" {
			t.Errorf("GetWith: %+v, %v", v, err)
		}
		bob := userKey{"acme", 2}
		forbids := func(context.Context, userKey) (l Loaded[user], err error) { return l, errBroken }
		_, _, _ = s.GetWith(t.Context(), bob, forbids)
		if _, _, err := s.Get(t.Context(), bob); errors.Is(err, ErrPaused) {
			t.Errorf("after the loader of a call: %v", err)
		}
	})
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Pause.Disabled = true }, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(errBroken, 0)
		for range 10 {
			if _, _, err := s.Get(t.Context(), ada); errors.Is(err, ErrPaused) {
				t.Fatal(err)
			}
		}
		src.wantLoads(t, 10)
	})
}

// What one call of LoadMany could not load is not asked of it again for a moment, but may
// be loaded alone; what failed alone is left out of batches.
func TestPauseOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, src := newManager(t, NewMemory()), newSource()
		calls := 0
		bob := userKey{"acme", 2}
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load = src.load
			c.LoadMany = func(context.Context, []userKey) (map[userKey]Loaded[user], error) { calls++; return nil, errBroken }
		})
		for i := range 5 {
			for k, a := range s.GetMany(t.Context(), []userKey{ada, bob}) {
				if !errors.Is(a.Err, errBroken) || errors.Is(a.Err, ErrPaused) != (i > 0) {
					t.Errorf("call %d: %v: %v", i, k, a.Err)
				}
			}
		}
		if calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
		wantName(t, s, "Ada", FromLoader)
		src.fail(errBroken, 0)
		_, _, _ = s.Get(t.Context(), bob)
		wantPaused(t, src, func() error { _, _, err := s.Get(t.Context(), bob); return err })
		_ = m.Close()
	})
}

// However many keys fail, so many are known at most.
func TestPauseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := keyPauses{random: func() float64 { return 0.5 }}
		p.cfg, _ = PauseConfig{}.withDefaults()
		for i := range 3 * pausedKeys {
			p.failed(identity([]byte(fmt.Sprintf("%016d", i))), true, errBroken)
		}
		if n := len(p.keys); n != pausedKeys || int(p.known.Load()) != n {
			t.Errorf("%d keys, want %d", n, pausedKeys)
		}
		for _, bad := range []PauseConfig{{First: -1}, {Max: -1}, {First: time.Second, Max: time.Millisecond}} {
			if _, err := bad.withDefaults(); !errors.Is(err, ErrConfig) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
