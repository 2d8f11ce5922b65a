package router

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

var hashSteps = []step{
	{"HSET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HSet(ctx, "h", "a", 1, "b", "two", "c", 3.5).Result())
	}},
	{"HSET of a map", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HSet(ctx, "h", map[string]any{"d": true, "a": 10}).Result())
	}},
	{"HGET", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.HGet(ctx, "h", "b").Result()) }},
	{"HGET of nothing", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.HGet(ctx, "h", "z").Result()) }},
	{"HMGET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HMGet(ctx, "h", "a", "z", "c").Result())
	}},
	{"HGETALL", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.HGetAll(ctx, "h").Result()) }},
	{"HGETALL into a struct", func(ctx context.Context, c redis.UniversalClient) gave {
		var v struct {
			A int     `redis:"a"`
			B string  `redis:"b"`
			C float64 `redis:"c"`
			D bool    `redis:"d"`
		}
		err := c.HGetAll(ctx, "h").Scan(&v)
		return of(v, err)
	}},
	{"HINCRBY", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HIncrBy(ctx, "h", "a", 5).Result())
	}},
	{"HINCRBYFLOAT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HIncrByFloat(ctx, "h", "c", 0.25).Result())
	}},
	{"HSETNX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HSetNX(ctx, "h", "a", 1).Result())
	}},
	{"HEXISTS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HExists(ctx, "h", "a").Result())
	}},
	{"HLEN", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.HLen(ctx, "h").Result()) }},
	{"HKEYS", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.HKeys(ctx, "h").Result())
	}},
	{"HVALS", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.HVals(ctx, "h").Result())
	}},
	{"HSTRLEN", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HStrLen(ctx, "h", "b").Result())
	}},
	{"HSCAN", func(ctx context.Context, c redis.UniversalClient) gave {
		fields, cursor, err := c.HScan(ctx, "h", 0, "", 100).Result()
		slices.Sort(fields)
		return of(fmt.Sprint(fields, cursor), err)
	}},
	{"HDEL", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.HDel(ctx, "h", "a", "z").Result())
	}},
}

var listSteps = []step{
	{"RPUSH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.RPush(ctx, "{list}a", "a", "b", "c", "d", "b").Result())
	}},
	{"LPUSH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LPush(ctx, "{list}a", "z").Result())
	}},
	{"LRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LRange(ctx, "{list}a", 0, -1).Result())
	}},
	{"LINDEX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LIndex(ctx, "{list}a", 2).Result())
	}},
	{"LSET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LSet(ctx, "{list}a", 1, "A").Result())
	}},
	{"LINSERT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LInsertBefore(ctx, "{list}a", "c", "bc").Result())
	}},
	{"LPOS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LPos(ctx, "{list}a", "b", redis.LPosArgs{Rank: 2}).Result())
	}},
	{"LREM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LRem(ctx, "{list}a", 1, "b").Result())
	}},
	{"LTRIM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LTrim(ctx, "{list}a", 0, 4).Result())
	}},
	{"LLEN", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.LLen(ctx, "{list}a").Result()) }},
	{"LPOP", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.LPop(ctx, "{list}a").Result()) }},
	{"RPOP some", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.RPopCount(ctx, "{list}a", 2).Result())
	}},
	{"LMOVE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LMove(ctx, "{list}a", "{list}b", "left", "right").Result())
	}},
	{"RPOPLPUSH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.RPopLPush(ctx, "{list}a", "{list}b").Result())
	}},
	{"BLPOP", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BLPop(ctx, time.Minute, "{list}none", "{list}b").Result())
	}},
	{"BLMOVE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BLMove(ctx, "{list}b", "{list}c", "left", "left", time.Minute).Result())
	}},
	{"LMPOP", func(ctx context.Context, c redis.UniversalClient) gave {
		key, values, err := c.LMPop(ctx, "left", 5, "{list}b", "{list}c").Result()
		return of(fmt.Sprint(key, values), err)
	}},
	{"BRPOP that ends", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BRPop(ctx, 10*time.Millisecond, "{list}none").Result())
	}},
	{"SORT", func(ctx context.Context, c redis.UniversalClient) gave {
		c.RPush(ctx, "{list}s", 3, 1, 2)
		return of(c.Sort(ctx, "{list}s", &redis.Sort{Order: "DESC"}).Result())
	}},
	{"SORT … STORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SortStore(ctx, "{list}s", "{list}t", &redis.Sort{}).Result())
	}},
	{"SORT by other keys", func(ctx context.Context, c redis.UniversalClient) gave {
		c.MSet(ctx, "{list}w1", 30, "{list}w2", 10, "{list}w3", 20)
		return of(c.Sort(ctx, "{list}s", &redis.Sort{By: "{list}w*", Get: []string{"{list}w*", "#"}}).Result())
	}},
}

var setSteps = []step{
	{"SADD", func(ctx context.Context, c redis.UniversalClient) gave {
		c.SAdd(ctx, "{set}b", "b", "c", "x")
		return of(c.SAdd(ctx, "{set}a", "a", "b", "c", "a").Result())
	}},
	{"SCARD", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.SCard(ctx, "{set}a").Result()) }},
	{"SISMEMBER", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SIsMember(ctx, "{set}a", "a").Result())
	}},
	{"SMISMEMBER", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SMIsMember(ctx, "{set}a", "a", "z").Result())
	}},
	{"SMEMBERS", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.SMembers(ctx, "{set}a").Result())
	}},
	{"SMEMBERS as a map", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SMembersMap(ctx, "{set}a").Result())
	}},
	{"SINTER", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.SInter(ctx, "{set}a", "{set}b").Result())
	}},
	{"SINTERCARD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SInterCard(ctx, 0, "{set}a", "{set}b").Result())
	}},
	{"SUNION", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.SUnion(ctx, "{set}a", "{set}b").Result())
	}},
	{"SDIFF", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.SDiff(ctx, "{set}a", "{set}b").Result())
	}},
	{"SUNIONSTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SUnionStore(ctx, "{set}u", "{set}a", "{set}b").Result())
	}},
	{"SMOVE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SMove(ctx, "{set}a", "{set}b", "a").Result())
	}},
	{"SREM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SRem(ctx, "{set}b", "x", "y").Result())
	}},
	{"SPOP", func(ctx context.Context, c redis.UniversalClient) gave {
		return unordered(c.SPopN(ctx, "{set}b", 10).Result())
	}},
	{"SSCAN", func(ctx context.Context, c redis.UniversalClient) gave {
		var members []string
		it := c.SScan(ctx, "{set}u", 0, "*", 10).Iterator()
		for it.Next(ctx) {
			members = append(members, it.Val())
		}
		return unordered(members, it.Err())
	}},
}
