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

// PutMany is Put for many keys: one call of SaveMany, and one batch of what has a version
// and one of what has none and is deleted. On Redis a batch is one round trip to each node
// (a second one where a node does not have the script yet), on Memcached two for each
// 4096 keys.
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
	versions, err := s.saveMany(ctx, pairs)
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

// saveMany is SaveMany, as save is Save.
func (s *Space[K, V]) saveMany(ctx context.Context, pairs []Pair[K, V]) (versions []uint64, err error) {
	defer caught("SaveMany", &err)
	return s.cfg.SaveMany(ctx, pairs)
}

// tellMany tells the fleet what was written.
func (s *Space[K, V]) tellMany(ctx context.Context, pairs []Pair[K, V], keys []storeKey, versions []uint64, storable []bool) error {
	var writes []Write
	var at []int // the index of each write in pairs
	var old []int
	followed := make([]error, 2*len(pairs)) // and what TTLFor panicked with
	for i, p := range pairs {
		set := versions[i] != 0 && storable[i] && !keys[i].noEpoch && s.Bypassed() == BypassNothing && s.m.batch != nil
		var entry Entry
		if set {
			entry, set, followed[len(pairs)+i] = s.sealWrite(keys[i], p.Key, Loaded[V]{Value: p.Value, Version: versions[i]})
		}
		if !set {
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
	followed = append(followed, s.endMany(ctx, pairs, keys, versions, storable, old))
	if s.indexes.Load() != nil {
		atOnce(len(pairs), func(i int) { followed[i] = s.wrote(ctx, pairs[i].Value) })
	}
	return errors.Join(followed...)
}

// endMany invalidates those of the pairs that are not stored: in one batch, but for those
// that have a version, of which a later one stays.
func (s *Space[K, V]) endMany(ctx context.Context, pairs []Pair[K, V], keys []storeKey, versions []uint64, storable []bool, old []int) error {
	var all []K
	var stored []storeKey
	var failed []int
	for _, i := range old {
		if versions[i] != 0 && storable[i] {
			failed = append(failed, i)
			continue
		}
		all, stored = append(all, pairs[i].Key), append(stored, keys[i])
	}
	errs := make([]error, len(failed), len(failed)+1)
	atOnce(len(failed), func(n int) {
		i := failed[n]
		errs[n] = s.invalidate(ctx, pairs[i].Key, keys[i], versions[i])
	})
	if len(all) > 0 {
		errs = append(errs, s.invalidateMany(ctx, all, stored))
	}
	return errors.Join(errs...)
}
