package cache

import (
	"context"
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
// cached, and for those that are not, or not any more, one for their leases, one call of
// LoadMany, and one to store them. Of a hot key it looks at one of its copies. Keys that another process loads at the moment, or whose value
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
	there      bool  // of a batch: an entry, be it of no use
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
		v, meta, err, spare := s.orFallback(q, &found[i])
		switch {
		case spare:
			answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
		case found[i].usable && now.Before(found[i].a.soft): // nobody waits for anything
			found[i].a.own = true
			v, meta, err := s.answer(ctx, q, found[i].generation, &found[i].a, true)
			answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
		case !found[i].usable && !q.away && !q.store.noEpoch && s.cfg.LoadMany != nil && s.m.leaser != nil && s.m.batch != nil:
			q.useless = found[i].there
			missing = append(missing, *q)
		default:
			others = append(others, i)
		}
	}
	results := make([]Answer[V], len(others))
	atOnce(len(others), func(n int) {
		i, r := others[n], &results[n]
		r.Value, r.Meta, r.Err = s.answer(ctx, &asked[i], found[i].generation, &found[i].a, found[i].usable)
	})
	for n, i := range others {
		answers[asked[i].key] = results[n]
	}
	s.loadMany(ctx, missing, answers)
}

func (s *Space[K, V]) lookupEntries(ctx context.Context, asked []query[K, V], found []looked[V]) {
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
		found[i].there = true
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
	grants := s.leaseMany(ctx, missing)
	found := s.freshMany(ctx, missing, grants)
	won := batchLoad[K, V]{}
	var others []query[K, V]
	for i, q := range missing {
		switch {
		case grants[i].Err != nil || grants[i].Grant.State != Won:
			others = append(others, q)
		case found[i].usable: // somebody else was faster
			s.hit(&found[i].a)
			s.keepL1(q.key, generations[i], &found[i].a)
			v, meta, err := s.deliver(&found[i].a)
			answers[q.key] = Answer[V]{Value: v, Meta: meta, Err: err}
		default:
			won.add(q, grants[i].Grant.Lease, generations[i])
		}
	}
	s.loadWon(ctx, &won, answers)
	leave()
	results := make([]Answer[V], len(others))
	atOnce(len(others), func(i int) {
		results[i].Value, results[i].Meta, results[i].Err = s.await(ctx, &others[i], nil, false)
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
			s.keepL1(b.keys[i], b.generations[i], &made[i])
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
