package router

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var sortedSetSteps = []step{
	{"ZADD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZAdd(ctx, "{z}a", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2, Member: "b"}, redis.Z{Score: 3, Member: "c"}).Result())
	}},
	{"ZADD GT CH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZAddArgs(ctx, "{z}a", redis.ZAddArgs{GT: true, Ch: true, Members: []redis.Z{{Score: 0, Member: "a"}, {Score: 5, Member: "b"}}}).Result())
	}},
	{"ZINCRBY", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZIncrBy(ctx, "{z}a", 1.5, "a").Result())
	}},
	{"ZSCORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZScore(ctx, "{z}a", "a").Result())
	}},
	{"ZMSCORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZMScore(ctx, "{z}a", "a", "q").Result())
	}},
	{"ZRANK", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRank(ctx, "{z}a", "b").Result())
	}},
	{"ZRANK of nothing", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRank(ctx, "{z}a", "q").Result())
	}},
	{"ZREVRANK", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRevRank(ctx, "{z}a", "b").Result())
	}},
	{"ZRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRange(ctx, "{z}a", 0, -1).Result())
	}},
	{"ZRANGE WITHSCORES", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRangeWithScores(ctx, "{z}a", 0, -1).Result())
	}},
	{"ZRANGEBYSCORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRangeByScore(ctx, "{z}a", &redis.ZRangeBy{Min: "(1", Max: "+inf", Count: 2}).Result())
	}},
	{"ZCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZCount(ctx, "{z}a", "2", "3").Result())
	}},
	{"ZLEXCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZLexCount(ctx, "{z}a", "-", "+").Result())
	}},
	{"ZCARD", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.ZCard(ctx, "{z}a").Result()) }},
	{"ZUNIONSTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		c.ZAdd(ctx, "{z}b", redis.Z{Score: 10, Member: "b"}, redis.Z{Score: 20, Member: "x"})
		return of(c.ZUnionStore(ctx, "{z}u", &redis.ZStore{Keys: []string{"{z}a", "{z}b"}, Weights: []float64{1, 2}}).Result())
	}},
	{"ZINTER", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZInterWithScores(ctx, &redis.ZStore{Keys: []string{"{z}a", "{z}b"}, Aggregate: "MAX"}).Result())
	}},
	{"ZDIFF", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZDiff(ctx, "{z}a", "{z}b").Result())
	}},
	{"ZRANGESTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRangeStore(ctx, "{z}r", redis.ZRangeArgs{Key: "{z}a", Start: 0, Stop: 1}).Result())
	}},
	{"ZPOPMIN", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.ZPopMin(ctx, "{z}a").Result()) }},
	{"BZPOPMAX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BZPopMax(ctx, time.Minute, "{z}none", "{z}a").Result())
	}},
	{"ZMPOP", func(ctx context.Context, c redis.UniversalClient) gave {
		key, members, err := c.ZMPop(ctx, "max", 2, "{z}none", "{z}u").Result()
		return of(fmt.Sprint(key, members), err)
	}},
	{"ZREMRANGEBYSCORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRemRangeByScore(ctx, "{z}u", "-inf", "+inf").Result())
	}},
	{"ZREM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ZRem(ctx, "{z}b", "b", "q").Result())
	}},
}
