package main

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// background is the context of nearly all calls: it cannot end, which suits
// every client best.
var background = context.Background()

// newRouter returns the router over the servers, with nothing else set than what
// the other clients have too.
func newRouter(e *contest.Environment, cfg router.Config) (*router.Redis, error) {
	addrs, err := redisServers(e)
	if err != nil {
		return nil, err
	}
	return newRouterOver(e, addrs, cfg)
}

func newRouterOver(e *contest.Environment, addrs []string, cfg router.Config) (*router.Redis, error) {
	src, err := contest.Source(membership.Redis, addrs)
	if err != nil {
		return nil, err
	}
	e.OnClose(src.Close)
	cfg.Source = src
	cfg.Node = router.NodeConfig{PoolSize: many, ReadTimeout: contest.Patience}
	r, err := router.NewRedis(e.Ctx, cfg)
	if err != nil {
		return nil, err
	}
	e.OnClose(r.Close)
	return r, nil
}

func newGoRedisRing(e *contest.Environment) (*redis.Ring, error) {
	addrs, err := redisServers(e)
	if err != nil {
		return nil, err
	}
	named := make(map[string]string, len(addrs))
	for i, addr := range addrs {
		named[contest.NodeID(i)] = addr
	}
	r := redis.NewRing(&redis.RingOptions{Addrs: named, PoolSize: many, ReadTimeout: contest.Patience, WriteTimeout: contest.Patience})
	e.OnClose(r.Close)
	return r, nil
}

// newClients returns a client of go-redis for each server.
func newClients(e *contest.Environment) ([]*redis.Client, error) {
	addrs, err := redisServers(e)
	if err != nil {
		return nil, err
	}
	clients := make([]*redis.Client, len(addrs))
	for i, addr := range addrs {
		clients[i] = redis.NewClient(&redis.Options{Addr: addr, PoolSize: many, ReadTimeout: contest.Patience, WriteTimeout: contest.Patience})
		e.OnClose(clients[i].Close)
	}
	return clients, nil
}

// check passes an error on, and a value that is not the one of the key as
// errWrong.
func check(key, value string, err error) error {
	if err == nil && (len(value) != valueSize || value[:len(key)] != key) {
		return errWrong
	}
	return err
}

// getter is what the clients of go-redis's making have in common.
type getter interface {
	Get(ctx context.Context, key string) *redis.StringCmd
}

func get(ctx context.Context, c getter) contest.Operation {
	return func(keys []string) error {
		value, err := c.Get(ctx, keys[0]).Result()
		return check(keys[0], value, err)
	}
}

func routerGet(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e, router.Config{})
	return get(background, r), err
}

func routerGetCancellable(e *contest.Environment) (contest.Operation, error) {
	ctx, cancel := context.WithCancel(background)
	e.OnClose(func() error { cancel(); return nil })
	r, err := newRouter(e, router.Config{})
	return get(ctx, r), err
}

func ringGet(e *contest.Environment) (contest.Operation, error) {
	r, err := newGoRedisRing(e)
	return get(background, r), err
}

func clientGet(e *contest.Environment) (contest.Operation, error) {
	clients, err := newClients(e)
	if err != nil {
		return nil, err
	}
	return get(background, clients[0]), nil
}

func autoPipelinerGet(e *contest.Environment) (contest.Operation, error) {
	clients, err := newClients(e)
	if err != nil {
		return nil, err
	}
	byRing, err := contest.NewRing()
	if err != nil {
		return nil, err
	}
	pipes := make([]*redis.AutoPipeliner, len(clients))
	for i, client := range clients { // whose Close closes them
		if pipes[i], err = client.AutoPipeline(); err != nil {
			return nil, err
		}
	}
	return func(keys []string) error {
		value, err := pipes[byRing.OwnerIndex(keys[0])].Get(background, keys[0]).Result()
		return check(keys[0], value, err)
	}, nil
}
