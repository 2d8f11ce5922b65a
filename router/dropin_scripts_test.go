package router

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

var scriptSteps = []step{
	{"EVAL", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.Eval(ctx, "return {KEYS[1], KEYS[2], ARGV[1]}", []string{"{lua}1", "{lua}2"}, "x").Result())
	}},
	{"EVAL without keys", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.EvalRO(ctx, "return 7", nil).Result())
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
