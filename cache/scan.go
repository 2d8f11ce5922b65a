package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// mayScan returns a tag, or why its entries cannot be gone through.
func (m *Manager) mayScan(tag Tag) (tagRef, error) {
	switch {
	case m.ctx.Err() != nil:
		return tagRef{}, ErrClosed
	case m.scanner == nil || m.batch == nil || m.tagger == nil:
		return tagRef{}, ErrUnsupported
	}
	return m.tagRef(tag)
}

// registered returns the spaces, and their names without schemas, sorted.
func (m *Manager) registered() (names []string, spaces []space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, s := range m.spaces {
		base := name[:strings.LastIndexByte(name, '/')]
		if spaces = append(spaces, s); !slices.Contains(names, base) {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	return names, spaces
}

// scanned is what lies under a key: an entry, or why there is none: ErrMiss for a
// lease and a hold-off.
type scanned struct {
	key   string
	entry envelope
	err   error
}

// scanEntries goes once through the keys of values of a space, under all its schemas.
func (m *Manager) scanEntries(ctx context.Context, name string, visit func([]scanned) error) error {
	if tiers, layered := m.cfg.Store.(layers); layered { // each by itself: one hides the other
		for _, s := range tiers.layers() {
			scanner, scans := s.(Scanner)
			batch, reads := s.(Batcher)
			if !scans || !reads {
				return ErrUnsupported
			}
			if err := scanEntriesOf(ctx, scanner, batch, name, visit); err != nil {
				return err
			}
		}
		return nil
	}
	return scanEntriesOf(ctx, m.scanner, m.batch, name, visit)
}

// layers is a Store of several, of which each has entries of its own.
type layers interface{ layers() []Store }

func scanEntriesOf(ctx context.Context, scanner Scanner, batch Batcher, name string, visit func([]scanned) error) error {
	return scanner.ScanKeys(ctx, name+"/", func(keys []string) error {
		keys = slices.DeleteFunc(keys, func(key string) bool { return !keyOfValue(key, name) })
		found := make([]scanned, len(keys))
		for i, r := range batch.GetMany(ctx, keys) {
			found[i] = scanned{key: keys[i], err: r.Err}
			switch {
			case r.Err == nil:
				found[i].entry, found[i].err = decodeAny(r.Entry.Value)
			case !errors.Is(r.Err, ErrMiss):
				return r.Err
			}
		}
		return visit(found)
	})
}

// keyOfValue says whether a key is that of a value of the space: after name and schema
// there comes a field, or the hash of a long key.
func keyOfValue(key, name string) bool {
	_, rest, found := strings.Cut(strings.TrimPrefix(key, name+"/"), "/")
	return found && rest != "" && (isField(rest[0]) || rest[0] == hashedMark)
}

// decodeAny is decodeEnvelope for an entry of any key and schema.
func decodeAny(data []byte) (envelope, error) {
	if len(data) < envelopeMin {
		return envelope{}, errNotEnvelope
	}
	return decodeEnvelope(data, binary.BigEndian.Uint32(data[5:]), identity(data[9:25]))
}

// tag returns the version that the entry has of a tag.
func (e *envelope) tag(id identity) (version uint64, has bool) {
	for _, t := range e.tags {
		if t.id == id {
			return t.version, true
		}
	}
	return 0, false
}
