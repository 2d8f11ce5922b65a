package main

import (
	"context"
	"sync/atomic"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/bench/contest"
)

// profiles is the configuration of a space that is measured, as it is by default but
// for the time to live. What it stores a space of the same name finds.
func profiles() cache.SpaceConfig[name, profile] {
	return cache.SpaceConfig[name, profile]{
		Name: "bench", Life: cache.LifeConfig{TTL: life},
		LoadMany: func(_ context.Context, keys []name) (map[name]cache.Loaded[profile], error) {
			all := make(map[name]cache.Loaded[profile], len(keys))
			for _, key := range keys {
				all[key] = cache.Loaded[profile]{Value: profileOf(string(key))}
			}
			return all, nil
		},
	}
}

// newSpace returns a space of a manager of its own, over a router of its own.
func newSpace[V any](e *contest.Environment, cfg cache.SpaceConfig[name, V]) (*cache.Space[name, V], error) {
	client, err := newRouter(e)
	if err != nil {
		return nil, err
	}
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client)})
	if err != nil {
		return nil, err
	}
	e.OnClose(m.Close)
	return cache.NewSpace(m, cfg)
}

// newFilled returns a space that has all keys, on the fleet and in its first level.
func newFilled[V any](e *contest.Environment, cfg cache.SpaceConfig[name, V]) (*cache.Space[name, V], error) {
	s, err := newSpace(e, cfg)
	if err != nil {
		return nil, err
	}
	keys := names(contest.Keys())
	for ; len(keys) > 0; keys = keys[batchSize:] {
		for _, a := range s.GetMany(e.Ctx, keys[:batchSize]) {
			if a.Err != nil {
				return nil, a.Err
			}
		}
	}
	return s, nil
}

func names(keys []string) []name {
	out := make([]name, len(keys))
	for i, key := range keys {
		out[i] = name(key)
	}
	return out
}

func get(s *cache.Space[name, profile]) contest.Operation {
	return func(keys []string) error {
		p, _, err := s.Get(background, name(keys[0]))
		return check(keys[0], p, err)
	}
}

func spaceGet(e *contest.Environment) (contest.Operation, error) {
	s, err := newFilled(e, profiles())
	return get(s), err
}

// firstLevel has twice the room that all keys need, as the levels of the others have;
// nearlyFull has little more than that.
var (
	firstLevel = cache.L1Config{MaxBytes: 12 << 20, TTL: life}
	nearlyFull = cache.L1Config{MaxBytes: 6 << 20, TTL: life}
)

func spaceLocal(level cache.L1Config) func(*contest.Environment) (contest.Operation, error) {
	return func(e *contest.Environment) (contest.Operation, error) {
		cfg := profiles()
		cfg.L1 = level
		s, err := newFilled(e, cfg)
		return get(s), err
	}
}

func spaceLocalClone(e *contest.Environment) (contest.Operation, error) {
	cfg := profiles()
	cfg.L1, cfg.Clone = firstLevel, profile.clone
	s, err := newFilled(e, cfg)
	return get(s), err
}

func spaceLocalDecoded(e *contest.Environment) (contest.Operation, error) {
	s, err := newFilled(e, cache.SpaceConfig[name, openProfile]{
		Name: "open", Life: cache.LifeConfig{TTL: life}, L1: firstLevel,
		LoadMany: func(_ context.Context, keys []name) (map[name]cache.Loaded[openProfile], error) {
			all := make(map[name]cache.Loaded[openProfile], len(keys))
			for _, key := range keys {
				all[key] = cache.Loaded[openProfile]{Value: openProfile{profile: profileOf(string(key))}}
			}
			return all, nil
		},
	})
	return func(keys []string) error {
		p, _, err := s.Get(background, name(keys[0]))
		return check(keys[0], p.profile, err)
	}, err
}

func spaceLocalCard(e *contest.Environment) (contest.Operation, error) {
	s, err := newFilled(e, cache.SpaceConfig[name, card]{
		Name: "card", Life: cache.LifeConfig{TTL: life}, L1: firstLevel,
		LoadMany: func(_ context.Context, keys []name) (map[name]cache.Loaded[card], error) {
			all := make(map[name]cache.Loaded[card], len(keys))
			for _, key := range keys {
				all[key] = cache.Loaded[card]{Value: cardOf(string(key))}
			}
			return all, nil
		},
	})
	return func(keys []string) error {
		c, _, err := s.Get(background, name(keys[0]))
		return checkCard(keys[0], c, err == nil)
	}, err
}

func checkCard(key string, c card, found bool) error {
	if !found || c.Key != key {
		return errWrong
	}
	return nil
}

func spaceGetMany(e *contest.Environment) (contest.Operation, error) {
	s, err := newFilled(e, profiles())
	if err != nil {
		return nil, err
	}
	return func(keys []string) error {
		answers := s.GetMany(background, names(keys))
		if len(answers) != len(keys) {
			return errWrong
		}
		for key, a := range answers {
			if err := check(string(key), a.Value, a.Err); err != nil {
				return err
			}
		}
		return nil
	}, countCommands(e)
}

// spaceMiss has the callers ask as many spaces, each with a client of its own.
func spaceMiss(e *contest.Environment, clients int) (contest.Operation, error) {
	var loads atomic.Int64
	e.Count(func() (int64, error) { return loads.Load(), nil })
	spaces := make([]*cache.Space[name, profile], clients)
	for i := range spaces {
		cfg := profiles()
		cfg.Load = func(_ context.Context, key name) (cache.Loaded[profile], error) {
			return cache.Loaded[profile]{Value: slowly(&loads, string(key))}, nil
		}
		var err error
		if spaces[i], err = newSpace(e, cfg); err != nil {
			return nil, err
		}
	}
	return stampede(func(caller int, key string) error {
		p, _, err := spaces[caller%clients].Get(background, name(key))
		return check(key, p, err)
	}), nil
}
