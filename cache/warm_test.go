package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func ids(n int) (keys []userKey) {
	for i := range n {
		keys = append(keys, userKey{"", int64(i + 1)})
	}
	return keys
}

// Warm loads what the fleet does not have, by rank, at the rate, and opens the gate
// when the first ranks are there.
func TestWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []int64
		load := func(_ context.Context, k userKey) (Loaded[int], error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, k.ID)
			if k.ID == 7 {
				return Loaded[int]{}, ErrNotFound
			}
			return Loaded[int]{Value: 1}, nil
		}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: load, L1: L1Config{MaxBytes: 1 << 20}})
		defer end()
		getAll(s, 3, 3) // the fleet has it already
		order = nil
		s.l1.forget()
		begun := time.Now()
		w, err := s.Warm(context.Background(), slices.Values(ids(100)), WarmConfig{Concurrency: 1, PerSecond: 10, Ready: 20})
		if err != nil {
			t.Fatal(err)
		}
		<-w.Ready()
		if took, p := time.Since(begun).Round(time.Second), w.Progress(); took != 2*time.Second || p.Done || !p.Ready || p.Warmed != 19 || s.State().Warmings != 1 {
			t.Errorf("ready after %v, %+v: want 2 s for 20 keys", took, p)
		}
		<-w.Done()
		if took, p := time.Since(begun).Round(time.Second), w.Progress(); took != 10*time.Second || p != (WarmProgress{Warmed: 99, Absent: 1, Ready: true, Done: true}) || w.Err() != nil {
			t.Errorf("%+v after %v, %v", p, took, w.Err())
		}
		if len(order) != 99 || !slices.IsSorted(order) {
			t.Errorf("%d loads, want 99 by rank: %v", len(order), order)
		}
		if got := sourceOfKey(t, s, 3); got != FromL1 {
			t.Errorf("what the fleet had is from %v", got)
		}
		synctest.Wait()
		if s.State().Warmings != 0 || s.Stats().Warmed != 99 {
			t.Errorf("%+v", s.State())
		}
	})
}

// The gate opens also if the source fails; what failed is tried once more.
func TestWarmFromASourceThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: func(context.Context, userKey) (Loaded[int], error) {
			calls++
			time.Sleep(20 * time.Second)
			return Loaded[int]{}, errors.New("down")
		}, Loads: LoadsConfig{Timeout: 30 * time.Second}})
		defer end()
		begun := time.Now()
		w, err := s.Warm(context.Background(), slices.Values(ids(3)), WarmConfig{Concurrency: 1, ReadyWithin: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		<-w.Ready()
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("ready after %v", took)
		}
		<-w.Done()
		if p := w.Progress(); p.Failed != 3 || calls != 6 {
			t.Errorf("%+v after %d loads", p, calls)
		}
	})
}

// A stream that never ends is taken as it is warmed, and ends with the context, the
// manager, or its own panic.
func TestWarmFromAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: (&crowd{}).load})
		defer end()
		taken := 0
		stream := func(yield func(userKey) bool) {
			for taken < 1_000_000 && yield(userKey{"", int64(taken)}) {
				taken++
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		w, err := s.Warm(ctx, stream, WarmConfig{PerSecond: 100})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		cancel()
		<-w.Done()
		if taken < 90 || taken > 110 || !errors.Is(w.Err(), context.Canceled) {
			t.Errorf("%d keys were taken in a second at 100, %v", taken, w.Err())
		}
		w, _ = s.Warm(context.Background(), func(func(userKey) bool) { panic("stream") }, WarmConfig{})
		<-w.Done()
		var p *PanicError
		if !errors.As(w.Err(), &p) || !w.Progress().Ready {
			t.Errorf("%v", w.Err())
		}
		w, _ = s.Warm(context.Background(), stream, WarmConfig{PerSecond: 1})
		end()
		<-w.Done()
		if !errors.Is(w.Err(), ErrClosed) {
			t.Errorf("%v", w.Err())
		}
		if _, err := s.Warm(context.Background(), stream, WarmConfig{}); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
		if _, err := s.Warm(context.Background(), stream, WarmConfig{PerSecond: -1}); !errors.Is(err, ErrConfig) {
			t.Errorf("%v", err)
		}
	})
}

