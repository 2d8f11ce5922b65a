package cache

import (
	"context"
	"errors"
	"testing"
)

// namedBadly returns an index whose Names panics with what bad says, for as long as that is
// something.
func namedBadly(t *testing.T, s *Space[userKey, user], bad *error) *Index[userKey, userKey, user] {
	t.Helper()
	index, err := NewIndex(s, IndexConfig[userKey, userKey, user]{Name: "names",
		Load: func(context.Context, userKey) (userKey, error) { return ada, nil },
		Names: func(user) []userKey {
			if *bad != nil {
				panic(*bad)
			}
			return []userKey{ada}
		}})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// A Names that panics confirms nothing, and is an error of whoever asks the index. What is
// cached stays, whatever it panics with.
func TestPanicsOfAnIndex(t *testing.T) {
	bad, src := errBug, newSource()
	s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	defer s.m.Close()
	index := namedBadly(t, s, &bad)
	_, _, err := index.Get(t.Context(), ada)
	wantPanic(t, "Get", err, "IndexConfig.Names")
	var p *PanicError
	bad = ErrNotFound
	if _, _, err := index.Get(t.Context(), ada); !errors.As(err, &p) || p.In != "IndexConfig.Names" {
		t.Errorf("%v, want the panic of Names", err)
	}
	bad = nil
	if v, meta, err := index.Get(t.Context(), ada); err != nil || v.Name != "Ada" || meta.Source != FromL2 {
		t.Errorf("afterwards: %v from %v, %v", v, meta.Source, err)
	}
	src.wantLoads(t, 1)
}

// A function of a rule that panics is an error of Handle. What other events say, and what
// other actions make of the same event, is invalidated.
func TestPanicsOfRules(t *testing.T) {
	is := func(e renamed) bool { return e.Kind == "bad" }
	for in, action := range map[string]func(*Space[userKey, user]) Rule[renamed]{
		"Rule.When": func(s *Space[userKey, user]) Rule[renamed] {
			return Rule[renamed]{When: func(e renamed) bool {
				if is(e) {
					panic(errBug)
				}
				return false
			}, Do: []Action[renamed]{EpochOf[renamed](s)}}
		},
		"KeysOf": func(s *Space[userKey, user]) Rule[renamed] {
			return Rule[renamed]{When: is, Do: []Action[renamed]{KeysOf(s, func(renamed) []userKey { panic(errBug) })}}
		},
		"TagsOf": func(s *Space[userKey, user]) Rule[renamed] {
			return Rule[renamed]{When: is, Do: []Action[renamed]{TagsOf(s.m, func(renamed) []Tag { panic(errBug) })}}
		},
		"the pattern": func(s *Space[userKey, user]) Rule[renamed] {
			return Rule[renamed]{When: is, Do: []Action[renamed]{PatternOf(s, func(renamed, *PatternBuilder) { panic(errBug) })}}
		},
	} {
		src := newSource()
		s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
		bad := action(s)
		bad.Event = "bad"
		rules, err := NewRules(s.m, bad, Rule[renamed]{Event: "any", Do: []Action[renamed]{
			KeysOf(s, func(e renamed) []userKey { return []userKey{{"acme", e.ID}} })}})
		if err != nil {
			t.Fatal(err)
		}
		all := []userKey{{"acme", 1}, {"acme", 2}, {"acme", 3}}
		for _, k := range all {
			src.set(k, Loaded[user]{Value: user{Name: "Ada"}})
			mustGet(t, s, k)
		}
		err = rules.Handle(t.Context(), renamed{"good", 1, ""}, renamed{"bad", 2, ""}, renamed{"bad", 2, ""}, renamed{"good", 3, ""})
		wantPanic(t, in, err, in)
		if got := rules.Stats(); got != (RulesStats{Events: 4, Failed: 1}) {
			t.Errorf("%s: %+v", in, got)
		}
		for _, k := range all {
			if _, meta := mustGet(t, s, k); meta.Source != FromLoader {
				t.Errorf("%s: %v from %v, want it invalidated", in, k, meta.Source)
			}
		}
		_ = s.m.Close()
	}
}

// The pattern of a call that panics is an error of the call.
func TestPanicOfAPattern(t *testing.T) {
	src := newSource()
	s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	defer s.m.Close()
	wantName(t, s, "Ada", FromLoader)
	removed, err := s.InvalidatePattern(t.Context(), func(*PatternBuilder) { panic(errBug) })
	if wantPanic(t, "InvalidatePattern", err, "the pattern"); removed != 0 {
		t.Errorf("%d removed", removed)
	}
	wantName(t, s, "Ada", FromL2)
}
