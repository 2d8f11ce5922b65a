package demo

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// A cache is the sharded client, of either kind.
type cache interface {
	get(ctx context.Context, key string) (value []byte, found bool, err error)
	set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// inspect returns what there is under keys, without a trace.
	inspect(ctx context.Context, keys []string) ([]stored, error)

	epoch() uint64 // of the ring by which requests go
	close() error
}

// stored is what the cache has under a key.
type stored struct {
	found   bool
	value   []byte
	expires time.Time // zero: never
}

// replyTimeout is how long a server may take to answer: so long that a machine
// which is busy with something else does not look like a node that failed. One that
// is killed is noticed at once, since nobody listens at its address.
const replyTimeout = 5 * time.Second

func newCache(ctx context.Context, kind membership.Kind, source membership.Source) (cache, error) {
	cfg := router.Config{Source: source, DrainTimeout: 2 * time.Second,
		Node: router.NodeConfig{DialTimeout: replyTimeout, ReadTimeout: replyTimeout}, Breaker: router.BreakerConfig{SlowCall: replyTimeout}}
	if kind == membership.Memcached {
		client, err := router.NewMemcached(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return memcachedCache{client}, nil
	}
	client, err := router.NewRedis(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return redisCache{client}, nil
}

type redisCache struct{ client *router.Redis }

func (c redisCache) get(ctx context.Context, key string) (value []byte, found bool, err error) {
	value, err = c.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, err
}

func (c redisCache) set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return c.client.Set(ctx, key, value, ttl).Err()
}

func (c redisCache) inspect(ctx context.Context, keys []string) ([]stored, error) {
	pipe := c.client.Pipeline()
	values, times := make([]*redis.StringCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	for i, key := range keys {
		values[i], times[i] = pipe.Get(ctx, key), pipe.PExpireTime(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	out := make([]stored, len(keys))
	for i := range keys {
		value, err := values[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err == nil {
			err = times[i].Err()
		}
		if err != nil {
			return nil, err
		}
		out[i] = stored{found: true, value: value}
		if at := times[i].Val(); at > 0 {
			out[i].expires = time.Unix(0, int64(at))
		}
	}
	return out, nil
}

func (c redisCache) epoch() uint64 { return c.client.Epoch() }
func (c redisCache) close() error  { return c.client.Close() }

type memcachedCache struct{ client *router.Memcached }

func (c memcachedCache) get(ctx context.Context, key string) (value []byte, found bool, err error) {
	item, err := c.client.Get(ctx, key)
	if errors.Is(err, router.ErrCacheMiss) {
		return nil, false, nil
	}
	return item.Value, err == nil, err
}

func (c memcachedCache) set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return c.client.Set(ctx, router.Item{Key: key, Value: value, TTL: ttl})
}

func (c memcachedCache) inspect(ctx context.Context, keys []string) ([]stored, error) {
	out := make([]stored, len(keys))
	errs := make([]error, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() {
			resp, err := c.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnValue | memcache.ReturnTTL, NoBump: true})
			if errs[i] = err; err != nil || !resp.Found() {
				return
			}
			out[i] = stored{found: true, value: resp.Value}
			if resp.TTL > 0 {
				out[i].expires = time.Now().Add(resp.TTL)
			}
		})
	}
	all.Wait()
	return out, errors.Join(errs...)
}

func (c memcachedCache) epoch() uint64 { return c.client.Epoch() }
func (c memcachedCache) close() error  { return c.client.Close() }
