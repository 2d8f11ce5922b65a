package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/memcache"
)

// redisNodes is what a *router.Redis has to reach each server.
type redisNodes interface {
	ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *redis.Client) error) error
}

// eachNode calls fn with a store over each single node, of all at the same time; with
// the store itself where its nodes cannot be told apart.
func eachNode(ctx context.Context, store Store, fn func(context.Context, Store) error) error {
	switch s := store.(type) {
	case *Redis:
		if client, has := s.client.(redisNodes); has {
			return client.ForEachNode(ctx, func(ctx context.Context, _ string, node *redis.Client) error { return fn(ctx, OnRedis(node)) })
		}
	case *Memcached:
		if client, has := s.client.(memcachedNodes); has {
			return client.ForEachNode(ctx, func(ctx context.Context, _ string, node *memcache.Client) error { return fn(ctx, OnMemcached(node)) })
		}
	}
	return fn(ctx, store)
}
