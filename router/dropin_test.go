package router

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
)

// gave is what a call gave: a value and the text of an error.
type gave struct {
	Value any
	Err   string
}

func of[T any](v T, err error) gave {
	if err != nil {
		return gave{v, err.Error()}
	}
	return gave{Value: v}
}

// unordered is of for lists whose order the server does not promise.
func unordered(list []string, err error) gave {
	list = slices.Clone(list)
	slices.Sort(list)
	return of(list, err)
}

type step struct {
	name string
	call func(ctx context.Context, c redis.UniversalClient) gave
}

// Steps build on each other: a table is run from top to bottom on each client.
// They follow the example programs of go-redis by subject, and take what they
// need on one node by a hash tag.

var stringSteps = []step{
	{"SET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Set(ctx, "s:name", "ringway", 0).Result())
	}},
	{"GET", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Get(ctx, "s:name").Result()) }},
	{"GET of nothing", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Get(ctx, "s:none").Result()) }},
	{"SET a number", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Set(ctx, "s:n", 41, 0).Result())
	}},
	{"INCR", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Incr(ctx, "s:n").Result()) }},
	{"INCRBY", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.IncrBy(ctx, "s:n", 8).Result()) }},
	{"DECRBY", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.DecrBy(ctx, "s:n", 50).Result())
	}},
	{"DECR", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Decr(ctx, "s:n").Result()) }},
	{"INCRBYFLOAT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.IncrByFloat(ctx, "s:n", 0.5).Result())
	}},
	{"INCR of a word", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Incr(ctx, "s:name").Result()) }},
	{"APPEND", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Append(ctx, "s:name", "!").Result())
	}},
	{"STRLEN", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.StrLen(ctx, "s:name").Result()) }},
	{"GETRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GetRange(ctx, "s:name", 0, 3).Result())
	}},
	{"SETRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetRange(ctx, "s:name", 4, "WAY").Result())
	}},
	{"SETNX, there", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetNX(ctx, "s:name", 1, 0).Result())
	}},
	{"SETNX, not there", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetNX(ctx, "s:nx", 1, 0).Result())
	}},
	{"SETXX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetXX(ctx, "s:xx", 1, 0).Result())
	}},
	{"SET … GET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetArgs(ctx, "s:name", "new", redis.SetArgs{Get: true}).Result())
	}},
	{"GETSET", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GetSet(ctx, "s:name", "newer").Result())
	}},
	{"GETDEL", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.GetDel(ctx, "s:nx").Result()) }},
	{"MSET over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.MSet(ctx, "m:1", "a", "m:2", "b", "m:3", "c", "m:4", "d", "m:5", "e", "m:6", "f").Result())
	}},
	{"MSET of a map", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.MSet(ctx, map[string]any{"m:7": 7, "m:8": 8, "m:9": 9}).Result())
	}},
	{"MGET over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.MGet(ctx, "m:6", "m:1", "m:none", "m:3", "m:1", "m:7", "m:8").Result())
	}},
	{"MSETNX with a tag", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.MSetNX(ctx, "{m}:1", 1, "{m}:2", 2).Result())
	}},
	{"EXISTS over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Exists(ctx, "m:1", "m:2", "m:3", "m:1", "m:none").Result())
	}},
	{"TOUCH over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Touch(ctx, "m:1", "m:2", "m:3", "m:none").Result())
	}},
	{"DEL over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Del(ctx, "m:1", "m:2", "m:3", "m:none").Result())
	}},
	{"UNLINK over nodes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Unlink(ctx, "m:4", "m:5", "m:6", "m:none").Result())
	}},
	{"LCS with a tag", func(ctx context.Context, c redis.UniversalClient) gave {
		c.MSet(ctx, "{l}1", "ohmytext", "{l}2", "mynewtext")
		return of(c.LCS(ctx, &redis.LCSQuery{Key1: "{l}1", Key2: "{l}2"}).Result())
	}},
	{"bytes", func(ctx context.Context, c redis.UniversalClient) gave {
		c.Set(ctx, "s:\x00\r\n\xff", []byte("\x00\r\n\xff"), 0)
		return of(c.Get(ctx, "s:\x00\r\n\xff").Bytes())
	}},
	{"TYPE", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Type(ctx, "s:name").Result()) }},
	{"Do", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Do(ctx, "get", "s:name").Text())
	}},
	{"Do with bytes", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Do(ctx, []byte("MGET"), []byte("s:name"), []byte("m:7"), []byte("m:9")).StringSlice())
	}},
	{"wrong type", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.LPush(ctx, "s:name", 1).Result())
	}},
}

