package rebalance

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// check returns the Limits with their zero fields filled.
func (l Limits) check() (Limits, error) {
	for _, field := range []struct {
		name  string
		value int64
	}{{"Keys", int64(l.Keys)}, {"Bytes", l.Bytes}, {"BigKeyBytes", l.BigKeyBytes},
		{"BigKeyElements", l.BigKeyElements}, {"Latency", int64(l.Latency)}} {
		if field.value < 0 {
			return l, fmt.Errorf("%w: Limits.%s: got %d, want 0 or more", ErrInvalidConfig, field.name, field.value)
		}
	}
	if l.BigKeyBytes == 0 {
		l.BigKeyBytes = DefaultBigKeyBytes
	}
	if l.BigKeyElements == 0 {
		l.BigKeyElements = DefaultBigKeyElements
	}
	return l, nil
}

const (
	maxBatch = 300 // keys in one exchange: they keep a server from others for a millisecond
	minBatch = 16
	// batchTime is how much of a limited rate goes at a time: the servers are asked
	// for little and often.
	batchTime = 5 * time.Millisecond
)

// batch returns how many keys to move at a time.
func (l Limits) batch() int {
	if l.Keys == 0 {
		return maxBatch
	}
	return min(max(int(float64(l.Keys)*batchTime.Seconds()), minBatch), maxBatch)
}

// A pacer lets keys and bytes through at the rates of Limits: each of them takes
// its time, and who comes before the time of those before him is over waits. It is
// safe for concurrent use.
type pacer struct {
	mu      sync.Mutex
	limits  Limits
	changed chan struct{} // closed when the limits are
	free    time.Time     // when the time of all that was let through is over
}

func newPacer(l Limits) *pacer { return &pacer{limits: l, changed: make(chan struct{})} }

func (p *pacer) get() Limits {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits
}

// set takes effect at once, also for those who wait: what was let through at the
// old rate is forgotten.
func (p *pacer) set(l Limits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits, p.free = l, time.Time{}
	close(p.changed)
	p.changed = make(chan struct{})
}

// longestRest is by how much one batch takes longer because a server is slow, at
// most: it may be quick again by then. One that was cut off would else be waited
// for as long again afterwards.
const longestRest = 2 * time.Second

// spend counts what has been moved, for those who come next.
func (p *pacer) spend(keys int, bytes int64, pace float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cost float64 // seconds
	if p.limits.Keys > 0 {
		cost = float64(keys) / float64(p.limits.Keys)
	}
	if p.limits.Bytes > 0 {
		cost = max(cost, float64(bytes)/float64(p.limits.Bytes))
	}
	if cost == 0 {
		return
	}
	if now := time.Now(); p.free.Before(now) {
		p.free = now
	}
	slowed := min(cost/pace, cost+longestRest.Seconds())
	p.free = p.free.Add(time.Duration(slowed * float64(time.Second)))
}

// wait returns when the time of what was let through is over.
func (p *pacer) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		left, changed := time.Until(p.free), p.changed
		p.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// A gate holds people up while it is closed. It is safe for concurrent use.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // nil: it is open; closed when it opens
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

func (g *gate) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open != nil
}

func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		if open == nil {
			return ctx.Err()
		}
		select {
		case <-open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
