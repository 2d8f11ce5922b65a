package main

import (
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/ringway/ringway/internal/bench/contest"
)

// What one writes who has a client, a codec, and no cache: the least that a hit takes.

func routerGet(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e)
	return func(keys []string) error {
		data, err := r.Get(background, keys[0]).Bytes()
		if err != nil {
			return err
		}
		p, err := decode(data)
		return check(keys[0], p, err)
	}, err
}

func routerMGet(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouter(e)
	if err != nil {
		return nil, err
	}
	return func(keys []string) error {
		values, err := r.MGet(background, keys...).Result()
		if err != nil {
			return err
		}
		for i, value := range values {
			text, _ := value.(string)
			p, err := decode([]byte(text))
			if err := check(keys[i], p, err); err != nil {
				return err
			}
		}
		return nil
	}, countCommands(e)
}

func ringPipeline(e *contest.Environment) (contest.Operation, error) {
	ring, err := newGoRedisRing(e)
	if err != nil {
		return nil, err
	}
	return func(keys []string) error {
		pipe := ring.Pipeline()
		commands := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			commands[i] = pipe.Get(background, key)
		}
		if _, err := pipe.Exec(background); err != nil {
			return err
		}
		for i, command := range commands {
			data, err := command.Bytes()
			if err != nil {
				return err
			}
			p, err := decode(data)
			if err := check(keys[i], p, err); err != nil {
				return err
			}
		}
		return nil
	}, countCommands(e)
}

// rueidisLocal keeps replies in this process; the servers tell it of changes.
func rueidisLocal(e *contest.Environment) (contest.Operation, error) {
	addrs, err := redisServers(e)
	if err != nil {
		return nil, err
	}
	byRing, err := contest.NewRing()
	if err != nil {
		return nil, err
	}
	clients := make([]rueidis.Client, len(addrs))
	for i, addr := range addrs {
		clients[i], err = rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{addr}, ForceSingleClient: true, ConnWriteTimeout: contest.Patience,
		})
		if err != nil {
			return nil, err
		}
		e.OnClose(func() error { clients[i].Close(); return nil })
	}
	read := func(keys []string) error {
		c := clients[byRing.OwnerIndex(keys[0])]
		data, err := c.DoCache(background, c.B().Get().Key(keys[0]).Cache(), life).AsBytes()
		if err != nil {
			return err
		}
		p, err := decode(data)
		return check(keys[0], p, err)
	}
	return read, all(read)
}

// all reads every key once, so that a local level has it.
func all(read contest.Operation) error {
	keys := contest.Keys()
	for i := range keys {
		if err := read(keys[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func otterGet(e *contest.Environment) (contest.Operation, error) {
	return otterOf(e, &otter.Options[string, card]{MaximumSize: 2 * contest.KeyCount})
}

// otterBounded is bounded as our first level is: by bytes and by time.
func otterBounded(e *contest.Environment) (contest.Operation, error) {
	return otterOf(e, &otter.Options[string, card]{
		MaximumWeight:    firstLevel.MaxBytes,
		Weigher:          func(string, card) uint32 { return 350 }, // about what ours says of a card
		ExpiryCalculator: otter.ExpiryWriting[string, card](time.Duration(firstLevel.TTL)),
	})
}

func otterOf(e *contest.Environment, options *otter.Options[string, card]) (contest.Operation, error) {
	c, err := otter.New(options)
	if err != nil {
		return nil, err
	}
	e.OnClose(func() error { c.StopAllGoroutines(); return nil })
	for _, key := range contest.Keys() {
		c.Set(key, cardOf(key))
	}
	return func(keys []string) error {
		value, found := c.GetIfPresent(keys[0])
		return checkCard(keys[0], value, found)
	}, nil
}