var expirySteps = []step{
	{"SET with an expiry", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Set(ctx, "e:1", 1, time.Hour).Result())
	}},
	{"EXPIREAT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ExpireAt(ctx, "e:1", time.Unix(4e9, 0)).Result())
	}},
	{"EXPIRETIME", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ExpireTime(ctx, "e:1").Result())
	}},
	{"PEXPIREAT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PExpireAt(ctx, "e:1", time.UnixMilli(4e12+5)).Result())
	}},
	{"PEXPIRETIME", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PExpireTime(ctx, "e:1").Result())
	}},
	{"EXPIRE NX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ExpireNX(ctx, "e:1", time.Hour).Result())
	}},
	{"GETEX", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.GetEx(ctx, "e:1", 0).Result()) }},
	{"PERSIST", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Persist(ctx, "e:1").Result()) }},
	{"TTL without one", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.TTL(ctx, "e:1").Result()) }},
	{"TTL of nothing", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.TTL(ctx, "e:none").Result()) }},
	{"EXPIRE of nothing", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Expire(ctx, "e:none", time.Hour).Result())
	}},
	{"KEEPTTL", func(ctx context.Context, c redis.UniversalClient) gave {
		c.Set(ctx, "e:2", 1, 0)
		c.ExpireAt(ctx, "e:2", time.Unix(4e9, 0))
		c.Set(ctx, "e:2", 2, redis.KeepTTL)
		return of(c.ExpireTime(ctx, "e:2").Result())
	}},
	{"an expiry in the past", func(ctx context.Context, c redis.UniversalClient) gave {
		c.Set(ctx, "e:3", 1, 0)
		c.ExpireAt(ctx, "e:3", time.Unix(1, 0))
		return of(c.Exists(ctx, "e:3").Result())
	}},
}

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

var streamSteps = []step{
	{"XADD", func(ctx context.Context, c redis.UniversalClient) gave {
		for i, v := range []string{"a", "b", "c"} {
			c.XAdd(ctx, &redis.XAddArgs{Stream: "{x}1", ID: fmt.Sprintf("%d-0", i+1), Values: []any{"v", v}})
		}
		return of(c.XAdd(ctx, &redis.XAddArgs{Stream: "{x}2", ID: "1-1", Values: map[string]any{"k": 1}}).Result())
	}},
	{"XLEN", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.XLen(ctx, "{x}1").Result()) }},
	{"XRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XRange(ctx, "{x}1", "-", "+").Result())
	}},
	{"XREVRANGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XRevRangeN(ctx, "{x}1", "+", "-", 2).Result())
	}},
	{"XREAD of one", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XRead(ctx, &redis.XReadArgs{Streams: []string{"{x}1", "1"}, Block: -1}).Result())
	}},
	{"XREAD of two, waiting", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XRead(ctx, &redis.XReadArgs{Streams: []string{"{x}1", "{x}2", "2", "0"}, Block: time.Minute}).Result())
	}},
	{"XREAD that ends", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XRead(ctx, &redis.XReadArgs{Streams: []string{"{x}1", "9"}, Block: 10 * time.Millisecond}).Result())
	}},
	{"XGROUP CREATE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XGroupCreate(ctx, "{x}1", "g", "0").Result())
	}},
	{"XGROUP CREATE again", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XGroupCreate(ctx, "{x}1", "g", "0").Result())
	}},
	{"XREADGROUP", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "me", Streams: []string{"{x}1", ">"}, Count: 2, Block: time.Minute}).Result())
	}},
	{"XPENDING", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XPending(ctx, "{x}1", "g").Result())
	}},
	{"XACK", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XAck(ctx, "{x}1", "g", "1-0", "7-0").Result())
	}},
	{"XCLAIM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XClaim(ctx, &redis.XClaimArgs{Stream: "{x}1", Group: "g", Consumer: "you", Messages: []string{"2-0"}}).Result())
	}},
	{"XINFO GROUPS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XInfoGroups(ctx, "{x}1").Result())
	}},
	{"XDEL", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XDel(ctx, "{x}1", "1-0").Result())
	}},
	{"XTRIM", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.XTrimMaxLen(ctx, "{x}1", 1).Result())
	}},
}

