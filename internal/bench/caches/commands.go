package main

import (
	"context"
	"regexp"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
)

// countCommands counts the reads that the servers are sent, as they count them: one
// MGET is one, however many keys it has.
func countCommands(e *contest.Environment) error {
	addrs, err := redisServers(e)
	if err != nil {
		return err
	}
	clients := make([]*redis.Client, len(addrs))
	for i, addr := range addrs {
		clients[i] = redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: contest.Patience})
		e.OnClose(clients[i].Close)
	}
	e.Count(func() (n int64, err error) {
		for _, c := range clients {
			calls, err := reads(e.Ctx, c)
			if err != nil {
				return 0, err
			}
			n += calls
		}
		return n, nil
	})
	return nil
}

var readCalls = regexp.MustCompile(`(?m)^cmdstat_m?get:calls=(\d+)`)

func reads(ctx context.Context, c *redis.Client) (n int64, err error) {
	text, err := c.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	for _, m := range readCalls.FindAllStringSubmatch(text, -1) {
		calls, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return 0, err
		}
		n += calls
	}
	return n, nil
}
