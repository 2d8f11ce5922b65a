package cache

import (
	"context"
	"errors"
	"fmt"
)

// Put writes the source by Save, and then the fleet. With a version from Save the
// entry is stored, unless there is a newer one; without one it is deleted, since
// nothing would say which of two writers was later, and the next Get loads it.
//
// An error of Save is returned as it is, wrapped; the entry is deleted then too,
// for what a write that failed has done is unknown. ErrNotInvalidated: the source
// was written, and the fleet could not be reached.
func (s *Space[K, V]) Put(ctx context.Context, key K, value V) (err error) {
	ctx, ended := s.observe(ctx, OpPut)
	defer func() { ended(Outcome{Err: err}) }()
	if s.behind != nil {
		return s.writeBehind(ctx, behindWrite[K, V]{kind: behindValue, key: key, value: value})
	}
	if s.cfg.Save == nil {
		return ErrNoSave
	}
	if s.m.ctx.Err() != nil {
		return ErrClosed
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return err
	}
	if err := s.validate(key, value); err != nil {
		return err
	}
	if err := s.announceIDs(ctx, []identity{k.identity}); err != nil {
		return err
	}
	keys := []storeKey{k}
	storable, err := s.tagsForWrite(ctx, keys, []Pair[K, V]{{key, value}})
	if err != nil {
		return err
	}
	k = keys[0]
	version, err := s.save(ctx, key, value)
	if err != nil {
		_ = s.invalidate(context.WithoutCancel(ctx), key, k, AnyVersion)
		_ = s.wrote(context.WithoutCancel(ctx), value)
		return fmt.Errorf("cache: save %s: %w", s.name, err)
	}
	// The source has it: a caller that leaves now must not keep the fleet from it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Loads.Timeout)
	defer cancel()
	if version == 0 || !storable[0] || k.noEpoch || s.Bypassed() != BypassNothing {
		err = s.invalidate(ctx, key, k, AnyVersion)
	} else {
		err = s.writeThrough(ctx, key, k, Loaded[V]{Value: value, Version: version})
	}
	return errors.Join(err, s.wrote(ctx, value))
}

// save is Save. If that panics the source may have been written, as after an error.
func (s *Space[K, V]) save(ctx context.Context, key K, value V) (version uint64, err error) {
	defer caught("Save", &err)
	return s.cfg.Save(ctx, key, value)
}

// wrote has the indexes of the space follow a value that was written.
func (s *Space[K, V]) wrote(ctx context.Context, value V) error {
	indexes := s.indexes.Load()
	if indexes == nil {
		return nil
	}
	var errs []error
	for _, follow := range *indexes {
		errs = append(errs, followed(ctx, follow, value))
	}
	return errors.Join(errs...)
}

// followed has one index follow: all of them are to, whatever one does.
func followed[V any](ctx context.Context, follow func(context.Context, V) error, value V) (err error) {
	defer caught("IndexConfig.Names", &err)
	return follow(ctx, value)
}

func (s *Space[K, V]) validate(key K, value V) (err error) {
	if s.cfg.Validate == nil {
		return nil
	}
	defer caught("Validate", &err)
	if err := s.cfg.Validate(key, value); err != nil {
		s.counters.refused.Add(1)
		return fmt.Errorf("%w: %w", ErrInvalidValue, err)
	}
	return nil
}

func (s *Space[K, V]) writeThrough(ctx context.Context, key K, k storeKey, loaded Loaded[V]) error {
	entry, set, failed := s.sealWrite(k, key, loaded)
	if set {
		s.forget(key, k)
		var stored bool
		var err error
		storing, ended := s.observe(ctx, OpStore)
		stored, err = s.m.cfg.Store.Set(storing, k.text, entry)
		if ended(Outcome{Err: err}); err == nil {
			err = s.dropCopies(ctx, k)
		}
		if err == nil {
			s.forget(key, k)
			s.tellOthers(k)
			s.noteWrite(ctx, k, loaded.Version)
			if stored {
				s.countFilled(Stored)
				s.overtaken(ctx, k)
			} else {
				s.countFilled(Older)
			}
			return nil
		}
		s.storeFailed(ctx, err)
	}
	// Not stored, or nobody knows: what was there before is old.
	return errors.Join(failed, s.invalidate(ctx, key, k, loaded.Version))
}

