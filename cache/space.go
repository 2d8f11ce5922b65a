package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"
)

// Space is a typed part of the cache: its keys are of type K, its values of type V.
// Values that it returns are the caller's own: to change one changes no other. A
// Space is safe for concurrent use, and ends with its Manager.
type Space[K Key, V any] struct {
	m       *Manager
	cfg     SpaceConfig[K, V]
	name    string // "user/3", for people
	prefix  string // of keys: "user/3/"
	counts  string // of counters: "user/3/+"
	epochs  *epochs
	epochID identity // of the key of the epoch

	filter    *filterBits // nil: none
	filterKey string

	flat    bool // a plain copy of a V is a copy
	l1      *level1[K, V]
	flights flights[answer[V]]
	lookups *shares[looked[V]]
	indexes atomic.Pointer[[]func(context.Context, V) error] // what follows writes

	counters counters
}

// NewSpace returns a space of the manager, or an error that matches ErrConfig.
func NewSpace[K Key, V any](m *Manager, cfg SpaceConfig[K, V]) (*Space[K, V], error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	name := cfg.Name + "/" + strconv.FormatUint(uint64(cfg.Schema), 10)
	s := &Space[K, V]{m: m, cfg: cfg, name: name, prefix: name + "/", counts: name + "/" + string(counterMark),
		flat: flat(reflect.TypeFor[V]()), lookups: newShares[looked[V]]()}
	if cfg.Epochs {
		if m.leaser == nil {
			return nil, configError("Epochs", true, "a store that is a Leaser")
		}
		s.epochs = &epochs{key: s.prefix + string(epochMark)}
		sum := sha256.Sum256([]byte(s.epochs.key))
		s.epochID = identity(sum[:len(s.epochID)])
	}
	if cfg.Filter.Keys != nil {
		if m.leaser == nil {
			return nil, configError("Filter", "Keys", "a store that is a Leaser")
		}
		s.filter, s.filterKey = &filterBits{}, s.prefix+string(logMark)
	}
	if cfg.L1.NeedsBus && m.cfg.Bus == nil {
		return nil, configError("L1.NeedsBus", true, "a manager with a Bus")
	}
	if cfg.L1.MaxBytes > 0 {
		if s.l1, err = newLevel1[K, V](cfg.L1); err != nil {
			return nil, err
		}
	}
	if err := m.register(name, s); err != nil {
		s.end()
		return nil, err
	}
	if s.filter != nil {
		return s, m.run(s.keepFilter)
	}
	return s, nil
}

// end is called when the manager is closed.
func (s *Space[K, V]) end() {
	if s.l1 != nil {
		s.l1.close()
	}
}

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
)

// String returns the source in a word.
func (s Source) String() string {
	names := [...]string{"none", "L1", "L2", "loader", "stale", "negative", "filter"}
	if int(s) < len(names) {
		return names[s]
	}
	return "Source(" + strconv.Itoa(int(s)) + ")"
}

// Meta says of a value where it came from.
type Meta struct {
	Source  Source
	Age     time.Duration // since it was loaded, by the clock of the process that loaded it
	Version uint64        // at the source; 0: it has none
}

// Hit says whether no loader was asked for the value.
func (m Meta) Hit() bool { return m.Source != 0 && m.Source != FromLoader }

// answer is a value, or the absence of one, on its way to callers.
type answer[V any] struct {
	value   V
	payload []byte   // what the codec made of it
	id      identity // of its key
	envelope
	source Source
}

// Get returns the value under the key: from this process, from the fleet, or by
// the space's loader, whose result is then stored. Of all callers in the fleet
// one asks the loader, as long as its lease lasts. ErrNotFound: the source does not
// have the key; ErrNoLoader: there is no loader to ask; a *KeyError: nobody was
// asked. An entry that does not decode or belongs to another key is a miss.
func (s *Space[K, V]) Get(ctx context.Context, key K) (V, Meta, error) {
	return s.GetWith(ctx, key, s.cfg.Load)
}

// GetWith is Get with a loader for this call. Callers who ask for the same key at
// the same time share the loader of the first. With nil it only looks.
func (s *Space[K, V]) GetWith(ctx context.Context, key K, load Loader[K, V]) (V, Meta, error) {
	var none V
	if err := s.m.ctx.Err(); err != nil {
		return none, Meta{}, ErrClosed
	}
	epoch, known := s.epochOf(ctx)
	if v, meta, found := s.fromL1(key, epoch); found {
		return v, meta, nil
	}
	k, err := s.keyIn(key, epoch, known)
	if err != nil {
		return none, Meta{}, err
	}
	if s.refused(ctx, k.identity) {
		s.counters.filtered.Add(1)
		return none, Meta{Source: FromFilter}, ErrNotFound
	}
	generation := s.l1.generation(k.identity)
	a, usable := s.lookupShared(ctx, k)
	if err := ctx.Err(); err != nil {
		return none, Meta{}, err
	}
	return s.answer(ctx, query[K, V]{key: key, store: k, load: load}, generation, a, usable)
}

