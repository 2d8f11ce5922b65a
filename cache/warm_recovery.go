package cache

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// firstPart of the ranks is warmed before all others: one in so many.
const firstPart = 100

// warmSpares loads anew what the fallback has, by rank, since the store came back
// without it. It runs until all is done or the store is away again; that it is warm
// ends it too.
func (s *Space[K, V]) warmSpares() {
	if !s.rewarming.CompareAndSwap(false, true) {
		return // one is under way still
	}
	defer s.rewarming.Store(false)
	// Processes find out at the same moment that the store is back: at a random one
	// they begin.
	if pause(s.m.ctx, s.jitter(time.Second)) != nil {
		return
	}
	every := time.Duration(float64(time.Second) / s.cfg.Recovery.WarmPerSecond)
	for _, key := range s.ranked() {
		if s.watch.now() != StoreCold || s.warmSpare(key) != nil {
			return
		}
		if pause(s.m.ctx, every/2+s.jitter(every)) != nil {
			return
		}
	}
}

// jitter returns a random part of d.
func (s *Space[K, V]) jitter(d time.Duration) time.Duration {
	return time.Duration(s.m.cfg.random() * float64(d))
}

// ranked returns the keys of the fallback: the hundredth that was asked for most
// often, by rank, and then the others at random, so that processes do not all want the
// same one.
func (s *Space[K, V]) ranked() []K {
	type rank struct {
		key    K
		hits   uint64
		chance float64
	}
	var ranks []rank
	s.spares.each(func(key K, kept *spare[V]) {
		ranks = append(ranks, rank{key, kept.hits.Load(), s.m.cfg.random()})
	})
	slices.SortFunc(ranks, func(a, b rank) int { return cmp.Compare(b.hits, a.hits) })
	first := (len(ranks) + firstPart - 1) / firstPart
	slices.SortFunc(ranks[first:], func(a, b rank) int { return cmp.Compare(a.chance, b.chance) })
	keys := make([]K, len(ranks))
	for i, r := range ranks {
		keys[i] = r.key
	}
	return keys
}

// warmSpare has one key loaded and stored, unless the store has it.
func (s *Space[K, V]) warmSpare(key K) error {
	if s.cfg.Load == nil {
		return ErrNoLoader
	}
	ctx, cancel := context.WithTimeout(giveWay(s.m.ctx), s.cfg.Loads.Timeout)
	defer cancel()
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return nil
	}
	if a, usable := s.lookup(ctx, k); usable && time.Now().Before(a.soft) {
		return nil
	}
	q := query[K, V]{key: key, store: k, load: s.cfg.Load, ahead: true}
	if s.held(&q, true) != nil {
		return nil
	}
	f, _, err := s.join(ctx, &q)
	if err != nil {
		return err // closed
	}
	<-f.done
	if f.err == nil {
		s.counters.rewarmed.Add(1)
	}
	return nil
}