var otherSteps = []step{
	{"GEOADD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoAdd(ctx, "{geo}a",
			&redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
			&redis.GeoLocation{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669}).Result())
	}},
	{"GEODIST", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoDist(ctx, "{geo}a", "Palermo", "Catania", "km").Result())
	}},
	{"GEOHASH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoHash(ctx, "{geo}a", "Palermo").Result())
	}},
	{"GEOPOS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoPos(ctx, "{geo}a", "Palermo", "Rome").Result())
	}},
	{"GEOSEARCH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoSearch(ctx, "{geo}a", &redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 200, RadiusUnit: "km", Sort: "ASC"}).Result())
	}},
	{"GEOSEARCHSTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoSearchStore(ctx, "{geo}a", "{geo}b", &redis.GeoSearchStoreQuery{
			GeoSearchQuery: redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 100, RadiusUnit: "km"}}).Result())
	}},
	{"GEORADIUS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoRadius(ctx, "{geo}a", 15, 37, &redis.GeoRadiusQuery{Radius: 200, Unit: "km", WithDist: true, Sort: "ASC"}).Result())
	}},

	{"PFADD", func(ctx context.Context, c redis.UniversalClient) gave {
		c.PFAdd(ctx, "{pf}2", "c", "d")
		return of(c.PFAdd(ctx, "{pf}1", "a", "b", "c").Result())
	}},
	{"PFCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PFCount(ctx, "{pf}1", "{pf}2").Result())
	}},
	{"PFMERGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PFMerge(ctx, "{pf}3", "{pf}1", "{pf}2").Result())
	}},

	{"SETBIT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetBit(ctx, "{bit}a", 7, 1).Result())
	}},
	{"GETBIT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GetBit(ctx, "{bit}a", 7).Result())
	}},
	{"BITCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitCount(ctx, "{bit}a", &redis.BitCount{Start: 0, End: -1}).Result())
	}},
	{"BITPOS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitPos(ctx, "{bit}a", 1).Result())
	}},
	{"BITFIELD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitField(ctx, "{bit}f", "INCRBY", "u8", 0, 200, "GET", "u4", 0).Result())
	}},
	{"BITOP", func(ctx context.Context, c redis.UniversalClient) gave {
		c.SetBit(ctx, "{bit}b", 3, 1)
		return of(c.BitOpOr(ctx, "{bit}o", "{bit}a", "{bit}b").Result())
	}},

	{"RENAME", func(ctx context.Context, c redis.UniversalClient) gave {
		c.Set(ctx, "{k}1", "v", 0)
		return of(c.Rename(ctx, "{k}1", "{k}2").Result())
	}},
	{"RENAMENX", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.RenameNX(ctx, "{k}2", "{k}3").Result())
	}},
	{"RENAME of nothing", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Rename(ctx, "{k}none", "{k}4").Result())
	}},
	{"COPY", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Copy(ctx, "{k}3", "{k}4", 0, true).Result())
	}},
	{"DUMP and RESTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		dump := c.Dump(ctx, "{k}3").Val()
		c.Restore(ctx, "elsewhere", 0, dump)
		return of(c.Get(ctx, "elsewhere").Result())
	}},
	{"OBJECT ENCODING", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ObjectEncoding(ctx, "elsewhere").Result())
	}},
	{"ECHO", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Echo(ctx, "hello").Result()) }},
	{"PING", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.Ping(ctx).Result()) }},
}

