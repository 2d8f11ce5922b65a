package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// Copies of a hot key lie under its key with a mark and a number. No key has such an
// end: no field begins with the mark.
const copyMark = '~'

// A copy is filled under a lease of its own, which is there before the entry is read
// that it is made of; and who invalidates deletes the entry first and then the copies,
// and with them their leases. So what is read before a deletion is never filled after
// it.
const copyLease = 2 * time.Second

// copyKey returns the key of a copy, numbered from 1, and false if it were too long.
func (k storeKey) copyKey(number int) (string, bool) {
	text := copyKeyOf(k.text, number)
	return text, len(text) <= maxWireKey
}

func copyKeyOf(key string, number int) string {
	return key + string(copyMark) + strconv.Itoa(number)
}

// pickCopy returns the key of a copy of a hot key, by chance; false: the entry itself is
// to be looked at.
func (s *Space[K, V]) pickCopy(key K, k storeKey) (text string, picked bool) {
	copies := s.cfg.Hot.Copies
	if copies < 2 || k.noEpoch || !s.hot.has(key) {
		return "", false
	}
	number := rand.IntN(copies)
	if number == 0 {
		return "", false
	}
	return k.copyKey(number)
}

// fromCopy looks at a copy of a hot key, or fills it, and reports false if the entry
// itself is to be looked at.
func (s *Space[K, V]) fromCopy(ctx context.Context, key K, k storeKey) (a answer[V], found bool) {
	there := k
	if there.text, found = s.pickCopy(key, k); !found {
		return a, false
	}
	a, usable, err := s.look(ctx, there)
	switch now := time.Now(); {
	case err != nil: // its node is away, perhaps not that of the entry
		return a, false
	case usable && !a.negative && now.Before(a.soft):
		s.counters.copyHits.Add(1)
		return a, true
	}
	return s.fillCopy(ctx, k, there.text)
}

// fillCopy makes a copy of the entry, if nobody else does, and returns the entry.
func (s *Space[K, V]) fillCopy(ctx context.Context, k storeKey, text string) (a answer[V], found bool) {
	g, err := s.m.leaser.Lease(ctx, text, LeaseRequest{Life: copyLease, Renew: true})
	if err != nil || g.State != Won {
		return a, false
	}
	a, usable := s.lookup(ctx, k)
	left := time.Until(a.soft)
	if !usable || a.negative || left <= 0 {
		_ = s.m.leaser.Release(ctx, text, g.Lease)
		return a, false
	}
	// Of another version than before, or none: an older entry is never a reason
	// to keep a copy, so that it has none for the store to compare.
	_, err = s.m.leaser.Fill(ctx, text, g.Lease, Entry{Value: a.encode(), TTL: min(left, maxTTL)})
	s.storeFailed(ctx, err)
	return a, true
}

// dropCopies deletes the copies of a key, after its entry was deleted or replaced.
func (s *Space[K, V]) dropCopies(ctx context.Context, k storeKey) error {
	if s.cfg.Hot.Copies < 2 {
		return nil
	}
	errs := make([]error, s.cfg.Hot.Copies-1)
	atOnce(len(errs), func(i int) {
		if text, fits := k.copyKey(i + 1); fits {
			errs[i] = s.storeDelete(ctx, text, AnyVersion, 0)
		}
	})
	return errors.Join(errs...)
}

// withoutCopy returns the key of the entry that a key is of a copy of, or the key itself.
// The mark counts only where a field would begin.
func withoutCopy(key, space string) string {
	rest := key[len(space)+1:]
	if at := 1 + 2*sha256.Size; rest[0] == hashedMark && len(rest) > at {
		rest = rest[at:]
	} else {
		for rest != "" && isField(rest[0]) {
			_, after, whole := cutField(rest)
			if !whole {
				return key
			}
			rest = after
		}
	}
	if rest == "" || rest[0] != copyMark {
		return key
	}
	return key[:len(key)-len(rest)]
}
