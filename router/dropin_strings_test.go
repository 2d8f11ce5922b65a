package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

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