// sealWrite makes the entry of what was written. Not set: it cannot be stored, be it that
// TTLFor panicked, which is the error, or for its codec, which is told.
func (s *Space[K, V]) sealWrite(k storeKey, key K, loaded Loaded[V]) (e Entry, set bool, err error) {
	if loaded, err = s.timed(key, loaded); err != nil {
		return e, false, err
	}
	_, e, failed := s.seal(k, loaded, false, 0)
	s.unstorable(failed)
	return e, failed == nil, nil
}

// Invalidate removes the key from this process and from the fleet. A Get that
// begins after it returned sees what the source had when Invalidate was called, or
// later: loads that are under way anywhere do not store what they bring. For a
// source whose replicas lag see LifeConfig.HoldOff. Other processes' L1 are told by
// the Bus, if there is one, and moments later; else they keep what they have until
// its TTL ends. ErrNotInvalidated: the fleet could not be told.
func (s *Space[K, V]) Invalidate(ctx context.Context, key K) error {
	return s.InvalidateBelow(ctx, key, AnyVersion)
}

// InvalidateBelow is Invalidate for a change of which the version is known: entries
// of that version or a later one stay.
func (s *Space[K, V]) InvalidateBelow(ctx context.Context, key K, version uint64) error {
	if s.m.ctx.Err() != nil {
		return ErrClosed
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return err
	}
	return s.invalidate(ctx, key, k, version)
}

func (s *Space[K, V]) invalidate(ctx context.Context, key K, k storeKey, below uint64) (err error) {
	ctx, ended := s.observe(ctx, OpInvalidate)
	defer func() { ended(Outcome{Err: err}) }()
	s.counters.invalidated(1)
	s.deleteTwice(ctx, below, k)
	s.forget(key, k)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Loads.Timeout)
	defer cancel()
	err = errors.Join(s.storeDelete(ctx, k.text, below, s.cfg.Life.HoldOff), s.dropCopies(ctx, k))
	// Once more: what was read between the two may be the old value.
	s.forget(key, k)
	s.tellOthers(k)
	s.noteWrite(ctx, k, below)
	if err != nil {
		s.counters.storeErrors.Add(1)
		s.deleteAgain(ctx, below, k)
		return fmt.Errorf("%w: %s: %w", ErrNotInvalidated, s.name, err)
	}
	return nil
}

// forget removes the key from this process, and has callers that come from now on
// share no load that was begun before.
func (s *Space[K, V]) forget(key K, k storeKey) {
	s.l1.invalidate(key, k.identity)
	s.spares.invalidate(key, k.identity)
	if k.tagged {
		k.turn = s.m.tags.all.Load() // those of earlier ones nobody joins any more
	}
	s.flights.forget(k.flight())
	s.pauses.changed(k.identity)
}

// tellOthers has other processes forget the key, once the fleet has been changed:
// what they read from then on is new.
func (s *Space[K, V]) tellOthers(k storeKey) {
	if s.m.cfg.Bus != nil {
		s.m.cfg.Bus.Tell(Change{Space: s.name, Key: k.identity})
	}
}

// Incr adds delta to a counter of the space and returns the sum. Counters are apart
// from values. A counter that is not there begins at 0, and lives for the space's
// TTL from then on, without jitter. ErrUnsupported: the store has no counters.
func (s *Space[K, V]) Incr(ctx context.Context, key K, delta uint64) (uint64, error) {
	switch {
	case s.m.ctx.Err() != nil:
		return 0, ErrClosed
	case s.m.count == nil:
		return 0, ErrUnsupported
	}
	k, err := storeKeyOf(s.counts, key, s.cfg.GuardKey, s.m.cfg.Secret)
	if err != nil {
		return 0, err
	}
	n, err := s.m.count.Incr(ctx, k.text, delta, s.cfg.Life.TTL)
	s.storeFailed(ctx, err)
	return n, err
}

// Wrap returns fn with the space before it: the space's own loader is not used.
func Wrap[K Key, V any](s *Space[K, V], fn func(context.Context, K) (V, error)) func(context.Context, K) (V, error) {
	load := Plain(fn)
	return func(ctx context.Context, key K) (V, error) {
		v, _, err := s.GetWith(ctx, key, load)
		return v, err
	}
}
