package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// FallbackConfig has a space keep values in this process while the store is away:
// what had to be loaded for the store did not answer, and what was not stored while
// it recovers. It is asked where the store fails, and where it does not have a key
// until it is warm again. Nothing in it is ever written to the store: what was
// invalidated while the store could not be told would come to life again.
//
// A value in it is at most MaxAge old. Put, Invalidate and BumpEpoch remove it here
// and, through the Bus, in other processes; but while the Bus is away too MaxAge is
// all that bounds it.
type FallbackConfig struct {
	MaxBytes uint64        // of keys, values and what they need beside, as in L1Config; 0: there is no fallback
	MaxAge   time.Duration // since the load; 0 means 30 s. Past its time to live a value is handed out as LifeConfig says
}

// RecoveryConfig says what happens when the store is back after it was away.
//
// It counts as away if in a second 5 lookups or more fail, and they are a twentieth
// or more of all. It is back with the first second in which that is not so, and warm
// again as soon as nine tenths of the usual part of at least 100 lookups find what
// they look for, or after For.
type RecoveryConfig struct {
	For time.Duration // the longest that it is taken for cold; 0 means 1 min

	// FillsPerSecond bounds how many values this process stores meanwhile, beside
	// WarmPerSecond; callers get theirs all the same, and the Fallback keeps it. 0:
	// as many as are loaded.
	FillsPerSecond float64

	// WarmPerSecond is how fast this process loads anew, and stores, what the
	// Fallback has, while nobody waits for it: what was asked for most often first,
	// the first hundredth of them before all others, beginning at a random moment
	// of the first second. 0 means 20; NoWarming: it does not. The fleet loads each
	// key once.
	WarmPerSecond float64
	NoWarming     bool
}

func (c RecoveryConfig) withDefaults() (RecoveryConfig, error) {
	if c.For < 0 || c.For > time.Hour {
		return c, configError("Recovery.For", c.For, "0 to 1 h")
	}
	if err := firstError(checkRate("Recovery.FillsPerSecond", c.FillsPerSecond), checkRate("Recovery.WarmPerSecond", c.WarmPerSecond)); err != nil {
		return c, err
	}
	setDefault(&c.For, time.Minute)
	setDefault(&c.WarmPerSecond, 20)
	return c, nil
}

// fallback keeps answers as level 1 keeps values, with the same rule against readers
// that are slower than an invalidation: see level1.
type fallback[K Key, V any] struct {
	maxAge  time.Duration
	values  valueKept
	cache   *otter.Cache[K, kept]
	all     atomic.Uint64
	stripes [1024]atomic.Uint64
}

// spare is an answer in the fallback.
type spare[V any] struct {
	answer     answer[V]
	generation uint64
	ends       time.Time
	weight     uint32
	turn       uint64        // of the tags of all spaces, when it was asked for; 0: the space has none
	hits       atomic.Uint64 // how often it was asked for
}

// newFallback returns nil if there is to be none.
func newFallback[K Key, V any](cfg FallbackConfig, values valueKept) (*fallback[K, V], error) {
	if cfg.MaxAge < 0 || cfg.MaxAge > time.Hour {
		return nil, configError("Fallback.MaxAge", cfg.MaxAge, "0 to 1 h")
	}
	if cfg.MaxBytes == 0 {
		return nil, nil
	}
	setDefault(&cfg.MaxAge, 30*time.Second)
	f := &fallback[K, V]{maxAge: cfg.MaxAge, values: values}
	cache, err := otter.New(&otter.Options[K, kept]{
		MaximumWeight:    cfg.MaxBytes,
		Weigher:          weigh[K],
		ExpiryCalculator: otter.ExpiryWriting[K, kept](cfg.MaxAge),
	})
	if err != nil {
		return nil, configError("Fallback", err, "a configuration that otter takes")
	}
	f.cache = cache
	return f, nil
}

func (f *fallback[K, V]) close() {
	if f != nil {
		f.cache.StopAllGoroutines()
	}
}

func (f *fallback[K, V]) stripe(id identity) *atomic.Uint64 {
	return &f.stripes[binary.BigEndian.Uint64(id[:])%uint64(len(f.stripes))]
}

// generation is to be read before the load of what put keeps.
func (f *fallback[K, V]) generation(id identity) uint64 {
	if f == nil {
		return 0
	}
	return f.stripe(id).Load() + f.all.Load()
}

func (s *spare[V]) weighs() uint32 { return s.weight }

// there returns what lies there, whether it counts or not.
func (f *fallback[K, V]) there(key K) (*spare[V], bool) {
	entry, _ := f.cache.GetIfPresent(key)
	s, found := entry.(*spare[V])
	return s, found
}

// each gives each key that has an answer, in no order.
func (f *fallback[K, V]) each(do func(K, *spare[V])) {
	for key, entry := range f.cache.All() {
		if s, ok := entry.(*spare[V]); ok {
			do(key, s)
		}
	}
}

func (f *fallback[K, V]) get(key K, epoch, turn uint64, now time.Time) (*spare[V], bool) {
	s, found := f.there(key)
	if !found || s.turn != turn || !now.Before(s.ends) || s.answer.epoch != epoch || s.generation != f.generation(s.answer.id) {
		return nil, false
	}
	return s, true
}

func (f *fallback[K, V]) put(key K, generation, turn uint64, a answer[V]) {
	now := time.Now()
	ends := now.Add(f.maxAge)
	if a.hard.Before(ends) {
		ends = a.hard
	}
	if !now.Before(ends) || f.generation(a.id) != generation {
		return
	}
	if f.values == keptNot { // it is decoded for each caller
		var none V
		a.value = none
	}
	s := &spare[V]{answer: a, generation: generation, turn: turn, ends: ends, weight: spareWeight(f.values, key, &a)}
	if there, found := f.there(key); found {
		s.hits.Store(there.hits.Load())
	}
	f.cache.Set(key, s)
}

