package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What failed, and what only memory has, is tried once more when the manager is closed:
// if the store is back nothing is lost, and else Close says of which space.
func TestCloseTriesOnceMore(t *testing.T) {
	for _, way := range laterWays {
		for _, back := range []bool{true, false} {
			name := way.name
			if back {
				name += ", the store is back"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, src := newOffline(), newSource()
					l := newLaterOne(t, store, nil, src, nil)
					wantName(t, l.Space, "Ada", FromLoader)
					time.Sleep(2 * time.Second)
					src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
					store.down.Store(true)
					if err := way.of(t, l); !errors.Is(err, ErrNotInvalidated) {
						t.Fatalf("%v, want ErrNotInvalidated", err)
					}
					store.down.Store(!back)
					err := l.m.Close()
					if !back {
						if !errors.Is(err, ErrNotInvalidated) || !strings.Contains(err.Error(), "invalidations were left") ||
							!strings.Contains(err.Error(), "user/3: ") && !strings.Contains(err.Error(), "@tags: ") {
							t.Errorf("Close: %v, want ErrNotInvalidated with a space and a number", err)
						}
						return
					}
					if err != nil {
						t.Errorf("Close: %v", err)
					}
					next := newLaterOne(t, store, nil, src, nil)
					wantName(t, next.Space, "Grace", FromLoader)
				})
			})
		}
	}
}

// A second delete that is due in an hour is done when the manager is closed.
func TestCloseDeletesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		m := newManager(t, store)
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Invalidation.SecondDelete = newSource().load, time.Hour
		})
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		wantName(t, s, "Ada", FromLoader) // by a replica that lags
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		wantMiss(t, store, k.text)
	})
}

// stuck is a store that does not answer a Delete before its context ends.
type stuck struct{ *Memory }

func (*stuck) Delete(ctx context.Context, _ string, _ uint64, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// The last attempts do not keep Close for longer than it says.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &stuck{NewMemory()})
		s := newUsers(t, m, nil)
		for id := range int64(3 * batchWidth) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_ = s.Invalidate(ctx, userKey{"acme", id})
			cancel()
		}
		begun := time.Now()
		err := m.Close()
		if took := time.Since(begun); took > 2*s.cfg.Loads.Timeout {
			t.Errorf("Close took %v", took)
		}
		if !errors.Is(err, ErrNotInvalidated) || !strings.Contains(err.Error(), "user/3: ") {
			t.Errorf("Close: %v", err)
		}
	})
}

// A loader that does not look at its context does not keep Close for ever.
func TestCloseLeavesLoadersBehind(t *testing.T) {
	finish := make(chan struct{})
	for name, get := range map[string]func(ctx context.Context, s *Space[userKey, user]){
		"Get":     func(ctx context.Context, s *Space[userKey, user]) { _, _, _ = s.Get(ctx, ada) },
		"GetMany": func(ctx context.Context, s *Space[userKey, user]) { s.GetMany(ctx, []userKey{ada}) },
		"GetWith": func(ctx context.Context, s *Space[userKey, user]) {
			_, _, _ = s.GetWith(ctx, ada, func(context.Context, userKey) (l Loaded[user], err error) { <-finish; return l, nil })
		},
		"": func(ctx context.Context, s *Space[userKey, user]) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finish = make(chan struct{}) // of the bubble
				m := newManager(t, NewMemory())
				s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
					c.Loads.Timeout = 10 * time.Second
					c.Load = func(context.Context, userKey) (l Loaded[user], err error) { <-finish; return l, nil }
					c.LoadMany = func(context.Context, []userKey) (map[userKey]Loaded[user], error) { <-finish; return nil, nil }
				})
				go get(t.Context(), s)
				synctest.Wait()
				begun := time.Now()
				err := m.Close()
				took := time.Since(begun)
				close(finish)
				if name == "" {
					if err != nil || took > 0 {
						t.Errorf("without a load Close took %v: %v", took, err)
					}
					return
				}
				if !errors.Is(err, ErrLoadTimeout) || !strings.Contains(err.Error(), "user/3") || took != 10*time.Second+closeSlack {
					t.Errorf("Close: %v after %v", err, took)
				}
			})
		})
	}
}

// A space that would keep nothing is meant to, or is refused.
func TestNothingToKeepValuesIn(t *testing.T) {
	level1 := L1Config{MaxBytes: 1 << 20}
	for _, c := range []struct {
		name   string
		cfg    ManagerConfig
		level1 L1Config
		hot    HotConfig
		good   bool
	}{
		{"nothing", ManagerConfig{}, L1Config{}, HotConfig{}, false},
		{"on purpose", ManagerConfig{NoStore: true}, L1Config{}, HotConfig{}, true},
		{"level 1", ManagerConfig{}, level1, HotConfig{}, true},
		{"hot keys in level 1", ManagerConfig{}, L1Config{}, HotConfig{Keys: 10, PinBytes: 1 << 20}, true},
		{"a store", ManagerConfig{Store: NewMemory()}, L1Config{}, HotConfig{}, true},
	} {
		m, err := NewManager(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewSpace(m, SpaceConfig[userKey, user]{Name: "user", Load: newSource().load, L1: c.level1, Hot: c.hot})
		if good := err == nil; good != c.good || !good && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "NoStore")) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewManager(ManagerConfig{Store: NewMemory(), NoStore: true}); !errors.Is(err, ErrConfig) {
		t.Errorf("a store and none: %v", err)
	}
}
