package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// store is what the two clients have in common.
type store interface {
	get(ctx context.Context, key string) (version int64, err error) // 0: nothing
	set(ctx context.Context, key string, version int64, ttl time.Duration) error
	remove(ctx context.Context, key string) error
	count(ctx context.Context, key string) (int64, error)
	left(ctx context.Context, key string) (time.Duration, error) // 0: nothing
}

type redisStore struct{ *router.Redis }

// field is where the keys that are hashes have their version.
const field = "version"

func (s redisStore) get(ctx context.Context, key string) (int64, error) {
	get := s.Get
	if isHash(key) {
		get = func(ctx context.Context, key string) *redis.StringCmd { return s.HGet(ctx, key, field) }
	}
	version, err := get(ctx, key).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return version, err
}

func (s redisStore) set(ctx context.Context, key string, version int64, ttl time.Duration) error {
	if isHash(key) {
		return s.HSet(ctx, key, field, version).Err()
	}
	return s.Set(ctx, key, version, ttl).Err()
}

func (s redisStore) remove(ctx context.Context, key string) error { return s.Del(ctx, key).Err() }

func (s redisStore) count(ctx context.Context, key string) (int64, error) {
	return s.Incr(ctx, key).Result()
}

func (s redisStore) left(ctx context.Context, key string) (time.Duration, error) {
	ttl, err := s.PTTL(ctx, key).Result()
	return max(ttl, 0), err
}

type memcachedStore struct{ *router.Memcached }

func (s memcachedStore) get(ctx context.Context, key string) (int64, error) {
	item, err := s.Get(ctx, key)
	if errors.Is(err, router.ErrCacheMiss) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(item.Value), 10, 64)
}

func (s memcachedStore) set(ctx context.Context, key string, version int64, ttl time.Duration) error {
	return s.Set(ctx, router.Item{Key: key, Value: strconv.AppendInt(nil, version, 10), TTL: ttl})
}

func (s memcachedStore) remove(ctx context.Context, key string) error {
	if err := s.Delete(ctx, key); !errors.Is(err, router.ErrCacheMiss) {
		return err
	}
	return nil
}

func (s memcachedStore) count(ctx context.Context, key string) (int64, error) {
	n, err := s.Increment(ctx, key, 1)
	if errors.Is(err, router.ErrCacheMiss) {
		return 1, s.set(ctx, key, 1, 0)
	}
	return int64(n), err
}

func (s memcachedStore) left(ctx context.Context, key string) (time.Duration, error) {
	item, err := s.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnTTL})
	return item.TTL, err
}
