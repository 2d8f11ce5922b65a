package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache/journal/memory"
)

// byNumber loads keys by their ID, and notes with how many keys it was called.
type byNumber struct {
	calls atomic.Int64
	keys  atomic.Int64
	takes time.Duration
}

func (n *byNumber) load(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
	n.calls.Add(1)
	n.keys.Add(int64(len(keys)))
	time.Sleep(n.takes)
	all := make(map[userKey]Loaded[user])
	for _, k := range keys {
		if k.ID > 0 {
			all[k] = Loaded[user]{Value: user{Name: fmt.Sprint(k.ID)}, NoStore: k.Tenant == "partial"}
		}
	}
	return all, nil
}

func (n *byNumber) want(t *testing.T, calls, keys int64) {
	t.Helper()
	if c, k := n.calls.Load(), n.keys.Load(); c != calls || k != keys {
		t.Errorf("%d calls of LoadMany for %d keys, want %d for %d", c, k, calls, keys)
	}
}

// A batch that passes the fleet by is one call of LoadMany, for what level 1 does not
// have, as it is with the fleet and with neither of them.
func TestBypassFleetMany(t *testing.T) {
	for _, mode := range []Bypass{BypassNothing, BypassFleet, BypassAll} {
		t.Run(mode.String(), func(t *testing.T) {
			src := &byNumber{}
			s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
				c.LoadMany, c.L1.MaxBytes, c.Life.NoNegative = src.load, 1<<20, true
			})
			s.Bypass(mode)
			ask := func(keys ...userKey) {
				t.Helper()
				answers := s.GetMany(t.Context(), keys)
				for _, k := range keys {
					if a := answers[k]; k.ID > 0 && (a.Err != nil || a.Value.Name != fmt.Sprint(k.ID)) || k.ID == 0 && !errors.Is(a.Err, ErrNotFound) {
						t.Errorf("%v: %+v", k, a)
					}
				}
			}
			ask(userKey{"", 1}, userKey{"", 2}, userKey{"", 3}, userKey{"", 1}, userKey{"", 0})
			src.want(t, 1, 4)
			ask(userKey{"", 1}, userKey{"", 4})
			if mode == BypassAll {
				src.want(t, 2, 6)
			} else {
				src.want(t, 2, 5) // level 1 has the first
			}
		})
	}
}

// What the loader says not to keep, and what has tags, is not kept in level 1 either: no
// invalidation of a tag would reach it there.
func TestBypassFleetKeeps(t *testing.T) {
	for _, many := range []bool{false, true} {
		src := &byNumber{}
		m := newManager(t, NewMemory())
		space := func(name string, tags bool) func(key userKey, want Source) {
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Name, c.LoadMany, c.L1.MaxBytes = name, src.load, 1<<20
				if tags {
					c.Tags.OfKey = func(userKey) []Tag { return kind("t") }
				}
			})
			s.Bypass(BypassFleet)
			return func(key userKey, want Source) {
				t.Helper()
				got := FromL1
				if many {
					got = s.GetMany(t.Context(), []userKey{key})[key].Meta.Source
				} else {
					_, meta := mustGet(t, s, key)
					got = meta.Source
				}
				if got != want {
					t.Errorf("many %v: %s: %v from %v, want %v", many, name, key, got, want)
				}
			}
		}
		plain, tagged := space(fmt.Sprint("plain", many), false), space(fmt.Sprint("tagged", many), true)
		for _, want := range []Source{FromLoader, FromL1} {
			plain(userKey{"", 1}, want)
			plain(userKey{"partial", 1}, FromLoader)
			tagged(userKey{"", 1}, FromLoader)
		}
	}
}

// Batches and single callers who want the same keys at the same moment share the loads,
// whatever is passed by, and the source is asked for no more at a time than ever.
func TestBypassManyShares(t *testing.T) {
	for _, mode := range []Bypass{BypassFleet, BypassAll} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &byNumber{takes: time.Second}
				m, err := NewManager(ManagerConfig{Store: NewMemory()})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
					c.LoadMany, c.Limit = src.load, LimitConfig{Max: 2, Initial: 2, NoWait: true}
				})
				s.Bypass(mode)
				done := make(chan error)
				for range 10 {
					go func() {
						answers := s.GetMany(context.Background(), []userKey{{"", 1}, {"", 2}})
						done <- errors.Join(answers[userKey{"", 1}].Err, answers[userKey{"", 2}].Err)
					}()
					go func() { _, _, err := s.Get(context.Background(), userKey{"", 1}); done <- err }()
				}
				synctest.Wait()
				// One may have come first alone: then the others load the second key.
				if calls, keys := src.calls.Load(), src.keys.Load(); calls > 2 || keys != 2 {
					t.Errorf("%d calls for %d keys", calls, keys)
				}
				for range 20 {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				src.calls.Store(0)
				for i := range int64(3) { // a third batch has no place
					go func() {
						key := userKey{"", 10 + i}
						done <- s.GetMany(context.Background(), []userKey{key})[key].Err
					}()
				}
				shed := 0
				for range 3 {
					if errors.Is(<-done, ErrShed) {
						shed++
					}
				}
				if shed != 1 || src.calls.Load() != 2 {
					t.Errorf("%d of 3 batches were refused, %d calls, want 1 and 2", shed, src.calls.Load())
				}
			})
		})
	}
}

// Reload goes past the fleet too: what another process has stored is not enough.
func TestBypassReload(t *testing.T) {
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
		c.Load, c.L1.MaxBytes = newSource().load, 1<<20
	})
	mustGet(t, s, ada)
	load := Plain(func(context.Context, userKey) (user, error) { return user{Name: "anew"}, nil })
	enough := func(user) bool { return true }
	for _, c := range []struct {
		mode   Bypass
		enough func(user) bool
		want   Source
		name   string
	}{{BypassNothing, enough, FromL2, "Ada"}, {BypassFleet, enough, FromL1, "Ada"}, {BypassAll, enough, FromLoader, "anew"},
		{BypassFleet, func(user) bool { return false }, FromLoader, "anew"}, {BypassFleet, enough, FromL1, "anew"},
		{BypassFleet, nil, FromLoader, "anew"}} {
		s.Bypass(c.mode)
		if v, meta, err := s.Reload(t.Context(), ada, load, c.enough); err != nil || v.Name != c.name || meta.Source != c.want {
			t.Errorf("%v: %q from %v, %v; want %q from %v", c.mode, v.Name, meta.Source, err, c.name, c.want)
		}
	}
	s.Bypass(BypassNothing)
	s.l1.forget()
	wantName(t, s, "Ada", FromL2) // nothing was stored
}

// A write that waits for the source is seen whatever is passed by, by one key as by many.
func TestBypassPending(t *testing.T) {
	l := newLate()
	s := behindUsers(t, newManager(t, NewMemory()), l, memory.New(0), nil)
	release := l.hold()
	defer release()
	put(t, s, "waits")
	s.Bypass(BypassAll)
	wantName(t, s, "waits", FromPending)
	if a := s.GetMany(t.Context(), []userKey{ada})[ada]; a.Err != nil || a.Value.Name != "waits" {
		t.Errorf("GetMany: %+v", a)
	}
}
