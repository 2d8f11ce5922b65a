package cache

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"
)

// Source says where a value came from.
type Source uint8

// The sources.
const (
	FromL1       Source = iota + 1 // this process
	FromL2                         // the store
	FromLoader                     // the source
	FromStale                      // the store, past its time to live
	FromNegative                   // the store remembers that the source does not have it
	FromFilter                     // the filter knows that the source does not have it
	FromFallback                   // this process, while the store is away or cold
	FromPending                    // this process has written it, and the source does not have it yet
)

// String returns the source in a word.
func (s Source) String() string {
	names := [...]string{"none", "L1", "L2", "loader", "stale", "negative", "filter", "fallback", "pending"}
	if int(s) < len(names) {
		return names[s]
	}
	return "Source(" + strconv.Itoa(int(s)) + ")"
}

// Meta says of a value where it came from.
type Meta struct {
	Source  Source
	Age     time.Duration // since it was loaded, by the clock of the process that loaded it; to 10 ms
	Version uint64        // at the source; 0: it has none
}

// Hit says whether no loader was asked for the value.
func (m Meta) Hit() bool { return m.Source != 0 && m.Source != FromLoader }

// answer is a value, or the absence of one, on its way to callers.
type answer[V any] struct {
	value   V
	payload []byte   // what the codec made of it
	id      identity // of its key
	turn    uint64   // of tagTurns, when it was asked for
	asked   time.Time
	checked time.Time // with the source; zero: when it was loaded
	envelope
	source Source
	opened time.Time    // when it was looked at; else zero
	own    bool         // nobody else has the value
	sole   *atomic.Bool // it cannot be copied: whether a caller has it; nil: it can, see free

	// decided is when the request was sent whose reply makes it true; zero: none does.
	// It is no answer to who came later, maybe after an invalidation: see cameAfter.
	decided time.Time
}

// Get returns the value under the key: from this process, from the fleet, or by
// the space's loader, whose result is then stored. Of all callers in the fleet
// one asks the loader, as long as its lease lasts. ErrNotFound: the source does not
// have the key; ErrNoLoader: there is no loader to ask; a *KeyError: nobody was
// asked. An entry that does not decode or belongs to another key is a miss.
func (s *Space[K, V]) Get(ctx context.Context, key K) (v V, meta Meta, err error) {
	if h, now := s.fromL1Promptly(ctx, key); h != nil {
		meta = metaL1(h, now)
		if s.flat {
			v = h.value
		} else if v, err = s.cloneOrCopied(h.value); err != nil {
			return s.getBy(ctx, key, s.cfg.Load, false) // as fromL1 has it: a miss
		}
		return
	}
	return s.getBy(ctx, key, s.cfg.Load, false)
}

// GetWith is Get with a loader for this call. Callers who ask for the same key at
// the same time share the loader of the first. With nil it only looks.
func (s *Space[K, V]) GetWith(ctx context.Context, key K, load Loader[K, V]) (V, Meta, error) {
	return s.getBy(ctx, key, load, true)
}

// getBy is GetWith; ofCall is false for the loader of the space.
func (s *Space[K, V]) getBy(ctx context.Context, key K, load Loader[K, V], ofCall bool) (V, Meta, error) {
	if session := sessionOf(ctx); session != nil {
		return s.getInSession(ctx, session, key, load, ofCall)
	}
	if s.m.watched() {
		return s.observedGet(ctx, key, load, ofCall)
	}
	return s.getWith(ctx, key, load, ofCall)
}

func (s *Space[K, V]) getWith(ctx context.Context, key K, load Loader[K, V], ofCall bool) (V, Meta, error) {
	var none V
	if err := s.m.ctx.Err(); err != nil {
		return none, Meta{}, ErrClosed
	}
	if v, meta, err, found := s.fromPending(key); found {
		return v, meta, err
	}
	if mode := s.Bypassed(); mode != BypassNothing {
		return s.through(ctx, key, load, ofCall, mode)
	}
	s.hot.touch(key)
	epoch, known := s.epochOf(ctx)
	if v, meta, found := s.lookL1(ctx, key, epoch); found {
		return v, meta, nil
	}
	s.counters.lookups.Add(1)
	k, err := s.keyIn(key, epoch, known)
	if err != nil {
		return none, Meta{}, err
	}
	if s.refused(ctx, k.identity) {
		s.counters.filtered.Add(1)
		return none, Meta{Source: FromFilter}, ErrNotFound
	}
	q := query[K, V]{key: key, store: k, load: load, ofCall: ofCall, late: true}
	v, meta, err := s.fromFleet(ctx, &q)
	if q.result != nil {
		return s.deliver(q.result)
	}
	return v, meta, err
}

// fromFleet asks the store, and if need be the loader.
func (s *Space[K, V]) fromFleet(ctx context.Context, q *query[K, V]) (V, Meta, error) {
	var none V
	generation := s.l1.generation(q.store.identity)
	var l looked[V]
	s.lookupShared(ctx, q.key, &q.store, &l)
	if err := ctx.Err(); err != nil {
		return none, Meta{}, err
	}
	q.away = l.err != nil
	if v, meta, err, found := s.orFallback(q, &l); found {
		return v, meta, err
	}
	if errors.Is(l.err, ErrShed) {
		if l.usable {
			return s.stale(&l.a)
		}
		return none, Meta{}, l.err
	}
	return s.answer(ctx, q, generation, &l.a, l.usable)
}

// keyOf returns the key of the store, with the epoch of the space.
func (s *Space[K, V]) keyOf(ctx context.Context, key K) (storeKey, error) {
	epoch, known := s.epochOf(ctx)
	return s.keyIn(key, epoch, known)
}

func (s *Space[K, V]) keyIn(key K, epoch uint64, known bool) (storeKey, error) {
	k, err := storeKeyOf(s.prefix, key, s.cfg.GuardKey, s.m.cfg.Secret)
	k.epoch, k.noEpoch = epoch, !known
	if err == nil {
		err = s.tagsOfKey(&k, key)
	}
	return k, err
}
