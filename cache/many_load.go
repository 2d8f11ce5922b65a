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

// loadWon loads the keys by one call, stores what it says, and lands their flights.
func (s *Space[K, V]) loadWon(ctx context.Context, b *batchLoad[K, V]) {
	if len(b.keys) == 0 {
		return
	}
	second := b.known != nil
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
		atOnce(len(b.keys), func(i int) { s.release(ctx, b.queries[i], b.rights[i]) })
		s.landAll(b.queries, fmt.Errorf("cache: load %s: %w", s.name, err))
		return
	}
	took := time.Since(begun)
	var writes []Write
	var at []int // the index of each write in b
	made := make([]answer[V], len(b.keys))
	loadedAgain := make([]bool, len(b.keys))
	taggings := s.tagsAfterBatch(ctx, b, loaded, begun)
	again := batchLoad[K, V]{known: b.known}
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
			s.land(q, a, err)
		} else if taggings[i].young {
			made[i].decided = overtakenLoad
		}
	}
	storing := time.Now()
	results := s.storeMany(ctx, writes)
	lost := s.overtakenBatch(ctx, taggings, at, results)
	for n, r := range results {
		s.storeFailed(ctx, r.Err)
		a := &made[at[n]]
		switch s.countFilled(r.Filled); {
		case r.Err != nil: // it was the source's, and nobody has it: as with one key
		case r.Filled == Stored && !lost[n]:
			a.decided = storing
			s.keepL1(b.keys[at[n]], b.generations[at[n]], a)
		default:
			a.decided = overtakenLoad
		}
	}
	for i, q := range b.queries {
		if !loadedAgain[i] {
			s.land(q, made[i], nil) // unless it has, with an error
		}
	}
	s.loadWon(ctx, &again)
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
