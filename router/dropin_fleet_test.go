package router

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

var fleetSteps = []step{
	{"SCAN", func(ctx context.Context, c redis.UniversalClient) gave {
		var keys []string
		it := c.Scan(ctx, 0, "*", 5).Iterator()
		for it.Next(ctx) {
			keys = append(keys, it.Val())
		}
		slices.Sort(keys)
		return of(slices.Compact(keys), it.Err())
	}},
	{"SCAN of a type", func(ctx context.Context, c redis.UniversalClient) gave {
		var keys []string
		it := c.ScanType(ctx, 0, "*", 5, "zset").Iterator()
		for it.Next(ctx) {
			keys = append(keys, it.Val())
		}
		slices.Sort(keys)
		return of(slices.Compact(keys), it.Err())
	}},
	{"KEYS", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.Keys(ctx, "p:*").Result())
	}},
	{"DBSIZE", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.DBSize(ctx).Result()) }},
	{"RANDOMKEY", func(ctx context.Context, c redis.UniversalClient) gave {
		key, err := c.RandomKey(ctx).Result()
		return of(c.Exists(ctx, key).Val(), err)
	}},
	{"CONFIG SET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ConfigSet(ctx, "slowlog-max-len", "200").Result())
	}},
	{"LATENCY RESET", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.LatencyReset(ctx).Result()) }},
	{"COMMAND GETKEYS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.CommandGetKeys(ctx, "MSET", "a", 1, "b", 2).Result())
	}},
	{"FLUSHDB", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.FlushDB(ctx).Result()) }},
	{"RANDOMKEY of nothing", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.RandomKey(ctx).Result()) }},
	{"FLUSHALL", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.FlushAll(ctx).Result()) }},
}
