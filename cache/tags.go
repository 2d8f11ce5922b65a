package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Tag names what entries have in common, whatever their keys and spaces: a category,
// a tenant, a user. InvalidateTags makes misses of all that have it, at the cost of
// one request a tag, however many they are.
//
// What leaves the process is a hash of a tag; one of a plain Name can be found out by
// trying names, one with a Personal part cannot.
type Tag struct {
	Name     string // not empty: "category:7"
	Personal string // who somebody is, if the tag says so: see KeyBuilder.Personal; else empty
}

// AppendKey is Key.AppendKey.
func (t Tag) AppendKey(b *KeyBuilder) {
	b.String(t.Name)
	if t.Personal != "" {
		b.Personal(t.Personal)
	}
}

// TagsConfig says which tags the entries of a space have: those of the functions that
// are set, and of the loader, together 8 at most. More are an error of Get and Put.
//
// An entry keeps the versions that its tags had before its value was loaded, and is a
// miss if one of them is another now, or is not there. So a load that an invalidation
// overtakes leaves nothing that is read, and a tag that was evicted revives nothing:
// it costs loads.
//
// The versions are read from the fleet with each entry that level 1 does not have:
// those of OfKey in the same round trip, others in one more. What level 1 has is as
// old as for keys while the Bus hears (see L1Config); otherwise it is used for a
// second from when the versions were read; of a manager without a Store, as long as
// L1Config says.
type TagsConfig[K Key, V any] struct {
	// OfKey: tags that the key says. They are known before anything is loaded,
	// and an absence has them too. An entry without one of them is a miss.
	OfKey func(key K) []Tag

	// OfValue: tags that the value says. They are known after it was loaded, so
	// that a load is made again if one of them has changed since it began, or is
	// new to the fleet.
	OfValue func(key K, value V) []Tag

	// ByLoader: Loaded.Tags says more. Put and PutMany then delete the entry
	// rather than to store one without these tags.
	ByLoader bool
}

func (c TagsConfig[K, V]) any() bool { return c.OfKey != nil || c.OfValue != nil || c.ByLoader }

const (
	maxTags    = 8
	tagMark    = "@" // of the keys of tags: no name of a space begins with it
	tagFresh   = time.Second
	tagTimeout = 3 * time.Second // of InvalidateTags
)

// ErrTags: an entry is to have more than 8 tags, or tags that its space does not
// allow for.
var ErrTags = errors.New("cache: tags")

// tagRef is a tag as the store knows it.
type tagRef struct {
	id   identity
	text string // of the key of its version: "@tags/" and the identity in hex
}

// tagMarks are the versions that an entry has of its tags.
type tagVersion struct {
	id      identity
	version uint64
}

func (m *Manager) tagRef(t Tag) (tagRef, error) {
	if t.Name == "" {
		return tagRef{}, &KeyError{Space: m.tags.prefix, Problem: "a tag has no Name, want one"}
	}
	k, err := storeKeyOf(m.tags.prefix, t, nil, m.cfg.Secret)
	return m.tagOf(k.identity), err
}

func (m *Manager) tagOf(id identity) tagRef {
	return tagRef{id: id, text: m.tags.prefix + hex.EncodeToString(id[:])}
}

// tagRefs returns each tag once, after those that are there already.
func (m *Manager) tagRefs(there []tagRef, tags []Tag) ([]tagRef, error) {
	for _, t := range tags {
		ref, err := m.tagRef(t)
		if err != nil {
			return nil, err
		}
		if !hasTag(there, ref.id) {
			there = append(there[:len(there):len(there)], ref)
		}
	}
	return there, nil
}

func hasTag(tags []tagRef, id identity) bool {
	for _, t := range tags {
		if t.id == id {
			return true
		}
	}
	return false
}

func tagTexts(tags []tagRef) []string {
	texts := make([]string, len(tags))
	for i, t := range tags {
		texts[i] = t.text
	}
	return texts
}

