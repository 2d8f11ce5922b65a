package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd counts how many loads are at the source at the same time.
type crowd struct {
	now, peak, all atomic.Int64
	takes          time.Duration
}

func (c *crowd) load(context.Context, userKey) (Loaded[int], error) {
	n := c.now.Add(1)
	for peak := c.peak.Load(); n > peak && !c.peak.CompareAndSwap(peak, n); peak = c.peak.Load() {
	}
	c.all.Add(1)
	time.Sleep(c.takes)
	c.now.Add(-1)
	return Loaded[int]{Value: 1}, nil
}

// newNumbers is a space in a bubble of synctest; the manager is closed by end.
func newNumbers(t *testing.T, store Store, cfg SpaceConfig[userKey, int]) (s *Space[userKey, int], end func()) {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name == "" {
		cfg.Name = "n"
	}
	if s, err = NewSpace(m, cfg); err != nil {
		t.Fatal(err)
	}
	return s, func() { _ = m.Close() }
}

// getAll gets keys from first to last at the same time, and counts the errors.
func getAll(s *Space[userKey, int], first, last int) (fine, shed int, others []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := first; i <= last; i++ {
		all.Go(func() {
			_, _, err := s.Get(context.Background(), userKey{"", int64(i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				fine++
			case errors.Is(err, ErrShed):
				shed++
			default:
				others = append(others, err)
			}
		})
	}
	all.Wait()
	return fine, shed, others
}

// The source never has more loads than the limit, over all keys; who waits too long is
// refused, and none of it is an error of a load.
func TestLimitOfLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: 100 * time.Millisecond}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load,
			Limit: LimitConfig{Max: 10, Initial: 10, Wait: 250 * time.Millisecond}})
		defer end()
		fine, shed, others := getAll(s, 1, 100)
		// 10 at once, and 10 more after each of two rounds.
		if src.peak.Load() != 10 || fine != 30 || shed != 70 || len(others) > 0 {
			t.Errorf("at most %d at a time, %d got a value, %d were refused, others %v: want 10, 30, 70", src.peak.Load(), fine, shed, others)
		}
		st := s.Stats()
		if st.Loads != 30 || st.Shed != 70 || st.LoadErrors != 0 || st.LimitWaits != 90 {
			t.Errorf("%+v", st)
		}
		if now := s.State(); now.Limit != 10 || now.Loading != 0 || now.Waiting != 0 {
			t.Errorf("%+v", now)
		}
	})
}

// LoadMany counts as one load, and is refused as one.
func TestLimitOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, peak atomic.Int64
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{
			LoadMany: func(_ context.Context, keys []userKey) (map[userKey]Loaded[int], error) {
				peak.Store(max(peak.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(time.Second)
				loaded := make(map[userKey]Loaded[int])
				for _, k := range keys {
					loaded[k] = Loaded[int]{Value: 1}
				}
				return loaded, nil
			}, Limit: LimitConfig{Max: 2, Initial: 2, NoWait: true}})
		defer end()
		var all sync.WaitGroup
		var shed atomic.Int64
		for i := range 5 {
			all.Go(func() {
				for _, a := range s.GetMany(context.Background(), []userKey{{"a", int64(i)}, {"b", int64(i)}}) {
					if errors.Is(a.Err, ErrShed) {
						shed.Add(1)
					}
				}
			})
		}
		all.Wait()
		if peak.Load() != 2 || shed.Load() != 6 || s.Stats().Shed != 6 {
			t.Errorf("at most %d at a time, %d keys refused, %+v: want 2 and 6", peak.Load(), shed.Load(), s.Stats())
		}
	})
}

// A load that nobody waits for any more is still the source's.
func TestLimitCountsLoadsThatTookTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Minute}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load,
			Loads: LoadsConfig{Timeout: time.Second}, Limit: LimitConfig{Max: 3, Initial: 3, Min: 3, NoWait: true}})
		defer end()
		for i := range 10 {
			if fine, _, _ := getAll(s, 10*i, 10*i+9); fine > 0 {
				t.Errorf("%d got a value", fine)
			}
		}
		if src.peak.Load() != 3 || src.all.Load() != 3 {
			t.Errorf("%d loads, %d at a time: want 3", src.all.Load(), src.peak.Load())
		}
		time.Sleep(2 * time.Minute)
	})
}

