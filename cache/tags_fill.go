package cache

import (
	"context"
	"fmt"
	"time"
)

// An entry must have versions of its tags that were there before its value was read
// from the source: with later ones it would survive an invalidation that the load
// has not seen. For the tags of a key they are read before the load. For those that
// only the value says they are read after it, and count if the fleet says that they
// are older than the load; else the load is repeated, with what is known by then.

func (s *Space[K, V]) tagged() bool { return s.m.tagger != nil && s.cfg.Tags.any() }

func (s *Space[K, V]) checkTags(tags []tagRef) error {
	if len(tags) > maxTags {
		return fmt.Errorf("%w: %d on an entry of %s, want at most %d", ErrTags, len(tags), s.name, maxTags)
	}
	return nil
}

// ages are how long tags have had their versions, at least, at a moment.
type ages struct {
	of  map[identity]time.Duration
	now time.Time
}

// makeTags notes the versions of tags, and makes those that are missing.
func (s *Space[K, V]) makeTags(ctx context.Context, have known, tags []tagRef) ages {
	a := ages{of: make(map[identity]time.Duration, len(tags))}
	if len(tags) > 0 {
		versions := s.m.tagger.MakeTags(ctx, tagTexts(tags))
		s.learn(ctx, have, tags, versions)
		for i, v := range versions {
			a.of[tags[i].id] = v.Age
		}
	}
	a.now = time.Now()
	return a
}

// tagsBefore reads the versions of the tags of keys before they are loaded; anew
// those that an earlier load has read. Early: it is too soon after the invalidation of
// one of them to store what the source says, see LifeConfig.HoldOff.
func (s *Space[K, V]) tagsBefore(ctx context.Context, have known, keys ...storeKey) (early bool) {
	if !s.tagged() {
		return false
	}
	var tags []tagRef
	for id := range have {
		tags = append(tags, s.m.tagOf(id))
	}
	for _, k := range keys {
		for _, t := range k.tags {
			if _, there := have[t.id]; !there {
				have[t.id], tags = 0, append(tags, t)
			}
		}
	}
	for _, age := range s.makeTags(ctx, have, tags).of {
		early = early || age < s.cfg.Life.HoldOff
	}
	return early
}

// tagging is what a key was loaded with, and whether that can be stored with its tags.
type tagging[K Key, V any] struct {
	store    *storeKey // is given its marks
	key      K
	loaded   Loaded[V]
	negative bool

	tags     []tagRef
	storable bool  // the versions of all tags are known
	young    bool  // and one of them may be from after the load began
	err      error // too many tags
}

// tagsAfter says of keys that were loaded what tags they have.
func (s *Space[K, V]) tagsAfter(ctx context.Context, have known, begun time.Time, all ...*tagging[K, V]) {
	var later []tagRef
	asked := make(known)
	for _, l := range all {
		if l.storable = true; !s.tagged() && len(l.loaded.Tags) == 0 {
			continue
		}
		l.tags, l.err = s.tagsOf(l.store.tags, l.key, l.loaded, l.negative)
		for _, t := range l.tags {
			if _, twice := asked[t.id]; have[t.id] == 0 && !twice {
				asked[t.id], later = 0, append(later, t)
			}
		}
	}
	ages := s.makeTags(ctx, have, later)
	passed := ages.now.Sub(begun)
	for _, l := range all {
		if l.err != nil || len(l.tags) == 0 {
			continue
		}
		l.storable = l.store.mark(have, l.tags)
		for _, t := range l.tags {
			// It was made before the load began if its age, when the server looked,
			// was more than what has passed since, by now.
			age, read := ages.of[t.id]
			l.young = l.young || read && age < passed
			l.storable = l.storable && (!read || s.cfg.Life.HoldOff == 0 || age >= passed+s.cfg.Life.HoldOff)
		}
	}
}

// mark gives the entry of the key the versions of its tags; false: one is not known.
func (k *storeKey) mark(have known, tags []tagRef) bool {
	k.marks = nil
	for _, t := range tags {
		if have[t.id] == 0 {
			return false
		}
		k.marks = append(k.marks, tagVersion{id: t.id, version: have[t.id]})
	}
	return true
}

