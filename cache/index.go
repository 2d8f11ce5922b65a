package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Index finds the values of a space by something else than their key: users by
// their e-mail address. It is a space of its own, from that to the key, and shares
// nothing but the manager with the space of the values.
//
// It is kept in step twice over. Put and PutMany of the space end what is remembered
// of the addresses that the new value has, an absence or somebody else. And nothing
// that the index says is believed before the value confirms it: one that does not
// have the address any more sends the index back to the source. So a user who is
// renamed, deleted, or gives an address to another is never found by the old one
// longer than the space itself keeps the old value. What can lag is an absence: if
// the source was written without Put, for NegativeTTL.
type Index[I Key, K Key, V any] struct {
	of    *Space[K, V]
	keys  *Space[I, K]
	names func(V) []I
}

// IndexConfig describes an index. Name, Load and Names are required.
type IndexConfig[I Key, K Key, V any] struct {
	Name   string // of its space: see SpaceConfig.Name
	Schema uint32

	Load  func(ctx context.Context, name I) (K, error) // the source: ErrNotFound, or the key
	Names func(value V) []I                            // by which the value is to be found

	// Tags of what is remembered of names: with those of the user, EraseTag finds
	// names too.
	Tags TagsConfig[I, K]

	Codec Codec[K] // of keys; nil: JSON, which sees exported fields only
	Life  LifeConfig
	Loads LoadsConfig
	L1    L1Config
}

// ErrOutOfStep: the source's own answers about a name and about its value do not
// agree, however often it is asked.
var ErrOutOfStep = errors.New("cache: index and value do not agree")

// NewIndex returns an index of the space, or an error that matches ErrConfig. Make it
// before the space is written.
func NewIndex[I Key, K Key, V any](of *Space[K, V], cfg IndexConfig[I, K, V]) (*Index[I, K, V], error) {
	if of == nil || of.m == nil {
		return nil, configError("space", "nil", "one of NewSpace")
	}
	if cfg.Load == nil || cfg.Names == nil {
		return nil, configError("Load, Names", "nil", "both")
	}
	if cfg.Codec == nil {
		cfg.Codec = JSON[K]{}
	}
	keys, err := NewSpace(of.m, SpaceConfig[I, K]{Name: cfg.Name, Schema: cfg.Schema, Codec: cfg.Codec,
		Load: Plain(cfg.Load), Tags: cfg.Tags, Life: cfg.Life, Loads: cfg.Loads, L1: cfg.L1,
		Validate: func(_ I, key K) error { return survives(cfg.Codec, key) }})
	if err != nil {
		return nil, err
	}
	ix := &Index[I, K, V]{of: of, keys: keys, names: cfg.Names}
	of.m.mu.Lock()
	defer of.m.mu.Unlock()
	var all []func(context.Context, V) error
	if there := of.indexes.Load(); there != nil {
		all = slices.Clone(*there)
	}
	all = append(all, ix.follow)
	of.indexes.Store(&all)
	return ix, nil
}

// survives refuses a key that is another one after the codec: a field that JSON does
// not see would lead to somebody else.
func survives[K Key](codec Codec[K], key K) error {
	data, err := codec.Encode(key, nil)
	if err != nil {
		return err
	}
	again, err := codec.Decode(data, nil)
	if err == nil && again != key {
		err = errors.New("the codec of the index loses fields of the key: export them, or set IndexConfig.Codec")
	}
	return err
}

// follow ends what is remembered of the names of a value that was written.
func (ix *Index[I, K, V]) follow(ctx context.Context, value V) error {
	var errs []error
	for _, name := range ix.names(value) {
		errs = append(errs, ix.keys.Invalidate(ctx, name))
	}
	return errors.Join(errs...)
}

// confirms says whether the value has the name.
func (ix *Index[I, K, V]) confirms(value V, name I) (has bool, err error) {
	defer caught("IndexConfig.Names", &err)
	return slices.Contains(ix.names(value), name), nil
}

// Get returns the value that has the name. Meta is that of the value. ErrNotFound:
// there is none; ErrOutOfStep: the source contradicts itself.
func (ix *Index[I, K, V]) Get(ctx context.Context, name I) (value V, meta Meta, err error) {
	var none V
	for range attempts {
		key, from, err := ix.keys.Get(ctx, name)
		if err != nil {
			return none, from, err
		}
		value, meta, err = ix.of.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return none, meta, err
		}
		if err == nil {
			switch confirmed, err := ix.confirms(value, name); {
			case err != nil:
				return none, meta, err
			case confirmed:
				return value, meta, nil
			}
		}
		// One of the two is old. What comes straight from the source is not.
		if from.Source != FromLoader {
			err = ix.keys.Invalidate(ctx, name)
		} else {
			err = ix.of.Invalidate(ctx, key)
		}
		if err != nil {
			return none, meta, err
		}
	}
	return none, Meta{}, fmt.Errorf("%w: %s", ErrOutOfStep, ix.keys.name)
}

// Key returns what the index says, which no value has confirmed.
func (ix *Index[I, K, V]) Key(ctx context.Context, name I) (K, Meta, error) {
	return ix.keys.Get(ctx, name)
}

// Invalidate ends what is remembered of the name. After a write that did not go
// through Put it is to be called for the new names, lest an absence stay for
// NegativeTTL.
func (ix *Index[I, K, V]) Invalidate(ctx context.Context, name I) error {
	return ix.keys.Invalidate(ctx, name)
}

// Stats returns the counts of the index alone.
func (ix *Index[I, K, V]) Stats() Stats { return ix.keys.Stats() }
