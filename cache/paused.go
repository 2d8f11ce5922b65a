package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPaused: a load of the key has failed a moment ago, nobody was asked, and there is
// no old value to hand out: see PauseConfig. The error matches that of the load too.
var ErrPaused = errors.New("cache: its load has just failed")

// PauseConfig says how long a key is not loaded again by this process once a load of it
// has failed: on by default. Who asks meanwhile gets what the store has by then, an old
// value that LifeConfig.StaleOnError lets be handed out, or ErrPaused with the error of
// the load. Without a pause a key that many ask for, and whose source fails at once,
// would be loaded again as often as it can fail, by each process in turn.
//
// The pause doubles with each further load that fails, and half of it is by chance, so
// that processes do not try in step. It ends with its time, and with Put or Invalidate
// of the key, here or, through the Bus, in another process; a load that succeeds, or
// that says ErrNotFound, has the next one begin with First.
//
// ErrNotFound, ErrShed, and errors of a caller who has left are no failures. What a call
// of LoadMany for several keys could not load, Get may try alone. Loaders given to
// GetWith, Wrap and Reload depend on the call: they are neither held back nor do their
// errors hold back anybody, unless Calls is set. Update and Verify always load.
type PauseConfig struct {
	First time.Duration // after the first failure, on average three quarters of it; 0 means 100 ms
	Max   time.Duration // the longest; 0 means 3 s, or First if that is longer
	Calls bool          // also for loaders that are given to calls

	Disabled bool
}

// pausedKeys is how many keys of a space a process knows at most whose loads have
// failed. Of more it forgets those whose pause has ended, and then any.
const pausedKeys = 4096

func (c PauseConfig) withDefaults() (PauseConfig, error) {
	if c.First < 0 || c.Max < 0 || c.First > time.Hour || c.Max > time.Hour {
		return c, configError("Pause", fmt.Sprintf("First %v, Max %v", c.First, c.Max), "0 to 1 h")
	}
	setDefault(&c.First, 100*time.Millisecond)
	setDefault(&c.Max, max(3*time.Second, c.First))
	if c.Max < c.First {
		return c, configError("Pause.Max", c.Max, fmt.Sprintf("at least First (%v)", c.First))
	}
	return c, nil
}

// keyPauses are those of a space. The zero value with a cfg is ready. Its methods are safe
// for concurrent use.
type keyPauses struct {
	cfg    PauseConfig
	random func() float64 // [0,1)
	known  atomic.Int64   // keys, so that nobody locks while nothing fails

	mu   sync.Mutex // guards what follows
	keys map[identity]*paused
}

// paused is what is known of a key whose load has failed.
type paused struct {
	length time.Duration // of the last pause, before chance
	until  time.Time
	alone  bool  // the key was loaded alone, and not among others
	err    error // what callers get
}

// of returns why the key is not to be loaded now; nil: it may be. alone is for a load of
// this key and no other.
func (p *keyPauses) of(id identity, alone bool) error {
	if p.known.Load() == 0 {
		return nil
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[id]
	switch {
	case k == nil:
		return nil
	case now.Before(k.until) && (k.alone || !alone):
		return k.err
	case p.over(k, now):
		delete(p.keys, id)
		p.known.Store(int64(len(p.keys)))
	}
	return nil
}

// over says that the last failure was so long ago that the next is a first one.
func (p *keyPauses) over(k *paused, now time.Time) bool { return now.Sub(k.until) > p.cfg.Max }

// failed begins a pause.
func (p *keyPauses) failed(id identity, alone bool, err error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[id]
	if k == nil || p.over(k, now) {
		k = &paused{}
	}
	k.length = min(max(2*k.length, p.cfg.First), p.cfg.Max)
	k.until = now.Add(k.length/2 + time.Duration(p.random()*float64(k.length/2)))
	k.alone, k.err = alone, fmt.Errorf("%w: %w", ErrPaused, err)
	if p.keys == nil {
		p.keys = make(map[identity]*paused)
	}
	if p.keys[id] == nil && len(p.keys) >= pausedKeys {
		p.makeRoom(now)
	}
	p.keys[id] = k
	p.known.Store(int64(len(p.keys)))
}

// makeRoom forgets one key: of a few, which a map gives by chance, one whose pause has
// ended, or the last. The caller holds mu.
func (p *keyPauses) makeRoom(now time.Time) {
	var gone identity
	looked := 0
	for id, k := range p.keys {
		gone = id
		if looked++; looked == 8 || !now.Before(k.until) {
			break
		}
	}
	delete(p.keys, gone)
}

// loaded forgets a key whose source has answered.
func (p *keyPauses) loaded(id identity) {
	if p.known.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, id)
	p.known.Store(int64(len(p.keys)))
}

// changed ends the pause of a key that somebody has changed. If the next load fails as
// well the pause is as long as it would have been.
func (p *keyPauses) changed(id identity) {
	if p.known.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keys[id]; k != nil {
		if now := time.Now(); now.Before(k.until) {
			k.until = now
		}
	}
}

// held returns why a load that the query asks for is not to begin now, and counts it.
func (s *Space[K, V]) held(q *query[K, V], alone bool) error {
	if s.cfg.Pause.Disabled || q.ofCall && !s.cfg.Pause.Calls {
		return nil
	}
	err := s.pauses.of(q.store.identity, alone)
	if err != nil {
		s.counters.paused.Add(1)
	}
	return err
}

// noted is called with what became of the load of a query, and returns the error.
func (s *Space[K, V]) noted(ctx context.Context, q *query[K, V], alone bool, err error) error {
	switch {
	case s.cfg.Pause.Disabled:
	case err == nil, errors.Is(err, ErrNotFound):
		s.pauses.loaded(q.store.identity)
	case q.ofCall && !s.cfg.Pause.Calls, !failure(ctx, err):
	default:
		s.pauses.failed(q.store.identity, alone, err)
	}
	return err
}

// failure says whether an error of a load is one of the source. ctx is that of the load.
func failure(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, ErrShed), errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), ctx.Err() != nil:
		return false
	case errors.Is(err, context.DeadlineExceeded):
		// The loader has had a time-out of its own; or it has used the context of the
		// caller, which it is not given.
		return callerOf(ctx).Err() == nil
	}
	return true
}

type callerKey struct{}

// withCaller has the context of a load, which does not end with its caller's, know that.
func withCaller(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, ctx)
}

// callerOf returns the context of the caller who began the load.
func callerOf(ctx context.Context) context.Context {
	if caller, known := ctx.Value(callerKey{}).(context.Context); known {
		return caller
	}
	return context.Background()
}

// notedAll is noted for what one call of LoadMany could not load.
func (s *Space[K, V]) notedAll(ctx context.Context, asked []query[K, V], err error) {
	for i := range asked {
		_ = s.noted(ctx, &asked[i], len(asked) == 1, err)
	}
}

// notHeld answers for the keys that are not to be loaded now, and returns the others.
func (s *Space[K, V]) notHeld(asked []query[K, V], answers map[K]Answer[V]) []query[K, V] {
	if s.pauses.known.Load() == 0 {
		return asked
	}
	free := make([]query[K, V], 0, len(asked))
	told := false // OnError is told once a call
	for _, q := range asked {
		err := s.held(&q, false)
		if err == nil {
			free = append(free, q)
			continue
		}
		a := Answer[V]{Err: err}
		if q.many.old != nil {
			if !told {
				told = true
				s.m.tell(s.name, err)
			}
			a.Value, a.Meta, a.Err = s.stale(q.many.old)
		}
		answers[q.key] = a
	}
	return free
}