// Who has an old value gets it at once, and leaves the source to those who have none.
func TestStaleFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Millisecond}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load,
			Life:  LifeConfig{TTL: time.Second, NoJitter: true, StaleOnError: time.Minute},
			Limit: LimitConfig{Max: 4, Initial: 4, Wait: time.Second}})
		defer end()
		getAll(s, 1, 20)
		time.Sleep(2 * time.Second)
		src.takes = 500 * time.Millisecond
		var all sync.WaitGroup
		all.Go(func() { // four that have none: all of the bound
			if fine, shed, _ := getAll(s, 101, 104); fine != 4 {
				t.Errorf("%d without an old value got one, %d were refused", fine, shed)
			}
		})
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		for i := 1; i <= 20; i++ {
			if _, meta, err := s.Get(context.Background(), userKey{"", int64(i)}); err != nil || meta.Source != FromStale {
				t.Errorf("key %d: from %v, %v", i, meta.Source, err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("old values after %v", took)
		}
		all.Wait()
		// Alone, three of them are let through: the last quarter is for the others.
		src.peak.Store(0)
		getAll(s, 1, 20)
		if n := src.peak.Load(); n != 3 {
			t.Errorf("%d loads of values that are there, want 3 of 4", n)
		}
	})
}

// The bound follows the source: up while loads are fast, down when they are slow, and
// never beyond its ends.
func TestLimitAdapts(t *testing.T) {
	at := time.Unix(0, 0)
	a := aimd{limit: 10, min: 4, max: 100}
	rounds := func(n int, overloaded bool) {
		for range n {
			at = at.Add(cutEvery)
			for range int(a.limit) {
				a.ended(at, int(a.limit), overloaded)
			}
		}
	}
	for i, c := range []struct {
		rounds     int
		overloaded bool
		low, high  float64
	}{
		{1, false, 20, 20},    // doubles
		{1, false, 40, 40},    //
		{1, true, 32, 32},     // once a round, however many say so
		{1, false, 32.9, 33},  // by one from now on
		{10, false, 42, 43.1}, //
		{3, true, 21, 22.1},   //
		{50, true, 4, 4},      //
		{200, false, 100, 100},
	} {
		if rounds(c.rounds, c.overloaded); a.limit < c.low || a.limit > c.high {
			t.Errorf("step %d: %.2f, want %v to %v", i, a.limit, c.low, c.high)
		}
	}
	before := a.limit
	if a.ended(at.Add(time.Hour), 1, false); a.limit != before {
		t.Error("one at a time teaches nothing")
	}
}

// A source that can do 20 at a time, and is slower the more it gets, is not given all
// that callers ask for.
func TestLimitFindsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		var overloaded atomic.Bool
		load := func(context.Context, userKey) (Loaded[int], error) {
			n := now.Add(1)
			defer now.Add(-1)
			if n <= 20 {
				time.Sleep(20 * time.Millisecond)
				return Loaded[int]{Value: 1}, nil
			}
			overloaded.Store(true)
			time.Sleep(20 * time.Millisecond)
			return Loaded[int]{}, errors.New("503")
		}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: load,
			Limit: LimitConfig{Wait: 200 * time.Millisecond, Overloaded: func(err error) bool { return err.Error() == "503" }}})
		defer end()
		for i := range 60 { // 3 s
			go getAll(s, 1000*i, 1000*i+80)
			time.Sleep(50 * time.Millisecond)
		}
		if limit := s.State().Limit; limit < 10 || limit > 30 || !overloaded.Load() {
			t.Errorf("limit %d, want about 20", limit)
		}
		time.Sleep(time.Minute)
	})
}

