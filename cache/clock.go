package cache

import (
	"sync/atomic"
	"time"
)

const (
	tick = 10 * time.Millisecond

	// How much later than a tick a timer may be, on a machine that is starved, before
	// about is further behind than who uses it allows for.
	lateClock = time.Second
)

// roughClock tells the time since it was made: exactly, or as it was a few
// milliseconds ago. To read the machine's clock takes as long as half of a hit in
// level 1, and whatever was being read from memory must arrive first.
//
// It ticks only while it is asked. When the process was stopped for longer than
// lateClock, about is wrong by as much, until the timer that is then overdue has run.
type roughClock struct {
	born  time.Time
	last  atomic.Int64 // nanoseconds since born; 0: it does not tick
	asked atomic.Bool  // since the last tick
	ended atomic.Bool
}

// now is exact, at half the price of time.Now: it reads the monotonic clock alone.
func (c *roughClock) now() time.Duration { return time.Since(c.born) }

// about is now, or a moment that was now less than lateClock ago, but see above.
func (c *roughClock) about() time.Duration {
	last := c.last.Load()
	if last == 0 {
		return c.begin()
	}
	if !c.asked.Load() { // as a rule it was: all processors may read that at once
		c.asked.Store(true)
	}
	return time.Duration(last)
}

func (c *roughClock) begin() time.Duration {
	now := c.now()
	if now > 0 && !c.ended.Load() && c.last.CompareAndSwap(0, int64(now)) {
		c.asked.Store(false)
		time.AfterFunc(tick, c.tick)
	}
	return now
}

func (c *roughClock) tick() {
	if c.ended.Load() || !c.asked.CompareAndSwap(true, false) {
		c.last.Store(0)
		return
	}
	c.last.Store(int64(c.now()))
	time.AfterFunc(tick, c.tick)
}

// end has it tick no more.
func (c *roughClock) end() { c.ended.Store(true) }
