package cache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// withFallback is a space over a store that can be away.
func withFallback(t *testing.T, src *crowd, change func(*SpaceConfig[userKey, int])) (*Space[userKey, int], *outageStore, func()) {
	store := &outageStore{Memory: NewMemory()}
	cfg := SpaceConfig[userKey, int]{Load: src.load, Fallback: FallbackConfig{MaxBytes: 1 << 20},
		Recovery: RecoveryConfig{NoWarming: true}, Life: LifeConfig{NoJitter: true}}
	if change != nil {
		change(&cfg)
	}
	s, end := newNumbers(t, store, cfg)
	return s, store, end
}

func sourceOfKey(t *testing.T, s *Space[userKey, int], id int) Source {
	t.Helper()
	_, meta, err := s.Get(context.Background(), userKey{"", int64(id)})
	if err != nil {
		t.Errorf("key %d: %v", id, err)
	}
	return meta.Source
}

// While the store is away what was loaded is kept here, for MaxAge, and no longer;
// Invalidate removes it although the store cannot be told.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{}
		s, store, end := withFallback(t, src, nil)
		defer end()
		store.down.Store(true)
		for _, want := range []Source{FromLoader, FromFallback, FromFallback} {
			if got := sourceOfKey(t, s, 1); got != want {
				t.Errorf("from %v, want %v", got, want)
			}
		}
		time.Sleep(30 * time.Second)
		if got := sourceOfKey(t, s, 1); got != FromLoader {
			t.Errorf("after 30 s from %v", got)
		}
		_ = s.Invalidate(context.Background(), userKey{"", 1})
		if got := sourceOfKey(t, s, 1); got != FromLoader {
			t.Errorf("after Invalidate from %v", got)
		}
		k, _ := s.keyOf(context.Background(), userKey{"", 1})
		s.changed(Change{Space: s.name, Key: k.identity})
		if got := sourceOfKey(t, s, 1); got != FromLoader {
			t.Errorf("after a change by another process from %v", got)
		}
		answers := s.GetMany(context.Background(), []userKey{{"", 1}})
		if a := answers[userKey{"", 1}]; a.Err != nil || a.Meta.Source != FromFallback {
			t.Errorf("GetMany: %+v", a)
		}
	})
}

// It is bounded by bytes, however many keys are asked for.
func TestFallbackIsBounded(t *testing.T) {
	s, store, end := withFallback(t, &crowd{}, func(c *SpaceConfig[userKey, int]) { c.Fallback.MaxBytes = 100_000 })
	defer end()
	store.down.Store(true)
	for i := range 1500 {
		sourceOfKey(t, s, i)
	}
	eventually(t, "the fallback is within its bound", func() bool { return s.State().FallbackBytes <= 100_000 })
	if st := s.State(); st.FallbackEntries == 0 {
		t.Errorf("%+v", st)
	}
}

// When the store is back, and empty, what the fallback has is served until the store
// is warm: nine tenths of the usual hits. Then it is let go.
func TestFallbackUntilTheStoreIsWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{}
		s, store, end := withFallback(t, src, func(c *SpaceConfig[userKey, int]) {
			c.Fallback.MaxAge, c.Recovery.For = time.Hour, time.Hour
			c.Recovery.FillsPerSecond = 10
		})
		defer end()
		const keys = 200
		second := func() { getAll(s, 1, keys); time.Sleep(time.Second) }
		for range 5 {
			second() // the usual: all hits
		}
		store.down.Store(true)
		for range 3 {
			second()
		}
		if st := s.State(); st.Store != StoreAway || st.FallbackEntries != keys {
			t.Fatalf("%+v, want away with %d in the fallback", st, keys)
		}
		store.empty()
		store.down.Store(false)
		before := src.all.Load()
		for range 5 {
			second()
		}
		if n := src.all.Load() - before; n != 0 || s.State().Store != StoreCold {
			t.Errorf("%d loads of what the fallback has, %v", n, s.State().Store)
		}
		// It is not stored from there: what was invalidated would come back.
		store.mu.Lock()
		cells := len(store.cells)
		store.mu.Unlock()
		if cells != 0 {
			t.Errorf("%d values were stored from the fallback", cells)
		}
		for i := 1; i <= keys; i++ { // stored by another process, say
			k, _ := s.keyOf(context.Background(), userKey{"", int64(i)})
			_, e, err := s.seal(k, Loaded[int]{Value: 1}, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = store.Set(context.Background(), k.text, e)
		}
		for range 3 {
			second()
		}
		if st := s.State(); st.Store != StoreWarm || st.FallbackEntries != 0 {
			t.Errorf("%+v, want warm and an empty fallback", st)
		}
	})
}

// Where hits do not come back, it is warm after a time all the same.
func TestRecoveryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, end := withFallback(t, &crowd{}, func(c *SpaceConfig[userKey, int]) { c.Recovery.For = 10 * time.Second })
		defer end()
		store.down.Store(true)
		for range 3 {
			getAll(s, 1, 20)
			time.Sleep(time.Second)
		}
		store.down.Store(false)
		states := map[StoreState]int{}
		for range 20 {
			getAll(s, 1000, 1001)
			states[s.State().Store]++
			time.Sleep(time.Second)
			store.empty()
		}
		if states[StoreCold] < 8 || states[StoreCold] > 12 || s.State().Store != StoreWarm {
			t.Errorf("%v, now %v: want some 10 s cold, and then warm", states, s.State().Store)
		}
	})
}

// A few errors are no outage.
func TestFewErrorsAreNoOutage(t *testing.T) {
	w := newWatch(RecoveryConfig{For: time.Minute}, func(s StoreState) { t.Errorf("%v", s) })
	at := time.Unix(1000, 0)
	for second := range 10 {
		for i := range 1000 {
			w.note(at, i < 4 || second%2 == 0 && i < 49, true)
		}
		at = at.Add(watchWindow)
	}
}

// While the store recovers so many fills a second go out, and callers get all values.
func TestFillsOnRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{}
		s, store, end := withFallback(t, src, func(c *SpaceConfig[userKey, int]) { c.Recovery.FillsPerSecond = 10 })
		defer end()
		store.down.Store(true)
		for range 3 {
			getAll(s, 1, 20)
			time.Sleep(time.Second)
		}
		store.down.Store(false)
		getAll(s, 1, 20)
		time.Sleep(time.Second)
		filled := s.Stats().Stored
		for second := range 5 {
			if fine, shed, others := getAll(s, 1000*second+1000, 1000*second+1099); fine != 100 {
				t.Errorf("%d of 100 got a value, %d refused, %v", fine, shed, others)
			}
			time.Sleep(time.Second)
			now := s.Stats().Stored
			if n := now - filled; n > 11 || s.State().Store != StoreCold {
				t.Errorf("%d fills in a second, want 10; %v", n, s.State().Store)
			}
			filled = now
		}
		if st := s.Stats(); st.FillsSkipped < 400 {
			t.Errorf("%d fills were left out", st.FillsSkipped)
		}
	})
}

// A value that was loaded before an invalidation is not kept after it.
func TestFallbackAgainstInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Second}
		s, store, end := withFallback(t, src, nil)
		defer end()
		store.down.Store(true)
		go s.Get(context.Background(), userKey{"", 1})
		time.Sleep(500 * time.Millisecond)
		_ = s.Invalidate(context.Background(), userKey{"", 1})
		time.Sleep(time.Second)
		if got := sourceOfKey(t, s, 1); got != FromLoader {
			t.Errorf("from %v", got)
		}
	})
}
