package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/memory"
)

// offline is a store of which every change fails while it is down.
type offline struct {
	*failing
	changes atomic.Int64 // that were tried while it was down
}

func newOffline() *offline { return &offline{failing: &failing{Memory: NewMemory()}} }

func (o *offline) refuses() bool {
	if o.down.Load() {
		o.changes.Add(1)
	}
	return o.down.Load()
}

func (o *offline) Set(ctx context.Context, key string, e Entry) (bool, error) {
	if o.refuses() {
		return false, errRefusing
	}
	return o.Memory.Set(ctx, key, e)
}

func (o *offline) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	o.refuses()
	return o.failing.Delete(ctx, key, below, holdOff)
}

func (o *offline) ScanKeys(ctx context.Context, prefix string, visit func([]string) error) error {
	if o.refuses() {
		return errRefusing
	}
	return o.Memory.ScanKeys(ctx, prefix, visit)
}

func (o *offline) BumpTags(ctx context.Context, tags []string) []TagVersion {
	o.refuses()
	return o.failing.BumpTags(ctx, tags)
}

func (o *offline) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	if o.refuses() { // and nothing is deleted
		errs := make([]error, len(keys))
		for i := range errs {
			errs[i] = errRefusing
		}
		return errs
	}
	return o.failing.DeleteMany(ctx, keys, holdOff)
}

// laterOne is a process with a space that can be invalidated in all ways.
type laterOne struct {
	*Space[userKey, user]
	m *Manager
}

func newLaterOne(t *testing.T, store Store, log journal.Journal, src *source, change func(*InvalidationConfig)) laterOne {
	t.Helper()
	cfg := InvalidationConfig{Journal: log}
	if change != nil {
		change(&cfg)
	}
	m, err := NewManager(ManagerConfig{Store: store, Invalidation: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return laterOne{m: m, Space: newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Load, c.Invalidation, c.Epochs = src.load, cfg, true
		c.Tags.OfKey = func(k userKey) []Tag { return []Tag{{Name: k.Tenant}} }
	})}
}

// mended is what all queues of the process have brought to an end.
func (l laterOne) mended() (n uint64) {
	for _, s := range l.m.Stats() {
		n += s.Stats.Later.Mended
	}
	return n
}

// laterWays are all ways to invalidate ada but by its key.
var laterWays = []struct {
	name string
	what string
	of   func(t *testing.T, l laterOne) error
	list func(l laterOne) ([]DeadInvalidation, error)
}{
	{"tag of the manager", "tag", func(t *testing.T, l laterOne) error { return l.m.InvalidateTags(t.Context(), Tag{Name: "acme"}) },
		func(l laterOne) ([]DeadInvalidation, error) { return l.m.DeadInvalidations(context.Background()) }},
	{"tag of the space", "tag", func(t *testing.T, l laterOne) error {
		return l.InvalidateTags(t.Context(), Tag{Name: "acme"}, Tag{Name: "other"})
	}, nil},
	{"erase", "tag", func(t *testing.T, l laterOne) error {
		_, err := l.m.EraseTag(t.Context(), Tag{Name: "acme"})
		return err
	}, func(l laterOne) ([]DeadInvalidation, error) { return l.m.DeadInvalidations(context.Background()) }},
	{"pattern", "pattern", func(t *testing.T, l laterOne) error {
		_, err := l.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String("acme") })
		return err
	}, nil},
	{"epoch", "epoch", func(t *testing.T, l laterOne) error { return l.BumpEpoch(t.Context()) }, nil},
	{"many", "key", func(t *testing.T, l laterOne) error {
		return l.InvalidateMany(t.Context(), []userKey{ada, {"acme", 2}, {"acme", 3}})
	}, nil},
	{"rule", "tag", func(t *testing.T, l laterOne) error {
		r, err := NewRules(l.m, Rule[string]{Event: "e", Do: []Action[string]{TagsOf(l.m, func(string) []Tag { return []Tag{{Name: "acme"}} })}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Handle(t.Context(), "e")
	}, func(l laterOne) ([]DeadInvalidation, error) { return l.m.DeadInvalidations(context.Background()) }},
}

// However something is invalidated, what fails is repeated until the store is back; by
// the next process too, if there is a journal.
func TestEveryInvalidationRepeated(t *testing.T) {
	for _, way := range laterWays {
		for _, restart := range []bool{false, true} {
			name := way.name
			if restart {
				name += ", next process"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, src := newOffline(), newSource()
					var log journal.Journal
					if restart {
						log = memory.New(0)
					}
					l := newLaterOne(t, store, log, src, nil)
					wantName(t, l.Space, "Ada", FromLoader)
					time.Sleep(2 * time.Second)
					src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
					store.down.Store(true)
					for range 3 {
						if err := way.of(t, l); !errors.Is(err, ErrNotInvalidated) {
							t.Fatalf("%v, want ErrNotInvalidated", err)
						}
					}
					asked := store.changes.Load()
					time.Sleep(5 * time.Second)
					if store.changes.Load() == asked || l.mended() != 0 {
						t.Errorf("%d attempts, %d of them good, while the store was down", store.changes.Load()-asked, l.mended())
					}
					if restart {
						if err := l.m.Close(); err != nil {
							t.Fatal(err)
						}
						l = newLaterOne(t, store, log, src, nil)
					}
					store.down.Store(false)
					if !restart { // the next process may have begun by now
						wantName(t, l.Space, "Ada", FromL2)
					}
					time.Sleep(time.Minute)
					wantName(t, l.Space, "Grace", FromLoader)
					if l.mended() == 0 {
						t.Error("nothing was mended")
					}
					for _, s := range l.m.Stats() {
						if st := s.Stats.Later; st.Depth != 0 || st.Dead != 0 || st.Dropped != 0 {
							t.Errorf("%s: %+v", s.Space, st)
						}
					}
				})
			})
		}
	}
}

