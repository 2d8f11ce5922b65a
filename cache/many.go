package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Answer is what GetMany has for one key.
type Answer[V any] struct {
	Value V
	Meta  Meta
	Err   error // ErrNotFound, or why there is no value
}

// GetMany is Get for many keys: one round trip to each node for those that are
// cached, and for those that are not one for their leases, one call of LoadMany, and
// one to store them. Keys that another process loads at the moment, or whose value
// is old, are seen to one by one, at the same time. Each key has an Answer of its
// own; those of the others are valid whatever became of it.
func (s *Space[K, V]) GetMany(ctx context.Context, keys []K) map[K]Answer[V] {
	answers := make(map[K]Answer[V], len(keys))
	if err := s.m.ctx.Err(); err != nil {
		return answerAll(answers, keys, ErrClosed)
	}
	var asked []query[K, V]
	epoch, known := s.epochOf(ctx)
	for _, key := range keys {
		if _, known := answers[key]; known {
			continue
		}
		if v, meta, found := s.fromL1(key, epoch); found {
			answers[key] = Answer[V]{Value: v, Meta: meta}
			continue
		}
		k, err := s.keyIn(key, epoch, known)
		answers[key] = Answer[V]{Err: err}
		if err == nil {
			asked = append(asked, query[K, V]{key: key, store: k, load: s.cfg.Load})
		}
	}
	s.getMany(ctx, s.refuse(ctx, asked, answers), answers)
	return answers
}

func answerAll[K Key, V any](answers map[K]Answer[V], keys []K, err error) map[K]Answer[V] {
	for _, key := range keys {
		answers[key] = Answer[V]{Err: err}
	}
	return answers
}

func storeKeys[K Key, V any](asked []query[K, V]) []string {
	keys := make([]string, len(asked))
	for i, q := range asked {
		keys[i] = q.store.text
	}
	return keys
}

// looked is what the store had for a query.
type looked[V any] struct {
	a          answer[V]
	usable     bool
	generation uint64
}

func (s *Space[K, V]) getMany(ctx context.Context, asked []query[K, V], answers map[K]Answer[V]) {
	if len(asked) == 0 {
		return
	}
	found := make([]looked[V], len(asked))
	for i, q := range asked {
		found[i].generation = s.l1.generation(q.store.identity)
	}
	s.lookupMany(ctx, asked, found)
	var missing []query[K, V]
	var others []int
	for i, q := range asked {
		switch {
		case !found[i].usable && !q.store.noEpoch && s.cfg.LoadMany != nil && s.m.leaser != nil && s.m.batch != nil:
			missing = append(missing, q)
		default:
			others = append(others, i)
		}
	}
	results := make([]Answer[V], len(others))
	atOnce(len(others), func(n int) {
		i, r := others[n], &results[n]
		r.Value, r.Meta, r.Err = s.answer(ctx, asked[i], found[i].generation, found[i].a, found[i].usable)
	})
	for n, i := range others {
		answers[asked[i].key] = results[n]
	}
	s.loadMany(ctx, missing, answers)
}

func (s *Space[K, V]) lookupMany(ctx context.Context, asked []query[K, V], found []looked[V]) {
	if s.m.batch == nil {
		atOnce(len(asked), func(i int) { found[i].a, found[i].usable = s.lookup(ctx, asked[i].store) })
		return
	}
	for i, r := range s.m.batch.GetMany(ctx, storeKeys(asked)) {
		if r.Err != nil {
			s.storeFailed(ctx, r.Err)
			continue
		}
		found[i].a, found[i].usable = s.open(asked[i].store, r.Entry)
	}
}

// loadMany loads the keys for which it gets a lease in one call, and has the others
// seen to one by one.
func (s *Space[K, V]) loadMany(ctx context.Context, missing []query[K, V], answers map[K]Answer[V]) {
	if len(missing) == 0 {
		return
	}
	s.counters.misses.Add(uint64(len(missing)))
	generations := make([]uint64, len(missing))
	for i, q := range missing {
		generations[i] = s.l1.generation(q.store.identity)
	}
	grants := s.m.batch.LeaseMany(ctx, storeKeys(missing), LeaseRequest{Life: s.cfg.Loads.Lease})
	won := batchLoad[K, V]{}
	var others []query[K, V]
	for i, q := range missing {
		if grants[i].Err == nil && grants[i].Grant.State == Won {
			won.add(q, grants[i].Grant.Lease, generations[i])
		} else {
			others = append(others, q)
		}
	}
	s.loadWon(ctx, &won, answers)
	results := make([]Answer[V], len(others))
	atOnce(len(others), func(i int) {
		results[i].Value, results[i].Meta, results[i].Err = s.await(ctx, others[i], answer[V]{}, false)
	})
	for i, q := range others {
		answers[q.key] = results[i]
	}
}

// batchLoad is what one call of LoadMany is about.
type batchLoad[K Key, V any] struct {
	keys        []K
	queries     []query[K, V]
	rights      []right[V]
	generations []uint64
}

func (b *batchLoad[K, V]) add(q query[K, V], l Lease, generation uint64) {
	b.keys = append(b.keys, q.key)
	b.queries = append(b.queries, q)
	b.rights = append(b.rights, right[V]{state: Won, lease: l})
	b.generations = append(b.generations, generation)
}

