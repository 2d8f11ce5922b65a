package cache

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A source that always takes long has not too much to do.
func TestLimitOfASlowSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: 600 * time.Millisecond}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load})
		defer end()
		const misses = 1000 // 100 a second
		for i := range misses {
			go getAll(s, i, i)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if st := s.Stats(); st.Shed != 0 || st.Loads != misses {
			t.Errorf("%d of %d refused, %d loads; the bound is %d", st.Shed, misses, st.Loads, s.State().Limit)
		}
	})
}

// One that is the slower the more it gets has, however often it is.
func TestLimitOfASourceThatSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		load := func(context.Context, userKey) (Loaded[int], error) {
			takes := 20 * time.Millisecond
			if now.Add(1) > 30 {
				takes = 700 * time.Millisecond
			}
			defer now.Add(-1)
			time.Sleep(takes)
			return Loaded[int]{Value: 1}, nil
		}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: load, Limit: LimitConfig{Wait: 200 * time.Millisecond}})
		defer end()
		for i := range 200 { // 10 s
			go getAll(s, 1000*i, 1000*i+80)
			time.Sleep(50 * time.Millisecond)
		}
		if limit := s.State().Limit; limit < 20 || limit > 45 {
			t.Errorf("limit %d, want about 30", limit)
		}
		time.Sleep(time.Minute)
	})
}

func TestUsual(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1000, 0)
	var u usual
	for i, c := range []struct {
		loads             int
		took              time.Duration
		crowded, answered bool
		typical, slow     time.Duration // afterwards
	}{
		{15, 600 * ms, false, true, 0, 3000 * ms}, // not known yet
		{99, ms, false, false, 0, 3000 * ms},      // errors say nothing
		{1, 600 * ms, false, true, 600 * ms, 1800 * ms},
		{16, 900 * ms, true, true, 600 * ms, 1800 * ms}, // slower with more to do
		{16, 100 * ms, true, true, 100 * ms, 500 * ms},  // it was wrong
		{16, 900 * ms, false, true, 200 * ms, 600 * ms}, // slower with little to do: step by step
		{16, 900 * ms, false, true, 400 * ms, 1200 * ms},
		{64, 2000 * ms, false, true, 2000 * ms, 3000 * ms}, // and no further
		{4, 10 * ms, false, true, 2000 * ms, 3000 * ms},    // one of four is quicker
		{12, 900 * ms, false, true, 900 * ms, 2700 * ms},
	} {
		for range c.loads {
			now = now.Add(c.took)
			if !c.crowded {
				now = now.Add(time.Hour) // none of the others was under way then
			}
			u.ended(now, c.took, c.crowded, c.answered)
		}
		if slow := u.slow(500*ms, 3000*ms); u.typical != c.typical || slow != c.slow {
			t.Errorf("step %d: usual %v, slow %v: want %v, %v", i, u.typical, slow, c.typical, c.slow)
		}
	}
	if slow := u.slow(10*time.Second, 3*time.Second); slow != 10*time.Second {
		t.Errorf("Slow of 10 s: %v", slow)
	}
}
