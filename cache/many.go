package cache

import (
	"context"
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
// LoadMany, and one to store them. Of a hot key it looks at one of its copies. Keys that
// this process loads at the moment are not loaded again. For those that another one
// loads it looks again, for all at once, and what it is given to load then is one call of
// LoadMany too. What is old is loaded with what is missing, and is handed out as by Get:
// if the source fails, or is slower than LoadsConfig.SoftTimeout; a call that waits for
// other keys anyway waits for it too. Each key has an Answer of its own; those of the
// others are valid whatever became of it.
//
// Keys that are loaded one by one, for want of LoadMany or of a lease, wait for their turn
// as long as ctx lasts: no more of them are loaded at a time than LimitConfig and
// BulkheadConfig admit, and a call gets no ErrShed for its own sake, only for others'.
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
	asked, leave := s.enterMany(ctx, asked, toLookup, func(q query[K, V], err error) { answers[q.key] = s.shedAnswer(q, err) })
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
		case s.batched(q, &found[i], now):
			q.useless = found[i].there
			s.keepOld(q, &found[i], now)
			missing = append(missing, *q)
		default:
			others = append(others, i)
		}
	}
	results := make([]Answer[V], len(others))
	begun := s.inTurn(ctx, len(others), func(n int) {
		i, r := others[n], &results[n]
		r.Value, r.Meta, r.Err = s.answer(ctx, &asked[i], found[i].generation, &found[i].a, found[i].usable)
	})
	for n := range results[begun:] {
		results[begun+n].Err = ctx.Err()
	}
	for n, i := range others {
		answers[asked[i].key] = results[n]
	}
	s.counters.misses.Add(uint64(len(missing)))
	s.awaitMany(ctx, missing, answers)
}

// batched says whether what was found is to be loaded with others. What is handed out
// at once, and loaded anew behind the caller, is not.
func (s *Space[K, V]) batched(q *query[K, V], l *looked[V], now time.Time) bool {
	if q.away || q.store.noEpoch || s.cfg.LoadMany == nil || s.m.leaser == nil || s.m.batch == nil {
		return false
	}
	return !l.usable || !now.Before(l.a.soft.Add(s.cfg.Life.StaleWhileRevalidate))
}

// keepOld keeps a value past its time to live for the time that its load fails.
func (s *Space[K, V]) keepOld(q *query[K, V], l *looked[V], now time.Time) {
	q.many = &part[V]{}
	if !l.usable {
		return
	}
	q.useless, q.seen = true, l.a.stamp
	if now.Before(l.a.soft.Add(s.cfg.Life.StaleOnError)) {
		q.many.old = &l.a
	}
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
