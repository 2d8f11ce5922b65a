package cache

import (
	"sync"
	"time"
)

// rate counts what happens in each of the last seconds.
type rate struct {
	mu      sync.Mutex // guards buckets
	buckets [rateSpan + 1]struct{ second, n int64 }
}

const rateSpan = 60 // seconds

func (r *rate) add(n uint64) {
	second := time.Now().Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &r.buckets[uint64(second)%uint64(len(r.buckets))]
	if b.second != second {
		b.second, b.n = second, 0
	}
	b.n += int64(n)
}

// perSecond is the mean over the last 60 whole seconds.
func (r *rate) perSecond() float64 {
	now := time.Now().Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := int64(0)
	for _, b := range r.buckets {
		if b.second < now && b.second >= now-rateSpan {
			sum += b.n
		}
	}
	return float64(sum) / rateSpan
}

// invalidated counts invalidations.
func (c *counters) invalidated(n uint64) {
	c.invalidations.Add(n)
	c.invalidationRate.add(n)
}
