package cache

import (
	"context"
	"errors"
	"fmt"
)

// Pair is a key with its value.
type Pair[K Key, V any] struct {
	Key   K
	Value V
}

// PutMany is Put for many keys: one call of SaveMany, and one round trip to each
// node if all have versions; those that have none are deleted at the same time.
// If Validate or GuardKey refuses one, nothing is written. The error joins those of
// all keys that the fleet could not be told of.
func (s *Space[K, V]) PutMany(ctx context.Context, pairs []Pair[K, V]) (err error) {
	ctx, ended := s.observe(ctx, OpPut)
	defer func() { ended(Outcome{Err: err, Keys: len(pairs)}) }()
	if s.behind != nil {
		writes := make([]behindWrite[K, V], len(pairs))
		for i, p := range pairs {
			writes[i] = behindWrite[K, V]{kind: behindValue, key: p.Key, value: p.Value}
		}
		return s.writeBehind(ctx, writes...)
	}
	switch {
	case s.cfg.SaveMany == nil:
		return ErrNoSave
	case s.m.ctx.Err() != nil:
		return ErrClosed
	case len(pairs) == 0:
		return nil
	}
	keys := make([]storeKey, len(pairs))
	epoch, known := s.epochOf(ctx)
	for i, p := range pairs {
		var err error
		if keys[i], err = s.keyIn(p.Key, epoch, known); err == nil {
			err = s.validate(p.Key, p.Value)
		}
		if err != nil {
			return err
		}
	}
	ids := make([]identity, len(keys))
	for i, k := range keys {
		ids[i] = k.identity
	}
	if err := s.announceIDs(ctx, ids); err != nil {
		return err
	}
	storable, err := s.tagsForWrite(ctx, keys, pairs)
	if err != nil {
		return err
	}
	versions, err := s.cfg.SaveMany(ctx, pairs)
	if err == nil && len(versions) != len(pairs) {
		err = fmt.Errorf("cache: SaveMany returned %d versions for %d pairs", len(versions), len(pairs))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Loads.Timeout)
	defer cancel()
	if err != nil {
		versions = make([]uint64, len(pairs)) // nobody knows what was written: all are deleted
		return errors.Join(fmt.Errorf("cache: save %s: %w", s.name, err), s.tellMany(ctx, pairs, keys, versions, storable))
	}
	return s.tellMany(ctx, pairs, keys, versions, storable)
}

// tellMany tells the fleet what was written.
func (s *Space[K, V]) tellMany(ctx context.Context, pairs []Pair[K, V], keys []storeKey, versions []uint64, storable []bool) error {
	var writes []Write
	var at []int // the index of each write in pairs
	var old []int
	for i, p := range pairs {
		_, entry, err := s.seal(keys[i], s.timed(p.Key, Loaded[V]{Value: p.Value, Version: versions[i]}), false, 0)
		if err != nil || versions[i] == 0 || !storable[i] || keys[i].noEpoch || s.Bypassed() != BypassNothing || s.m.batch == nil {
			old = append(old, i)
			continue
		}
		s.forget(p.Key, keys[i])
		writes, at = append(writes, Write{Key: keys[i].text, Entry: entry}), append(at, i)
	}
	if len(writes) > 0 {
		for n, r := range s.storeMany(ctx, writes) {
			i := at[n]
			s.storeFailed(ctx, r.Err)
			s.countFilled(r.Filled)
			if r.Err == nil {
				r.Err = s.dropCopies(ctx, keys[i])
			}
			if s.forget(pairs[i].Key, keys[i]); r.Err != nil {
				old = append(old, i) // and others are told there
				continue
			}
			s.tellOthers(keys[i])
			s.noteWrite(ctx, keys[i], versions[i])
		}
		s.overtaken(ctx, keys...)
	}
	errs := make([]error, len(old))
	atOnce(len(old), func(n int) {
		below := versions[old[n]]
		if below == 0 || !storable[old[n]] {
			below = AnyVersion
		}
		errs[n] = s.invalidate(ctx, pairs[old[n]].Key, keys[old[n]], below)
	})
	followed := make([]error, len(pairs))
	if s.indexes.Load() != nil {
		atOnce(len(pairs), func(i int) { followed[i] = s.wrote(ctx, pairs[i].Value) })
	}
	return errors.Join(append(errs, followed...)...)
}