// Batches where the source can be asked for many; callers go before the warming.
func TestWarmGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: 100 * time.Millisecond}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load, Limit: LimitConfig{Max: 8, Initial: 8}})
		defer end()
		w, err := s.Warm(context.Background(), slices.Values(ids(200)), WarmConfig{Concurrency: 50, PerSecond: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if n := src.now.Load(); n != 6 {
			t.Errorf("the warming has %d loads, want three quarters of 8", n)
		}
		begun := time.Now()
		getAll(s, 1001, 1002)
		if took := time.Since(begun); took != 100*time.Millisecond {
			t.Errorf("callers waited %v", took)
		}
		<-w.Done()
	})
}

func TestWarmInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, keys int
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{LoadMany: func(_ context.Context, all []userKey) (map[userKey]Loaded[int], error) {
			calls, keys = calls+1, keys+len(all)
			loaded := make(map[userKey]Loaded[int])
			for _, k := range all {
				loaded[k] = Loaded[int]{Value: 1}
			}
			return loaded, nil
		}})
		defer end()
		w, err := s.Warm(context.Background(), slices.Values(ids(205)), WarmConfig{Concurrency: 1, Batch: 50, PerSecond: 100})
		if err != nil {
			t.Fatal(err)
		}
		<-w.Done()
		if p := w.Progress(); calls != 5 || keys != 205 || p.Warmed != 205 {
			t.Errorf("%d calls for %d keys, %+v: want 5 and 205", calls, keys, p)
		}
	})
}

// When the store is back, empty, what the fallback has is loaded anew and stored: the
// hundredth that was asked for most often first, spread by chance, in the fleet once.
func TestWarmingOnRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []int64
		var at []time.Time
		src := func(_ context.Context, k userKey) (Loaded[int], error) {
			mu.Lock()
			defer mu.Unlock()
			order, at = append(order, k.ID), append(at, time.Now())
			return Loaded[int]{Value: 1}, nil
		}
		store := &outageStore{Memory: NewMemory()}
		const keys = 300
		var spaces []*Space[userKey, int]
		for range 2 {
			s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Load: src, Fallback: FallbackConfig{MaxBytes: 1 << 20, MaxAge: time.Hour},
				Recovery: RecoveryConfig{For: time.Hour, WarmPerSecond: 10}})
			defer end()
			spaces = append(spaces, s)
		}
		store.down.Store(true)
		for range 3 {
			for _, s := range spaces {
				getAll(s, 1, keys)
				for range 50 {
					getAll(s, 101, 103) // a hundredth
				}
			}
			time.Sleep(time.Second)
		}
		store.empty()
		store.down.Store(false)
		order, at = nil, nil
		for range 40 {
			for _, s := range spaces {
				getAll(s, 1, 10)
			}
			time.Sleep(time.Second)
		}
		first := slices.Sorted(slices.Values(order[:3]))
		if len(order) != keys || !slices.Equal(first, []int64{101, 102, 103}) {
			t.Errorf("%d loads, first %v: want each of %d once, and 101 to 103 first", len(order), order[:3], keys)
		}
		steps := map[time.Duration]bool{}
		most := 0
		for i := range at {
			if i > 0 {
				steps[at[i].Sub(at[i-1])] = true
			}
			n := 0
			for _, other := range at {
				if d := other.Sub(at[i]); d >= 0 && d < time.Second {
					n++
				}
			}
			most = max(most, n)
		}
		if len(steps) < keys/4 || most > 2*15 {
			t.Errorf("%d different pauses, %d loads in a second: want them jittered, and 10 a process", len(steps), most)
		}
	})
}
