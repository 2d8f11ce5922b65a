package main

import (
	"encoding/json"
	"sync/atomic"

	goredis "github.com/go-redis/cache/v9"

	"github.com/ringway/ringway/internal/bench/contest"
)

// newPeer returns go-redis/cache with the codec that all have here, over the client
// that its documentation uses or over the same as ours.
func newPeer(e *contest.Environment, routed bool, local goredis.LocalCache) (*goredis.Cache, error) {
	options := &goredis.Options{LocalCache: local, Marshal: json.Marshal, Unmarshal: json.Unmarshal}
	if routed {
		client, err := newRouter(e)
		if err != nil {
			return nil, err
		}
		options.Redis = client
		return goredis.New(options), nil
	}
	ring, err := newGoRedisRing(e)
	if err != nil {
		return nil, err
	}
	options.Redis = ring
	return goredis.New(options), nil
}

func peerRead(c *goredis.Cache) contest.Operation {
	return func(keys []string) error {
		for _, key := range keys {
			var p profile
			err := c.Get(background, key, &p)
			if err := check(key, p, err); err != nil {
				return err
			}
		}
		return nil
	}
}

func peerGet(routed bool) func(e *contest.Environment) (contest.Operation, error) {
	return func(e *contest.Environment) (contest.Operation, error) {
		c, err := newPeer(e, routed, nil)
		return peerRead(c), err
	}
}

func peerGets(routed bool) func(e *contest.Environment) (contest.Operation, error) {
	return func(e *contest.Environment) (contest.Operation, error) {
		c, err := newPeer(e, routed, nil)
		if err != nil {
			return nil, err
		}
		return peerRead(c), countCommands(e)
	}
}

// peerLocal has a local level with room for all keys.
func peerLocal(e *contest.Environment) (contest.Operation, error) {
	c, err := newPeer(e, false, goredis.NewTinyLFU(2*contest.KeyCount, life))
	if err != nil {
		return nil, err
	}
	read := peerRead(c)
	return read, all(read)
}

// peerMiss has the callers ask as many caches by Once, each with a client of its own.
func peerMiss(clients int, routed bool) func(e *contest.Environment) (contest.Operation, error) {
	return func(e *contest.Environment) (contest.Operation, error) {
		var loads atomic.Int64
		e.Count(func() (int64, error) { return loads.Load(), nil })
		caches := make([]*goredis.Cache, clients)
		for i := range caches {
			var err error
			if caches[i], err = newPeer(e, routed, nil); err != nil {
				return nil, err
			}
		}
		return stampede(func(caller int, key string) error {
			var p profile
			err := caches[caller%clients].Once(&goredis.Item{Key: key, Value: &p, TTL: life,
				Do: func(*goredis.Item) (any, error) { return slowly(&loads, key), nil }})
			return check(key, p, err)
		}), nil
	}
}