// tagsOf returns all tags of a value.
func (s *Space[K, V]) tagsOf(ofKey []tagRef, key K, loaded Loaded[V], negative bool) (tags []tagRef, err error) {
	defer caught("Tags.OfValue", &err)
	if len(loaded.Tags) > 0 && !s.cfg.Tags.ByLoader {
		return nil, fmt.Errorf("%w: the loader of %s returned some, want SpaceConfig.Tags.ByLoader", ErrTags, s.name)
	}
	tags, err = s.m.tagRefs(ofKey, loaded.Tags)
	if err == nil && !negative && s.cfg.Tags.OfValue != nil {
		tags, err = s.m.tagRefs(tags, s.cfg.Tags.OfValue(key, loaded.Value))
	}
	if err != nil {
		return nil, err
	}
	return tags, s.checkTags(tags)
}

// tagsForWrite gives the entries that are to be written the versions of their tags,
// before the source is written. Those for which it cannot are not storable: they are
// to be deleted.
func (s *Space[K, V]) tagsForWrite(ctx context.Context, keys []storeKey, pairs []Pair[K, V]) (storable []bool, err error) {
	storable = make([]bool, len(keys))
	var tags []tagRef
	all := make([][]tagRef, len(keys))
	have := make(known)
	for i, p := range pairs {
		if storable[i] = !s.tagged() || !s.cfg.Tags.ByLoader; !s.tagged() {
			continue
		}
		if all[i], err = s.tagsOf(keys[i].tags, p.Key, Loaded[V]{Value: p.Value}, false); err != nil {
			return nil, err
		}
		for _, t := range all[i] {
			if _, there := have[t.id]; !there {
				have[t.id], tags = 0, append(tags, t)
			}
		}
	}
	if s.cfg.Tags.ByLoader || len(tags) == 0 {
		return storable, nil
	}
	s.makeTags(ctx, have, tags)
	for i := range keys {
		storable[i] = keys[i].mark(have, all[i])
	}
	return storable, nil
}

// overtaken says which of the entries, which have just been stored, had lost a tag by
// then, and removes them: nobody would read them, but they would lie there.
func (s *Space[K, V]) overtaken(ctx context.Context, stored ...storeKey) (lost []bool) {
	lost = make([]bool, len(stored))
	var tags []tagVersion
	for _, k := range stored {
		tags = append(tags, k.marks...)
	}
	if len(tags) == 0 {
		return lost
	}
	have := make(known)
	s.learnTags(ctx, have, tags)
	for i, k := range stored {
		if lost[i] = !have.hold(k.marks); lost[i] {
			s.storeFailed(ctx, s.m.cfg.Store.Delete(ctx, k.text, AnyVersion, 0))
		}
	}
	return lost
}

func (s *Space[K, V]) tagsBeforeBatch(ctx context.Context, b *batchLoad[K, V]) (early bool) {
	if b.known == nil {
		b.known = make(known)
	}
	keys := make([]storeKey, len(b.queries))
	for i, q := range b.queries {
		keys[i] = q.store
	}
	return s.tagsBefore(ctx, b.known, keys...)
}

func (s *Space[K, V]) tagsAfterBatch(ctx context.Context, b *batchLoad[K, V], loaded map[K]Loaded[V], begun time.Time) []*tagging[K, V] {
	all := make([]*tagging[K, V], len(b.queries))
	for i, q := range b.queries {
		l, present := loaded[q.key]
		k := q.store
		all[i] = &tagging[K, V]{store: &k, key: q.key, loaded: l, negative: !present}
	}
	s.tagsAfter(ctx, b.known, begun, all...)
	return all
}

// overtakenBatch is overtaken for those of a batch that were stored; at has the place
// of each result in the batch.
func (s *Space[K, V]) overtakenBatch(ctx context.Context, all []*tagging[K, V], at []int, results []Result) (lost []bool) {
	lost = make([]bool, len(results))
	var stored []storeKey
	var place []int
	for n, r := range results {
		if r.Filled == Stored {
			stored, place = append(stored, *all[at[n]].store), append(place, n)
		}
	}
	for i, l := range s.overtaken(ctx, stored...) {
		lost[place[i]] = l
	}
	return lost
}
