package cache

import (
	"context"
	"time"
)

// tagsOfKey adds to a key of the store what the key says of its tags.
func (s *Space[K, V]) tagsOfKey(k *storeKey, key K) (err error) {
	defer caught("Tags.OfKey", &err)
	if !s.tagged() {
		return nil
	}
	k.tagged, k.turn, k.asked = true, s.m.tags.all.Load(), time.Now()
	if s.cfg.Tags.OfKey == nil {
		return nil
	}
	if k.tags, err = s.m.tagRefs(nil, s.cfg.Tags.OfKey(key)); err != nil {
		return err
	}
	return s.checkTags(k.tags)
}

// known are versions of tags that a call has read; 0: the tag is not there.
type known map[identity]uint64

// ask reads the entries of the keys, with the versions of the tags that the keys say.
func (s *Space[K, V]) ask(ctx context.Context, asked ...storeKey) ([]Result, known) {
	var tags []tagRef
	keys := make([]string, len(asked))
	seen := make(map[identity]bool)
	for i, k := range asked {
		keys[i] = k.text
		for _, t := range k.tags {
			if !seen[t.id] {
				seen[t.id], tags = true, append(tags, t)
			}
		}
	}
	results, versions := s.m.tagger.GetTagged(ctx, keys, tagTexts(tags))
	have := make(known, len(tags))
	s.learn(ctx, have, tags, versions)
	return results, have
}

// learn notes versions. One that could not be read is as good as none.
func (s *Space[K, V]) learn(ctx context.Context, have known, tags []tagRef, versions []TagVersion) {
	for i, t := range tags {
		have[t.id] = versions[i].Version
		s.storeFailed(ctx, versions[i].Err)
	}
}

// learnTags reads the versions of tags that are not known yet.
func (s *Space[K, V]) learnTags(ctx context.Context, have known, tags []tagVersion) {
	var missing []tagRef
	for _, t := range tags {
		if _, there := have[t.id]; !there {
			have[t.id], missing = 0, append(missing, s.m.tagOf(t.id))
		}
	}
	if len(missing) > 0 {
		_, versions := s.m.tagger.GetTagged(ctx, nil, tagTexts(missing))
		s.learn(ctx, have, missing, versions)
	}
}

func (h known) hold(tags []tagVersion) bool {
	for _, t := range tags {
		if t.version == 0 || h[t.id] != t.version {
			return false
		}
	}
	return true
}

// tagsHold says whether the tags of an entry still have their versions. Which the
// entry has, in beside, is known already.
func (s *Space[K, V]) tagsHold(ctx context.Context, have known, a *answer[V]) bool {
	if len(a.tags) == 0 {
		return true
	}
	if have == nil {
		have = make(known, len(a.tags))
	}
	s.learnTags(ctx, have, a.tags)
	if have.hold(a.tags) {
		return true
	}
	s.counters.otherTags.Add(1)
	return false
}

// hasTags says whether the entry has all tags that its key says. One from before the
// space had them could be invalidated by nobody.
func (k *storeKey) hasTags(e *envelope) bool {
	for _, t := range k.tags {
		found := false
		for _, there := range e.tags {
			found = found || there.id == t.id
		}
		if !found {
			return false
		}
	}
	return true
}

// lookupTagged is the part of lookupMany for a space with tags: one round trip for
// entries and the tags of their keys, and one for other tags, if there are any.
func (s *Space[K, V]) lookupTagged(ctx context.Context, asked []query[K, V], found []looked[V]) {
	keys := make([]storeKey, len(asked))
	for i, q := range asked {
		keys[i] = q.store
	}
	asking, ended := s.observe(ctx, OpLookup)
	results, have := s.ask(asking, keys...)
	ended(Outcome{Err: firstFailure(results), Keys: len(asked)})
	var tags []tagVersion
	for i, r := range results {
		if r.Err != nil {
			s.storeFailed(ctx, r.Err)
			found[i].err = s.noteLookup(ctx, r.Err, &found[i].a)
			continue
		}
		found[i].there = true
		found[i].a, found[i].usable = s.open(asked[i].store, r.Entry)
		_ = s.noteLookup(ctx, nil, &found[i].a)
		tags = append(tags, found[i].a.tags...)
	}
	s.learnTags(ctx, have, tags)
	for i := range found {
		if found[i].usable && !s.tagsHold(ctx, have, &found[i].a) {
			found[i].a, found[i].usable = answer[V]{}, false
		}
	}
}

// keepTags adds to what level 1 keeps what its tags are; false: it must not be kept,
// for an invalidation may have come since the fleet was asked.
func (s *Space[K, V]) keepTags(h *held[V], a *answer[V]) bool {
	if len(a.tags) == 0 {
		return true
	}
	h.tags, h.asked = a.tags, a.asked
	h.turn = s.m.tags.generation(a.tags)
	return s.m.tags.all.Load() == a.turn // after the generation: see tagTurns.forget
}

// heldTags says whether what level 1 keeps can be used, as far as tags go.
func (s *Space[K, V]) heldTags(h *held[V], now time.Time) bool {
	if len(h.tags) == 0 {
		return true
	}
	if h.turn != s.m.tags.generation(h.tags) {
		return false
	}
	_, alone := s.m.cfg.Store.(noStore) // nobody can be asked: it is as with keys
	return alone || !s.l1.deaf.Load() || now.Sub(h.asked) < tagFresh
}

// lookOne asks the store for one entry, with the versions of the tags of its key.
func (s *Space[K, V]) lookOne(ctx context.Context, k *storeKey) (Entry, known, error) {
	if len(k.tags) == 0 {
		e, err := s.storeGet(ctx, k.text)
		return e, nil, err
	}
	results, have := s.ask(ctx, *k)
	return results[0].Entry, have, results[0].Err
}
