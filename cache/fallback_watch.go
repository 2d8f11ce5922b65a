package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// StoreState is what a space makes of its store.
type StoreState uint8

// The states: see RecoveryConfig.
const (
	StoreWarm StoreState = iota // it answers
	StoreAway                   // it fails
	StoreCold                   // it answers again, and does not have what it had
)

// String returns the state in a word.
func (s StoreState) String() string {
	names := [...]string{"warm", "away", "cold"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

const (
	watchWindow = time.Second
	awayErrors  = 5   // in a window, at least
	awayPart    = 20  // one in so many, at least
	warmLookups = 100 // to judge by, at least
	warmPart    = 0.9 // of the usual part of hits
	usualWeight = 0.1 // of a window, in the usual part of hits
)

// watch counts lookups by the second, and tells from them what the store is like. It
// takes a lock a window; a lookup costs some atomic additions.
type watch struct {
	cfg     RecoveryConfig
	fills   ratelimiter.RateLimiter[any] // nil: not limited
	changed func(StoreState)             // is called without the lock, in the order of changes of one caller

	lookups, errors, missed atomic.Uint64 // of the window; the others are hits
	ends                    atomic.Int64  // of the window, ns since 1970
	state                   atomic.Uint32 // a StoreState

	mu             sync.Mutex // guards what follows, and changes of state
	usual          float64    // part of lookups that hit, while the store is warm
	known          bool       // usual has a value
	cold           time.Time  // since when it is cold
	seen, seenHits uint64     // since then
}

func newWatch(cfg RecoveryConfig, changed func(StoreState)) *watch {
	return &watch{cfg: cfg, fills: newPace(cfg.FillsPerSecond), changed: changed}
}

func (w *watch) now() StoreState { return StoreState(w.state.Load()) }

func (w *watch) recovering() bool { return w.now() != StoreWarm }

// note counts a lookup that failed, hit or missed.
func (w *watch) note(now time.Time, failed, hit bool) {
	if ends := w.ends.Load(); now.UnixNano() >= ends {
		w.roll(now)
	}
	w.lookups.Add(1)
	switch {
	case failed:
		w.errors.Add(1)
	case !hit: // of which there are fewer than hits
		w.missed.Add(1)
	}
}

// roll ends a window. Lookups of other goroutines that are counted meanwhile are so
// in the one or in the next.
func (w *watch) roll(now time.Time) {
	w.mu.Lock()
	first := w.ends.Load() == 0
	if now.UnixNano() < w.ends.Load() {
		w.mu.Unlock()
		return // somebody else was faster
	}
	w.ends.Store(now.Add(watchWindow).UnixNano())
	lookups, errors, missed := w.lookups.Swap(0), w.errors.Swap(0), w.missed.Swap(0)
	before := w.now()
	after := before
	if !first && lookups > 0 {
		after = w.judge(now, lookups, errors, lookups-min(lookups, errors+missed))
		w.state.Store(uint32(after))
	}
	w.mu.Unlock()
	if after != before {
		w.changed(after)
	}
}

// judge returns the state after a window. The caller holds mu.
func (w *watch) judge(now time.Time, lookups, errors, hits uint64) StoreState {
	failing := errors >= awayErrors && errors*awayPart >= lookups
	switch state := w.now(); {
	case failing:
		return StoreAway
	case state == StoreAway:
		w.cold, w.seen, w.seenHits = now, 0, 0
		return StoreCold
	case state == StoreCold:
		return w.judgeCold(now, lookups, hits)
	}
	part := float64(hits) / float64(lookups)
	if !w.known {
		w.usual, w.known = part, true
	}
	w.usual += usualWeight * (part - w.usual)
	return StoreWarm
}

func (w *watch) judgeCold(now time.Time, lookups, hits uint64) StoreState {
	if now.Sub(w.cold) >= w.cfg.For {
		return StoreWarm
	}
	w.seen, w.seenHits = w.seen+lookups, w.seenHits+hits
	if w.seen < warmLookups {
		return StoreCold
	}
	part := float64(w.seenHits) / float64(w.seen)
	w.seen, w.seenHits = 0, 0 // the next hundred are judged by themselves
	if w.known && part >= warmPart*w.usual {
		return StoreWarm
	}
	return StoreCold
}

// mayFill says whether a value may be stored now.
func (w *watch) mayFill() bool {
	return w.fills == nil || w.now() == StoreWarm || w.fills.TryAcquirePermit()
}

// storeChanged is called when the store is away, back, or warm again.
func (s *Space[K, V]) storeChanged(state StoreState) {
	switch state {
	case StoreCold:
		if s.spares != nil && !s.cfg.Recovery.NoWarming {
			_ = s.m.run(s.warmSpares)
		}
	case StoreWarm:
		s.spares.forget()
	}
}
