package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// PatternBuilder writes a pattern of keys: the fields of a key as AppendKey writes
// them, or Any in place of one. Fields that are left out at the end may be any.
//
//	removed, err := users.InvalidatePattern(ctx, func(b *cache.PatternBuilder) {
//		b.String("acme") // all users of a tenant
//	})
type PatternBuilder struct{ KeyBuilder }

// anyField stands for a field in a pattern. No field begins with it.
const anyField = '*'

// Any stands for one field of any type and value.
func (b *PatternBuilder) Any() {
	b.fields++
	b.text = append(b.text, anyField)
}

// patternOf returns the text of a pattern, without the prefix.
func (s *Space[K, V]) patternOf(build func(*PatternBuilder)) (text string, err error) {
	defer caught("the pattern", &err)
	b := &PatternBuilder{KeyBuilder{prefix: s.prefix, secret: s.m.cfg.Secret}}
	build(b)
	if b.bare {
		return "", &KeyError{Space: s.prefix, Problem: "a pattern with a personal field, want ManagerConfig.Secret to hash it with"}
	}
	if b.raw > maxRawKey {
		return "", &KeyError{Space: s.prefix, Problem: fmt.Sprintf("a pattern of %d bytes, want at most %d", b.raw, maxRawKey)}
	}
	return string(b.text), nil
}

// matchFields says whether the fields of a key, as they are on the wire, are those of
// the pattern.
func matchFields(pattern, key string) bool {
	for pattern != "" {
		field, rest, whole := cutField(key)
		if !whole {
			return false
		}
		key = rest
		if pattern[0] == anyField {
			pattern = pattern[1:]
			continue
		}
		if !strings.HasPrefix(pattern, field) { // a field says how long it is: none begins another
			return false
		}
		pattern = pattern[len(field):]
	}
	return true
}

// cutField takes the first field off: kind, length, ":" and as many bytes, of which
// one can be written as %XX.
func cutField(key string) (field, rest string, whole bool) {
	if key == "" || key[0] < 'a' || key[0] > 'z' {
		return "", "", false
	}
	at, length := 1, 0
	for ; at < len(key) && '0' <= key[at] && key[at] <= '9' && length <= maxRawKey; at++ {
		length = 10*length + int(key[at]-'0')
	}
	if at == 1 || at == len(key) || key[at] != ':' {
		return "", "", false
	}
	at++
	for range length {
		if at >= len(key) {
			return "", "", false
		}
		if key[at] == '%' {
			at += 2
		}
		at++
	}
	if at > len(key) {
		return "", "", false
	}
	return key[:at], key[at:], true
}

// InvalidatePattern invalidates all keys that the pattern matches, and returns how many
// the fleet had. It goes through the keys of all nodes, of this space and others, some
// at a time (SCAN, never KEYS; lru_crawler on Memcached), and twice, for keys can move
// between nodes meanwhile: it is for rare occasions. What is to be invalidated often
// had better have a tag.
//
// It promises what Invalidate does, with the time when it was called. Level 1 of all
// processes forgets the whole space. Keys of more than 200 bytes are on the fleet as a
// hash, so that nobody can tell: they are all invalidated. ErrUnsupported: the store is
// no Scanner; ErrNotInvalidated: not all of it could be done, and it is repeated, see
// InvalidationConfig.
func (s *Space[K, V]) InvalidatePattern(ctx context.Context, build func(*PatternBuilder)) (removed int, err error) {
	switch {
	case s.m.ctx.Err() != nil:
		return 0, ErrClosed
	case s.m.scanner == nil:
		return 0, ErrUnsupported
	}
	pattern, err := s.patternOf(build)
	if err != nil {
		return 0, err
	}
	s.counters.invalidated(1)
	removed, err = s.invalidateMatching(ctx, pattern)
	if errors.Is(err, ErrNotInvalidated) {
		s.counters.storeErrors.Add(1)
		s.later.again(ctx, laterMatching, identity{}, s.prefix+pattern)
	}
	return removed, err
}

// invalidateMatching goes through the keys, and forgets what processes have of them.
func (s *Space[K, V]) invalidateMatching(ctx context.Context, pattern string) (removed int, err error) {
	s.purge()
	for pass := range scanPasses {
		var n int
		n, err = s.removeMatching(ctx, pattern)
		if pass == 0 || s.cfg.Life.HoldOff == 0 { // else those of the first come again, as hold-offs
			removed += n
		}
		if err != nil {
			break
		}
	}
	s.purge() // what was read meanwhile may be old
	s.tellAll()
	if err != nil && !errors.Is(err, ErrUnsupported) {
		err = fmt.Errorf("%w: %s: %d keys of a pattern were: %w", ErrNotInvalidated, s.name, removed, err)
	}
	return removed, err
}

func (s *Space[K, V]) removeMatching(ctx context.Context, pattern string) (removed int, err error) {
	err = s.m.scanner.ScanKeys(ctx, s.prefix, func(keys []string) error {
		var matching []string
		for _, key := range keys {
			fields, ours := strings.CutPrefix(key, s.prefix)
			if ours && fields != "" && (fields[0] == hashedMark || isField(fields[0]) && matchFields(pattern, fields)) {
				matching = append(matching, key)
			}
		}
		if len(matching) == 0 {
			return nil
		}
		var failed error
		for _, err := range s.m.scanner.DeleteMany(ctx, matching, s.cfg.Life.HoldOff) {
			if err == nil {
				removed++
			} else if failed == nil {
				failed = err
			}
		}
		return failed
	})
	return removed, err
}

// isField says whether the key of a value goes on with this: counters, epochs and the
// like do not.
func isField(first byte) bool { return 'a' <= first && first <= 'z' }

// purge forgets all that this process has of the space, and has callers that come from
// now on share no load that was begun before.
func (s *Space[K, V]) purge() {
	s.l1.forget()
	s.spares.forget()
	s.flights.forgetAll()
}

// tellAll has the first levels of other processes forget the space.
func (s *Space[K, V]) tellAll() {
	if s.m.cfg.Bus != nil {
		s.m.cfg.Bus.Tell(Change{Space: s.name, All: true})
	}
}

// forgetAll has later callers start flights of their own.
func (fs *flights[R]) forgetAll() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	clear(fs.byKey)
}