// After so many attempts it is given up, listed by what it is, and revived.
func TestEveryInvalidationDies(t *testing.T) {
	for _, way := range laterWays {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, src := newOffline(), newSource()
				var told []DeadInvalidation
				l := newLaterOne(t, store, memory.New(0), src, func(c *InvalidationConfig) {
					c.Attempts, c.OnDead = 3, func(d DeadInvalidation) { told = append(told, d) }
				})
				wantName(t, l.Space, "Ada", FromLoader)
				src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
				store.down.Store(true)
				if err := way.of(t, l); !errors.Is(err, ErrNotInvalidated) {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				list, revive := way.list, l.m.ReviveInvalidations
				if list == nil {
					list = func(l laterOne) ([]DeadInvalidation, error) { return l.DeadInvalidations(context.Background()) }
					revive = l.ReviveInvalidations
				}
				dead, err := list(l)
				if err != nil || len(dead) == 0 || len(dead) != len(told) || dead[0].What != way.what || told[0].What != way.what || told[0].Err == "" {
					t.Fatalf("%+v, told %+v, %v", dead, told, err)
				}
				store.down.Store(false)
				if n, err := revive(t.Context()); n != len(dead) || err != nil {
					t.Fatalf("%d revived, %v", n, err)
				}
				time.Sleep(5 * time.Second)
				wantName(t, l.Space, "Grace", FromLoader)
				if dead, _ := list(l); len(dead) != 0 {
					t.Errorf("%+v", dead)
				}
			})
		})
	}
}

// A pattern that takes its time keeps no key waiting.
func TestPatternBesideKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowScans{offline: newOffline()}
		l := newLaterOne(t, store, nil, newSource(), nil)
		store.down.Store(true)
		_, _ = l.InvalidatePattern(t.Context(), func(*PatternBuilder) {})
		_ = l.InvalidateMany(t.Context(), []userKey{ada, {"acme", 2}})
		store.down.Store(false)
		store.slow.Store(true)
		time.Sleep(10 * time.Second)
		if st := l.Stats().Later; st.Mended != 2 || st.Depth != 1 {
			t.Errorf("%+v, want two keys done and a pattern under way", st)
		}
		time.Sleep(3 * time.Minute)
		if st := l.Stats().Later; st.Mended != 3 || st.Depth != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// slowScans takes a minute to go through its keys.
type slowScans struct {
	*offline
	slow atomic.Bool
}

func (s *slowScans) ScanKeys(ctx context.Context, prefix string, visit func([]string) error) error {
	if s.slow.Load() {
		if err := pause(ctx, time.Minute); err != nil {
			return err
		}
	}
	return s.offline.ScanKeys(ctx, prefix, visit)
}

// A manager has no second delete, and refuses a journal that is in use.
func TestManagerInvalidationConfig(t *testing.T) {
	if _, err := NewManager(ManagerConfig{Invalidation: InvalidationConfig{SecondDelete: 1}}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	log := memory.New(0)
	cfg := ManagerConfig{Store: NewMemory(), Invalidation: InvalidationConfig{Journal: log}}
	m, err := NewManager(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewManager(cfg); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a journal that another manager has: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err = NewManager(cfg); err != nil {
		t.Fatal(err)
	}
	_ = m.Close()
}
