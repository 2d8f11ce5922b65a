package router

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

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
