package main

import (
	"github.com/redis/rueidis"

	"github.com/ringway/ringway/internal/bench/contest"
)

// rueidisGet shards clients of rueidis by our ring. multiplex is its
// PipelineMultiplex: 0 for the default, which is up to four connections by the
// number of processors, -1 for one connection to each server.
func rueidisGet(e *contest.Environment, multiplex int) (contest.Operation, error) {
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
			InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true,
			PipelineMultiplex: multiplex, ConnWriteTimeout: contest.Patience,
		})
		if err != nil {
			return nil, err
		}
		e.OnClose(func() error { clients[i].Close(); return nil })
	}
	return func(keys []string) error {
		c := clients[byRing.OwnerIndex(keys[0])]
		value, err := c.Do(background, c.B().Get().Key(keys[0]).Build()).ToString()
		return check(keys[0], value, err)
	}, nil
}
