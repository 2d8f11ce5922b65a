package cache

import (
	"context"
	"sync/atomic"
	"time"
)

// resilience is what keeps a space working when the fleet, the source or a neighbour
// does not.
type resilience[K Key, V any] struct {
	limit     *limiter        // nil: none
	pauses    keyPauses       // of keys whose loads have failed
	bulkheads *bulkheads[K]   // nil: none
	spares    *fallback[K, V] // nil: none
	watch     *watch
	rewarming atomic.Bool // warmSpares is under way

	bypass  atomic.Uint32           // a Bypass, as this process has it
	control atomic.Pointer[Control] // nil: none
}

// resilient makes it, before anything of the space runs.
func (s *Space[K, V]) resilient() (err error) {
	if s.spares, err = newFallback[K, V](s.cfg.Fallback, s.valueKept()); err != nil {
		return err
	}
	s.pauses.cfg, s.pauses.random = s.cfg.Pause, s.m.cfg.random
	s.limit, s.bulkheads = s.m.limiterOf(s.cfg.Limit), newBulkheads(s.cfg.Bulkhead)
	s.watch = newWatch(s.cfg.Recovery, s.storeChanged)
	return nil
}

// resilienceDefaults fills in the defaults of what resilience needs.
func (c SpaceConfig[K, V]) resilienceDefaults() (SpaceConfig[K, V], error) {
	var err error
	if c.Limit, err = c.Limit.withDefaults(c.Loads); err != nil {
		return c, err
	}
	if c.Pause, err = c.Pause.withDefaults(); err != nil {
		return c, err
	}
	if c.Bulkhead, err = c.Bulkhead.withDefaults(); err != nil {
		return c, err
	}
	c.Recovery, err = c.Recovery.withDefaults()
	return c, err
}

// noStore is the store of a manager that has none: everything is a miss, and what is
// written is gone. Level 1 works over it.
type noStore struct{}

func (noStore) Get(context.Context, string) (Entry, error)                  { return Entry{}, ErrMiss }
func (noStore) Set(context.Context, string, Entry) (bool, error)            { return true, nil }
func (noStore) Delete(context.Context, string, uint64, time.Duration) error { return nil }

// State says how things are with a space now; Stats says what has been.
type State struct {
	Limit    int // loads that may be under way at a time; 0: as many as there are
	Loading  int // loads that are under way, of all spaces with the same LimitConfig.Group
	Waiting  int // loads that wait for their turn, likewise
	Tenants  int // tenants with anything under way: see BulkheadConfig
	Store    StoreState
	Bypass   Bypass
	Warmings int // calls of Warm whose warming is under way

	FallbackEntries int    // approximately
	FallbackBytes   uint64 // likewise
}

// State returns how things are now.
func (s *Space[K, V]) State() State {
	st := State{Store: s.watch.now(), Bypass: s.Bypassed(), Tenants: s.bulkheads.known()}
	st.Limit, st.Loading, st.Waiting = s.limit.now()
	st.FallbackEntries, st.FallbackBytes = s.spares.size()
	ended := s.counters.warmingsEnded.Load() // first: so that it is never more
	st.Warmings = int(s.counters.warmings.Load() - ended)
	return st
}
