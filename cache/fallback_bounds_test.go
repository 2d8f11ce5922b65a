package cache

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What is kept while the store is away is bounded by bytes, also where nothing of it
// ends for an hour.
func TestFallbackIsBoundedWhileNothingEnds(t *testing.T) {
	s, store, end := withFallback(t, &crowd{}, func(c *SpaceConfig[userKey, int]) {
		c.Fallback = FallbackConfig{MaxBytes: 100_000, MaxAge: time.Hour}
		c.Life.TTL = time.Hour
	})
	defer end()
	store.down.Store(true)
	for i := range 1500 { // at some 500 bytes each
		sourceOfKey(t, s, i)
	}
	eventually(t, "the fallback is within its bound", func() bool {
		st := s.State()
		return st.FallbackBytes <= 100_000 && st.FallbackEntries < 500
	})
	if st := s.State(); st.FallbackEntries == 0 {
		t.Errorf("%+v", st)
	}
}

// When the store is warm again all of the fallback is let go, also what nobody has
// asked for since: it may be old by then.
func TestFallbackIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, end := withFallback(t, &crowd{}, func(c *SpaceConfig[userKey, int]) {
			c.Fallback.MaxAge, c.Recovery.For = time.Hour, 10*time.Second
		})
		defer end()
		store.down.Store(true)
		for range 3 {
			getAll(s, 1, 20)
			time.Sleep(time.Second)
		}
		if st := s.State(); st.Store != StoreAway || st.FallbackEntries != 20 {
			t.Fatalf("%+v, want away with 20 in the fallback", st)
		}
		store.down.Store(false)
		for range 15 {
			getAll(s, 1001, 1002)
			time.Sleep(time.Second)
		}
		if st := s.State(); st.Store != StoreWarm || st.FallbackEntries != 0 {
			t.Errorf("%+v, want warm and an empty fallback", st)
		}
	})
}

// Processes notice at the same moment that the store is back. Each begins to warm it
// at another one.
func TestWarmingBeginsByChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, part := range []float64{0.25, 0.75} {
			store := &outageStore{Memory: NewMemory()}
			m, err := NewManager(ManagerConfig{Store: store, random: func() float64 { return part }})
			if err != nil {
				t.Fatal(err)
			}
			var loaded atomic.Int64 // when the last one was, in ns since 1970
			s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Fallback: FallbackConfig{MaxBytes: 1 << 20, MaxAge: time.Hour},
				Life: LifeConfig{NoJitter: true}, Load: func(context.Context, userKey) (Loaded[int], error) {
					loaded.Store(time.Now().UnixNano())
					return Loaded[int]{Value: 1}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			store.down.Store(true)
			for range 3 {
				for id := range 10 {
					sourceOfKey(t, s, id)
				}
				time.Sleep(time.Second)
			}
			store.empty()
			store.down.Store(false)
			sourceOfKey(t, s, 0) // ends the second in which the store was away
			time.Sleep(time.Second)
			sourceOfKey(t, s, 0) // and this the first in which it was not
			back := time.Now()
			if s.State().Store != StoreCold {
				t.Fatalf("%v, want cold", s.State().Store)
			}
			before := loaded.Load()
			time.Sleep(time.Duration(part*float64(time.Second)) - time.Millisecond)
			if synctest.Wait(); loaded.Load() != before {
				t.Errorf("by %v: warmed after %v", part, time.Unix(0, loaded.Load()).Sub(back))
			}
			time.Sleep(2 * time.Millisecond)
			if synctest.Wait(); loaded.Load() == before {
				t.Errorf("by %v: nothing was warmed", part)
			}
			_ = m.Close()
		}
	})
}

// Beyond the first hundredth processes do not all want the same key.
func TestWarmingIsShuffled(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	m, err := NewManager(ManagerConfig{Store: NewMemory(), random: chance.Float64})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Fallback: FallbackConfig{MaxBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	const keys = 300
	for id := range keys { // the higher, the more it was asked for
		key := userKey{"", int64(id)}
		k, _ := s.keyOf(t.Context(), key)
		a, _, err := s.seal(k, Loaded[int]{Value: 1}, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.spares.put(key, s.spares.generation(k.identity), k.turn, a)
		kept, found := s.spares.there(key)
		if !found {
			t.Fatal("it is not kept")
		}
		kept.hits.Store(uint64(id))
	}
	order := func() (all []int64) {
		for _, k := range s.ranked() {
			all = append(all, k.ID)
		}
		return all
	}
	one, two := order(), order()
	if first := []int64{299, 298, 297}; !slices.Equal(one[:3], first) || !slices.Equal(two[:3], first) {
		t.Errorf("first %v and %v, want %v", one[:3], two[:3], first)
	}
	if slices.Equal(one, two) || len(one) != keys {
		t.Errorf("%d keys come in the same order twice", len(one))
	}
}
