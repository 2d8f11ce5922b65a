package cache

import (
	"context"
	"sync"
)

// inTurn does what a call has to do for each of n keys, at the same time but for what would
// have it shed its own keys: of its loads no more are under way than the source, and a
// bulkhead, take at a time, and the others wait for their turn for as long as the context
// lasts. It returns how many keys it came to; those behind them were not begun.
//
// What other calls load at the same time is no matter of this: of that LimitConfig sheds.
func (s *Space[K, V]) inTurn(ctx context.Context, n int, do func(i int)) (begun int) {
	var all sync.WaitGroup
	defer all.Wait()
	ended := make(chan struct{}, n)
	for running := 0; begun < n; begun++ {
		for ; running >= s.turns(); running-- { // it may be less by now than it was
			select {
			case <-ended:
			case <-ctx.Done():
				return begun
			}
		}
		running++
		i := begun
		all.Go(func() {
			defer func() { ended <- struct{}{} }()
			do(i)
		})
	}
	return n
}

// turns is how many loads one call may have under way now.
func (s *Space[K, V]) turns() int {
	n := batchWidth
	if s.limit != nil {
		limit, _, _ := s.limit.now()
		n = min(n, limit)
		if l := s.limit.cfg; l.PerSecond > 0 && !l.NoWait {
			n = min(n, int(l.PerSecond*l.Wait.Seconds()))
		}
	}
	if b := s.bulkheads; b != nil {
		for _, places := range []int{b.cfg.Loads, b.cfg.TenantLoads} {
			if places > 0 {
				n = min(n, places)
			}
		}
	}
	return max(1, n)
}
