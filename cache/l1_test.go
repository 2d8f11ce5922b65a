package cache

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func withL1(c *SpaceConfig[userKey, user]) { c.L1.MaxBytes = 1 << 20 }

func TestL1(t *testing.T) {
	inBubble(t, withL1, func(t *testing.T, s *Space[userKey, user], src *source) {
		time.Sleep(10 * time.Second)      // its end comes between two sweeps
		wantName(t, s, "Ada", FromLoader) // and L1 is filled with it
		wantName(t, s, "Ada", FromL1)
		time.Sleep(31 * time.Second) // its own time to live
		wantName(t, s, "Ada", FromL2)
		wantName(t, s, "Ada", FromL1)
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		wantName(t, s, "Ada", FromLoader)
		src.wantLoads(t, 2)
		for range 2 { // an absence is not kept here
			if _, meta, err := s.Get(t.Context(), userKey{"", 9}); !errors.Is(err, ErrNotFound) || meta.Source == FromL1 {
				t.Error(meta, err)
			}
		}
	})
}

// L1 never outlives the value's own time.
func TestL1EndsWithTheValue(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { withL1(c); c.Life.TTL = 10 * time.Second }, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(11 * time.Second)
		wantName(t, s, "Ada", FromLoader)
	})
}

func TestL1IsBoundedByBytes(t *testing.T) {
	src := newSource()
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
		c.Load, c.L1.MaxBytes = src.load, 100_000
	})
	long := strings.Repeat("x", 10_000)
	for i := range int64(100) {
		key := userKey{"big", i}
		src.set(key, Loaded[user]{Value: user{Name: fmt.Sprint(long, i)}})
		mustGet(t, s, key)
	}
	eventually(t, "L1 within its bound", func() bool {
		s.l1.cache.CleanUp()
		return s.l1.cache.WeightedSize() <= 100_000
	})
	if n := s.l1.cache.EstimatedSize(); n < 1 || n > 10 {
		t.Errorf("%d entries of 10 kB in 100 kB", n)
	}
}

// A reader that is slow does not put back what was invalidated meanwhile.
func TestL1Generation(t *testing.T) {
	s := newUsers(t, newManager(t, NewMemory()), withL1)
	k, _ := storeKeyOf(s.prefix, ada, nil, nil)
	keep := func(generation uint64) {
		s.keepL1(ada, generation, &answer[user]{id: k.identity, envelope: envelope{soft: time.Now().Add(time.Hour)}, payload: []byte("{}")})
	}
	kept := func() bool { _, found := s.l1.get(ada, 0, s.l1.now()); return found }
	for name, forget := range map[string]func(){
		"by this process": func() { s.l1.invalidate(ada, k.identity) },
		"by another":      func() { s.changed(Change{Key: k.identity}) },
		"everything":      func() { s.doubt(false) },
	} {
		g := s.l1.generation(k.identity)
		if keep(g); !kept() {
			t.Fatalf("%s: not kept", name)
		}
		if forget(); kept() {
			t.Errorf("%s: kept", name)
		}
		if keep(g); kept() {
			t.Errorf("%s: kept after an invalidation", name)
		}
		s.l1.put(ada, held[user]{id: k.identity, generation: g, ends: s.l1.now() + time.Hour})
		if kept() { // also if it comes between the two looks
			t.Errorf("%s: put after an invalidation", name)
		}
	}
}
