package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/membership"
)

// node is what the clients of all kinds of servers have in common: who the node
// is, how it has been doing, and whether it may be asked.
type node struct {
	lifecycle
	breaker *breaker
	stats   counters
	about   atomic.Pointer[membership.Member]
	drain   time.Duration         // how long retire waits
	kindOf  func(error) errorKind // what an error of the client says of the node
	silence silence
}

// silence is how long a node has been asked and given no answer, as callers see
// who do not wait for a time-out. A caller that gives up says nothing of the
// node; many in a row, for as long as would be slow, do.
type silence struct{ since atomic.Int64 } // on clockBase; 0: the node has answered

func (s *silence) end() {
	if s.since.Load() != 0 {
		s.since.Store(0)
	}
}

// longerThan takes a call that was given up, and reports whether the node has
// been silent for at least limit. Times are on clockBase.
func (s *silence) longerThan(limit, begun, now time.Duration) bool {
	s.since.CompareAndSwap(0, max(int64(begun), 1))
	since := s.since.Load()
	return since != 0 && now-time.Duration(since) >= limit
}

func (n *node) init(m membership.Member, cfg Config, kindOf func(error) errorKind) {
	n.lifecycle, n.breaker, n.drain, n.kindOf = newLifecycle(), newBreaker(cfg.Breaker), cfg.DrainTimeout, kindOf
	n.about.Store(&m)
}

// clockBase makes clock readings monotonic, and cheaper than time.Now.
var clockBase = time.Now()

func (n *node) member() membership.Member     { return *n.about.Load() }
func (n *node) setMember(m membership.Member) { n.about.Store(&m) }

// call is one request to a node that begin allowed.
type call struct {
	start  time.Duration // on clockBase
	permit permit
	ended  bool
}

// giveUp is deferred: a hook that panics must not take the permit with it.
func (c *call) giveUp(n *node) {
	if !c.ended {
		n.breaker.abandon(c.permit)
	}
}

// begin asks for a request to the node. Exactly one end must follow, unless it
// fails: then nothing was sent.
func (n *node) begin(ctx context.Context) (call, error) {
	if err := ctx.Err(); err != nil { // says nothing of the node
		n.stats.canceled.Add(1)
		return call{}, n.fail(err)
	}
	if n.about.Load().Health == membership.Unhealthy {
		n.stats.refused.Add(1)
		return call{}, n.fail(ErrBreakerOpen)
	}
	permit, allowed := n.breaker.allow()
	if !allowed {
		n.stats.refused.Add(1)
		return call{}, n.fail(ErrBreakerOpen)
	}
	return call{start: time.Since(clockBase), permit: permit}, nil
}

// end records how a request went, and returns its error in the router's terms.
// blocking says that its duration means nothing.
func (n *node) end(ctx context.Context, c *call, err error, blocking bool) error {
	c.ended = true
	took := time.Since(clockBase) - c.start
	if blocking { // how long the caller wanted to wait says nothing
		took = 0
		n.stats.blocked.Add(1)
	} else {
		n.stats.observe(took)
	}
	kind := fine
	if err != nil {
		kind = n.kindOf(err)
	}
	if kind == fine || kind == reply {
		n.silence.end()
	}
	switch kind {
	case fine:
		n.breaker.record(c.permit, false, took)
		return err
	case reply:
		n.stats.replies.Add(1)
		n.breaker.record(c.permit, false, took)
		return err
	case canceled:
		n.stats.canceled.Add(1)
		if n.silence.longerThan(n.breaker.cfg.SlowCall, c.start, c.start+took) {
			n.breaker.record(c.permit, true, took)
		} else {
			n.breaker.abandon(c.permit)
		}
		return n.fail(err)
	case local:
		n.stats.local.Add(1)
		n.breaker.abandon(c.permit)
		return n.fail(err)
	case timeout:
		n.stats.timeout.Add(1)
		err = asDeadline(ctx, err)
	default:
		n.stats.network.Add(1)
	}
	n.breaker.record(c.permit, true, took)
	return n.fail(err)
}

// asDeadline names the caller's deadline as the cause of a time-out that came
// when it had passed: on the wire it shows as an i/o time-out like any other.
func asDeadline(ctx context.Context, err error) error {
	deadline, has := ctx.Deadline()
	if has && !time.Now().Before(deadline) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// healthy reports whether a request would be sent now.
func (n *node) healthy() bool {
	return n.about.Load().Health != membership.Unhealthy && !n.breaker.refuses()
}

func (n *node) fail(err error) error {
	m := n.about.Load()
	return &NodeError{Node: m.ID, Address: m.Address, Err: err}
}

// errorKind sorts errors by what they say of a node.
type errorKind uint8

const (
	fine     errorKind = iota // no error, or redis.Nil
	reply                     // the server answered with an error, or with what the command cannot take
	canceled                  // the caller gave up
	local                     // nothing was sent, for a reason on this side
	timeout                   // no answer in time
	network                   // anything else
)