var scriptSteps = []step{
	{"EVAL", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Eval(ctx, "return {KEYS[1], KEYS[2], ARGV[1]}", []string{"{lua}1", "{lua}2"}, "x").Result())
	}},
	{"EVAL without keys", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Eval(ctx, "return 7", nil).Result())
	}},
	{"EVAL that fails", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Eval(ctx, "return redis.error_reply('MINE own')", []string{"a"}).Result())
	}},
	{"Script.Run", func(ctx context.Context, c redis.UniversalClient) gave {
		script := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
		for i := range 8 { // on several nodes, none of which knows it
			if err := script.Run(ctx, c, []string{fmt.Sprint("lua:", i)}, i).Err(); err != nil {
				return of("", err)
			}
		}
		return of(script.Run(ctx, c, []string{"lua:7"}, 1).Result())
	}},
	{"SCRIPT LOAD and EVALSHA", func(ctx context.Context, c redis.UniversalClient) gave {
		sha, err := c.ScriptLoad(ctx, "return ARGV[1]").Result()
		for i := range 8 { // wherever the key is
			if err == nil {
				err = c.EvalSha(ctx, sha, []string{fmt.Sprint("lua:", i)}, "x").Err()
			}
		}
		return of(sha, err)
	}},
	{"SCRIPT EXISTS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.ScriptExists(ctx, "098e0f0d1448c0a81dafe820f66d460eb09263da", "none").Result())
	}},
	{"SCRIPT FLUSH", func(ctx context.Context, c redis.UniversalClient) gave { return of(c.ScriptFlush(ctx).Result()) }},
	{"EVALSHA of nothing", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.EvalSha(ctx, "098e0f0d1448c0a81dafe820f66d460eb09263da", []string{"a"}).Result())
	}},
	{"FUNCTION LOAD and FCALL", func(ctx context.Context, c redis.UniversalClient) gave {
		_, err := c.FunctionLoad(ctx, "#!lua name=mine\nredis.register_function('twice', function(keys, args) return 2 * args[1] end)").Result()
		if err != nil {
			return of("", err)
		}
		return of(c.FCall(ctx, "twice", []string{"lua:1"}, 21).Result())
	}},
}

// each returns what the commands of a pipeline gave, and the pipeline itself.
func each(cmds []redis.Cmder, err error) gave {
	var texts []string
	for _, cmd := range cmds {
		texts = append(texts, cmd.String())
	}
	return of(texts, err)
}

var pipelineSteps = []step{
	{"Pipelined", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 20 {
				p.Set(ctx, fmt.Sprint("p:", i), i, 0)
				p.Incr(ctx, fmt.Sprint("p:", i))
			}
			p.MGet(ctx, "p:1", "p:2", "p:3", "p:4", "none")
			p.Del(ctx, "p:10", "p:11", "p:12", "p:13")
			p.Exists(ctx, "p:10", "p:14", "p:15")
			p.Ping(ctx)
			return nil
		}))
	}},
	{"Pipeline with errors", func(ctx context.Context, c redis.UniversalClient) gave {
		p := c.Pipeline()
		p.Set(ctx, "p:word", "word", 0)
		p.Incr(ctx, "p:word")
		p.Get(ctx, "p:none")
		p.Get(ctx, "p:word")
		return each(p.Exec(ctx))
	}},
	{"Pipeline with nothing", func(ctx context.Context, c redis.UniversalClient) gave { return each(c.Pipeline().Exec(ctx)) }},
	{"TxPipelined", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, "{tx}n")
			p.RPush(ctx, "{tx}l", "a", "b")
			p.LRange(ctx, "{tx}l", 0, -1)
			return nil
		}))
	}},
	{"TxPipelined that fails within", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, "{tx}l")
			p.Incr(ctx, "{tx}n")
			return nil
		}))
	}},
	{"Watch", func(ctx context.Context, c redis.UniversalClient) gave {
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "{tx}n").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "{tx}n", n*10, 0); return nil })
			return err
		}, "{tx}n", "{tx}l")
		return of(c.Get(ctx, "{tx}n").Val(), err)
	}},
	{"Watch that loses", func(ctx context.Context, c redis.UniversalClient) gave {
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			c.Incr(ctx, "{tx}n") // somebody else
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "{tx}n", "lost", 0); return nil })
			return err
		}, "{tx}n")
		return of(fmt.Sprint(c.Get(ctx, "{tx}n").Val(), errors.Is(err, redis.TxFailedErr)), err)
	}},
	{"Watch whose function fails", func(ctx context.Context, c redis.UniversalClient) gave {
		return of("", c.Watch(ctx, func(*redis.Tx) error { return errors.New("mine") }, "{tx}n"))
	}},
}

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

