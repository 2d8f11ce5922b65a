package cache

import (
	"context"
	"errors"
	"fmt"
)

// InvalidateMany is Invalidate for many keys, in one round trip to each node. Keys
// that come twice are invalidated once. If GuardKey refuses one, nothing is sent. The
// error matches ErrNotInvalidated if the fleet could not be told of all of them, and
// says how many.
func (s *Space[K, V]) InvalidateMany(ctx context.Context, keys []K) error {
	if s.m.ctx.Err() != nil {
		return ErrClosed
	}
	epoch, known := s.epochOf(ctx)
	seen := make(map[K]bool, len(keys))
	var once []K
	var stored []storeKey
	for _, key := range keys {
		if seen[key] {
			continue
		}
		k, err := s.keyIn(key, epoch, known)
		if err != nil {
			return err
		}
		seen[key], once, stored = true, append(once, key), append(stored, k)
	}
	if len(once) == 0 {
		return nil
	}
	return s.invalidateMany(ctx, once, stored)
}

func (s *Space[K, V]) invalidateMany(ctx context.Context, keys []K, stored []storeKey) error {
	errs := make([]error, len(keys))
	if s.m.scanner == nil || len(keys) == 1 {
		atOnce(len(keys), func(i int) { errs[i] = s.invalidate(ctx, keys[i], stored[i], AnyVersion) })
		return errors.Join(errs...)
	}
	s.counters.invalidated(uint64(len(keys)))
	texts := make([]string, len(keys))
	s.deleteTwice(ctx, AnyVersion, stored...)
	for i, k := range stored {
		texts[i] = k.text
		s.forget(keys[i], k)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Loads.Timeout)
	defer cancel()
	errs = s.m.scanner.DeleteMany(ctx, texts, s.cfg.Life.HoldOff)
	atOnce(len(stored), func(i int) { errs[i] = errors.Join(errs[i], s.dropCopies(ctx, stored[i])) })
	var failed []storeKey
	for i, k := range stored {
		s.forget(keys[i], k) // what was read between the two may be the old value
		s.tellOthers(k)
		s.noteWrite(ctx, k, AnyVersion)
		if errs[i] != nil {
			failed = append(failed, k)
			s.counters.storeErrors.Add(1)
		}
	}
	s.deleteAgain(ctx, AnyVersion, failed...)
	if len(failed) > 0 {
		return fmt.Errorf("%w: %s: %d of %d keys: %w", ErrNotInvalidated, s.name, len(failed), len(keys), errors.Join(errs...))
	}
	return nil
}
