package cache

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
)

// The same sums over each store, up to 2^63-1: what would lie beyond is refused, and the
// counter is what it was.
func TestStoreIncrEdges(t *testing.T) {
	const refused = math.MaxUint64
	type step struct{ delta, want uint64 }
	for i, steps := range [][]step{
		{{1 << 53, 1 << 53}, {1, 1<<53 + 1}, {1, 1<<53 + 2}, {0, 1<<53 + 2}},
		{{math.MaxInt64, math.MaxInt64}, {1, refused}, {math.MaxInt64, refused}, {0, math.MaxInt64}},
		{{1 << 63, refused}, {0, 0}},
		{{5, 5}, {math.MaxInt64, refused}, {math.MaxInt64 - 4, refused}, {0, 5}, {math.MaxInt64 - 5, math.MaxInt64}},
		{{math.MaxInt64 - 1, math.MaxInt64 - 1}, {2, refused}, {1 << 31, refused}, {1, math.MaxInt64}, {1, refused}, {0, math.MaxInt64}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			eachBackend(t, func(t *testing.T, s allStores) {
				for _, step := range steps {
					switch n, err := s.Incr(t.Context(), "n", step.delta, longTTL); {
					case step.want == refused:
						if !errors.Is(err, errCounter) || n != 0 {
							t.Errorf("adding %d: %d, %v; want that it is refused", step.delta, n, err)
						}
					case err != nil || n != step.want:
						t.Errorf("adding %d: %d, %v; want %d", step.delta, n, err, step.want)
					}
				}
			})
		})
	}
}

// No two of those that count at the same time are given the same number, beyond 2^53 too,
// and of what is added in big pieces none is lost.
func TestStoreIncrTogether(t *testing.T) {
	eachBackend(t, func(t *testing.T, s allStores) {
		const big, callers, each = 1 << 56, 8, 10
		var mu sync.Mutex
		seen := make(map[uint64]bool)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				delta := uint64(1)
				if i%4 == 0 {
					delta = big
				}
				for range each {
					n, err := s.Incr(t.Context(), "n", delta, longTTL)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[n] {
						t.Errorf("%d was given twice", n)
					}
					seen[n] = true
					mu.Unlock()
				}
			})
		}
		all.Wait()
		want := uint64(callers / 4 * each * big)
		want += callers * 3 / 4 * each
		if n, err := s.Incr(t.Context(), "n", 0, longTTL); n != want || err != nil {
			t.Errorf("sum %d, %v; want %d", n, err, want)
		}
	})
}

// Adding does not prolong the life of a counter, however much is added.
func TestStoreIncrEnds(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, s allStores) {
		for _, delta := range []uint64{1, 1 << 40} {
			key := fmt.Sprint("n", delta)
			if _, err := s.Incr(t.Context(), key, delta, 2*time.Second); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the counter ends", func() bool {
				n, err := s.Incr(t.Context(), key, delta, longTTL)
				return err == nil && n == delta
			})
		}
	})
}