var pubSubSteps = []step{
	{"PUBLISH to nobody", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Publish(ctx, "news", 1).Result())
	}},
	{"Subscribe and Publish", func(ctx context.Context, c redis.UniversalClient) gave {
		sub := c.Subscribe(ctx, "news")
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			return of("", err)
		}
		n, err := c.Publish(ctx, "news", "hello").Result()
		if err != nil {
			return of("", err)
		}
		return of(fmt.Sprint(n, <-sub.Channel()), nil)
	}},
	{"PSubscribe and Publish", func(ctx context.Context, c redis.UniversalClient) gave {
		sub := c.PSubscribe(ctx, "news.*")
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			return of("", err)
		}
		n, err := c.Publish(ctx, "news.today", "hello").Result()
		if err != nil {
			return of("", err)
		}
		msg, err := sub.ReceiveMessage(ctx)
		return of(fmt.Sprintf("%d %+v", n, msg), err)
	}},
	{"SSubscribe and SPublish", func(ctx context.Context, c redis.UniversalClient) gave {
		sub := c.SSubscribe(ctx, "shard")
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			return of("", err)
		}
		n, err := c.SPublish(ctx, "shard", "hello").Result()
		if err != nil {
			return of("", err)
		}
		msg, err := sub.ReceiveMessage(ctx)
		return of(fmt.Sprintf("%d %+v", n, msg), err)
	}},
	{"PUBSUB", func(ctx context.Context, c redis.UniversalClient) gave {
		sub := c.Subscribe(ctx, "ps:1", "ps:2", "ps:3", "ps:4", "ps:5")
		defer sub.Close()
		for range 5 {
			if _, err := sub.Receive(ctx); err != nil {
				return of("", err)
			}
		}
		counts, err := c.PubSubNumSub(ctx, "ps:1", "ps:2", "ps:3", "ps:4", "ps:none").Result()
		channels := c.PubSubChannels(ctx, "ps:*").Val()
		slices.Sort(channels)
		return of(fmt.Sprint(counts, channels, c.PubSubNumPat(ctx).Val()), err)
	}},
	{"Channel ends with Close", func(ctx context.Context, c redis.UniversalClient) gave {
		sub := c.Subscribe(ctx, "news")
		ch := sub.Channel()
		sub.Close()
		n := 0
		for range ch {
			n++
		}
		return of(n, nil)
	}},
}

// TestDropIn runs the same calls through a router over four servers, and through
// a plain client of one: nobody can tell the difference.
func TestDropIn(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	single := redis.NewClient(&redis.Options{Addr: servertest.Redis(t).Addr()})
	defer single.Close()
	ctx := t.Context()
	calls := 0
	for _, steps := range [][]step{
		stringSteps, expirySteps, hashSteps, listSteps, setSteps, sortedSetSteps, streamSteps,
		otherSteps, scriptSteps, pipelineSteps, pubSubSteps, fleetSteps,
	} {
		for _, s := range steps {
			if s.name == "FLUSHDB" {
				checkKeysAreAtTheirOwners(t, r, servers)
			}
			want, got := s.call(ctx, single), s.call(ctx, r)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\na client:   %+v\nthe router: %+v", s.name, want, got)
			}
			calls++
		}
	}
	if calls < 150 {
		t.Errorf("%d calls", calls)
	}
}

// checkKeysAreAtTheirOwners asks the servers themselves, so that the calls of
// TestDropIn are known to have been spread.
func checkKeysAreAtTheirOwners(t *testing.T, r *Redis, servers []*servertest.Server) {
	t.Helper()
	for i, s := range servers {
		direct := redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer direct.Close()
		keys, err := direct.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) < 5 {
			t.Errorf("node%d has %d keys, %v", i, len(keys), err)
		}
		for _, key := range keys {
			if owner := r.NodeFor(key); owner != fmt.Sprint("node", i) {
				t.Errorf("%q is on node%d, its owner is %s", key, i, owner)
			}
		}
	}
}

