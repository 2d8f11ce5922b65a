package main

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/router"
)

const valueSize = 100 // bytes

// valueOf is what is stored under a key: 100 bytes that begin with it.
func valueOf(key string) string { return strings.Repeat(key, valueSize/len(key)) }

// redisServers returns the addresses of servers each of which has all keys, since
// each client places them by a rule of its own.
func redisServers(e *contest.Environment) ([]string, error) {
	return e.Fleet(servers.Redis, func(addrs []string) error {
		for _, addr := range addrs {
			client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: contest.Patience, WriteTimeout: contest.Patience})
			_, err := client.Pipelined(e.Ctx, func(pipe redis.Pipeliner) error {
				for _, key := range contest.Keys() {
					pipe.Set(e.Ctx, key, valueOf(key), 0)
				}
				return nil
			})
			if err = errors.Join(err, client.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// memcachedServers returns the addresses of servers each of which has the keys
// that it owns by our ring, which all memcached clients here use.
func memcachedServers(e *contest.Environment) ([]string, error) {
	return e.Fleet(servers.Memcached, func(addrs []string) (err error) {
		client, err := newMemcached(e.Ctx, addrs)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		items := make([]router.Item, contest.KeyCount)
		for i, key := range contest.Keys() {
			items[i] = router.Item{Key: key, Value: []byte(valueOf(key))}
		}
		return client.SetMulti(e.Ctx, items)
	})
}

// errWrong: a client that returns something else may be as fast as it likes.
var errWrong = errors.New("the value is not the one that was stored")
