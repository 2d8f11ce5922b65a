package router

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// NodeStats is what a router knows of one node, since the node's client was
// made. All counts only grow.
type NodeStats struct {
	Node    string // ID
	Address string // as the fleet has it now
	Zone    string // empty without zones

	Operations   uint64      // commands and pipelines sent; blocking ones have no latency
	InFlight     int64       // of them not answered yet
	Errors       ErrorCounts // operations that failed; one counts once
	Breaker      string      // "closed", "half-open" or "open"
	Latency      Histogram   // from the request until its reply, the wait for a connection included
	OpenConns    uint32      // connections of the pool
	IdleConns    uint32      // of them idle
	PoolTimeouts uint32      // waits for a connection that ended without one
	Owed         int         // keys that it has to be told of, once it can be reached: see "While keys move"
}

// ErrorCounts counts failed operations by kind.
type ErrorCounts struct {
	Network  uint64 // connection refused, reset, closed
	Timeout  uint64 // no answer in time
	Refused  uint64 // not sent: the breaker was open
	Replies  uint64 // the server answered with an error
	Canceled uint64 // the caller gave up
	Local    uint64 // not sent: no connection of the pool was free in time, or no credentials could be had
}

// Histogram counts operations by duration: Counts[i] of them took less than
// Bound(i), and at least Bound(i-1). The last bucket has no bound.
type Histogram struct {
	Counts [histogramBuckets]uint64
	Sum    time.Duration // of all durations: divided by Total it is the mean
}

const (
	histogramBuckets = 22
	firstBound       = 8 * time.Microsecond
)

// Bound returns the upper bound of a bucket: 8 µs, 16 µs, 32 µs … 8.4 s; 0 for
// the last one, which has none.
func (Histogram) Bound(i int) time.Duration {
	if i >= histogramBuckets-1 {
		return 0
	}
	return firstBound << i
}

// Total returns the number of operations.
func (h Histogram) Total() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the duration that a fraction q of the
// operations stayed below, exact to a factor of two; 0 without operations.
func (h Histogram) Quantile(q float64) time.Duration {
	total := h.Total()
	rank, seen := uint64(q*float64(total)), uint64(0)
	for i, c := range h.Counts {
		if seen += c; seen > rank || seen == total && total > 0 {
			return firstBound << i
		}
	}
	return 0
}

// counters are the live form of NodeStats.
type counters struct {
	counts [histogramBuckets]atomic.Uint64
	sum    atomic.Int64

	blocked atomic.Uint64 // requests whose duration the caller chose

	network, timeout, refused, replies, canceled, local atomic.Uint64
}

func (c *counters) observe(took time.Duration) {
	bucket := bits.Len64(uint64(max(took, 0)) / uint64(firstBound))
	c.counts[min(bucket, histogramBuckets-1)].Add(1)
	c.sum.Add(int64(took))
}

func (c *counters) histogram() (h Histogram) {
	for i := range c.counts {
		h.Counts[i] = c.counts[i].Load()
	}
	h.Sum = time.Duration(c.sum.Load())
	return h
}

func (c *counters) errors() ErrorCounts {
	return ErrorCounts{
		Network: c.network.Load(), Timeout: c.timeout.Load(), Refused: c.refused.Load(),
		Replies: c.replies.Load(), Canceled: c.canceled.Load(), Local: c.local.Load(),
	}
}
