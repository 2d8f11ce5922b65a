package cache

import (
	"context"
	"fmt"
	"time"
)

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

// giveBack gives all its leases back; those that are over by then it leaves alone.
func (b *batchLoad[K, V]) giveBack(ctx context.Context, s *Space[K, V]) {
	atOnce(len(b.queries), func(i int) { s.release(ctx, b.queries[i], b.rights[i]) })
}

// loadWon loads the keys by one call, stores what it says, and lands their flights.
func (s *Space[K, V]) loadWon(ctx context.Context, b *batchLoad[K, V]) {
	if len(b.keys) == 0 {
		return
	}
	second := b.known != nil
	whole := false
	defer func() {
		if !whole { // something panicked: as with one key, nobody is to wait for the leases
			b.giveBack(ctx, s)
		}
	}()
	early := s.tagsBeforeBatch(ctx, b)
	spares := s.spareGenerations(b)
	begun := time.Now()
	loading, ended := s.observe(ctx, OpLoad)
	loaded, err := call(loading, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (map[K]Loaded[V], error) {
		return limitedMany(ctx, s.limit, &s.counters, len(b.keys), withoutOld(b.queries), func(ctx context.Context) (map[K]Loaded[V], error) { return s.cfg.LoadMany(ctx, b.keys) })
	})
	ended(Outcome{Err: err, Keys: len(b.keys)})
	if err != nil {
		s.countLoadError(err, len(b.keys))
		err = fmt.Errorf("cache: load %s: %w", s.name, err)
		s.notedAll(ctx, b.queries, err)
		s.landAll(b.queries, err)
		return
	}
	took := time.Since(begun)
	var writes []Write
	var at []int // the index of each write in b
	made := make([]answer[V], len(b.keys))
	loadedAgain := make([]bool, len(b.keys))
	taggings := s.tagsAfterBatch(ctx, b, loaded, begun)
	again := batchLoad[K, V]{known: b.known}
	var back []func() // what is done with the leases of what is not stored
	for i, q := range b.queries {
		l, present := loaded[q.key]
		if t := taggings[i]; t.young && t.storable && !early && !second && !l.NoStore {
			s.counters.reloads.Add(1)
			again.add(q, b.rights[i].lease, b.generations[i])
			loadedAgain[i] = true // its flight lands then
			continue
		}
		q.store.marks = taggings[i].store.marks
		a, entry, err := s.sealOne(q, l, !present, took)
		if err == nil && taggings[i].err != nil {
			err = taggings[i].err
			s.countLoadError(err, 1)
		}
		noStore := l.NoStore || entry.Value == nil || !present && s.cfg.Life.NoNegative
		fills := err != nil || s.mayFillKey(q, spares[i], a, noStore)
		switch {
		case err == nil && noStore && !present && q.seen != 0:
			back = append(back, func() { s.dropGone(ctx, q, b.rights[i]) })
		case err != nil || !fills || noStore || early || taggings[i].young || !taggings[i].storable:
			back = append(back, func() { s.release(ctx, q, b.rights[i]) })
		default:
			writes, at = append(writes, Write{Key: q.store.text, Lease: &b.rights[i].lease, Entry: entry}), append(at, i)
		}
		err = s.noted(ctx, &q, true, err)
		if made[i] = a; err != nil {
			s.land(q, a, err)
		} else if taggings[i].young {
			made[i].decided = overtakenLoad
		}
	}
	atOnce(len(back), func(i int) { back[i]() })
	storing := time.Now()
	results := s.storeMany(ctx, writes)
	lost := s.overtakenBatch(ctx, taggings, at, results)
	var refused []storeKey
	var failed []int
	for n, r := range results {
		if r.Filled == Older {
			refused = append(refused, b.queries[at[n]].store)
		}
		s.storeFailed(ctx, r.Err)
		a := &made[at[n]]
		switch s.countFilled(r.Filled); {
		case r.Err != nil: // it was the source's, and nobody has it: as with one key
			failed = append(failed, at[n])
		case r.Filled == Stored && !lost[n]:
			a.decided = storing
			s.keepL1(b.keys[at[n]], b.generations[at[n]], a)
		default:
			a.decided = overtakenLoad
		}
	}
	atOnce(len(failed), func(n int) { s.releaseBehind(ctx, b.queries[failed[n]], b.rights[failed[n]]) })
	whole = true
	s.dropDead(ctx, refused...)
	for i, q := range b.queries {
		if !loadedAgain[i] {
			s.land(q, made[i], nil) // unless it has, with an error
		}
	}
	s.loadWon(ctx, &again)
}

func (s *Space[K, V]) sealOne(q query[K, V], l Loaded[V], negative bool, took time.Duration) (answer[V], Entry, error) {
	if !negative {
		err := s.validate(q.key, l.Value)
		if err == nil {
			l, err = s.timed(q.key, l)
		}
		if err != nil {
			s.counters.loadErrors.Add(1)
			return answer[V]{}, Entry{}, fmt.Errorf("cache: load %s: %w", s.name, err)
		}
	}
	a, entry, err := s.seal(q.store, l, negative, took)
	s.unstorable(err)
	return a, entry, nil
}
