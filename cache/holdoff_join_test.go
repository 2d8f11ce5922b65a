package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who comes when a hold-off has passed, and finds a load of it under way, does not get
// what that has read of a replica that lagged behind; and there is one load more, for all.
func TestJoinAfterHoldOff(t *testing.T) {
	key := userKey{"", 1}
	for _, many := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src := &manyNumbers{takes: 40 * time.Millisecond, value: 1}
			s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{LoadMany: src.load, Life: LifeConfig{HoldOff: 50 * time.Millisecond}})
			defer end()
			if err := s.Invalidate(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Millisecond)
			first := make(chan int, 1)
			go func() {
				v, _, _ := s.Get(t.Context(), key)
				first <- v
			}()
			synctest.Wait()
			time.Sleep(30 * time.Millisecond)
			wantCalls(t, "in the hold-off", src.set(40*time.Millisecond, 2, nil), 1)
			answers := make(chan int, 10)
			for range cap(answers) {
				go func() {
					v := 0
					if many {
						v = s.GetMany(t.Context(), []userKey{key})[key].Value
					} else {
						v, _, _ = s.Get(t.Context(), key)
					}
					answers <- v
				}()
			}
			if v := <-first; v != 1 {
				t.Errorf("the first has %d", v)
			}
			for range cap(answers) {
				if v := <-answers; v != 2 {
					t.Errorf("many %v: %d, of before the hold-off ended", many, v)
				}
			}
			wantCalls(t, "after it", src.set(0, 0, nil), 1)
		})
	}
}
