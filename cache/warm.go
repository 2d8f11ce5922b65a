package cache

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// WarmConfig says how a space is warmed. The zero value is safe.
type WarmConfig struct {
	Concurrency int     // keys at a time, or batches if the space has LoadMany; 0 means 4
	PerSecond   float64 // keys a second at most; 0 means 200
	Batch       int     // keys a call of LoadMany, if the space has it; 0 means 50

	// Ready is how many keys have to be seen to until the gate opens: of a list by
	// rank those that matter. 0: all of them. It opens in any case after ReadyWithin,
	// 0 meaning 1 min, and when the warming ends: a source that fails must not keep
	// a service from starting for ever.
	Ready       int
	ReadyWithin time.Duration
}

func (c WarmConfig) withDefaults() (WarmConfig, error) {
	if c.Concurrency < 0 || c.Concurrency > 1024 || c.Batch < 0 || c.Batch > 10_000 || c.Ready < 0 {
		return c, configError("WarmConfig", [3]int{c.Concurrency, c.Batch, c.Ready}, "Concurrency of 0 to 1024, Batch of 0 to 10,000, Ready of 0 or more")
	}
	if c.ReadyWithin < 0 {
		return c, configError("WarmConfig.ReadyWithin", c.ReadyWithin, "0 or more")
	}
	if err := checkRate("WarmConfig.PerSecond", c.PerSecond); err != nil {
		return c, err
	}
	setDefault(&c.Concurrency, 4)
	setDefault(&c.PerSecond, 200)
	setDefault(&c.Batch, 50)
	setDefault(&c.ReadyWithin, time.Minute)
	return c, nil
}

// Warming is a warming that is under way.
type Warming struct {
	ready chan struct{}
	done  chan struct{}
	once  sync.Once // ready

	warmed, absent, failed atomic.Uint64
	seen                   atomic.Uint64
	err                    error // set before done is closed
}

// WarmProgress says how far a warming is.
type WarmProgress struct {
	Warmed uint64 // keys that are in the store now, and in level 1 if there is one
	Absent uint64 // that the source does not have
	Failed uint64 // that could not be loaded, also when tried once more
	Ready  bool   // the gate is open
	Done   bool
}

// Ready returns a channel that is closed when the gate opens: see WarmConfig.Ready.
func (w *Warming) Ready() <-chan struct{} { return w.ready }

// Done returns a channel that is closed when the warming has ended.
func (w *Warming) Done() <-chan struct{} { return w.done }

// Err returns why the warming ended before its last key, nil if it did not, and nil
// before Done.
func (w *Warming) Err() error {
	select {
	case <-w.done:
		return w.err
	default:
		return nil
	}
}

// Progress returns how far it is.
func (w *Warming) Progress() WarmProgress {
	return WarmProgress{Warmed: w.warmed.Load(), Absent: w.absent.Load(), Failed: w.failed.Load(), Ready: closed(w.ready), Done: closed(w.done)}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (w *Warming) open() { w.once.Do(func() { close(w.ready) }) }

// Warm loads keys ahead of need, in the order of keys, which ought to be that of
// their rank: what is asked for most often first. keys may be a list (slices.Values)
// or a stream, of which no more is taken than is warmed. What the fleet has is not
// loaded again, but taken into level 1; of several processes that warm the same keys
// one loads each. Loads for it give way to those that somebody waits for: see
// LimitConfig. A key that fails is tried once more, a second later.
//
// It returns at once. The warming ends with ctx or the manager, and at the end of
// keys. keys is called in one goroutine.
func (s *Space[K, V]) Warm(ctx context.Context, keys iter.Seq[K], cfg WarmConfig) (*Warming, error) {
	cfg, err := cfg.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case s.cfg.Load == nil:
		return nil, ErrNoLoader
	}
	w := &Warming{ready: make(chan struct{}), done: make(chan struct{})}
	return w, s.m.run(func() { s.warm(ctx, keys, cfg, w) })
}

func (s *Space[K, V]) warm(ctx context.Context, keys iter.Seq[K], cfg WarmConfig, w *Warming) {
	ctx, cancel := context.WithCancelCause(giveWay(ctx))
	defer cancel(nil)
	defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
	gate := time.AfterFunc(cfg.ReadyWithin, w.open)
	defer gate.Stop()
	s.counters.warmings.Add(1)
	defer s.counters.warmingsEnded.Add(1)
	defer close(w.done)
	defer w.open()
	w.err = errGoexit // if keys ends its goroutine
	defer func() {
		if p := recover(); p != nil {
			w.err = &PanicError{Value: p}
		}
	}()
	work := make(chan []K)
	var workers sync.WaitGroup
	for range cfg.Concurrency {
		workers.Go(func() {
			for batch := range work {
				s.warmBatch(ctx, batch, cfg, w)
			}
		})
	}
	defer workers.Wait()
	defer close(work)
	s.handOut(ctx, keys, cfg, work)
	w.err = context.Cause(ctx)
}

// handOut gives the keys to the workers, at the rate.
func (s *Space[K, V]) handOut(ctx context.Context, keys iter.Seq[K], cfg WarmConfig, work chan<- []K) {
	size := 1
	if s.cfg.LoadMany != nil && s.m.batch != nil {
		size = cfg.Batch
	}
	pace := newPace(cfg.PerSecond)
	var batch []K
	send := func() bool {
		if len(batch) == 0 {
			return true
		}
		if pause(ctx, reserve(pace, len(batch))) != nil {
			return false
		}
		select {
		case work <- batch:
			batch = nil
			return true
		case <-ctx.Done():
			return false
		}
	}
	for key := range keys {
		if batch = append(batch, key); len(batch) >= size && !send() {
			return
		}
	}
	send()
}

func reserve(pace ratelimiter.RateLimiter[any], n int) time.Duration {
	return pace.ReservePermits(uint(n))
}

// warmBatch sees to some keys, and once more to those that failed.
func (s *Space[K, V]) warmBatch(ctx context.Context, batch []K, cfg WarmConfig, w *Warming) {
	left := s.warmOnce(ctx, batch, w)
	if len(left) > 0 && pause(ctx, time.Second) == nil {
		left = s.warmOnce(ctx, left, w)
	}
	w.failed.Add(uint64(len(left)))
	s.counters.warmFailed.Add(uint64(len(left)))
	if n := w.seen.Add(uint64(len(batch))); cfg.Ready > 0 && n >= uint64(cfg.Ready) {
		w.open()
	}
}

// warmOnce returns the keys that failed.
func (s *Space[K, V]) warmOnce(ctx context.Context, keys []K, w *Warming) (failed []K) {
	for key, a := range s.getEach(ctx, keys) {
		switch {
		case a.Err == nil && s.holds(a.Meta):
			w.warmed.Add(1)
			s.counters.warmed.Add(1)
		case errors.Is(a.Err, ErrNotFound):
			w.absent.Add(1)
		default:
			failed = append(failed, key)
		}
	}
	return failed
}

// holds says whether a value is somewhere where the next caller finds it. An old one
// that was handed out for the source failed is not.
func (s *Space[K, V]) holds(m Meta) bool { return m.Source != FromStale && m.Source != FromFallback }

func (s *Space[K, V]) getEach(ctx context.Context, keys []K) map[K]Answer[V] {
	if len(keys) > 1 {
		return s.GetMany(ctx, keys)
	}
	answers := make(map[K]Answer[V], len(keys))
	for _, key := range keys {
		v, meta, err := s.Get(ctx, key)
		answers[key] = Answer[V]{Value: v, Meta: meta, Err: err}
	}
	return answers
}
