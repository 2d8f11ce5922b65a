package cache

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// level1 keeps values of one space in this process, bounded by bytes and by time.
//
// A value counts only if the key was not invalidated since it was asked for:
// otherwise a reader that is slow would put back what an invalidation has just
// removed. So the reader takes the key's generation before it asks the store, the
// entry keeps it, and an invalidation counts it up: what has an older one is dead,
// wherever it lies. That takes no lock, and no more of the key than its identity,
// which is all that other processes tell.
//
// Keys share generations, so that now and then a value is forgotten for the sake of
// another key: with as many generations as values, for each that is invalidated one
// more, and that is read anew from the fleet.
type level1[K Key, V any] struct {
	cache    *otter.Cache[K, kept]
	clock    roughClock
	ttl      time.Duration
	needsBus bool

	deaf     atomic.Bool     // nobody tells of changes at the moment
	all      atomic.Uint64   // counts invalidations of everything
	stripes  []atomic.Uint64 // counts those of keys; as many as a power of two
	forgets  atomic.Uint64   // Stats.L1Forgets
	stripeOf uint64          // a mask
	evicted  evictions

	mu      sync.Mutex // guards the following, and is held during a sweep
	closed  bool
	sweeper *time.Timer
}

// kept is what level 1 and the fallback give to otter: a *held[V] or a *spare[V].
// That it is not generic spares the compiler an otter of its own for each type of
// values, which is a second and a half for each in every program that has a Space of it.
type kept interface{ weighs() uint32 }

func weigh[K Key](_ K, entry kept) uint32 { return entry.weighs() }

func (h *held[V]) weighs() uint32 { return h.weight }

// held is a value, or the bytes to decode it from for each caller. What each hit
// looks at comes first: it is read from memory that is far away.
type held[V any] struct {
	ends       time.Duration // by level1.now, as stored
	stored     time.Duration
	generation uint64
	epoch      uint64
	version    uint64
	id         identity
	tags       []tagVersion
	value      V
	payload    []byte
	weight     uint32

	turn  uint64 // generation of its tags
	asked time.Time

	checked time.Time // see CheckConfig
}

const (
	// Of MaxBytes for one generation, which takes 8.
	bytesPerStripe = 1024
	minStripes     = 1 << 8
	maxStripes     = 1 << 18
)

func newLevel1[K Key, V any](cfg L1Config) (*level1[K, V], error) {
	wanted := min(max(cfg.MaxBytes/bytesPerStripe, minStripes), maxStripes)
	n := uint64(1) << (bits.Len64(wanted) - 1)
	l := &level1[K, V]{clock: roughClock{born: time.Now()}, ttl: cfg.TTL, needsBus: cfg.NeedsBus, stripes: make([]atomic.Uint64, n), stripeOf: n - 1}
	cache, err := otter.New(&otter.Options[K, kept]{
		MaximumWeight: cfg.MaxBytes,
		Weigher:       weigh[K],
		StatsRecorder: &l.evicted,
	})
	if err != nil {
		return nil, configError("L1", err, "a configuration that otter takes")
	}
	l.cache = cache
	l.sweepLater()
	l.deaf.Store(true)
	return l, nil
}

// now is a time that only this level understands.
func (l *level1[K, V]) now() time.Duration { return l.clock.now() }

// minSweep is the least time between two sweeps.
const minSweep = time.Second

// sweepLater has what has ended removed once in every TTL, for its memory: get looks
// at the time itself. With times of its own otter would read a clock at each hit,
// which takes longer than all the rest of it.
func (l *level1[K, V]) sweepLater() {
	every := max(l.ttl, minSweep)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweeper = time.AfterFunc(every, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.sweep()
			l.sweeper.Reset(every)
		}
	})
}

func (l *level1[K, V]) sweep() {
	now := l.now()
	for key, entry := range l.cache.All() {
		if h, ok := entry.(*held[V]); !ok || now >= h.ends {
			l.cache.Invalidate(key) // and if it was replaced meanwhile: it is read anew
		}
	}
}

// close waits for a sweep that is under way.
func (l *level1[K, V]) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.sweeper.Stop()
	l.clock.end()
	l.cache.StopAllGoroutines()
}

