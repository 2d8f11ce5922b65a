package main

import (
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/router"
)

func routerMGet(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e, router.Config{})
	return func(keys []string) error {
		values, err := r.MGet(background, keys...).Result()
		if err != nil {
			return err
		}
		for i, value := range values {
			text, _ := value.(string)
			if err := check(keys[i], text, nil); err != nil {
				return err
			}
		}
		return nil
	}, err
}

func routerGets(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e, router.Config{})
	return func(keys []string) error {
		for _, key := range keys {
			value, err := r.Get(background, key).Result()
			if err := check(key, value, err); err != nil {
				return err
			}
		}
		return nil
	}, err
}

func routerPipeline(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e, router.Config{})
	return pipeline(r), err
}

func ringPipeline(e *contest.Environment) (contest.Operation, error) {
	r, err := newGoRedisRing(e)
	return pipeline(r), err
}

type pipelines interface{ Pipeline() redis.Pipeliner }

func pipeline(c pipelines) contest.Operation {
	return func(keys []string) error {
		pipe := c.Pipeline()
		commands := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			commands[i] = pipe.Get(background, key)
		}
		if _, err := pipe.Exec(background); err != nil {
			return err
		}
		return checkAll(keys, commands)
	}
}

func checkAll(keys []string, commands []*redis.StringCmd) error {
	for i, command := range commands {
		value, err := command.Result()
		if err := check(keys[i], value, err); err != nil {
			return err
		}
	}
	return nil
}

// handPipelines is what one writes who has a ring and go-redis, and no router.
func handPipelines(e *contest.Environment) (contest.Operation, error) {
	clients, err := newClients(e)
	if err != nil {
		return nil, err
	}
	byRing, err := contest.NewRing()
	if err != nil {
		return nil, err
	}
	return func(keys []string) error {
		var pipes [contest.Shards]redis.Pipeliner
		commands := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			owner := byRing.OwnerIndex(key)
			if pipes[owner] == nil {
				pipes[owner] = clients[owner].Pipeline()
			}
			commands[i] = pipes[owner].Get(background, key)
		}
		var flights sync.WaitGroup
		for _, pipe := range pipes {
			if pipe != nil {
				flights.Go(func() { _, _ = pipe.Exec(background) }) // each command has its error
			}
		}
		flights.Wait()
		return checkAll(keys, commands)
	}, nil
}
