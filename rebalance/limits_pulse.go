package rebalance

import (
	"context"
	"sync"
	"time"
)

const (
	pulseInterval = 50 * time.Millisecond
	pulseTimeout  = 2 * time.Second
	slowest       = 1.0 / 64 // of the full pace
	paceInterval  = 500 * time.Millisecond
)

// A pulse watches how long a server takes to answer, and says at which pace it can
// be asked for more: half of what it was each time that an answer takes too long,
// and more again whenever none has for a while. It is safe for concurrent use.
type pulse struct {
	mu       sync.Mutex
	usual    time.Duration // what an answer takes as long as nothing is wrong
	samples  int
	pace     float64
	lastSlow time.Time
	lastStep time.Time // up or down
}

func newPulse() *pulse { return &pulse{pace: 1} }

// now returns the pace: 1, or less.
func (p *pulse) now() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pace
}

// limit is from where on an answer takes too long.
func (p *pulse) limit(set time.Duration) time.Duration {
	if set > 0 {
		return set
	}
	return max(3*p.usual, minLatencyLimit)
}

// beat takes how long one answer took.
func (p *pulse) beat(at time.Time, took, limit time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.samples++; p.samples == 1 {
		p.usual = took
	}
	if took > p.limit(limit) {
		p.lastSlow = at
		if at.Sub(p.lastStep) >= paceInterval {
			p.pace, p.lastStep = max(p.pace/2, slowest), at
		}
		return
	}
	// The usual follows slowly, and what is too long not at all: a server that the
	// mover itself keeps busy must not get used to that.
	p.usual += (took - p.usual) / 64
	if p.pace < 1 && at.Sub(p.lastStep) >= paceInterval && at.Sub(p.lastSlow) >= paceInterval {
		p.pace, p.lastStep = min(p.pace*growth(p.pace), 1), at
	}
}

// growth is by how much the pace grows at a time. A server that was cut off for a
// while, and is back, has brought it down to the slowest: from there it is at its
// full pace again after six seconds. By a fifth at a time it took twice as long.
func growth(pace float64) float64 {
	if pace < 0.25 {
		return 2
	}
	return 1.2
}

// watch asks the server again and again, until the context ends.
func (p *pulse) watch(ctx context.Context, ping func(context.Context) error, limit func() time.Duration) {
	ticker := time.NewTicker(pulseInterval)
	defer ticker.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, pulseTimeout)
		began := time.Now()
		err := ping(asked)
		cancel()
		if ctx.Err() != nil {
			return
		}
		took := time.Since(began)
		if err == nil || took >= pulseTimeout {
			p.beat(time.Now(), took, limit())
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