func (l *level1[K, V]) get(key K, epoch uint64, now time.Duration) (*held[V], bool) {
	entry, _ := l.cache.GetIfPresent(key)
	h, found := entry.(*held[V])
	return h, found && now < h.ends && h.epoch == epoch && h.generation == l.generation(h.id) && !(l.needsBus && l.deaf.Load())
}

// generation is to be read before the store is asked for what put keeps. Both of
// its parts only grow: the sum is the same only if both are.
func (l *level1[K, V]) generation(id identity) uint64 {
	if l == nil {
		return 0
	}
	return l.stripe(id).Load() + l.all.Load()
}

func (l *level1[K, V]) stripe(id identity) *atomic.Uint64 {
	return &l.stripes[binary.BigEndian.Uint64(id[:])&l.stripeOf]
}

func (l *level1[K, V]) put(key K, h held[V]) { l.cache.Set(key, &h) }

// invalidate forgets a key that this process has changed.
func (l *level1[K, V]) invalidate(key K, id identity) {
	if l == nil {
		return
	}
	l.stripe(id).Add(1)
	l.cache.Invalidate(key) // it is dead already: for its memory
}

// changed forgets a key that another process has changed.
func (l *level1[K, V]) changed(id identity) {
	if l != nil {
		l.stripe(id).Add(1)
	}
}

// forget forgets everything.
func (l *level1[K, V]) forget() {
	if l == nil {
		return
	}
	l.all.Add(1)
	l.forgets.Add(1)
	l.cache.InvalidateAll() // for its memory
}

// doubt is what a Bus says of itself.
func (l *level1[K, V]) doubt(deaf bool) {
	if l == nil {
		return
	}
	if deaf {
		l.deaf.Store(true)
	}
	l.forget()
	if !deaf { // only now: what was kept meanwhile is forgotten too
		l.deaf.Store(false)
	}
}

// fromL1 answers from this process.
func (s *Space[K, V]) fromL1(key K, epoch uint64) (v V, meta Meta, found bool) {
	if s.l1 == nil {
		return v, meta, false
	}
	now := s.l1.now()
	h, found := s.l1.get(key, epoch, now)
	if !found || !s.holdsStill(h) {
		return v, meta, false
	}
	v, copied, err := s.plainCopy(h.value)
	if !copied && err == nil {
		v, err = s.decodeOf(h.payload, h.id[:])
	}
	if err != nil { // a miss; and what panics is told there, or where it was kept
		return v, meta, false
	}
	s.counters.l1Hits.add()
	return v, metaL1(h, now), true
}

// holdsStill says whether what level 1 keeps can be used as far as tags and checks go.
func (s *Space[K, V]) holdsStill(h *held[V]) bool {
	if len(h.tags) == 0 && s.cfg.Check.Version == nil {
		return true
	}
	now := time.Now()
	return s.heldTags(h, now) && s.heldChecked(h, now)
}

// keepL1 keeps a fresh value in this process. An absence is not kept: whoever
// creates the key may have no way to say so here.
func (s *Space[K, V]) keepL1(key K, generation uint64, a *answer[V]) {
	if s.l1 == nil || a.negative || a.sole != nil || s.l1.generation(a.id) != generation {
		return
	}
	wall, now := time.Now(), s.l1.now()
	left := min(a.soft.Sub(wall), s.l1.ttl)
	if left <= 0 {
		return
	}
	h := held[V]{id: a.id, generation: generation, epoch: a.epoch, version: a.version, stored: now - wall.Sub(a.stored), ends: now + left}
	// Nobody else may change it: what the caller gets is another copy.
	switch {
	case s.flat:
		h.value = a.value
	case s.cfg.Clone == nil && s.plain:
		h.value = s.copied(a.value)
	case s.cfg.Clone == nil:
		h.payload = bytes.Clone(a.payload)
	default:
		var err error
		if h.value, err = s.clone(a.value); err != nil {
			s.m.tell(s.name, err)
			return
		}
	}
	h.checked = lastChecked(a)
	if !s.keepTags(&h, a) {
		return
	}
	var keeps bool
	if h.weight, keeps = s.pin(key, s.heldWeight(key, &h, len(a.payload))); keeps {
		s.l1.put(key, h)
	}
}
