package demo

import (
	"sync"
	"time"
)

// stripes is how many locks there are for all keys.
const stripes = 512

// oracle knows what was stored last under each key. Whoever asks the cache for a
// key holds it meanwhile.
type oracle struct {
	locks   [stripes]sync.Mutex
	entries []entry // of keys i, each guarded by locks[i%stripes]
}

// entry is what a key must be.
type entry struct {
	state   knowledge
	version uint32
	from    time.Time // before it was sent to be stored, and
	until   time.Time // after that was acknowledged: in between its time began
	ttl     time.Duration
}

type knowledge uint8

const (
	absent   knowledge = iota // never stored
	known                     // it is what the entry says, until its time is up
	doubtful                  // a store failed: it may be there or not
)

func newOracle(keys int) *oracle { return &oracle{entries: make([]entry, keys)} }

// hold locks a key. The caller unlocks.
func (o *oracle) hold(key int) (e *entry, release func()) {
	lock := &o.locks[key%stripes]
	lock.Lock()
	return &o.entries[key], lock.Unlock
}

// wrote notes what was stored, and from when until when that took.
func (e *entry) wrote(version uint32, ttl time.Duration, from time.Time, err error) {
	*e = entry{state: known, version: version, from: from, until: time.Now(), ttl: ttl}
	if err != nil {
		e.state = doubtful
	}
}

// alive reports whether the key must be there for some time more.
func (e *entry) alive(now time.Time, margin time.Duration) bool {
	return e.state == known && now.Add(margin).Before(e.from.Add(e.ttl))
}

// over reports whether the key's time has been up for some time.
func (e *entry) over(now time.Time, margin time.Duration) bool {
	return e.state == known && now.Add(-margin).After(e.until.Add(e.ttl))
}

// off is by how much an expiry differs from what it can be; 0: it does not.
func (e *entry) off(expires time.Time) time.Duration {
	switch first, last := e.from.Add(e.ttl), e.until.Add(e.ttl); {
	case expires.Before(first):
		return expires.Sub(first)
	case expires.After(last):
		return expires.Sub(last)
	}
	return 0
}
