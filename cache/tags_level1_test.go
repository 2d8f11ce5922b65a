package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// What level 1 has is dead at once where a tag is invalidated; with a bus elsewhere
// moments later, and without one a second later.
func TestTagsInLevel1(t *testing.T) {
	for _, bus := range []bool{true, false} {
		t.Run(fmt.Sprint("bus ", bus), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, store, src := newEther(1, 0), NewMemory(), newSource()
				change := func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load, c.L1.MaxBytes = src.load, 1<<20 }
				open := func() (*Space[userKey, user], *Manager) {
					if bus {
						s, m, _ := e.process(t, store, change)
						return s, m
					}
					m, err := NewManager(ManagerConfig{Store: store})
					if err != nil {
						t.Fatal(err)
					}
					return newUsers(t, m, change), m
				}
				here, m := open()
				there, m2 := open()
				defer m.Close()
				defer m2.Close()
				time.Sleep(time.Minute) // the bus is heard
				mustGet(t, here, ada)
				forgets := there.Stats().L1Forgets
				for round := range 3 {
					mustGet(t, here, ada)
					mustGet(t, there, ada)
					wantName(t, there, src.rows[ada].Value.Name, FromL1)
					wantName(t, here, src.rows[ada].Value.Name, FromL1)
					name := fmt.Sprint("round ", round)
					src.set(ada, Loaded[user]{Value: user{Name: name, Roles: []string{"admin"}}})
					untag(t, m, "role:admin")
					wantName(t, here, name, FromLoader)
					lag := 100 * time.Millisecond
					if !bus {
						lag = tagFresh
					}
					time.Sleep(lag)
					wantName(t, there, name, FromL2)
					wantName(t, there, name, FromL1)
				}
				if n := there.Stats().L1Forgets - forgets; n > 0 {
					t.Errorf("all was forgotten %d times", n)
				}
				time.Sleep(2 * time.Second)
				if _, meta := mustGet(t, there, ada); (meta.Source == FromL1) != bus {
					t.Errorf("two seconds later from %v", meta.Source)
				}
			})
		})
	}
}

// A reader that is slower than the invalidation of a tag keeps nothing, and nobody who
// came after it shares its load.
func TestTagsAndSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, src := &slowStore{Memory: NewMemory()}, newSource()
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.L1.MaxBytes = src.load, 1<<20
			c.Tags.OfValue = func(userKey, user) []Tag { return kind("t") }
		})
		untag(t, m, "t")
		time.Sleep(time.Minute)
		src.slow = 2 * time.Second
		first := make(chan user, 1)
		go func() { v, _, _ := s.Get(context.Background(), ada); first <- v }()
		time.Sleep(2 * time.Second) // it has looked, and loads
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		untag(t, m, "t")
		if v, _ := mustGet(t, s, ada); v.Name != "new" {
			t.Errorf("%q, to one who came after the invalidation", v.Name)
		}
		<-first
		time.Sleep(time.Minute)
		wantName(t, s, "new", FromL2)
	})
}

func TestTagLimits(t *testing.T) {
	m := newManager(t, NewMemory())
	tags := 9
	many := func(userKey) (all []Tag) {
		for i := range tags {
			all = append(all, Tag{Name: fmt.Sprint(i)}, Tag{Name: fmt.Sprint(i)})
		}
		return all
	}
	load := func(context.Context, userKey) (Loaded[user], error) {
		return Loaded[user]{Value: user{Name: "x"}, Tags: kind("of the loader")}, nil
	}
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Tags.OfKey, c.Load = many, load })
	if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrTags) {
		t.Errorf("nine tags: %v", err)
	}
	tags = 8
	if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrTags) {
		t.Errorf("tags of the loader without ByLoader: %v", err)
	}
	s = newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Name, c.Load, c.Tags.OfKey, c.Tags.ByLoader = "loader", load, many, true
		c.Pause.Disabled = true
	})
	if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrTags) {
		t.Errorf("eight and one of the loader: %v", err)
	}
	tags = 7
	if mustGet(t, s, ada); s.Stats().Stored == 0 {
		t.Error("eight tags: not stored")
	}
	if err := m.InvalidateTags(t.Context(), Tag{}); !errors.As(err, new(*KeyError)) {
		t.Errorf("a tag without a name: %v", err)
	}
	if err := m.InvalidateTags(t.Context(), Tag{Name: "user", Personal: "ada"}); !errors.As(err, new(*KeyError)) {
		t.Errorf("a personal tag without a secret: %v", err)
	}
	if _, err := NewManager(ManagerConfig{TagSpace: "{x}"}); !errors.Is(err, ErrConfig) {
		t.Errorf("TagSpace: %v", err)
	}
}

// An entry from before its space had a tag could be invalidated by nobody.
func TestTagsAreAdded(t *testing.T) {
	store, src := NewMemory(), newSource()
	old := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	mustGet(t, old, ada)
	m := newManager(t, store)
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
	wantName(t, s, "Ada", FromLoader)
	wantName(t, s, "Ada", FromL2)
	wantName(t, old, "Ada", FromL2) // and one that knows nothing of tags minds them
	untag(t, m, "role:admin")
	wantName(t, old, "Ada", FromLoader)
}

// A loader that reads a replica: nothing is stored for HoldOff after an invalidation.
func TestTagsHoldOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		src := newSource()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load, c.Life.HoldOff = src.load, 10*time.Second })
		for _, tag := range []string{"tenant:acme", "role:admin"} {
			untag(t, m, tag)
			wantName(t, s, "Ada", FromLoader)
			time.Sleep(9 * time.Second)
			wantName(t, s, "Ada", FromLoader)
			time.Sleep(2 * time.Second)
			wantName(t, s, "Ada", FromLoader)
			wantName(t, s, "Ada", FromL2)
		}
	})
}