// Spaces of a group share a bound.
func TestLimitGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: 100 * time.Millisecond}
		m := newManager(t, NewMemory())
		defer m.Close()
		var all sync.WaitGroup
		for i := range 3 {
			s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: fmt.Sprint("n", i), Load: src.load, Limit: LimitConfig{Group: "db", Max: 5, Initial: 5}})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { getAll(s, 1, 20) })
		}
		all.Wait()
		if src.peak.Load() != 5 {
			t.Errorf("%d at a time, want 5", src.peak.Load())
		}
	})
}

// PerSecond spreads loads evenly.
func TestLimitPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load, Limit: LimitConfig{PerSecond: 10}})
		defer end()
		begun := time.Now()
		fine, shed, _ := getAll(s, 1, 100)
		if took := time.Since(begun); fine < 10 || fine > 11 || shed != 100-fine || took > time.Second {
			t.Errorf("%d loads in %v, %d refused: want 10 a second, and who would wait for more than a second refused", fine, took, shed)
		}
	})
}

// Who joins the load of somebody who gave way asks for himself.
func TestShedIsNotInherited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Second}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load, Limit: LimitConfig{Max: 1, Initial: 1, PerSecond: 1, Wait: 3 * time.Second}})
		defer end()
		go s.Get(context.Background(), userKey{"", 1})
		time.Sleep(10 * time.Millisecond)
		k, err := s.keyOf(context.Background(), userKey{"", 2})
		if err != nil {
			t.Fatal(err)
		}
		q := query[userKey, int]{key: userKey{"", 2}, store: k, load: s.cfg.Load}
		f := &flight[answer[int]]{done: make(chan struct{}), err: ErrShed}
		s.flights.mu.Lock()
		s.flights.byKey[k.flight()] = f // one that gave way, and is about to end
		s.flights.mu.Unlock()
		time.AfterFunc(10*time.Millisecond, func() { s.flights.leave(k.flight(), f); close(f.done) })
		if v, _, err := s.await(context.Background(), &q, nil, false); err != nil || v != 1 {
			t.Errorf("%v, %v", v, err)
		}
	})
}

func TestResilienceConfig(t *testing.T) {
	m := newManager(t, NewMemory())
	for name, change := range map[string]func(*SpaceConfig[userKey, int]){
		"limit":         func(c *SpaceConfig[userKey, int]) { c.Limit.Max = -1 },
		"min over max":  func(c *SpaceConfig[userKey, int]) { c.Limit.Max, c.Limit.Min = 3, 4 },
		"initial":       func(c *SpaceConfig[userKey, int]) { c.Limit.Max, c.Limit.Initial = 3, 4 },
		"limit wait":    func(c *SpaceConfig[userKey, int]) { c.Limit.Wait = time.Minute },
		"limit rate":    func(c *SpaceConfig[userKey, int]) { c.Limit.PerSecond = -1 },
		"bulkhead":      func(c *SpaceConfig[userKey, int]) { c.Bulkhead.Loads = -1 },
		"bulkhead wait": func(c *SpaceConfig[userKey, int]) { c.Bulkhead.Wait = -1 },
		"no tenants":    func(c *SpaceConfig[userKey, int]) { c.Bulkhead.TenantLoads = 1 },
		"fallback age":  func(c *SpaceConfig[userKey, int]) { c.Fallback.MaxAge = -1 },
		"recovery":      func(c *SpaceConfig[userKey, int]) { c.Recovery.For = -1 },
		"fill rate":     func(c *SpaceConfig[userKey, int]) { c.Recovery.FillsPerSecond = 1e9 },
	} {
		cfg := SpaceConfig[userKey, int]{Name: "x"}
		change(&cfg)
		if _, err := NewSpace(m, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	for _, r := range []RetryConfig{{Budget: 2}, {Pause: -1}} {
		if _, err := NewManager(ManagerConfig{Retry: r}); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v, want ErrConfig", r, err)
		}
	}
	l, err := SpaceConfig[userKey, int]{Name: "x"}.withDefaults()
	if c := l.Limit; err != nil || c.Max != 1024 || c.Min != 8 || c.Initial != 64 || c.Wait != time.Second || c.Slow != 500*time.Millisecond || c.Disabled {
		t.Errorf("defaults %+v, %v", c, err)
	}
}
