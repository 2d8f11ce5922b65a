package cache

import (
	"bytes"
	"encoding/binary"
	"math/bits"
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
	cache    *otter.Cache[K, held[V]]
	ttl      time.Duration
	needsBus bool

	deaf     atomic.Bool     // nobody tells of changes at the moment
	all      atomic.Uint64   // counts invalidations of everything
	stripes  []atomic.Uint64 // counts those of keys; as many as a power of two
	forgets  atomic.Uint64   // Stats.L1Forgets
	stripeOf uint64          // a mask
}

// held is a value, or the bytes to decode it from for each caller.
type held[V any] struct {
	value      V
	payload    []byte
	id         identity
	generation uint64
	epoch      uint64
	version    uint64
	stored     time.Time
	ends       time.Time
	weight     uint32
}

const (
	// About what an entry needs in memory beside its value, in bytes.
	l1Overhead = 256
	// Of MaxBytes for one generation, which takes 8.
	bytesPerStripe = 1024
	minStripes     = 1 << 8
	maxStripes     = 1 << 18
)

func newLevel1[K Key, V any](cfg L1Config) (*level1[K, V], error) {
	wanted := min(max(cfg.MaxBytes/bytesPerStripe, minStripes), maxStripes)
	n := uint64(1) << (bits.Len64(wanted) - 1)
	l := &level1[K, V]{ttl: cfg.TTL, needsBus: cfg.NeedsBus, stripes: make([]atomic.Uint64, n), stripeOf: n - 1}
	cache, err := otter.New(&otter.Options[K, held[V]]{
		MaximumWeight:    cfg.MaxBytes,
		Weigher:          func(_ K, h held[V]) uint32 { return h.weight },
		ExpiryCalculator: otter.ExpiryWriting[K, held[V]](cfg.TTL),
	})
	if err != nil {
		return nil, configError("L1", err, "a configuration that otter takes")
	}
	l.cache = cache
	l.deaf.Store(cfg.NeedsBus)
	return l, nil
}

func (l *level1[K, V]) close() { l.cache.StopAllGoroutines() }

func (l *level1[K, V]) get(key K, epoch uint64, now time.Time) (held[V], bool) {
	h, found := l.cache.GetIfPresent(key)
	return h, found && now.Before(h.ends) && h.epoch == epoch && h.generation == l.generation(h.id) && !(l.needsBus && l.deaf.Load())
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

func (l *level1[K, V]) put(key K, h held[V]) { l.cache.Set(key, h) }

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
	now := time.Now()
	h, found := s.l1.get(key, epoch, now)
	if !found {
		return v, meta, false
	}
	v, err := s.copyOf(h.value, h.payload, h.id)
	if err != nil {
		return v, meta, false
	}
	s.counters.l1Hits.Add(1)
	return v, Meta{Source: FromL1, Age: max(0, now.Sub(h.stored)), Version: h.version}, true
}

// keepL1 keeps a fresh value in this process. An absence is not kept: whoever
// creates the key may have no way to say so here.
func (s *Space[K, V]) keepL1(key K, generation uint64, a answer[V]) {
	now := time.Now()
	if s.l1 == nil || a.negative || !now.Before(a.soft) || s.l1.generation(a.id) != generation {
		return
	}
	ends := now.Add(s.l1.ttl)
	if a.soft.Before(ends) {
		ends = a.soft
	}
	h := held[V]{id: a.id, generation: generation, epoch: a.epoch, version: a.version, stored: a.stored, ends: ends,
		weight: uint32(min(l1Overhead+uint64(len(a.payload))+uint64(len(s.prefix)), 1<<31))}
	// Nobody else may change it: what the caller gets is another copy.
	if h.value = a.value; !s.flat {
		if h.payload = bytes.Clone(a.payload); s.cfg.Clone == nil {
			var none V
			h.value = none
		} else {
			h.value = s.cfg.Clone(a.value)
		}
	}
	s.l1.put(key, h)
}
