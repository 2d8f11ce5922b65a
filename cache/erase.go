package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Erased is what EraseTag did.
type Erased struct {
	Begun, Ended time.Time
	Spaces       []ErasedSpace // of the manager, by name
}

// ErasedSpace is what was done about one name, under all its schemas.
type ErasedSpace struct {
	Space      string   // name: "user"
	Seen       int      // keys that were looked at, some of them twice
	Keys       []string // of the store, that had the tag and were removed: sorted
	Unreadable []string // of what is no whole entry, and might have had it: removed too, sorted
	Leases     int      // loads under way, which might have brought it: ended
	Newer      int      // entries with the tag that were loaded since: the source still has it
}

// Removed is how many entries with the tag there were.
func (e Erased) Removed() (n int) {
	for _, s := range e.Spaces {
		n += len(s.Keys)
	}
	return n
}

// EraseTag invalidates the tag, and removes all entries that have it from the fleet
// and from level 1 of all processes: everything of one user, if what is kept of users
// has a tag for each. It concerns all spaces of this manager, under all schemas.
//
//	erased, err := m.EraseTag(ctx, cache.Tag{Name: "user", Personal: "ada@example.org"})
//
// It begins like InvalidateTags: from then on nobody is handed an entry with the tag
// that was loaded before. Then it goes through all keys of these spaces, on all nodes,
// twice. Loads that are under way are ended, lest they store what they read before; one
// that stores at the last moment removes what it stored, unless its process dies just
// then: nobody reads it, and it ends with its time to live. What is loaded from now on
// stays, so that the source has to forget first.
//
// Level 1 of other processes is told by the Bus; without one it hands the entries out
// for a second, and has them in memory for L1Config.TTL. Counters have no tags. What
// other caches, copies of memory and backups have is for others to erase.
//
// Writes that the source does not have yet (WriteBehindConfig) are not touched. The
// journal has their keys and values readable, but for what codecs encrypt, those that
// were set aside too; their process hands them out, and the source gets them. So first
// Delete the rows, which comes after all that the journal has of them, Flush, and
// DropWrites what DeadWrites lists of them. The file of a local journal may have the
// bytes of what is done until others take their place.
//
// With an error the report says what was removed until then; to repeat it does no harm,
// and nobody else does: of what fails the tag alone is invalidated later.
// ErrNotInvalidated: the fleet could not be told, or not all of it could be seen;
// ErrUnsupported: the store is no Scanner, Batcher and Tagger.
func (m *Manager) EraseTag(ctx context.Context, tag Tag) (Erased, error) {
	e := Erased{Begun: time.Now()}
	ref, err := m.mayScan(tag)
	if err != nil {
		return e, err
	}
	bumped, err := m.bumpTags(ctx, []tagRef{ref})
	if err != nil {
		m.later.tagsAgain(ctx, []tagRef{ref}, bumped)
		return e, err
	}
	names, spaces := m.registered()
	for _, s := range spaces {
		s.purge()
		s.tellAll()
	}
	var errs []error
	for _, name := range names {
		report, err := m.eraseIn(ctx, name, bumped[0])
		e.Spaces, errs = append(e.Spaces, report), append(errs, err)
	}
	e.Ended = time.Now()
	if err := errors.Join(errs...); err != nil {
		return e, fmt.Errorf("%w: erase: %d entries were: %w", ErrNotInvalidated, e.Removed(), err)
	}
	return e, nil
}

// eraseIn removes what has the tag with another version than this one.
func (m *Manager) eraseIn(ctx context.Context, name string, tag tagVersion) (report ErasedSpace, err error) {
	report.Space = name
	for range scanPasses {
		report.Newer = 0
		err = m.scanEntries(ctx, name, func(batch []scanned) error {
			report.Seen += len(batch)
			var keys []string
			var of []*[]string // where each is reported
			for _, found := range batch {
				version, has := found.entry.tag(tag.id)
				switch {
				case errors.Is(found.err, ErrMiss): // a lease, or a hold-off, which stays
					report.Leases++
					keys, of = append(keys, found.key), append(of, nil)
				case found.err != nil:
					keys, of = append(keys, found.key), append(of, &report.Unreadable)
				case has && version == tag.version:
					report.Newer++
				case has:
					keys, of = append(keys, found.key), append(of, &report.Keys)
				}
			}
			return m.eraseKeys(ctx, keys, of)
		})
		if err != nil {
			break
		}
	}
	slices.Sort(report.Keys)
	slices.Sort(report.Unreadable)
	return report, err
}

func (m *Manager) eraseKeys(ctx context.Context, keys []string, of []*[]string) (failed error) {
	if len(keys) == 0 {
		return nil
	}
	for i, err := range m.scanner.DeleteMany(ctx, keys, 0) {
		switch {
		case err != nil:
			failed = err
		case of[i] != nil && !slices.Contains(*of[i], keys[i]):
			*of[i] = append(*of[i], keys[i])
		}
	}
	return failed
}

// TaggedEntry is an entry that has a tag, as it lies on the fleet.
type TaggedEntry struct {
	Key      string // of the store: "user/3/i1:7"; personal fields are hashed
	Stored   time.Time
	Ends     time.Time // the last moment at which it may be handed out
	Version  uint64    // at the source; 0: it has none
	Negative bool      // it remembers an absence
	Dead     bool      // one of its tags was invalidated: nobody gets it
	Value    []byte    // as the codec of its space made it; of an absence nil
}

// ListTag returns the entries with the tag that the fleet has, of all spaces of this
// manager, under all schemas, sorted by key. There is no index that could be out of
// step: it reads all entries of these spaces, from all nodes, and is for rare
// occasions. With an error it returns what it has found until then.
//
// ErrUnsupported: the store is no Scanner, Batcher and Tagger.
func (m *Manager) ListTag(ctx context.Context, tag Tag) ([]TaggedEntry, error) {
	ref, err := m.mayScan(tag)
	if err != nil {
		return nil, err
	}
	entries := make(map[string]envelope)
	var errs []error
	names, _ := m.registered()
	for _, name := range names {
		for range scanPasses {
			errs = append(errs, m.scanEntries(ctx, name, func(batch []scanned) error {
				for _, found := range batch {
					if _, has := found.entry.tag(ref.id); has {
						entries[found.key] = found.entry
					}
				}
				return nil
			}))
		}
	}
	return m.listed(ctx, entries), errors.Join(errs...)
}

func (m *Manager) listed(ctx context.Context, entries map[string]envelope) (list []TaggedEntry) {
	have := make(known)
	var tags []tagRef
	for _, e := range entries {
		for _, t := range e.tags {
			if _, there := have[t.id]; !there {
				have[t.id], tags = 0, append(tags, m.tagOf(t.id))
			}
		}
	}
	_, versions := m.tagger.GetTagged(ctx, nil, tagTexts(tags))
	for i, t := range tags {
		have[t.id] = versions[i].Version
	}
	for key, e := range entries {
		list = append(list, TaggedEntry{Key: key, Stored: e.stored, Ends: e.hard, Version: e.version,
			Negative: e.negative, Dead: !have.hold(e.tags), Value: e.payload})
	}
	slices.SortFunc(list, func(a, b TaggedEntry) int { return cmp.Compare(a.Key, b.Key) })
	return list
}
