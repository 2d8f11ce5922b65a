package cache

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// LimitConfig bounds how many loads of a space are under way in this process at a
// time, over all keys. It is on by default. The bound adapts itself between Min and
// Max: loads that are slow lower it, others raise it while it is used up.
//
// A load that is one too many waits for its turn, and is then refused: who has an
// old value gets that, everybody else ErrShed. Loads for those who have one already
// (refreshes, warming, values past their end) give way: they get the last quarter of
// the bound never, nor a turn while somebody waits for one.
type LimitConfig struct {
	Max     int // the most that are ever under way; 0 means 1024
	Min     int // what the bound does not fall below; 0 means 8, or Max if that is less
	Initial int // what it begins with; 0 means 64, or Max if that is less

	// Wait is how long a load waits for its turn; 0 means a third of
	// Loads.Timeout, of which it is a part. NoWait: it does not. Of those that wait
	// there are ten times Max at most.
	Wait   time.Duration
	NoWait bool

	// Slow is how long a load may take at least before it counts as a sign that the
	// source has too much to do; 0 means a third of Loads.SoftTimeout. From a source
	// that is slow when it has little to do, too, it may take three times what is
	// usual there, but not as long as Loads.Timeout, unless Slow is longer. Overloaded
	// says which errors are a sign too, such as a 503; nil: none.
	Slow       time.Duration
	Overloaded func(error) bool

	// PerSecond bounds how many loads begin in a second, evenly spread; 0: nothing
	// does.
	PerSecond float64

	// Group makes spaces of a manager share one bound: those that load from the
	// same source, and have the same name here. The bound is as the first of them
	// says. "": the space has its own.
	Group string

	Disabled bool // there is no bound

	timeout time.Duration // of a load
}

func (c LimitConfig) withDefaults(loads LoadsConfig) (LimitConfig, error) {
	switch {
	case c.Max < 0 || c.Min < 0 || c.Initial < 0 || c.Max > 1<<20:
		return c, configError("Limit", c.Max, "Max, Min and Initial of 0 or more, up to a million")
	case c.Wait < 0 || c.Wait > loads.Timeout:
		return c, configError("Limit.Wait", c.Wait, "0 to Loads.Timeout")
	case c.Slow < 0:
		return c, configError("Limit.Slow", c.Slow, "0 or more")
	}
	if err := checkRate("Limit.PerSecond", c.PerSecond); err != nil {
		return c, err
	}
	setDefault(&c.Max, 1024)
	least := min(8, c.Max)
	if c.Initial > 0 {
		least = min(least, c.Initial)
	}
	setDefault(&c.Min, least)
	setDefault(&c.Initial, max(c.Min, min(64, c.Max)))
	if c.Min > c.Max || c.Initial < c.Min || c.Initial > c.Max {
		return c, configError("Limit.Min, Initial", [2]int{c.Min, c.Initial}, "Min ≤ Initial ≤ Max")
	}
	setDefault(&c.Wait, loads.Timeout/3)
	if c.NoWait {
		c.Wait = 0
	}
	c.timeout = loads.Timeout
	setDefault(&c.Slow, max(loads.SoftTimeout/3, time.Millisecond))
	return c, nil
}

// limiter lets so many loads through at a time. Who waits is let through in the
// order of coming.
type limiter struct {
	cfg  LimitConfig
	pace ratelimiter.RateLimiter[any] // nil: none

	mu       sync.Mutex // guards what follows
	size     aimd
	usual    usual
	inFlight int
	waiting  list.List // of chan struct{}, each closed when it is its turn
}

func newLimiter(cfg LimitConfig) *limiter {
	return &limiter{cfg: cfg, pace: newPace(cfg.PerSecond),
		size: aimd{limit: float64(cfg.Initial), min: float64(cfg.Min), max: float64(cfg.Max)}}
}

// queue is how many may wait for each of Max.
const queue = 10

// acquire lets the caller through, or returns ErrShed, or why ctx ended. release
// must follow if it did.
func (l *limiter) acquire(ctx context.Context) (waited bool, err error) {
	limit := l.cfg.Wait
	gives := givesWay(ctx)
	if gives {
		limit = 0
	}
	begun := time.Now()
	if waited, err = l.keepPace(ctx, limit); err != nil {
		return waited, err
	}
	l.mu.Lock()
	if l.admits(gives) {
		l.inFlight++
		l.mu.Unlock()
		return waited, nil
	}
	left := limit - time.Since(begun)
	if left <= 0 || l.waiting.Len() >= queue*l.cfg.Max {
		l.mu.Unlock()
		return waited, ErrShed
	}
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	l.mu.Unlock()
	return true, l.await(ctx, turn, place, left)
}

