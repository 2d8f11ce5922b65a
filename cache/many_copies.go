package cache

import (
	"context"
	"time"
)

// lookupMany looks at the entries of keys, or at copies of them where they are hot: one
// round trip a node for all. What has no copy that is of use is given one, each by
// itself, or is looked at itself in a further round trip.
func (s *Space[K, V]) lookupMany(ctx context.Context, asked []query[K, V], found []looked[V]) {
	there, picked := s.pickCopies(asked)
	s.lookupEntries(ctx, there, found)
	if len(picked) == 0 {
		return
	}
	again := s.fillCopies(ctx, asked, there, picked, found)
	if len(again) == 0 {
		return
	}
	rest := make([]query[K, V], len(again))
	for n, i := range again {
		rest[n] = asked[i]
	}
	results := make([]looked[V], len(rest))
	s.lookupEntries(ctx, rest, results)
	for n, i := range again {
		results[n].generation = found[i].generation
		found[i] = results[n]
	}
}

// pickCopies returns the queries with the keys of copies in place of some, and which
// those are.
func (s *Space[K, V]) pickCopies(asked []query[K, V]) (there []query[K, V], picked []int) {
	there = asked
	for i, q := range asked {
		text, copied := s.pickCopy(q.key, q.store)
		if !copied {
			continue
		}
		if len(picked) == 0 {
			there = append([]query[K, V](nil), asked...)
		}
		there[i].store.text, picked = text, append(picked, i)
	}
	return there, picked
}

// fillCopies counts the copies that are of use, and makes those that are not; it returns
// the queries that have no answer by then.
func (s *Space[K, V]) fillCopies(ctx context.Context, asked, there []query[K, V], picked []int, found []looked[V]) (again []int) {
	now := time.Now()
	var missing []int
	for _, i := range picked {
		l := &found[i]
		switch {
		case l.usable && !l.a.negative && now.Before(l.a.soft):
			s.counters.copyHits.Add(1)
		case l.err != nil: // its node is away, perhaps not that of the entry
			again = append(again, i)
		default:
			missing = append(missing, i)
		}
	}
	filled := make([]bool, len(missing))
	atOnce(len(missing), func(n int) {
		i := missing[n]
		var a answer[V]
		if a, filled[n] = s.fillCopy(ctx, asked[i].store, there[i].store.text); filled[n] {
			found[i] = looked[V]{a: a, usable: true, generation: found[i].generation}
		}
	})
	for n, i := range missing {
		if !filled[n] {
			again = append(again, i)
		}
	}
	return again
}
