package router

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

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