// admits says whether one more is let through at once. The caller holds mu.
func (l *limiter) admits(gives bool) bool {
	limit := int(l.size.limit)
	if gives {
		limit = (limit*3 + 3) / 4
	}
	return l.inFlight < limit && l.waiting.Len() == 0
}

// keepPace waits for PerSecond.
func (l *limiter) keepPace(ctx context.Context, limit time.Duration) (waited bool, err error) {
	if l.pace == nil {
		return false, nil
	}
	wait := l.pace.TryReservePermit(limit)
	switch {
	case wait < 0:
		return false, ErrShed
	case wait == 0:
		return false, nil
	}
	return true, pause(ctx, wait)
}

// await waits for a turn.
func (l *limiter) await(ctx context.Context, turn chan struct{}, place *list.Element, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	err := ErrShed
	select {
	case <-turn:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		return nil
	default:
		l.waiting.Remove(place)
		return err
	}
}

// release is called when the load has ended, by returning: one that nobody waits
// for any more is still the source's.
func (l *limiter) release(took time.Duration, err error) {
	overloaded := l.isOverload(err)
	answered := err == nil || errors.Is(err, ErrNotFound)
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	overloaded = overloaded || took >= l.usual.slow(l.cfg.Slow, l.cfg.timeout)
	l.usual.ended(now, took, l.inFlight > l.cfg.Min, answered)
	l.size.ended(now, l.inFlight, overloaded)
	l.inFlight--
	for l.waiting.Len() > 0 && l.inFlight < int(l.size.limit) {
		turn := l.waiting.Remove(l.waiting.Front()).(chan struct{})
		l.inFlight++
		close(turn)
	}
}

// isOverload is Overloaded; if that panics it has said nothing: the place is to be given back.
func (l *limiter) isOverload(err error) (is bool) {
	defer func() { _ = recover() }()
	return err != nil && l.cfg.Overloaded != nil && l.cfg.Overloaded(err)
}

// now returns the bound, and how many are under way and wait.
func (l *limiter) now() (limit, inFlight, waiting int) {
	if l == nil {
		return 0, 0, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.size.limit), l.inFlight, l.waiting.Len()
}

// aimd is the bound itself: additive increase, multiplicative decrease (Chiu and
// Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance",
// 1989), as TCP has it. Until the first sign of overload it doubles a round, then it
// grows by one a round; rounds that do not use half of it teach nothing. A pure
// function of what it is told, so that another algorithm can take its place.
type aimd struct {
	limit, min, max float64
	steady          bool      // there was a sign of overload
	cut             time.Time // of the last decrease
}

const (
	cutTo    = 0.8
	cutEvery = 100 * time.Millisecond // all that are under way report the same overload
)

func (a *aimd) ended(now time.Time, inFlight int, overloaded bool) {
	switch {
	case overloaded:
		a.steady = true
		if now.Sub(a.cut) >= cutEvery {
			a.cut, a.limit = now, max(a.min, a.limit*cutTo)
		}
	case 2*inFlight < int(a.limit):
	case a.steady:
		a.limit = min(a.max, a.limit+1/a.limit)
	default:
		a.limit = min(a.max, a.limit+1)
	}
}

// limited calls a loader for so many keys within the bound. It is called by the
// goroutine of the load.
func limited[R any](ctx context.Context, l *limiter, c *counters, keys int, load func(context.Context) (R, error)) (r R, err error) {
	return limitedMany(ctx, l, c, keys, keys, load)
}

// limitedMany is limited where bare is how many of the keys have no old value: if the
// load is refused it is those that go without, unless it gave way.
func limitedMany[R any](ctx context.Context, l *limiter, c *counters, keys, bare int, load func(context.Context) (R, error)) (r R, err error) {
	if l != nil {
		waited, refused := l.acquire(ctx)
		if waited {
			c.limitWaits.Add(1)
		}
		if refused != nil {
			if errors.Is(refused, ErrShed) && !givesWay(ctx) {
				c.shed.Add(uint64(bare))
			}
			return r, refused
		}
		begun := time.Now()
		defer func() { l.release(time.Since(begun), err) }()
	}
	c.loads.Add(uint64(keys))
	return load(ctx)
}

// limiterOf returns the limiter of a group, which its first space makes.
func (m *Manager) limiterOf(cfg LimitConfig) *limiter {
	switch {
	case cfg.Disabled:
		return nil
	case cfg.Group == "":
		return newLimiter(cfg)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.limiters[cfg.Group]
	if l == nil {
		if m.limiters == nil {
			m.limiters = make(map[string]*limiter)
		}
		l = newLimiter(cfg)
		m.limiters[cfg.Group] = l
	}
	return l
}

type givingWay struct{}

// giveWay marks a load for somebody who has a value already.
func giveWay(ctx context.Context) context.Context { return context.WithValue(ctx, givingWay{}, true) }

func givesWay(ctx context.Context) bool { return ctx.Value(givingWay{}) != nil }
