package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// source is a source in memory that counts what it is asked.
type source struct {
	mu    sync.Mutex
	rows  map[userKey]Loaded[user]
	fails error
	slow  time.Duration
	loads atomic.Int64
}

func newSource() *source {
	return &source{rows: map[userKey]Loaded[user]{ada: {Value: user{"Ada", []string{"admin"}}}}}
}

func (s *source) load(ctx context.Context, key userKey) (Loaded[user], error) {
	s.loads.Add(1)
	s.mu.Lock()
	row, found := s.rows[key]
	fails, slow := s.fails, s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return Loaded[user]{}, ctx.Err()
		}
	}
	switch {
	case fails != nil:
		return Loaded[user]{}, fails
	case !found:
		return Loaded[user]{}, fmt.Errorf("user %d: %w", key.ID, ErrNotFound)
	}
	return row, nil
}

func (s *source) set(key userKey, row Loaded[user]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[key] = row
}

func (s *source) fail(err error, slow time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails, s.slow = err, slow
}

func (s *source) wantLoads(t *testing.T, want int64) {
	t.Helper()
	if got := s.loads.Load(); got != want {
		t.Fatalf("%d loads, want %d", got, want)
	}
}

func wantName(t *testing.T, s *Space[userKey, user], name string, from Source) {
	t.Helper()
	v, meta := mustGet(t, s, ada)
	if v.Name != name || meta.Source != from {
		t.Fatalf("Get = %q from %v, want %q from %v", v.Name, meta.Source, name, from)
	}
}

// inBubble runs the test in virtual time over a store in memory.
func inBubble(t *testing.T, change func(*SpaceConfig[userKey, user]), test func(t *testing.T, s *Space[userKey, user], src *source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		m, err := NewManager(ManagerConfig{Store: NewMemory(), random: func() float64 { return 0.5 }})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		test(t, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load = src.load
			if change != nil {
				change(c)
			}
		}), src)
	})
}

func TestGetOverEachStore(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL2)
		src.wantLoads(t, 1)
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		wantName(t, s, "Ada", FromLoader)
		src.wantLoads(t, 2)
		for range 3 {
			if _, meta, err := s.Get(t.Context(), userKey{"acme", 404}); !errors.Is(err, ErrNotFound) {
				t.Fatalf("%v, %v", meta, err)
			}
		}
		src.wantLoads(t, 3)
	})
}

func TestTTLAlways(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.NoStaleOnError = true }, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(5*time.Minute - time.Second)
		if _, meta := mustGet(t, s, ada); meta.Source != FromL2 || meta.Age != 5*time.Minute-time.Second {
			t.Errorf("%+v", meta)
		}
		time.Sleep(2 * time.Second)
		wantName(t, s, "Ada", FromLoader)
	})
}

func TestNegative(t *testing.T) {
	nobody := userKey{"acme", 2}
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		get := func() (Meta, error) { _, meta, err := s.Get(t.Context(), nobody); return meta, err }
		for range 10_000 {
			if _, err := get(); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}
		src.wantLoads(t, 1)
		if meta, _ := get(); meta.Source != FromNegative {
			t.Errorf("from %v", meta.Source)
		}
		time.Sleep(6 * time.Second) // the absence's own time to live
		if _, err := get(); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		src.wantLoads(t, 2)
		src.set(nobody, Loaded[user]{Value: user{Name: "Bob"}})
		if err := s.Invalidate(t.Context(), nobody); err != nil {
			t.Fatal(err)
		}
		if v, _ := mustGet(t, s, nobody); v.Name != "Bob" {
			t.Errorf("%v", v)
		}
	})
}

func TestErrorsAreNotStored(t *testing.T) {
	inBubble(t, withoutPause, func(t *testing.T, s *Space[userKey, user], src *source) {
		broken := errors.New("broken")
		src.fail(broken, 0)
		for want := range int64(3) {
			if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, broken) {
				t.Fatal(err)
			}
			src.wantLoads(t, want+1) // and nobody waits for a lease that was not given back
		}
		src.fail(nil, 0)
		begun := time.Now()
		wantName(t, s, "Ada", FromLoader)
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("waited %v: the lease was not given back", waited)
		}
	})
}

func TestValidateAndNoStore(t *testing.T) {
	odd := func(_ userKey, u user) error {
		if u.Name == "" {
			return errors.New("no name")
		}
		return nil
	}
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Validate, c.Pause.Disabled = odd, true }, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.set(ada, Loaded[user]{})
		if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrInvalidValue) {
			t.Fatal(err)
		}
		src.set(ada, Loaded[user]{Value: user{Name: "for you"}, NoStore: true})
		for want := int64(2); want < 5; want++ {
			wantName(t, s, "for you", FromLoader)
			src.wantLoads(t, want)
		}
		if st := s.Stats(); st.Refused != 1 || st.Stored != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestStaleOnErrorAndSoftTimeout(t *testing.T) {
	inBubble(t, withoutPause, func(t *testing.T, s *Space[userKey, user], src *source) {
		broken := errors.New("broken")
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(6 * time.Minute)
		src.fail(broken, 0)
		wantName(t, s, "Ada", FromStale)
		src.fail(nil, 2*time.Second) // slower than SoftTimeout, faster than Timeout
		begun := time.Now()
		wantName(t, s, "Ada", FromStale)
		if waited := time.Since(begun); waited != 1500*time.Millisecond {
			t.Errorf("waited %v for the source, want SoftTimeout", waited)
		}
		time.Sleep(time.Second)
		src.fail(nil, 0)
		wantName(t, s, "Ada", FromL2) // the load went on
		time.Sleep(11 * time.Minute)  // beyond TTL and StaleOnError
		src.fail(broken, 0)
		if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, broken) {
			t.Errorf("past the bound: %v", err)
		}
		if st := s.Stats(); st.StaleServed != 2 {
			t.Errorf("%d stale values counted, want 2", st.StaleServed)
		}
	})
}

