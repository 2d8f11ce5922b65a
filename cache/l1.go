package cache

import (
	"bytes"
	"hash/maphash"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// level1 keeps values of one space in this process, bounded by bytes and by time.
//
// A value may be stored only if the key was not invalidated since it was asked
// for: otherwise a reader that is slow would put back what an invalidation has just
// removed. So the reader takes the key's generation before it asks the store, and
// an invalidation counts it up. Keys share generations, a few hundred of them: now
// and then a value is not stored for the sake of another key, and that is all.
type level1[K Key, V any] struct {
	cache  *otter.Cache[K, held[V]]
	ttl    time.Duration
	seed   maphash.Seed
	stripe [256]struct {
		mu         sync.Mutex // held while the generation is compared and the value stored
		generation uint64
		_          [48]byte // a cache line of its own
	}
}

// held is a value, or the bytes to decode it from for each caller.
type held[V any] struct {
	value   V
	payload []byte
	id      identity
	version uint64
	stored  time.Time
	ends    time.Time
	weight  uint32
}

// l1Overhead is about what an entry needs in memory beside its value, in bytes.
const l1Overhead = 256

func newLevel1[K Key, V any](cfg L1Config) (*level1[K, V], error) {
	l := &level1[K, V]{ttl: cfg.TTL, seed: maphash.MakeSeed()}
	cache, err := otter.New(&otter.Options[K, held[V]]{
		MaximumWeight:    cfg.MaxBytes,
		Weigher:          func(_ K, h held[V]) uint32 { return h.weight },
		ExpiryCalculator: otter.ExpiryWriting[K, held[V]](cfg.TTL),
	})
	if err != nil {
		return nil, configError("L1", err, "a configuration that otter takes")
	}
	l.cache = cache
	return l, nil
}

func (l *level1[K, V]) close() { l.cache.StopAllGoroutines() }

func (l *level1[K, V]) get(key K, now time.Time) (held[V], bool) {
	h, found := l.cache.GetIfPresent(key)
	return h, found && now.Before(h.ends)
}

// generation is to be read before the store is asked for what put stores.
func (l *level1[K, V]) generation(key K) uint64 {
	if l == nil {
		return 0
	}
	s := &l.stripe[maphash.Comparable(l.seed, key)%256]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// put stores the value, unless the key was invalidated since the generation.
func (l *level1[K, V]) put(key K, generation uint64, h held[V]) {
	s := &l.stripe[maphash.Comparable(l.seed, key)%256]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation == generation {
		l.cache.Set(key, h)
	}
}

func (l *level1[K, V]) invalidate(key K) {
	if l == nil {
		return
	}
	s := &l.stripe[maphash.Comparable(l.seed, key)%256]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	l.cache.Invalidate(key)
}

// fromL1 answers from this process.
func (s *Space[K, V]) fromL1(key K) (v V, meta Meta, found bool) {
	if s.l1 == nil {
		return v, meta, false
	}
	now := time.Now()
	h, found := s.l1.get(key, now)
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
// creates the key could not say so here.
func (s *Space[K, V]) keepL1(key K, generation uint64, a answer[V]) {
	now := time.Now()
	if s.l1 == nil || a.negative || !now.Before(a.soft) {
		return
	}
	ends := now.Add(s.l1.ttl)
	if a.soft.Before(ends) {
		ends = a.soft
	}
	h := held[V]{id: a.id, version: a.version, stored: a.stored, ends: ends, weight: uint32(min(l1Overhead+uint64(len(a.payload))+uint64(len(s.prefix)), 1<<31))}
	// Nobody else may change it: what the caller gets is another copy.
	if h.value = a.value; !s.flat {
		if h.payload = bytes.Clone(a.payload); s.cfg.Clone == nil {
			var none V
			h.value = none
		} else {
			h.value = s.cfg.Clone(a.value)
		}
	}
	s.l1.put(key, generation, h)
}
