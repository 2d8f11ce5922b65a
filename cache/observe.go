package cache

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Operation is a part of what a space does, as an Observer and a Tracer are told
// of it.
type Operation uint8

// The operations. Get, GetMany, Put and Invalidate are what callers ask for; the
// others are parts of them.
const (
	OpGet        Operation = iota + 1 // Get and GetWith, until the answer
	OpGetMany                         // GetMany, for all keys
	OpPut                             // Put and PutMany, the source included
	OpInvalidate                      // of one key, also as a part of Put
	OpL1                              // a look into level 1
	OpLookup                          // a read of the store
	OpLease                           // asking the store for a lease, and waiting for whoever has it
	OpLoad                            // a call of the loader
	OpStore                           // a write of the store
)

var operationNames = [...]string{"none", "get", "get_many", "put", "invalidate", "l1", "lookup", "lease", "load", "store"}

// String returns the operation in a word.
func (o Operation) String() string {
	if int(o) < len(operationNames) {
		return operationNames[o]
	}
	return "unknown"
}

// Operations returns all operations.
func Operations() []Operation {
	all := make([]Operation, 0, len(operationNames)-1)
	for o := OpGet; int(o) < len(operationNames); o++ {
		all = append(all, o)
	}
	return all
}

// Outcome is how an operation ended.
type Outcome struct {
	Err    error  // ErrNotFound and ErrMiss are answers, too
	Source Source // of OpGet: where the value came from; of OpL1: FromL1 if it was there; else 0
	Keys   int    // of an operation on many keys, how many; 0 stands for 1
}

// Observer is told how long operations took. Package cache/metrics has one for
// Prometheus.
type Observer interface {
	// Observe is called at the end of each operation, by the goroutine concerned.
	// It must be quick, and safe for concurrent use. The space is "user/3".
	Observe(space string, op Operation, took time.Duration, outcome Outcome)
}

// Tracer is told when operations begin and end. Package cache/tracing has one for
// OpenTelemetry.
type Tracer interface {
	// Start is called when an operation begins. The context that it returns is
	// that of the operation: the store and the loader are given it. The function
	// is called once, when the operation has ended. It must be safe for
	// concurrent use. The space is "user/3".
	Start(ctx context.Context, space string, op Operation) (context.Context, func(Outcome))
}

func unobserved(Outcome) {}

// watched says whether anybody wants to know of operations.
func (m *Manager) watched() bool { return m.cfg.Observer != nil || m.cfg.Tracer != nil }

// observe is called when an operation begins; the function, when it has ended.
// With neither an Observer nor a Tracer it costs two comparisons.
func (s *Space[K, V]) observe(ctx context.Context, op Operation) (context.Context, func(Outcome)) {
	observer, tracer := s.m.cfg.Observer, s.m.cfg.Tracer
	if observer == nil && tracer == nil {
		return ctx, unobserved
	}
	ended := unobserved
	if tracer != nil {
		ctx, ended = tracer.Start(ctx, s.name, op)
	}
	begun := time.Now()
	return ctx, func(o Outcome) {
		if observer != nil {
			observer.Observe(s.name, op, time.Since(begun), o)
		}
		ended(o)
	}
}

// observedGet is GetWith for those who want to know of it.
func (s *Space[K, V]) observedGet(ctx context.Context, key K, load Loader[K, V], ofCall bool) (V, Meta, error) {
	ctx, ended := s.observe(ctx, OpGet)
	v, meta, err := s.getWith(ctx, key, load, ofCall)
	ended(Outcome{Err: err, Source: meta.Source})
	return v, meta, err
}

// lookL1 is fromL1 for those who want to know of it.
func (s *Space[K, V]) lookL1(ctx context.Context, key K, epoch uint64) (v V, meta Meta, found bool) {
	if s.l1 == nil || !s.m.watched() {
		return s.fromL1(key, epoch)
	}
	_, ended := s.observe(ctx, OpL1)
	v, meta, found = s.fromL1(key, epoch)
	ended(Outcome{Source: meta.Source})
	return v, meta, found
}

// storeMany is Batcher.StoreMany for those who want to know of it.
func (s *Space[K, V]) storeMany(ctx context.Context, writes []Write) []Result {
	if len(writes) == 0 {
		return nil
	}
	ctx, ended := s.observe(ctx, OpStore)
	results := s.m.batch.StoreMany(ctx, writes)
	ended(Outcome{Err: firstFailure(results), Keys: len(writes)})
	return results
}

// firstFailure returns the first error of a batch that is no miss.
func firstFailure(results []Result) error {
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, ErrMiss) {
			return r.Err
		}
	}
	return nil
}

// SpaceStats is what Manager.Stats says of one space.
type SpaceStats struct {
	Space string // "user/3"
	Stats Stats
	L1    L1Stats
	State State
}

// L1Stats says what a space has in this process, approximately. All 0: it has no
// such level.
type L1Stats struct {
	Entries  int
	Bytes    uint64 // of values and what they need beside, as it is counted against MaxBytes
	MaxBytes uint64

	Evictions    uint64 // values that were thrown out for want of room, or whose TTL was over; only grows
	EvictedBytes uint64 // likewise, as Bytes counts
}

// Stats returns the statistics of all spaces, ordered by name; none once it is
// closed. Where ManagerConfig.Invalidation has a journal, or a tag could not be
// invalidated, one is for tags, "@tags", of which Stats.Later alone says something.
func (m *Manager) Stats() []SpaceStats {
	m.mu.Lock()
	closed := m.closed
	spaces := make([]space, 0, len(m.spaces))
	for _, s := range m.spaces {
		spaces = append(spaces, s)
	}
	m.mu.Unlock()
	all := make([]SpaceStats, len(spaces))
	for i, s := range spaces {
		all[i] = s.report()
	}
	if m.later.used() && !closed {
		all = append(all, SpaceStats{Space: m.tags.name, Stats: Stats{Later: m.later.stats()}})
	}
	slices.SortFunc(all, func(a, b SpaceStats) int { return cmp.Compare(a.Space, b.Space) })
	return all
}

func (s *Space[K, V]) report() SpaceStats {
	return SpaceStats{Space: s.name, Stats: s.Stats(), L1: s.l1.stats(s.cfg.levelOne().MaxBytes), State: s.State()}
}

func (l *level1[K, V]) stats(most uint64) L1Stats {
	if l == nil {
		return L1Stats{}
	}
	return L1Stats{Entries: l.cache.EstimatedSize(), Bytes: l.cache.WeightedSize(), MaxBytes: most,
		Evictions: l.evicted.count.Load(), EvictedBytes: l.evicted.bytes.Load()}
}

// evictions counts what otter throws out. It counts nothing else: hits and misses
// are counted here, where what lies there but is dead is a miss.
type evictions struct{ count, bytes atomic.Uint64 }

func (e *evictions) RecordHits(int)                  {}
func (e *evictions) RecordMisses(int)                {}
func (e *evictions) RecordLoadSuccess(time.Duration) {}
func (e *evictions) RecordLoadFailure(time.Duration) {}
func (e *evictions) RecordEviction(weight uint32) {
	e.count.Add(1)
	e.bytes.Add(uint64(weight))
}
