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

	hot     *hotKeys[K] // nil: none is looked for
	flat    bool        // a plain copy of a V is a copy
	l1      *level1[K, V]
	flights flights[answer[V]]
	lookups *shares[looked[V]]
	checks  *shares[current]
	indexes atomic.Pointer[[]func(context.Context, V) error] // what follows writes

	counters counters
	behind   *behind[K, V] // nil: writes wait for the source
	later    later         // invalidations
	resilience[K, V]
}

// NewSpace returns a space of the manager, or an error that matches ErrConfig.
func NewSpace[K Key, V any](m *Manager, cfg SpaceConfig[K, V]) (*Space[K, V], error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	name := cfg.Name + "/" + strconv.FormatUint(uint64(cfg.Schema), 10)
	s := &Space[K, V]{m: m, cfg: cfg, name: name, prefix: name + "/", counts: name + "/" + string(counterMark),
		flat: flat(reflect.TypeFor[V]()), lookups: newShares[looked[V]](), checks: newShares[current]()}
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
	if err := checkAxes[K](cfg.Axes); err != nil {
		return nil, err
	}
	if cfg.Tags.any() && m.tagger == nil {
		return nil, configError("Tags", "set", "a store that is a Tagger")
	}
	if cfg.L1.NeedsBus && m.cfg.Bus == nil {
		return nil, configError("L1.NeedsBus", true, "a manager with a Bus")
	}
	if cfg.Hot.Copies > 1 && m.leaser == nil {
		return nil, configError("Hot.Copies", cfg.Hot.Copies, "a store that is a Leaser")
	}
	s.hot = newHotKeys[K](cfg.Hot)
	if l1 := cfg.levelOne(); l1.MaxBytes > 0 {
		if s.l1, err = newLevel1[K, V](l1); err != nil {
			return nil, err
		}
	}
	if err := s.resilient(); err != nil {
		s.end()
		return nil, err
	}
	if err := s.openQueues(); err != nil {
		s.end()
		return nil, err
	}
	if err := m.register(name, s); err != nil {
		s.end()
		return nil, err
	}
	if err := s.runQueues(); err != nil {
		return nil, err
	}
	if cfg.Controls {
		if err := m.run(s.keepControl); err != nil {
			return nil, err
		}
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
	s.spares.close()
	s.closeQueues()
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
	turn    uint64   // of tagTurns, when it was asked for
	asked   time.Time
	checked time.Time // with the source; zero: when it was loaded
	envelope
	source Source
	opened time.Time // when it was looked at; else zero
	own    bool      // nobody else has the value

	// decided is when the request was sent whose reply makes it true; zero: none does.
	// It is no answer to who came later, maybe after an invalidation: see cameAfter.
	decided time.Time
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
	if session := sessionOf(ctx); session != nil {
		return s.getInSession(ctx, session, key, load)
	}
	if s.m.watched() {
		return s.observedGet(ctx, key, load)
	}
	return s.getWith(ctx, key, load)
}

func (s *Space[K, V]) getWith(ctx context.Context, key K, load Loader[K, V]) (V, Meta, error) {
	var none V
	if err := s.m.ctx.Err(); err != nil {
		return none, Meta{}, ErrClosed
	}
	if v, meta, err, found := s.fromPending(key); found {
		return v, meta, err
	}
	if mode := s.Bypassed(); mode != BypassNothing {
		return s.through(ctx, key, load, mode)
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
	return s.fromFleet(ctx, query[K, V]{key: key, store: k, load: load})
}

// fromFleet asks the store, and if need be the loader.
func (s *Space[K, V]) fromFleet(ctx context.Context, q query[K, V]) (V, Meta, error) {
	var none V
	generation := s.l1.generation(q.store.identity)
	l := s.lookupShared(ctx, q.key, q.store)
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
	return s.answer(ctx, q, generation, l.a, l.usable)
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

// query is what one call is about.
type query[K Key, V any] struct {
	key   K
	store storeKey
	load  Loader[K, V]
	seen  uint64 // stamp of the entry that is to be replaced; 0: there is none

	away  bool   // the store did not answer for the key
	past  Bypass // nothing of it is stored
	again bool   // it was joined once more, after one that gave way
	ahead bool   // nobody waits for it, and the store is cold
	known known  // versions of tags, from before the load
}

// answer goes on from what the store had.
func (s *Space[K, V]) answer(ctx context.Context, q query[K, V], generation uint64, a answer[V], usable bool) (V, Meta, error) {
	now := a.opened
	if now.IsZero() {
		now = time.Now()
	}
	if usable {
		q.seen = a.stamp
	}
	if usable && now.Before(a.soft) {
		if least, old := s.outdated(ctx, q.key, q.store, &a, now); old {
			usable, q.store.least = false, least
		}
	}
	switch {
	case usable && now.Before(a.soft):
		s.hit(&a)
		s.keepL1(q.key, generation, a)
		if !a.negative && s.early(&a.envelope, now) {
			s.refresh(ctx, q)
		}
		return s.deliverAt(&a, now)
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
	loading := ctx
	if usable {
		loading = giveWay(ctx)
	}
	joined := time.Now()
	f, leader, err := s.join(loading, q)
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
		switch {
		case f.err == nil && !leader && cameAfter(joined, f.result.decided):
			s.counters.lookups.Add(1)
			return s.fromFleet(ctx, query[K, V]{key: q.key, store: q.store, load: q.load})
		case f.err == nil:
			return s.deliver(&f.result)
		}
		if err = f.err; !usable && !leader && !q.again && errors.Is(err, ErrShed) {
			q.again = true // whose load it was may have given way
			return s.await(ctx, q, old, usable)
		}
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

// cameAfter says that who joined a flight did so when its answer was decided: the value was
// stored, or found, and the flight had only not heard of it yet. Another process may
// have invalidated the value in between.
func cameAfter(joined, decided time.Time) bool { return !decided.IsZero() && joined.After(decided) }

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
	return s.deliverAt(a, time.Now())
}

func (s *Space[K, V]) deliverAt(a *answer[V], now time.Time) (v V, meta Meta, err error) {
	meta = Meta{Source: a.source, Age: max(0, now.Sub(a.stored)), Version: a.version}
	switch {
	case a.negative:
		return v, meta, ErrNotFound
	case a.own:
		return a.value, meta, nil
	}
	v, err = s.copyOf(a.value, a.payload, a.id)
	return v, meta, err
}

func (s *Space[K, V]) copyOf(v V, payload []byte, id identity) (V, error) {
	if c, copied := s.plainCopy(v); copied {
		return c, nil
	}
	return s.cfg.Codec.Decode(payload, id[:])
}

// plainCopy returns a copy for which nothing has to be decoded, if there is one. It is
// apart from copyOf, which has the identity on the heap.
func (s *Space[K, V]) plainCopy(v V) (c V, copied bool) {
	switch {
	case s.flat:
		return v, true
	case s.cfg.Clone != nil:
		return s.cfg.Clone(v), true
	}
	return c, false
}