func (s *Space[K, V]) loadWon(ctx context.Context, b *batchLoad[K, V], answers map[K]Answer[V]) {
	if len(b.keys) == 0 {
		return
	}
	begun := time.Now()
	s.counters.loads.Add(uint64(len(b.keys)))
	loaded, err := call(ctx, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (map[K]Loaded[V], error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
		return s.cfg.LoadMany(ctx, b.keys)
	})
	if err != nil {
		s.counters.loadErrors.Add(uint64(len(b.keys)))
		atOnce(len(b.keys), func(i int) { s.release(ctx, b.queries[i], b.rights[i]) })
		answerAll(answers, b.keys, fmt.Errorf("cache: load %s: %w", s.name, err))
		return
	}
	took := time.Since(begun)
	var writes []Write
	var at []int // the index of each write in b
	made := make([]answer[V], len(b.keys))
	for i, q := range b.queries {
		l, present := loaded[q.key]
		a, entry, err := s.sealOne(q, l, !present, took)
		if err != nil || l.NoStore || (!present && s.cfg.Life.NoNegative) {
			s.release(ctx, q, b.rights[i])
		} else {
			writes, at = append(writes, Write{Key: q.store.text, Lease: &b.rights[i].lease, Entry: entry}), append(at, i)
		}
		if made[i] = a; err != nil {
			answers[q.key] = Answer[V]{Err: err}
			continue
		}
		v, meta, err := s.deliver(&a)
		answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
	}
	for n, r := range s.m.batch.StoreMany(ctx, writes) {
		s.storeFailed(ctx, r.Err)
		if s.countFilled(r.Filled); r.Filled == Stored {
			i := at[n]
			s.keepL1(b.keys[i], b.generations[i], made[i])
		}
	}
}

func (s *Space[K, V]) sealOne(q query[K, V], l Loaded[V], negative bool, took time.Duration) (answer[V], Entry, error) {
	if !negative {
		if err := s.validate(q.key, l.Value); err != nil {
			s.counters.loadErrors.Add(1)
			return answer[V]{}, Entry{}, err
		}
	}
	return s.seal(q.store, l, negative, took)
}

// Pair is a key with its value.
type Pair[K Key, V any] struct {
	Key   K
	Value V
}

// PutMany is Put for many keys: one call of SaveMany, and one round trip to each
// node if all have versions; those that have none are deleted at the same time.
// If Validate or GuardKey refuses one, nothing is written. The error joins those of
// all keys that the fleet could not be told of.
func (s *Space[K, V]) PutMany(ctx context.Context, pairs []Pair[K, V]) error {
	switch {
	case s.cfg.SaveMany == nil:
		return ErrNoSave
	case s.m.ctx.Err() != nil:
		return ErrClosed
	case len(pairs) == 0:
		return nil
	}
	keys := make([]storeKey, len(pairs))
	epoch, known := s.epochOf(ctx)
	for i, p := range pairs {
		var err error
		if keys[i], err = s.keyIn(p.Key, epoch, known); err == nil {
			err = s.validate(p.Key, p.Value)
		}
		if err != nil {
			return err
		}
	}
	ids := make([]identity, len(keys))
	for i, k := range keys {
		ids[i] = k.identity
	}
	if err := s.announceIDs(ctx, ids); err != nil {
		return err
	}
	versions, err := s.cfg.SaveMany(ctx, pairs)
	if err == nil && len(versions) != len(pairs) {
		err = fmt.Errorf("cache: SaveMany returned %d versions for %d pairs", len(versions), len(pairs))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Loads.Timeout)
	defer cancel()
	if err != nil {
		versions = make([]uint64, len(pairs)) // nobody knows what was written: all are deleted
		return errors.Join(fmt.Errorf("cache: save %s: %w", s.name, err), s.tellMany(ctx, pairs, keys, versions))
	}
	return s.tellMany(ctx, pairs, keys, versions)
}

// tellMany tells the fleet what was written.
func (s *Space[K, V]) tellMany(ctx context.Context, pairs []Pair[K, V], keys []storeKey, versions []uint64) error {
	var writes []Write
	var at []int // the index of each write in pairs
	var old []int
	for i, p := range pairs {
		_, entry, err := s.seal(keys[i], Loaded[V]{Value: p.Value, Version: versions[i]}, false, 0)
		if err != nil || versions[i] == 0 || keys[i].noEpoch || s.m.batch == nil {
			old = append(old, i)
			continue
		}
		s.forget(p.Key, keys[i])
		writes, at = append(writes, Write{Key: keys[i].text, Entry: entry}), append(at, i)
	}
	if len(writes) > 0 {
		for n, r := range s.m.batch.StoreMany(ctx, writes) {
			i := at[n]
			s.storeFailed(ctx, r.Err)
			s.countFilled(r.Filled)
			if s.forget(pairs[i].Key, keys[i]); r.Err != nil {
				old = append(old, i) // and others are told there
				continue
			}
			s.tellOthers(keys[i])
		}
	}
	errs := make([]error, len(old))
	atOnce(len(old), func(n int) {
		below := versions[old[n]]
		if below == 0 {
			below = AnyVersion
		}
		errs[n] = s.invalidate(ctx, pairs[old[n]].Key, keys[old[n]], below)
	})
	followed := make([]error, len(pairs))
	if s.indexes.Load() != nil {
		atOnce(len(pairs), func(i int) { followed[i] = s.wrote(ctx, pairs[i].Value) })
	}
	return errors.Join(append(errs, followed...)...)
}