// invalidate forgets a key that this process has changed.
func (f *fallback[K, V]) invalidate(key K, id identity) {
	if f != nil {
		f.stripe(id).Add(1)
		f.cache.Invalidate(key)
	}
}

// changed forgets a key that another process has changed.
func (f *fallback[K, V]) changed(id identity) {
	if f != nil {
		f.stripe(id).Add(1)
	}
}

// drop forgets a key that the store has again.
func (f *fallback[K, V]) drop(key K) {
	if f != nil {
		f.cache.Invalidate(key)
	}
}

// forget forgets everything.
func (f *fallback[K, V]) forget() {
	if f != nil {
		f.all.Add(1)
		f.cache.InvalidateAll()
	}
}

func (f *fallback[K, V]) size() (entries int, bytes uint64) {
	if f == nil {
		return 0, 0
	}
	return f.cache.EstimatedSize(), f.cache.WeightedSize()
}

// spareOf returns what the fallback has of a key, be it past its time to live.
func (s *Space[K, V]) spareOf(q query[K, V]) (a answer[V], found bool) {
	kept, found := s.spares.get(q.key, q.store.epoch, q.store.turn, time.Now())
	if !found {
		return a, false
	}
	kept.hits.Add(1)
	return kept.answer, true
}

// fromSpare hands out what the fallback has.
func (s *Space[K, V]) fromSpare(a answer[V]) (V, Meta, error) {
	s.counters.fallbackHits.Add(1)
	a.source = FromFallback
	return s.deliver(&a)
}

// keepSpare keeps what was loaded and not stored, while the store is away or cold.
func (s *Space[K, V]) keepSpare(q query[K, V], generation uint64, a answer[V]) {
	if s.spares != nil && (q.away || s.watch.recovering()) {
		s.spares.put(q.key, generation, q.store.turn, a)
	}
}

// shedAnswer is what a key gets for which there is no place.
func (s *Space[K, V]) shedAnswer(q query[K, V], err error) (a Answer[V]) {
	q.away = true
	l := looked[V]{}
	v, meta, spareErr, found := s.orFallback(&q, &l)
	switch {
	case found:
		return Answer[V]{Value: v, Meta: meta, Err: spareErr}
	case l.usable:
		a.Value, a.Meta, a.Err = s.stale(&l.a)
		return a
	}
	return Answer[V]{Err: err}
}

// orFallback answers for a store that failed, or that is cold, if the fallback has the
// key. What it has past its time to live takes the place of what the store has, to be
// handed out if the source is not to be asked.
func (s *Space[K, V]) orFallback(q *query[K, V], l *looked[V]) (v V, meta Meta, err error, found bool) {
	if s.spares == nil || !q.away && !s.watch.recovering() {
		return v, meta, nil, false
	}
	return s.askFallback(q, l)
}

// askFallback is apart from orFallback, which every call takes, because it needs much
// of the stack.
func (s *Space[K, V]) askFallback(q *query[K, V], l *looked[V]) (v V, meta Meta, err error, found bool) {
	if l.usable && time.Now().Before(l.a.soft) {
		s.spares.drop(q.key) // the store has it again
		return v, meta, nil, false
	}
	a, found := s.spareOf(*q)
	if found && time.Now().Before(a.soft) {
		v, meta, err = s.fromSpare(a)
		return v, meta, err, true
	}
	if found && !a.negative && !l.usable {
		l.a, l.usable = a, true
	}
	return v, meta, nil, false
}

// sealUnstored makes the answer of a load that nothing is to be stored of, but in the
// fallback.
func (s *Space[K, V]) sealUnstored(q query[K, V], loaded Loaded[V], negative bool, took time.Duration, generation uint64) (answer[V], Filled, error) {
	a, _, err := s.seal(q.store, loaded, negative, took)
	if err == nil && q.past == BypassNothing && !loaded.NoStore && (!negative || !s.cfg.Life.NoNegative) {
		s.keepSpare(q, generation, a)
	}
	return a, 0, err
}

// countLoadError counts loads that failed. Those that were refused were none.
func (s *Space[K, V]) countLoadError(err error, keys int) {
	if !errors.Is(err, ErrShed) {
		s.counters.loadErrors.Add(uint64(keys))
	}
}

// noteLookup counts a lookup for the watch, and returns err unless it is a miss.
func (s *Space[K, V]) noteLookup(ctx context.Context, err error, a *answer[V]) error {
	now := a.opened
	if now.IsZero() {
		now = time.Now()
	}
	if errors.Is(err, ErrMiss) {
		err = nil
	}
	if ctx.Err() == nil || err == nil {
		s.watch.note(now, err != nil, now.Before(a.soft))
	}
	return err
}

// mayFillKey says whether a value of a batch may be stored; else it is kept here.
func (s *Space[K, V]) mayFillKey(q query[K, V], generation uint64, a answer[V], noStore bool) bool {
	if s.watch.mayFill() {
		s.spares.drop(q.key)
		return true
	}
	s.counters.fillsSkipped.Add(1)
	if !noStore {
		s.keepSpare(q, generation, a)
	}
	return false
}

// spareGenerations are those of the keys of a batch, from before it is loaded.
func (s *Space[K, V]) spareGenerations(b *batchLoad[K, V]) []uint64 {
	all := make([]uint64, len(b.queries))
	for i, q := range b.queries {
		all[i] = s.spares.generation(q.store.identity)
	}
	return all
}
