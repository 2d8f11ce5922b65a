package demo

import (
	"math"
	"sync"
	"time"
)

// series counts what happens, second by second. It is safe for concurrent use.
type series struct {
	mu      sync.Mutex
	began   time.Time
	seconds []second // in order, without a gap
}

// second is what happened in one second.
type second struct {
	reads, hits, updates int
	errors               int
	shadowHits           int
	loads, shadowLoads   int
	latency              latency
}

// outcome is what came of one request.
type outcome struct {
	update, hit, failed bool
	shadowHit           bool
	loaded              bool
	took                time.Duration // until the cache's answer; 0: it does not count
}

func newSeries() *series { return &series{began: time.Now()} }

// at returns the number of the second that a moment is in, and how far that moment
// is from the beginning, in seconds.
func (s *series) at(t time.Time) (number int, seconds float64) {
	d := t.Sub(s.began)
	return int(d / time.Second), d.Seconds()
}

// add counts a request in the second in which it ended.
func (s *series) add(o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, _ := s.at(time.Now())
	for len(s.seconds) <= number {
		s.seconds = append(s.seconds, second{})
	}
	now := &s.seconds[number]
	if o.failed {
		now.errors++
	}
	if o.took > 0 {
		now.latency.add(o.took)
	}
	if o.loaded {
		now.loads++
	}
	if o.update {
		now.updates++
		return
	}
	now.reads++
	if o.hit {
		now.hits++
	}
	if o.shadowHit {
		now.shadowHits++
	} else {
		now.shadowLoads++
	}
}

// until returns the seconds that have ended before a moment.
func (s *series) until(t time.Time) []second {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, _ := s.at(t)
	for len(s.seconds) <= number {
		s.seconds = append(s.seconds, second{})
	}
	return append([]second(nil), s.seconds[:number]...)
}

// hitRate is from 0 to 1; NaN without reads.
func (s *second) hitRate() float64       { return float64(s.hits) / float64(s.reads) }
func (s *second) shadowHitRate() float64 { return float64(s.shadowHits) / float64(s.reads) }

// plus adds up two seconds.
func (s *second) plus(o *second) {
	s.reads, s.hits, s.updates, s.errors = s.reads+o.reads, s.hits+o.hits, s.updates+o.updates, s.errors+o.errors
	s.shadowHits, s.loads, s.shadowLoads = s.shadowHits+o.shadowHits, s.loads+o.loads, s.shadowLoads+o.shadowLoads
	for i, n := range o.latency {
		s.latency[i] += n
	}
}

// latency counts by duration, in buckets each 5% wider than the one before: from
// 1 µs to 30 s.
type latency [latencyBuckets]uint32

const (
	latencyBuckets = 354
	latencyFactor  = 1.05
)

func (l *latency) add(d time.Duration) {
	i := 0
	if d > time.Microsecond {
		i = int(math.Log(float64(d)/float64(time.Microsecond))/math.Log(latencyFactor)) + 1
	}
	l[min(i, latencyBuckets-1)]++
}

// quantile returns a duration that a fraction q stayed below, up to 5% too large;
// 0 if nothing was counted.
func (l *latency) quantile(q float64) time.Duration {
	var total, sum uint64
	for _, n := range l {
		total += uint64(n)
	}
	if total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(total)))
	for i, n := range l {
		if sum += uint64(n); sum >= rank && n > 0 {
			return time.Duration(math.Pow(latencyFactor, float64(i)) * float64(time.Microsecond))
		}
	}
	return 0
}