// keyOf returns the key of the store, with the epoch of the space.
func (s *Space[K, V]) keyOf(ctx context.Context, key K) (storeKey, error) {
	epoch, known := s.epochOf(ctx)
	return s.keyIn(key, epoch, known)
}

func (s *Space[K, V]) keyIn(key K, epoch uint64, known bool) (storeKey, error) {
	k, err := storeKeyOf(s.prefix, key, s.cfg.GuardKey, s.m.cfg.Secret)
	k.epoch, k.noEpoch = epoch, !known
	return k, err
}

// query is what one call is about.
type query[K Key, V any] struct {
	key   K
	store storeKey
	load  Loader[K, V]
	seen  uint64 // stamp of the entry that is to be replaced; 0: there is none
}

// answer goes on from what the store had.
func (s *Space[K, V]) answer(ctx context.Context, q query[K, V], generation uint64, a answer[V], usable bool) (V, Meta, error) {
	now := time.Now()
	if usable {
		q.seen = a.stamp
	}
	switch {
	case usable && now.Before(a.soft):
		s.hit(&a)
		s.keepL1(q.key, generation, a)
		if !a.negative && s.early(&a.envelope, now) {
			s.refresh(ctx, q)
		}
		return s.deliver(&a)
	case usable && now.Before(a.soft.Add(s.cfg.Life.StaleWhileRevalidate)):
		s.refresh(ctx, q)
		return s.stale(&a)
	}
	s.counters.misses.Add(1)
	if q.load == nil {
		var none V
		return none, Meta{}, ErrNoLoader
	}
	usable = usable && now.Before(a.soft.Add(s.cfg.Life.StaleOnError))
	return s.await(ctx, q, a, usable)
}

func (s *Space[K, V]) hit(a *answer[V]) {
	if a.negative {
		a.source = FromNegative
		s.counters.negativeHits.Add(1)
		return
	}
	a.source = FromL2
	s.counters.l2Hits.Add(1)
}

// await joins the load of the key. With an old value at hand it does so for
// SoftTimeout at most, and an error of the source is no error.
func (s *Space[K, V]) await(ctx context.Context, q query[K, V], old answer[V], usable bool) (V, Meta, error) {
	var none V
	f, leader, err := s.join(ctx, q)
	if err != nil {
		return none, Meta{}, err
	}
	if !leader {
		s.counters.coalesced.Add(1)
	}
	var soft <-chan time.Time
	if usable {
		timer := time.NewTimer(s.cfg.Loads.SoftTimeout)
		defer timer.Stop()
		soft = timer.C
	}
	select {
	case <-f.done:
		if f.err == nil {
			return s.deliver(&f.result)
		}
		err = f.err
	case <-soft:
		err = ErrLoadTimeout
	case <-ctx.Done():
		return none, Meta{}, ctx.Err()
	}
	if !usable || errors.Is(err, ErrClosed) {
		return none, Meta{}, err
	}
	s.m.tell(s.name, err)
	return s.stale(&old)
}

// join joins the load of the key, or starts it.
func (s *Space[K, V]) join(ctx context.Context, q query[K, V]) (*flight[answer[V]], bool, error) {
	ctx = context.WithoutCancel(ctx)
	return s.flights.join(q.store.flight(), s.m.run, func(f *flight[answer[V]]) (answer[V], error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
		a, err := s.produce(ctx, q, f)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return a, cause
		}
		return a, err
	})
}

// stale hands out a value past its time to live.
func (s *Space[K, V]) stale(a *answer[V]) (V, Meta, error) {
	s.counters.staleServed.Add(1)
	a.source = FromStale
	return s.deliver(a)
}

// deliver returns what one caller gets: a copy of its own.
func (s *Space[K, V]) deliver(a *answer[V]) (v V, meta Meta, err error) {
	meta = Meta{Source: a.source, Age: max(0, time.Since(a.stored)), Version: a.version}
	if a.negative {
		return v, meta, ErrNotFound
	}
	v, err = s.copyOf(a.value, a.payload, a.id)
	return v, meta, err
}

func (s *Space[K, V]) copyOf(v V, payload []byte, id identity) (V, error) {
	switch {
	case s.flat:
		return v, nil
	case s.cfg.Clone != nil:
		return s.cfg.Clone(v), nil
	}
	return s.cfg.Codec.Decode(payload, id[:])
}
