package cache

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router"
)

// RetryConfig says when a request to the store is made once more after it failed:
// on by default, within a budget over all spaces of a manager.
//
// What is repeated is Get and Delete, once, after a pause of random length (full
// jitter: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), if the
// first try failed at once: a time-out, an open breaker and an end of the context
// are not. A Set or Fill is never sent twice, for what happened between the two
// would be undone, and a loader is never called again for an error of its own.
//
// One layer repeats. A Repeater is left what it does itself: a *router.Redis sends a
// read once more whose connection was broken, a client of go-redis everything, as
// often as its MaxRetries says.
type RetryConfig struct {
	Disabled bool

	// Budget is the most repeats there may be for each request; 0 means 0.1, 1 is
	// the most. A few are always there to begin with: 10.
	Budget float64

	Pause time.Duration // the longest; 0 means 10 ms
}

func (c RetryConfig) withDefaults() (RetryConfig, error) {
	if math.IsNaN(c.Budget) || c.Budget < 0 || c.Budget > 1 {
		return c, configError("Retry.Budget", c.Budget, "0 to 1")
	}
	if c.Pause < 0 || c.Pause > time.Second {
		return c, configError("Retry.Pause", c.Pause, "0 to 1 s")
	}
	setDefault(&c.Budget, 0.1)
	setDefault(&c.Pause, 10*time.Millisecond)
	return c, nil
}

// Repeater is a Store whose client makes requests that failed once more by itself.
type Repeater interface {
	Repeats() (reads, writes bool)
}

// Repeats is Repeater.Repeats.
func (r *Redis) Repeats() (reads, writes bool) {
	switch c := r.client.(type) {
	case *router.Redis:
		return true, false
	case *redis.ClusterClient:
		return c.Options().MaxRetries > 0, c.Options().MaxRetries > 0
	case *redis.Ring:
		return c.Options().MaxRetries > 0, c.Options().MaxRetries > 0
	case interface{ Options() *redis.Options }:
		return c.Options().MaxRetries > 0, c.Options().MaxRetries > 0
	}
	return false, false
}

// retryBudget counts what requests earn and repeats spend, as the retry throttling
// of gRPC does (proposal A6).
type retryBudget struct {
	cfg           RetryConfig
	reads, writes bool // are repeated here

	mu   sync.Mutex // guards left
	left float64    // repeats
}

const fullBudget = 10 // repeats, however long nothing failed

func newRetryBudget(cfg RetryConfig, store Store) *retryBudget {
	b := &retryBudget{cfg: cfg, reads: !cfg.Disabled, writes: !cfg.Disabled, left: fullBudget}
	if r, is := store.(Repeater); is {
		reads, writes := r.Repeats()
		b.reads, b.writes = b.reads && !reads, b.writes && !writes
	}
	return b
}

func (b *retryBudget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+b.cfg.Budget, fullBudget)
}

func (b *retryBudget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// transient says whether an error may be gone at once. Where a server did not
// answer in time, or is known not to, to ask again makes it worse.
func transient(err error) bool {
	if err == nil {
		return false
	}
	var late net.Error // on the heap
	switch {
	case errors.Is(err, ErrMiss), errors.Is(err, ErrConfig), errors.Is(err, ErrUnsupported), errors.Is(err, errBusyKey),
		errors.Is(err, router.ErrBreakerOpen), errors.Is(err, router.ErrNoNodes), errors.Is(err, router.ErrTooFewNodes), errors.Is(err, router.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &late) && late.Timeout():
		return false
	}
	return true
}

// repeat makes a request, and makes it once more if that may help.
func repeat[R any](ctx context.Context, m *Manager, c *counters, here bool, request func() (R, error)) (r R, err error) {
	r, err = request()
	if !here {
		return r, err
	}
	m.retries.earn()
	if !transient(err) || ctx.Err() != nil {
		return r, err
	}
	if !m.retries.spend() {
		c.retriesDenied.Add(1)
		return r, err
	}
	wait := time.Duration(m.cfg.random() * float64(m.retries.cfg.Pause))
	if end, bounded := ctx.Deadline(); bounded && time.Until(end) <= wait || pause(ctx, wait) != nil {
		return r, err
	}
	c.retries.Add(1)
	return request()
}

// storeGet is Store.Get, repeated within the budget.
func (s *Space[K, V]) storeGet(ctx context.Context, key string) (Entry, error) {
	if !s.m.retries.reads { // as it is with every store of ours: without the calls between
		return s.m.cfg.Store.Get(ctx, key)
	}
	return repeat(ctx, s.m, &s.counters, s.m.retries.reads, func() (Entry, error) { return s.m.cfg.Store.Get(ctx, key) })
}

// storeDelete is Store.Delete, repeated within the budget.
func (s *Space[K, V]) storeDelete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	_, err := repeat(ctx, s.m, &s.counters, s.m.retries.writes, func() (struct{}, error) {
		return struct{}{}, s.m.cfg.Store.Delete(ctx, key, below, holdOff)
	})
	return err
}
