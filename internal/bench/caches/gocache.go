package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	gocache "github.com/eko/gocache/lib/v4/cache"
	options "github.com/eko/gocache/lib/v4/store"
	memorystore "github.com/eko/gocache/store/go_cache/v4"
	redisstore "github.com/eko/gocache/store/redis/v4"
	memory "github.com/patrickmn/go-cache"

	"github.com/ringway/ringway/internal/bench/contest"
)

// gocacheRead is a Get, and the codec that all have here: gocache's own is msgpack.
func gocacheRead(c gocache.CacheInterface[string]) contest.Operation {
	return func(keys []string) error {
		for _, key := range keys {
			text, err := c.Get(background, key)
			if err != nil {
				return err
			}
			p, err := decode([]byte(text))
			if err := check(key, p, err); err != nil {
				return err
			}
		}
		return nil
	}
}

// newGocache returns eko/gocache over the client that its documentation uses, for more
// than one server.
func newGocache(e *contest.Environment) (*gocache.Cache[string], error) {
	ring, err := newGoRedisRing(e)
	if err != nil {
		return nil, err
	}
	return gocache.New[string](redisstore.NewRedis(ring, options.WithExpiration(life))), nil
}

func gocacheGet(e *contest.Environment) (contest.Operation, error) {
	c, err := newGocache(e)
	if err != nil {
		return nil, err
	}
	return gocacheRead(c), nil
}

func gocacheGets(e *contest.Environment) (contest.Operation, error) {
	c, err := newGocache(e)
	if err != nil {
		return nil, err
	}
	return gocacheRead(c), countCommands(e)
}

// gocacheLocal has all keys in this process: go-cache has no bound.
func gocacheLocal(*contest.Environment) (contest.Operation, error) {
	c := gocache.New[string](memorystore.NewGoCache(memory.New(life, 0)))
	values, err := encoded()
	if err != nil {
		return nil, err
	}
	for i, key := range contest.Keys() {
		if err := c.Set(background, key, string(values[i]), options.WithExpiration(life)); err != nil {
			return nil, err
		}
	}
	return gocacheRead(c), nil
}

// gocacheMiss has the callers ask as many loadable caches, each with a client of its own.
func gocacheMiss(clients int) func(e *contest.Environment) (contest.Operation, error) {
	return func(e *contest.Environment) (contest.Operation, error) {
		var loads atomic.Int64
		e.Count(func() (int64, error) { return loads.Load(), nil })
		load := func(_ context.Context, key any) (string, []options.Option, error) {
			name, isText := key.(string)
			if !isText {
				return "", nil, errors.New("a key that is no text")
			}
			text, err := json.Marshal(slowly(&loads, name))
			return string(text), []options.Option{options.WithExpiration(life)}, err
		}
		reads := make([]contest.Operation, clients)
		for i := range reads {
			c, err := newGocache(e)
			if err != nil {
				return nil, err
			}
			loadable := gocache.NewLoadable(load, c)
			e.OnClose(sync.OnceValue(loadable.Close))
			reads[i] = gocacheRead(loadable)
		}
		return stampede(func(caller int, key string) error { return reads[caller%clients]([]string{key}) }), nil
	}
}
