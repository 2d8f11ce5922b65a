package main

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// background is the context of all calls: it cannot end, which suits every cache best.
var background = context.Background()

// newRouter returns the router over the servers, with nothing else set than what the
// other client has too.
func newRouter(e *contest.Environment) (*router.Redis, error) {
	addrs, err := redisServers(e)
	if err != nil {
		return nil, err
	}
	src, err := contest.Source(membership.Redis, addrs)
	if err != nil {
		return nil, err
	}
	e.OnClose(src.Close)
	r, err := router.NewRedis(e.Ctx, router.Config{Source: src,
		Node: router.NodeConfig{PoolSize: many, ReadTimeout: contest.Patience}})
	if err != nil {
		return nil, err
	}
	e.OnClose(r.Close)
	return r, nil
}

// newGoRedisRing returns what the documentation of go-redis/cache uses.
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
