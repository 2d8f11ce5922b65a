package router

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// BreakerConfig says when a node is taken for failed and left alone for a while.
// An open breaker makes operations fail at once, or follow the failure policy;
// it never changes which node owns a key. The zero value is the default.
type BreakerConfig struct {
	// Disabled turns the breaker off: every request is tried.
	Disabled bool

	// Failures in a row that open the breaker; 0 means 5. A failure is an error
	// of the network, a time-out, or a call that took SlowCall or longer; a
	// reply of the server is not one, whatever it says.
	Failures uint

	// SlowCall is how long a call may take before it counts as a failure,
	// although it succeeded; 0 means 1 s. Blocking commands do not count.
	SlowCall time.Duration

	// Delay is how long an open breaker waits before it lets a few requests
	// through to see whether the node is back; 0 means 1 s. A fifth of it, at
	// random, is added or taken, so that clients do not probe in step.
	Delay time.Duration

	// Probes is how many of those requests must succeed in a row to close the
	// breaker, and how many are let through at a time; 0 means 2.
	Probes uint
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	c.Failures = orDefault(c.Failures, 5)
	c.SlowCall = orDefault(c.SlowCall, time.Second)
	c.Delay = orDefault(c.Delay, time.Second)
	c.Probes = orDefault(c.Probes, 2)
	return c
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// breaker keeps the library's breaker, which takes a lock a call, out of the way
// of a healthy node: until a first failure, and again after it has closed,
// successes are not recorded at all. They would not matter: what opens it is
// failures in a row.
//
// A call may take longer than the state in which it was allowed lasts. What a
// call of an earlier state reports says nothing about the present one, and would
// give the half-open breaker permits that nobody took: it is left out.
type breaker struct {
	cfg       BreakerConfig
	unsettled atomic.Bool   // a failure is recorded that no success has followed
	era       atomic.Uint64 // counts the changes of state

	mu    sync.Mutex // held while inner is used, so that era follows its state
	inner circuitbreaker.CircuitBreaker[any]
	last  circuitbreaker.State // of inner, when era was set
}

// permit belongs to one allowed request: the era in which it was allowed.
type permit uint64

func newBreaker(cfg BreakerConfig) *breaker {
	cfg = cfg.withDefaults()
	return &breaker{cfg: cfg, inner: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(cfg.Failures).
		WithSuccessThreshold(cfg.Probes).
		WithDelay(cfg.Delay).
		WithJitterFactor(0.2).
		Build()}
}

// allow reports whether a request may be sent. If it is, exactly one record or
// abandon must follow, with the permit.
func (b *breaker) allow() (permit, bool) {
	// The era is read first: should the breaker open in between, the permit is
	// of the era before, and what it reports is left out.
	era := b.era.Load()
	if b.cfg.Disabled || !b.unsettled.Load() {
		return permit(era), true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	allowed := b.inner.TryAcquirePermit()
	return permit(b.settle()), allowed
}

// settle notes a change of state and returns the era. The caller holds mu.
func (b *breaker) settle() uint64 {
	if state := b.inner.State(); state != b.last {
		b.last = state
		b.era.Add(1)
	}
	return b.era.Load()
}

// record tells how an allowed request went.
func (b *breaker) record(p permit, failed bool, took time.Duration) {
	failed = failed || took >= b.cfg.SlowCall
	if b.cfg.Disabled || !failed && !b.unsettled.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if uint64(p) != b.era.Load() {
		return
	}
	if failed {
		b.unsettled.Store(true)
		b.inner.RecordFailure()
		b.settle()
		return
	}
	b.inner.RecordSuccess()
	b.settle()
	if b.last == circuitbreaker.ClosedState {
		b.unsettled.Store(false)
	}
}

// abandon tells that an allowed request was given up by its caller, so that
// nothing is known of the node. A probe has to end one way or the other: it
// counts as failed.
func (b *breaker) abandon(p permit) {
	if b.cfg.Disabled || !b.unsettled.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if uint64(p) == b.era.Load() && b.last == circuitbreaker.HalfOpenState {
		b.inner.RecordFailure()
		b.settle()
	}
}

// state is "closed", "half-open" or "open".
func (b *breaker) state() string { return b.inner.State().String() }

// refuses reports whether a request would be refused now. It takes no permit.
func (b *breaker) refuses() bool {
	return !b.cfg.Disabled && b.unsettled.Load() && b.inner.IsOpen() && b.inner.RemainingDelay() > 0
}
