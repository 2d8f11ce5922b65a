package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/memcache"
)

// Inspector is a Store that tells of what it keeps more than Get does, and changes no
// lease by that. On Memcached it leaves no trace at all; Redis has no way to read a value
// that is none for the order of evictions.
type Inspector interface {
	// Inspect returns what is under each of the keys, in their order, in one
	// round trip to each node.
	Inspect(ctx context.Context, keys []string) []Inspected
}

// Inspected is what lies under one key.
type Inspected struct {
	Entry Entry         // its Value is nil if there is no entry but something else
	Other bool          // something else: a lease, a hold-off, a counter, or nothing of this package
	Size  int64         // bytes of the value as the store has it
	TTL   time.Duration // until its end; 0: it has none, and stays for ever
	Err   error         // ErrMiss, or that of the node

	// Foreign: it is Other, and neither a lease nor a hold-off. So a counter is, where
	// counters lie; in the place of an entry it is what somebody else has written.
	Foreign bool
}

// Inspect is Inspector.Inspect.
func (m *Memory) Inspect(_ context.Context, keys []string) []Inspected {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Inspected, len(keys))
	for i, key := range keys {
		c := m.at(key)
		if c == nil {
			all[i].Err = ErrMiss
			continue
		}
		all[i].TTL, all[i].Size = time.Until(c.ends), int64(len(c.value))
		if all[i].Other = c.kind != cellValue; !all[i].Other {
			all[i].Entry = c.entry()
		}
	}
	return all
}

// Inspect is Inspector.Inspect. Values of more than 16 MB are not read.
func (r *Redis) Inspect(ctx context.Context, keys []string) []Inspected {
	type asked struct {
		ttl   *redis.DurationCmd
		size  *redis.IntCmd
		value *redis.StringCmd
	}
	pipe, replies := r.client.Pipeline(), make([]asked, len(keys))
	for i, key := range keys {
		replies[i] = asked{pipe.PTTL(ctx, key), pipe.StrLen(ctx, key), pipe.GetRange(ctx, key, 0, maxInspected)}
	}
	_, _ = pipe.Exec(ctx) // what failed is told by each reply
	all := make([]Inspected, len(keys))
	for i, q := range replies {
		all[i] = inspectedRedis(q.ttl, q.size, q.value)
	}
	return all
}

const maxInspected = 16 << 20

func inspectedRedis(ttl *redis.DurationCmd, size *redis.IntCmd, value *redis.StringCmd) (in Inspected) {
	left, err := ttl.Result()
	switch {
	case err != nil:
		in.Err = err
		return in
	case left == -2: // go-redis passes -1 and -2 on as they are
		in.Err = ErrMiss
		return in
	case left > 0:
		in.TTL = left
	}
	var said redis.Error
	if err := size.Err(); err != nil && !errors.As(err, &said) {
		in.Err = err
		return in
	}
	in.Size = size.Val()
	data, err := value.Bytes()
	if err == nil {
		in.Entry, err = redisEntry(data)
	}
	in.Other = err != nil
	in.Foreign = in.Other && !(len(data) == cellHeader && (cellKind(data[0]) == cellLease || cellKind(data[0]) == cellHoldOff))
	return in
}

// Inspect is Inspector.Inspect.
func (m *Memcached) Inspect(ctx context.Context, keys []string) []Inspected {
	all := make([]Inspected, len(keys))
	atOnce(len(keys), func(i int) {
		resp, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: keys[i], Return: look, NoBump: true})
		switch {
		case err != nil:
			all[i].Err = err
			return
		case !resp.Found():
			all[i].Err = ErrMiss
			return
		}
		all[i].Size = int64(len(resp.Value))
		all[i].TTL = max(0, resp.TTL)
		all[i].Entry, err = memcachedEntry(resp.Value)
		all[i].Other = err != nil
		kind, _, _ := memcachedCell(resp.Value)
		all[i].Foreign = all[i].Other && len(resp.Value) > 0 && !(kind == cellHoldOff && len(resp.Value) == memcachedHeader)
	})
	return all
}
