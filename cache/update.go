package cache

import (
	"context"
	"errors"
	"fmt"
)

// ErrConflict is for a Save to return if what the source has is not what the value
// was made of: see BaseVersion. It has written nothing then.
var ErrConflict = errors.New("cache: changed meanwhile")

// updates is how often Update begins anew because somebody else was quicker.
const updates = 8

type baseKey struct{}

// BaseVersion returns the version of the value that the one to be saved was made of,
// in a Save that Update calls: the Version that the loader told, 0 if it told none, or
// if the source did not have the key. It is not updating in any other Save. A source
// that compares it in the same step as it writes, and returns ErrConflict if it is
// another one by now, loses no update:
//
//	UPDATE users SET …, version = version + 1 WHERE id = ? AND version = ?
func BaseVersion(ctx context.Context) (version uint64, updating bool) {
	version, updating = ctx.Value(baseKey{}).(uint64)
	return version, updating
}

// Update has change make a new value of the one that the source has, and writes it as
// Put does; it returns what was written. Nothing cached is read: a value made of an old
// one would undo what came in between. exists is false, and old zero, if the source
// does not have the key.
//
// Where Save returns ErrConflict, all of it is done anew, 8 times at most. So change may
// be called several times, and must do nothing but make the value; an error of its ends
// the update, nothing is written, and it is returned. Without a Save that compares, the
// later of two updates at the same time wins. ErrNoSave: the space has no Save; with
// WriteBehind see Add.
func (s *Space[K, V]) Update(ctx context.Context, key K, change func(old V, exists bool) (V, error)) (V, error) {
	var none V
	switch {
	case s.m.ctx.Err() != nil:
		return none, ErrClosed
	case s.cfg.Save == nil:
		return none, ErrNoSave
	case s.cfg.Load == nil:
		return none, ErrNoLoader
	}
	if _, err := s.keyOf(ctx, key); err != nil {
		return none, err
	}
	for attempt := 1; ; attempt++ {
		v, err := s.updateOnce(ctx, key, change)
		if !errors.Is(err, ErrConflict) || attempt == updates || ctx.Err() != nil {
			return v, err
		}
	}
}

func (s *Space[K, V]) updateOnce(ctx context.Context, key K, change func(old V, exists bool) (V, error)) (v V, err error) {
	is, err := call(ctx, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (Loaded[V], error) {
		return limited(ctx, s.limit, &s.counters, 1, func(ctx context.Context) (Loaded[V], error) { return s.cfg.Load(ctx, key) })
	})
	exists := !errors.Is(err, ErrNotFound)
	if err != nil && exists {
		return v, fmt.Errorf("cache: load %s: %w", s.name, err)
	}
	if !exists {
		is = Loaded[V]{}
	}
	if v, err = changed(change, is.Value, exists); err != nil {
		return v, err
	}
	return v, s.Put(context.WithValue(ctx, baseKey{}, is.Version), key, v)
}

func changed[V any](change func(V, bool) (V, error), old V, exists bool) (v V, err error) {
	defer caught("change", &err)
	return change(old, exists)
}
