package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// compared is a source that compares versions.
type compared struct {
	mu      sync.Mutex
	row     Loaded[user]
	compare bool
	saves   int
}

func (s *compared) load(context.Context, userKey) (Loaded[user], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.row.Version == 0 {
		return Loaded[user]{}, ErrNotFound
	}
	return s.row, nil
}

func (s *compared) save(ctx context.Context, _ userKey, u user) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	base, updating := BaseVersion(ctx)
	if s.compare && updating && base != s.row.Version {
		return 0, ErrConflict
	}
	s.row = Loaded[user]{Value: u, Version: s.row.Version + 1}
	return s.row.Version, nil
}

// countUp adds 1 to the number that the user's name is.
func countUp(old user, exists bool) (user, error) {
	if !exists {
		return user{Name: "1"}, nil
	}
	n, err := strconv.Atoi(old.Name)
	return user{Name: strconv.Itoa(n + 1)}, err
}

// Several processes update the same row, and none undoes another's.
func TestUpdate(t *testing.T) {
	store, src := NewMemory(), &compared{compare: true}
	const processes, each = 4, 25
	var work sync.WaitGroup
	var spaces []*Space[userKey, user]
	for range processes {
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Save = src.load, src.save })
		spaces = append(spaces, s)
		work.Go(func() {
			for range each {
				for { // after 8 conflicts in a row it is the caller who goes on
					_, err := s.Update(t.Context(), ada, countUp)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	work.Wait()
	want := strconv.Itoa(processes * each)
	if src.row.Value.Name != want {
		t.Errorf("the source has %s, want %s", src.row.Value.Name, want)
	}
	for _, s := range spaces {
		if v, _ := mustGet(t, s, ada); v.Name != want {
			t.Errorf("%s is read, want %s", v.Name, want)
		}
	}
}

// What is cached may be old, and is not what a value is made of.
func TestUpdateReadsTheSource(t *testing.T) {
	src := &compared{row: Loaded[user]{Value: user{Name: "1"}, Version: 1}}
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) { c.Load, c.Save = src.load, src.save })
	wantName(t, s, "1", FromLoader)
	src.row = Loaded[user]{Value: user{Name: "5"}, Version: 5}
	v, err := s.Update(t.Context(), ada, countUp)
	if err != nil || v.Name != "6" {
		t.Errorf("%v, %v, want 6", v.Name, err)
	}
	wantName(t, s, "6", FromL2)
}

func TestUpdateErrors(t *testing.T) {
	src, m := &compared{row: Loaded[user]{Value: user{Name: "1"}, Version: 1}}, newManager(t, NewMemory())
	own := errors.New("own")
	with := func(change func(*SpaceConfig[userKey, user])) *Space[userKey, user] {
		return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Save, c.Name = src.load, src.save, fmt.Sprintf("users%p", &change)
			change(c)
		})
	}
	for name, test := range map[string]struct {
		s      *Space[userKey, user]
		change func(user, bool) (user, error)
		want   error
	}{
		"no Save":   {with(func(c *SpaceConfig[userKey, user]) { c.Save = nil }), countUp, ErrNoSave},
		"no Load":   {with(func(c *SpaceConfig[userKey, user]) { c.Load = nil }), countUp, ErrNoLoader},
		"change":    {with(func(*SpaceConfig[userKey, user]) {}), func(user, bool) (user, error) { return user{}, own }, own},
		"loader":    {with(func(c *SpaceConfig[userKey, user]) { c.Load = failsWith(own) }), countUp, own},
		"conflicts": {with(func(c *SpaceConfig[userKey, user]) { c.Save = conflicting }), countUp, ErrConflict},
	} {
		if _, err := test.s.Update(t.Context(), ada, test.change); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if src.saves != 0 || src.row.Value.Name != "1" {
		t.Errorf("%d saves, %v", src.saves, src.row)
	}
	if _, updating := BaseVersion(t.Context()); updating {
		t.Error("updating outside of an update")
	}
}

func failsWith(err error) Loader[userKey, user] {
	return func(context.Context, userKey) (Loaded[user], error) { return Loaded[user]{}, err }
}

func conflicting(context.Context, userKey, user) (uint64, error) { return 0, ErrConflict }