func TestHardTimeout(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(nil, time.Hour)
		begun := time.Now()
		if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrLoadTimeout) {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited != 3*time.Second {
			t.Errorf("waited %v, want 3s", waited)
		}
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.StaleWhileRevalidate = time.Minute }, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(5*time.Minute + time.Second)
		src.set(ada, Loaded[user]{Value: user{Name: "Ada II"}})
		src.fail(nil, time.Second)
		for range 5 {
			wantName(t, s, "Ada", FromStale) // at once
		}
		time.Sleep(2 * time.Second)
		wantName(t, s, "Ada II", FromL2)
		src.wantLoads(t, 2)
	})
}

func TestRefreshAhead(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.RefreshAhead = 0.2 }, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(4*time.Minute - time.Second)
		wantName(t, s, "Ada", FromL2)
		synctest.Wait()
		src.wantLoads(t, 1)
		time.Sleep(2 * time.Second)
		src.set(ada, Loaded[user]{Value: user{Name: "Ada II"}})
		wantName(t, s, "Ada", FromL2) // and it is loaded behind it
		synctest.Wait()
		wantName(t, s, "Ada II", FromL2)
		src.wantLoads(t, 2)
	})
}

func TestInvalidCallsAndClose(t *testing.T) {
	m := newManager(t, NewMemory())
	src := newSource()
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.GuardKey = func(k userKey) error {
			if k.ID <= 0 {
				return errors.New("no ID")
			}
			return nil
		}
	})
	if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNoLoader) {
		t.Errorf("no loader: %v", err)
	}
	if v, _, err := s.GetWith(t.Context(), ada, src.load); err != nil || v.Name != "Ada" {
		t.Errorf("a loader for the call: %v, %v", v, err)
	}
	var keyError *KeyError
	if _, _, err := s.GetWith(t.Context(), userKey{}, src.load); !errors.As(err, &keyError) {
		t.Errorf("the guard: %v", err)
	}
	if err := s.Put(t.Context(), ada, user{}); !errors.Is(err, ErrNoSave) {
		t.Errorf("Put: %v", err)
	}
	if _, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "user", Schema: 3}); !errors.Is(err, ErrConfig) {
		t.Errorf("a name twice: %v", err)
	}
	src.wantLoads(t, 1)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	_, _, err := s.GetWith(t.Context(), ada, src.load)
	errs := []error{err, s.Invalidate(t.Context(), ada)}
	_, err = s.Incr(t.Context(), ada, 1)
	for i, err := range append(errs, err) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d after Close: %v", i, err)
		}
	}
}

// What a caller does to its value changes nobody else's.
func TestValuesAreCopies(t *testing.T) {
	for name, change := range map[string]func(*SpaceConfig[userKey, user]){
		"codec": func(*SpaceConfig[userKey, user]) {},
		"clone": func(c *SpaceConfig[userKey, user]) {
			c.Clone = func(u user) user { u.Roles = slices.Clone(u.Roles); return u }
		},
	} {
		for _, l1 := range []uint64{0, 1 << 20} {
			t.Run(fmt.Sprint(name, l1), func(t *testing.T) {
				inBubble(t, func(c *SpaceConfig[userKey, user]) { c.L1.MaxBytes = l1; change(c) }, func(t *testing.T, s *Space[userKey, user], src *source) {
					src.fail(nil, time.Second)
					var all sync.WaitGroup
					for range 20 {
						all.Go(func() {
							for range 3 {
								v, _ := mustGet(t, s, ada)
								if v.Roles[0] != "admin" {
									t.Errorf("%q: somebody else's change", v.Roles[0])
								}
								v.Roles[0] = "changed"
							}
						})
					}
					all.Wait()
					if src.rows[ada].Value.Roles[0] != "admin" {
						t.Error("the loader's own value was changed")
					}
				})
			})
		}
	}
}

func TestWrapAndIncr(t *testing.T) {
	s := newUsers(t, newManager(t, NewMemory()), nil)
	calls := 0
	get := Wrap(s, func(context.Context, userKey) (user, error) { calls++; return user{Name: "wrapped"}, nil })
	for range 3 {
		if v, err := get(t.Context(), ada); err != nil || v.Name != "wrapped" {
			t.Fatal(v, err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
	for want := uint64(1); want < 4; want++ { // beside the value, not on it
		if n, err := s.Incr(t.Context(), ada, 1); n != want || err != nil {
			t.Errorf("%d, %v; want %d", n, err, want)
		}
	}
}
