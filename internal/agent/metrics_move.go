package agent

import (
	"sync"

	"github.com/ringway/ringway/rebalance"
)

// moveCounters add up what hand-overs have moved: a mover tells of the last one
// only.
type moveCounters struct {
	mu          sync.Mutex // guards the following
	keys, bytes int64      // of hand-overs that have ended
	errors      int64
	running     bool
}

func (c *moveCounters) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
}

func (c *moveCounters) end(p rebalance.Progress, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	c.keys, c.bytes = c.keys+p.KeysMoved, c.bytes+p.BytesMoved
	if failed {
		c.errors++
	}
}

// totals returns keys, bytes and errors; now is the mover's progress.
func (c *moveCounters) totals(m Mover) (p rebalance.Progress, keys, bytes, errors int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, keys, bytes, errors = m.Progress(), c.keys, c.bytes, c.errors
	if c.running {
		keys, bytes = keys+p.KeysMoved, bytes+p.BytesMoved
	}
	return p, keys, bytes, errors
}

func (c *collector) collectMoves(gauge, counter emit) {
	m := c.agent.cfg.Mover
	if m == nil {
		return
	}
	p, keys, bytes, errors := c.agent.counters.moves.totals(m)
	counter("move_keys_total", float64(keys))
	counter("move_bytes_total", float64(bytes))
	counter("move_errors_total", float64(errors))
	for _, s := range []rebalance.State{rebalance.Idle, rebalance.Moving, rebalance.Paused, rebalance.Waiting} {
		gauge("move_state", truth(p.State == s), string(s))
	}
	gauge("move_pass", float64(p.Pass))
	if p.KeysLeft >= 0 {
		gauge("move_keys_left", float64(p.KeysLeft))
	}
	if p.TimeLeft >= 0 {
		gauge("move_seconds_left", p.TimeLeft.Seconds())
	}
	gauge("move_keys_per_second", p.KeysPerSecond)
	gauge("move_bytes_per_second", p.BytesPerSecond)
	gauge("move_pace", p.Pace)
	limits := m.Limits()
	gauge("move_limit_keys_per_second", float64(limits.Keys))
	gauge("move_limit_bytes_per_second", float64(limits.Bytes))
}