// tagTurns counts the invalidations of tags that this process has made or heard of,
// for what it keeps itself: level 1, and calls that share a load. As in level1, tags
// share numbers.
type tagTurns struct {
	prefix  string // "@tags/"
	name    string // "@tags", on the Bus
	all     atomic.Uint64
	stripes [1024]atomic.Uint64
}

func (t *tagTurns) stripe(id identity) *atomic.Uint64 {
	return &t.stripes[(uint(id[0])<<8|uint(id[1]))%uint(len(t.stripes))]
}

// forget makes what this process has of the tags dead. The count of all goes first:
// who has read a stripe, and then finds that count unchanged, has read the stripe
// before this.
func (t *tagTurns) forget(ids ...identity) {
	t.all.Add(1)
	for _, id := range ids {
		t.stripe(id).Add(1)
	}
}

// generation is the sum of what only grows: it is the same only if all parts are.
func (t *tagTurns) generation(tags []tagVersion) (sum uint64) {
	for _, tag := range tags {
		sum += t.stripe(tag.id).Load()
	}
	return sum
}

// changed is what the Bus says of a tag; false: it is not about one.
func (t *tagTurns) changed(c Change) bool {
	if c.Space != t.name {
		return false
	}
	t.forget(c.Key)
	return true
}

// InvalidateTags makes misses of all entries, of all spaces and processes, that have
// one of the tags: one request a tag, those of all tags at the same time. A Get that
// begins after it returned sees what the source had when it was called, or later; of
// level 1 of other processes see TagsConfig. Entries stay where they are until they
// are loaded anew or end: to remove them there is Erase.
//
// ErrUnsupported: the store is no Tagger; ErrNotInvalidated: the fleet could not be
// told of some of the tags, and it is repeated: see ManagerConfig.Invalidation.
func (m *Manager) InvalidateTags(ctx context.Context, tags ...Tag) error {
	return m.invalidateTags(ctx, &m.later, tags)
}

// invalidateTags has what fails repeated by a queue.
func (m *Manager) invalidateTags(ctx context.Context, failed *later, tags []Tag) error {
	switch {
	case m.ctx.Err() != nil:
		return ErrClosed
	case m.tagger == nil:
		return ErrUnsupported
	case len(tags) == 0:
		return nil
	}
	refs, err := m.tagRefs(nil, tags)
	if err != nil {
		return err
	}
	bumped, err := m.bumpTags(ctx, refs)
	failed.tagsAgain(ctx, refs, bumped)
	return err
}

// bumpTags returns the new versions, in the order of the tags.
func (m *Manager) bumpTags(ctx context.Context, refs []tagRef) ([]tagVersion, error) {
	ctx, cancel := context.WithTimeout(ctx, tagTimeout)
	defer cancel()
	ids := make([]identity, len(refs))
	for i, t := range refs {
		ids[i] = t.id
	}
	m.tags.forget(ids...)
	bumped := m.tagger.BumpTags(ctx, tagTexts(refs))
	m.tags.forget(ids...) // what was read between the two may be the old value
	versions := make([]tagVersion, len(refs))
	var errs []error
	for i, v := range bumped {
		versions[i] = tagVersion{id: ids[i], version: v.Version}
		if m.cfg.Bus != nil {
			m.cfg.Bus.Tell(Change{Space: m.tags.name, Key: ids[i]})
		}
		if v.Err != nil {
			errs = append(errs, v.Err)
		}
	}
	if len(errs) > 0 {
		return versions, fmt.Errorf("%w: %d of %d tags: %w", ErrNotInvalidated, len(errs), len(refs), errors.Join(errs...))
	}
	return versions, nil
}

// InvalidateTags is Manager.InvalidateTags: tags know no spaces. It is counted as
// invalidations of this one, and what fails is repeated as SpaceConfig.Invalidation
// says.
func (s *Space[K, V]) InvalidateTags(ctx context.Context, tags ...Tag) error {
	s.counters.invalidated(uint64(len(tags)))
	err := s.m.invalidateTags(ctx, &s.later, tags)
	if errors.Is(err, ErrNotInvalidated) {
		s.counters.storeErrors.Add(1)
	}
	return err
}
