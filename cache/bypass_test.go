package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What is bypassed is not read and not stored, and what is written meanwhile is not
// old afterwards.
func TestBypass(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Load, c.L1.MaxBytes = src.load, 1<<20
			c.Save = func(_ context.Context, key userKey, u user) (uint64, error) {
				src.set(key, Loaded[user]{Value: u, Version: 7})
				return 7, nil
			}
		})
		mustGet(t, s, ada)
		from := func(mode Bypass, want Source) {
			t.Helper()
			s.Bypass(mode)
			if _, meta := mustGet(t, s, ada); meta.Source != want || s.Bypassed() != mode {
				t.Errorf("%v: from %v, want %v", mode, meta.Source, want)
			}
		}
		from(BypassNothing, FromL1)
		from(BypassFleet, FromL1)
		from(BypassAll, FromLoader)
		s.l1.forget()
		from(BypassFleet, FromLoader)
		from(BypassFleet, FromL1)
		src.wantLoads(t, 3)
		if answers := s.GetMany(t.Context(), []userKey{ada, {"acme", 2}}); answers[ada].Meta.Source != FromL1 || !errors.Is(answers[userKey{"acme", 2}].Err, ErrNotFound) {
			t.Errorf("%+v", answers)
		}
		s.Bypass(BypassAll)
		if answers := s.GetMany(t.Context(), []userKey{ada, ada}); answers[ada].Meta.Source != FromLoader {
			t.Errorf("%+v", answers)
		}
		// The write is not stored, and the entry that was there is gone.
		if err := s.Put(t.Context(), ada, user{Name: "Countess"}); err != nil {
			t.Fatal(err)
		}
		s.Bypass(BypassNothing)
		v, meta := mustGet(t, s, ada)
		if v.Name != "Countess" || meta.Source != FromLoader {
			t.Errorf("%v from %v after the bypass, want what was written, from the loader", v, meta.Source)
		}
		if st := s.Stats(); st.Bypassed == 0 || s.State().Bypass != BypassNothing {
			t.Errorf("%+v", st)
		}
	})
}

// Callers of a key share a load, and the source is spared as ever.
func TestBypassCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Second}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load, Limit: LimitConfig{Max: 2, Initial: 2, NoWait: true}})
		defer end()
		s.Bypass(BypassAll)
		for range 100 {
			go s.Get(context.Background(), userKey{"", 1})
		}
		fine, shed, _ := getAll(s, 1, 5)
		if fine != 2 || shed != 3 || src.all.Load() != 2 {
			t.Errorf("%d loads, %d refused", src.all.Load(), shed)
		}
	})
}

// LoadMany is asked once for all keys of a call.
func TestBypassMany(t *testing.T) {
	calls := 0
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
		c.LoadMany = func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
			calls++
			return map[userKey]Loaded[user]{ada: {Value: user{Name: "Ada"}}}, nil
		}
	})
	s.Bypass(BypassAll)
	answers := s.GetMany(t.Context(), []userKey{ada, {"acme", 2}})
	if a, b := answers[ada], answers[userKey{"acme", 2}]; a.Value.Name != "Ada" || a.Err != nil || !errors.Is(b.Err, ErrNotFound) || calls != 1 {
		t.Errorf("%+v after %d calls", answers, calls)
	}
}

// An operator's control reaches all processes within a second, and ends by itself.
func TestControl(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, store allStores) {
		var spaces []*Space[userKey, user]
		for range 2 {
			spaces = append(spaces, newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Controls = newSource().load, true }))
		}
		all := func(want Bypass) func() bool {
			return func() bool { return spaces[0].Bypassed() == want && spaces[1].Bypassed() == want }
		}
		if err := SetControl(t.Context(), store, "user/3", Control{Bypass: BypassAll}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both processes bypass", all(BypassAll))
		c, found, err := GetControl(t.Context(), store, "user/3")
		if left := time.Until(c.Until); err != nil || !found || c.Bypass != BypassAll || left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("%+v, %t, %v", c, found, err)
		}
		if err := SetControl(t.Context(), store, "user/3", Control{Bypass: BypassNothing, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "neither does", all(BypassNothing))
	})
}

func TestControlEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outageStore{Memory: NewMemory()}
		s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Controls: true})
		defer end()
		ctx := context.Background()
		if err := SetControl(ctx, store, s.name, Control{Bypass: BypassFleet, Until: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		store.down.Store(true) // what was known goes on
		time.Sleep(30 * time.Second)
		if s.Bypassed() != BypassFleet {
			t.Errorf("%v while the store is away", s.Bypassed())
		}
		if s.Bypass(BypassAll); s.Bypassed() != BypassAll {
			t.Errorf("%v: the one that leaves out more holds", s.Bypassed())
		}
		s.Bypass(BypassNothing)
		time.Sleep(29 * time.Second)
		if s.Bypassed() != BypassNothing {
			t.Errorf("%v after its end", s.Bypassed())
		}
	})
}

// What is under the key need not be a control.
func TestControlFromOutside(t *testing.T) {
	store := NewMemory()
	whole := append([]byte(controlMagic), byte(BypassAll), 0, 0, 0xff, 0, 0, 0, 0, 0)
	for _, value := range [][]byte{nil, {1}, []byte("rwk1"), append(whole, 0), append([]byte("rwk2"), whole[4:]...),
		append([]byte(controlMagic), 9, 0, 0, 0xff, 0, 0, 0, 0, 0), make([]byte, controlSize)} {
		if c, ok := decodeControl(value); ok {
			t.Errorf("%x: %+v", value, c)
		}
	}
	if c, ok := decodeControl(whole); !ok || c.Bypass != BypassAll {
		t.Errorf("%+v, %t", c, ok)
	}
	for _, space := range []string{"", "user", "user/", "/3", "us er/3", "user/x", "user/3/", "user/12345678901"} {
		if err := SetControl(t.Context(), store, space, Control{}); !errors.Is(err, ErrConfig) {
			t.Errorf("space %q: %v", space, err)
		}
		if _, _, err := GetControl(t.Context(), store, space); !errors.Is(err, ErrConfig) {
			t.Errorf("space %q: %v", space, err)
		}
	}
	for _, c := range []Control{{Bypass: 3}, {Until: time.Now()}, {Until: time.Now().Add(31 * 24 * time.Hour)}} {
		if err := SetControl(t.Context(), store, "user/3", c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, mode := range []Bypass{BypassNothing, BypassFleet, BypassAll} {
		if got, err := ParseBypass(mode.String()); got != mode || err != nil {
			t.Errorf("%v: %v, %v", mode, got, err)
		}
	}
	if _, err := ParseBypass("none"); !errors.Is(err, ErrConfig) {
		t.Errorf("%v", err)
	}
}

// Without a store there is level 1 and the source; nothing fails, and loads are shared.
func TestNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Second}
		m, err := NewManager(ManagerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Load: src.load, L1: L1Config{MaxBytes: 1 << 20},
			Save: func(context.Context, userKey, int) (uint64, error) { return 0, nil }})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			go s.Get(context.Background(), userKey{"", 1})
		}
		if got := sourceOfKey(t, s, 1); got != FromLoader || src.all.Load() != 1 {
			t.Errorf("from %v, %d loads", got, src.all.Load())
		}
		if got := sourceOfKey(t, s, 1); got != FromL1 {
			t.Errorf("from %v", got)
		}
		if err := s.Put(context.Background(), userKey{"", 1}, 2); err != nil {
			t.Error(err)
		}
		if got := sourceOfKey(t, s, 1); got != FromLoader {
			t.Errorf("after Put from %v", got)
		}
		if _, err := s.Incr(context.Background(), userKey{"", 1}, 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("Incr: %v", err)
		}
		if st := s.Stats(); st.StoreErrors != 0 || st.Stored != 0 {
			t.Errorf("%+v", st)
		}
	})
}
