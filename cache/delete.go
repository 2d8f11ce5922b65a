package cache

import (
	"context"
	"fmt"
)

// Delete removes the row of the key from the source by Remove, and then the entry, as
// Invalidate does: a Get that begins after it returned finds what the source has then,
// nothing, and remembers that for NegativeTTL. Not so beside a Put of the same key: one that
// wrote the source before, and the fleet after, has its entry stay until it ends.
//
// An error of Remove is returned as it is, wrapped; the entry is removed then too, for what
// has been done is unknown. ErrNotInvalidated: the row is removed, and the fleet could not
// be reached.
//
// With WriteBehind it returns when the journal has it, and Apply removes the row, after all
// writes before; reads of this process find nothing from then on. ErrNoSave: the space has
// neither Remove nor WriteBehind, and nothing was removed.
func (s *Space[K, V]) Delete(ctx context.Context, key K) error {
	if s.behind != nil {
		return s.writeBehind(ctx, behindWrite[K, V]{kind: behindDelete, key: key})
	}
	switch {
	case s.cfg.Remove == nil:
		return ErrNoSave
	case s.m.ctx.Err() != nil:
		return ErrClosed
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return err
	}
	if err := s.remove(ctx, key); err != nil {
		_ = s.invalidate(context.WithoutCancel(ctx), key, k, AnyVersion)
		return fmt.Errorf("cache: remove %s: %w", s.name, err)
	}
	// The source has removed it: a caller that leaves now must not keep it in the fleet.
	return s.invalidate(context.WithoutCancel(ctx), key, k, AnyVersion)
}

// remove is Remove. If that panics the row may have been removed, as after an error.
func (s *Space[K, V]) remove(ctx context.Context, key K) (err error) {
	defer caught("Remove", &err)
	return s.cfg.Remove(ctx, key)
}
