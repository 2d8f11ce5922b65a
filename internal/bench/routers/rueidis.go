package main

import (
	"github.com/redis/rueidis"
)

// rueidisGet shards clients of rueidis by our ring. multiplex is its
// PipelineMultiplex: 0 for the default, which is up to four connections by the
// number of processors, -1 for one connection to each server.
func rueidisGet(e *environment, multiplex int) (operation, error) {
	addrs, err := e.redisServers()
	if err != nil {
		return nil, err
	}
	byRing, err := newRing()
	if err != nil {
		return nil, err
	}
	clients := make([]rueidis.Client, len(addrs))
	for i, addr := range addrs {
		clients[i], err = rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true,
			PipelineMultiplex: multiplex, ConnWriteTimeout: patience,
		})
		if err != nil {
			return nil, err
		}
		e.onClose(func() error { clients[i].Close(); return nil })
	}
	return func(keys []string) error {
		c := clients[byRing.OwnerIndex(keys[0])]
		value, err := c.Do(background, c.B().Get().Key(keys[0]).Build()).ToString()
		return check(keys[0], value, err)
	}, nil
}
