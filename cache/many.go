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
	if session := sessionOf(ctx); session != nil {
		return s.getManyInSession(ctx, session, keys)
	}
	ctx, ended := s.observe(ctx, OpGetMany)
	defer ended(Outcome{Keys: len(keys)})
	answers := make(map[K]Answer[V], len(keys))
	if err := s.m.ctx.Err(); err != nil {
		return answerAll(answers, keys, ErrClosed)
	}
	if mode := s.Bypassed(); mode != BypassNothing {
		return s.throughMany(ctx, keys, mode)
	}
	var asked []query[K, V]
	epoch, known := s.epochOf(ctx)
	for _, key := range keys {
		if _, known := answers[key]; known {
			continue
		}
		if v, meta, err, found := s.fromPending(key); found {
			answers[key] = Answer[V]{Value: v, Meta: meta, Err: err}
			continue
		}
		s.hot.touch(key)
		if v, meta, found := s.fromL1(key, epoch); found {
			answers[key] = Answer[V]{Value: v, Meta: meta}
			continue
		}
		s.counters.lookups.Add(1)
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
	err        error // of the store, no miss; or ErrShed
}

func (s *Space[K, V]) getMany(ctx context.Context, asked []query[K, V], answers map[K]Answer[V]) {
	asked, leave := s.enterMany(ctx, asked, toLookup, answers)
	if len(asked) == 0 {
		leave()
		return
	}
	found := make([]looked[V], len(asked))
	for i, q := range asked {
		found[i].generation = s.l1.generation(q.store.identity)
	}
	s.lookupMany(ctx, asked, found)
	leave()
	var missing []query[K, V]
	var others []int
	now := time.Now()
	for i := range asked {
		q := &asked[i]
		q.away = found[i].err != nil
		v, meta, err, spare := s.orFallback(*q, &found[i])
		switch {
		case spare:
			answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
		case found[i].usable && now.Before(found[i].a.soft): // nobody waits for anything
			found[i].a.own = true
			v, meta, err := s.answer(ctx, *q, found[i].generation, found[i].a, true)
			answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
		case !found[i].usable && !q.away && !q.store.noEpoch && s.cfg.LoadMany != nil && s.m.leaser != nil && s.m.batch != nil:
			missing = append(missing, *q)
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
		atOnce(len(asked), func(i int) {
			l := &found[i]
			l.a, l.usable, l.err = s.look(ctx, asked[i].store)
		})
		return
	}
	if s.tagged() {
		s.lookupTagged(ctx, asked, found)
		return
	}
	asking, ended := s.observe(ctx, OpLookup)
	results := s.m.batch.GetMany(asking, storeKeys(asked))
	ended(Outcome{Err: firstFailure(results), Keys: len(asked)})
	for i, r := range results {
		if r.Err != nil {
			s.storeFailed(ctx, r.Err)
			found[i].err = s.noteLookup(ctx, r.Err, &found[i].a)
			continue
		}
		if found[i].a, found[i].usable = s.open(asked[i].store, r.Entry); found[i].usable {
			found[i].usable = s.tagsHold(ctx, nil, &found[i].a)
		}
		_ = s.noteLookup(ctx, nil, &found[i].a)
	}
}

// loadMany loads the keys for which it gets a lease in one call, and has the others
// seen to one by one.
func (s *Space[K, V]) loadMany(ctx context.Context, missing []query[K, V], answers map[K]Answer[V]) {
	if len(missing) == 0 {
		return
	}
	s.counters.misses.Add(uint64(len(missing)))
	missing, leave := s.enterMany(ctx, missing, toLoad, answers)
	generations := make([]uint64, len(missing))
	for i, q := range missing {
		generations[i] = s.l1.generation(q.store.identity)
	}
	asking, ended := s.observe(ctx, OpLease)
	grants := s.m.batch.LeaseMany(asking, storeKeys(missing), LeaseRequest{Life: s.cfg.Loads.Lease})
	ended(Outcome{Err: firstFailure(grants), Keys: len(missing)})
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
	leave()
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
	known       known // versions of tags, if it is the second load
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
	second := b.known != nil
	early := s.tagsBeforeBatch(ctx, b)
	spares := s.spareGenerations(b)
	begun := time.Now()
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err := call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (map[K]Loaded[V], error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
		return limited(ctx, s.limit, &s.counters, len(b.keys), func(ctx context.Context) (map[K]Loaded[V], error) { return s.cfg.LoadMany(ctx, b.keys) })
	})
	ended(Outcome{Err: err, Keys: len(b.keys)})
	if err != nil {
		s.countLoadError(err, len(b.keys))
		atOnce(len(b.keys), func(i int) { s.release(ctx, b.queries[i], b.rights[i]) })
		answerAll(answers, b.keys, fmt.Errorf("cache: load %s: %w", s.name, err))
		return
	}
	took := time.Since(begun)
	var writes []Write
	var at []int // the index of each write in b
	made := make([]answer[V], len(b.keys))
	taggings := s.tagsAfterBatch(ctx, b, loaded, begun)
	again := batchLoad[K, V]{known: b.known}
	for i, q := range b.queries {
		l, present := loaded[q.key]
		if t := taggings[i]; t.young && t.storable && !early && !second && !l.NoStore {
			s.counters.reloads.Add(1)
			again.add(q, b.rights[i].lease, b.generations[i])
			continue
		}
		q.store.marks = taggings[i].store.marks
		a, entry, err := s.sealOne(q, l, !present, took)
		if err == nil {
			err = taggings[i].err
		}
		fills := err != nil || s.mayFillKey(q, spares[i], a, l.NoStore || (!present && s.cfg.Life.NoNegative))
		if err != nil || !fills || l.NoStore || (!present && s.cfg.Life.NoNegative) || early || taggings[i].young || !taggings[i].storable {
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
	results := s.storeMany(ctx, writes)
	lost := s.overtakenBatch(ctx, taggings, at, results)
	for n, r := range results {
		s.storeFailed(ctx, r.Err)
		if s.countFilled(r.Filled); r.Filled == Stored && !lost[n] {
			i := at[n]
			s.keepL1(b.keys[i], b.generations[i], made[i])
		}
	}
	s.loadWon(ctx, &again, answers)
}

func (s *Space[K, V]) sealOne(q query[K, V], l Loaded[V], negative bool, took time.Duration) (answer[V], Entry, error) {
	if !negative {
		if err := s.validate(q.key, l.Value); err != nil {
			s.counters.loadErrors.Add(1)
			return answer[V]{}, Entry{}, err
		}
	}
	return s.seal(q.store, s.timed(q.key, l), negative, took)
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
func (s *Space[K, V]) PutMany(ctx context.Context, pairs []Pair[K, V]) (err error) {
	ctx, ended := s.observe(ctx, OpPut)
	defer func() { ended(Outcome{Err: err, Keys: len(pairs)}) }()
	if s.behind != nil {
		writes := make([]behindWrite[K, V], len(pairs))
		for i, p := range pairs {
			writes[i] = behindWrite[K, V]{kind: behindValue, key: p.Key, value: p.Value}
		}
		return s.writeBehind(ctx, writes...)
	}
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
	storable, err := s.tagsForWrite(ctx, keys, pairs)
	if err != nil {
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
		return errors.Join(fmt.Errorf("cache: save %s: %w", s.name, err), s.tellMany(ctx, pairs, keys, versions, storable))
	}
	return s.tellMany(ctx, pairs, keys, versions, storable)
}

// tellMany tells the fleet what was written.
func (s *Space[K, V]) tellMany(ctx context.Context, pairs []Pair[K, V], keys []storeKey, versions []uint64, storable []bool) error {
	var writes []Write
	var at []int // the index of each write in pairs
	var old []int
	for i, p := range pairs {
		_, entry, err := s.seal(keys[i], s.timed(p.Key, Loaded[V]{Value: p.Value, Version: versions[i]}), false, 0)
		if err != nil || versions[i] == 0 || !storable[i] || keys[i].noEpoch || s.Bypassed() != BypassNothing || s.m.batch == nil {
			old = append(old, i)
			continue
		}
		s.forget(p.Key, keys[i])
		writes, at = append(writes, Write{Key: keys[i].text, Entry: entry}), append(at, i)
	}
	if len(writes) > 0 {
		for n, r := range s.storeMany(ctx, writes) {
			i := at[n]
			s.storeFailed(ctx, r.Err)
			s.countFilled(r.Filled)
			if r.Err == nil {
				r.Err = s.dropCopies(ctx, keys[i])
			}
			if s.forget(pairs[i].Key, keys[i]); r.Err != nil {
				old = append(old, i) // and others are told there
				continue
			}
			s.tellOthers(keys[i])
			s.noteWrite(ctx, keys[i], versions[i])
		}
		s.overtaken(ctx, keys...)
	}
	errs := make([]error, len(old))
	atOnce(len(old), func(n int) {
		below := versions[old[n]]
		if below == 0 || !storable[old[n]] {
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