// TestNotOverNodes: calls whose keys are on several nodes and that one server
// would do as a whole. Each names its keys and their owners, and sends nothing.
func TestNotOverNodes(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	a, b := ownedBy(r, "node0", 0), ownedBy(r, "node1", 0)
	both := []string{a, b}
	for name, call := range map[string]func() error{
		"MSETNX":   func() error { return r.MSetNX(ctx, a, 1, b, 2).Err() },
		"RENAME":   func() error { return r.Rename(ctx, a, b).Err() },
		"RENAMENX": func() error { return r.RenameNX(ctx, a, b).Err() },
		"COPY":     func() error { return r.Copy(ctx, a, b, 0, false).Err() },
		"LCS":      func() error { return r.LCS(ctx, &redis.LCSQuery{Key1: a, Key2: b}).Err() },
		"SORT":     func() error { return r.SortStore(ctx, a, b, &redis.Sort{}).Err() },
		"LMOVE":    func() error { return r.LMove(ctx, a, b, "left", "left").Err() },
		//lint:ignore SA1019 the old command is routed like the new one
		"RPOPLPUSH":   func() error { return r.RPopLPush(ctx, a, b).Err() },
		"LMPOP":       func() error { return r.LMPop(ctx, "left", 1, both...).Err() },
		"BLPOP":       func() error { return r.BLPop(ctx, time.Minute, both...).Err() },
		"BLMOVE":      func() error { return r.BLMove(ctx, a, b, "left", "left", time.Minute).Err() },
		"SMOVE":       func() error { return r.SMove(ctx, a, b, "m").Err() },
		"SINTER":      func() error { return r.SInter(ctx, both...).Err() },
		"SINTERCARD":  func() error { return r.SInterCard(ctx, 0, both...).Err() },
		"SUNION":      func() error { return r.SUnion(ctx, both...).Err() },
		"SDIFF":       func() error { return r.SDiff(ctx, both...).Err() },
		"SUNIONSTORE": func() error { return r.SUnionStore(ctx, a, b).Err() },
		"SDIFFSTORE":  func() error { return r.SDiffStore(ctx, a, b).Err() },
		"ZUNIONSTORE": func() error { return r.ZUnionStore(ctx, a, &redis.ZStore{Keys: []string{b}}).Err() },
		"ZINTER":      func() error { return r.ZInter(ctx, &redis.ZStore{Keys: both}).Err() },
		"ZDIFF":       func() error { return r.ZDiff(ctx, both...).Err() },
		"ZRANGESTORE": func() error { return r.ZRangeStore(ctx, a, redis.ZRangeArgs{Key: b, Start: 0, Stop: 1}).Err() },
		"ZMPOP":       func() error { return r.ZMPop(ctx, "min", 1, both...).Err() },
		"BZPOPMIN":    func() error { return r.BZPopMin(ctx, time.Minute, both...).Err() },
		"XREAD": func() error {
			return r.XRead(ctx, &redis.XReadArgs{Streams: []string{a, b, "0", "0"}, Block: -1}).Err()
		},
		"XREADGROUP": func() error {
			return r.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{a, b, ">", ">"}, Block: -1}).Err()
		},
		"GEOSEARCHSTORE": func() error {
			return r.GeoSearchStore(ctx, a, b, &redis.GeoSearchStoreQuery{GeoSearchQuery: redis.GeoSearchQuery{Member: "m", Radius: 1, RadiusUnit: "m"}}).Err()
		},
		"PFCOUNT": func() error { return r.PFCount(ctx, both...).Err() },
		"PFMERGE": func() error { return r.PFMerge(ctx, a, b).Err() },
		"BITOP":   func() error { return r.BitOpAnd(ctx, a, b).Err() },
		"EVAL":    func() error { return r.Eval(ctx, "return 1", both).Err() },
		"EVALSHA": func() error { return r.EvalSha(ctx, strings.Repeat("0", 40), both).Err() },
		"FCALL":   func() error { return r.FCall(ctx, "f", both).Err() },
		"MULTI": func() error {
			_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, a, 1, 0)
				p.Set(ctx, b, 1, 0)
				return nil
			})
			return err
		},
		"WATCH": func() error { return r.Watch(ctx, func(*redis.Tx) error { return errors.New("ran") }, both...) },
	} {
		var crossing *CrossNodeError
		err := call()
		if !errors.As(err, &crossing) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		named := slices.Sorted(slices.Values(crossing.Keys))
		if crossing.Command != name || !slices.Equal(named, slices.Sorted(slices.Values(both))) ||
			!slices.Equal(slices.Sorted(slices.Values(crossing.Nodes)), []string{"node0", "node1"}) {
			t.Errorf("%s: %+v", name, crossing)
		}
	}
	if n, err := r.DBSize(ctx).Result(); n != 0 || err != nil {
		t.Errorf("%d keys were written, %v", n, err)
	}
}
