package router

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

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

// keySteps are about keys as such, and about no key at all.
var keySteps = []step{
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
