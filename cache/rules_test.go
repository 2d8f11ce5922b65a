package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// renamed is an event.
type renamed struct {
	Kind string
	ID   int64
	Role string
}

// Events by rules: to keys, tags, a pattern and an epoch; each thing once a batch.
func TestRules(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		m := newManager(t, store)
		users := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
		lists := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Name, c.Load, c.Epochs = "list", src.load, true })
		pages := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Name, c.Load = "page", src.load })
		is := func(kind string) func(renamed) bool { return func(e renamed) bool { return e.Kind == kind } }
		rules, err := NewRules(m,
			Rule[renamed]{Event: "renamed", When: is("renamed"), Do: []Action[renamed]{
				KeysOf(users, func(e renamed) []userKey { return []userKey{{"acme", e.ID}} }),
				PatternOf(pages, func(e renamed, b *PatternBuilder) { b.String("acme"); b.Int(e.ID) })}},
			Rule[renamed]{Event: "role", When: is("role"), Do: []Action[renamed]{TagsOf(m, func(e renamed) []Tag { return kind("role:" + e.Role) })}},
			Rule[renamed]{Event: "import", When: is("import"), Do: []Action[renamed]{EpochOf[renamed](lists)}})
		if err != nil {
			t.Fatal(err)
		}
		spaces := []*Space[userKey, user]{users, lists, pages}
		for _, c := range []struct {
			events []renamed
			gone   [3]bool
			counts [3]uint64
		}{
			{[]renamed{{"renamed", 1, ""}, {"renamed", 1, ""}, {"renamed", 2, ""}}, [3]bool{true, false, true}, [3]uint64{2, 0, 2}},
			{[]renamed{{"role", 0, "admin"}, {"role", 0, "none"}}, [3]bool{true, false, false}, [3]uint64{}},
			{[]renamed{{"import", 0, ""}, {"import", 0, ""}}, [3]bool{false, true, false}, [3]uint64{0, 1, 0}},
			{[]renamed{{"else", 1, ""}}, [3]bool{}, [3]uint64{}},
			{nil, [3]bool{}, [3]uint64{}},
		} {
			var before [3]uint64
			for i, s := range spaces {
				mustGet(t, s, ada)
				eventually(t, "it is cached", func() bool { _, meta := mustGet(t, s, ada); return meta.Source == FromL2 })
				before[i] = s.Stats().Invalidations
			}
			if err := rules.Handle(t.Context(), c.events...); err != nil {
				t.Fatal(err)
			}
			for i, s := range spaces {
				if _, meta := mustGet(t, s, ada); (meta.Source == FromLoader) != c.gone[i] {
					t.Errorf("%v: %s from %v", c.events, s.name, meta.Source)
				}
				if n := s.Stats().Invalidations - before[i]; n != c.counts[i] {
					t.Errorf("%v: %d invalidations in %s, want %d", c.events, n, s.name, c.counts[i])
				}
			}
		}
		if st := rules.Stats(); st != (RulesStats{Events: 8, Unmatched: 1}) {
			t.Errorf("%+v", st)
		}
	})
}

func TestRulesErrors(t *testing.T) {
	store := &failing{Memory: NewMemory()}
	m := newManager(t, store)
	s := newUsers(t, m, nil)
	action := KeysOf(s, func(id int64) []userKey { return []userKey{{"", id}, {"", id + 1}} })
	for name, rule := range map[string]Rule[int64]{"no event": {Do: []Action[int64]{action}}, "nothing": {Event: "x"}, "zero": {Event: "x", Do: []Action[int64]{{}}}} {
		if _, err := NewRules(m, rule); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rules, err := NewRules(m, Rule[int64]{Event: "x", Do: []Action[int64]{action}})
	if err != nil {
		t.Fatal(err)
	}
	store.down.Store(true)
	if err := rules.Handle(t.Context(), 1, 2); !errors.Is(err, ErrNotInvalidated) || rules.Stats().Failed != 1 {
		t.Errorf("the store is away: %v, %+v", err, rules.Stats())
	}
}

// The rate is that of the last minute, and ends with it.
func TestInvalidationRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{Store: NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, nil)
		for range 90 {
			if err := s.InvalidateMany(t.Context(), []userKey{{"", 1}, {"", 2}, {"", 2}, {"", 3}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if st := s.Stats(); st.InvalidationRate != 3 || st.Invalidations != 270 {
			t.Errorf("%v a second, %d in all; want 3 and 270", st.InvalidationRate, st.Invalidations)
		}
		time.Sleep(30 * time.Second)
		if r := s.Stats().InvalidationRate; r != 1.5 {
			t.Errorf("%v a second half a minute later, want 1.5", r)
		}
		time.Sleep(time.Minute)
		if r := s.Stats().InvalidationRate; r != 0 {
			t.Errorf("%v a second a minute later", r)
		}
	})
}
