package rebalance

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/transit"
)

// redisConns is how many connections there are to each server at most: one for
// each lane, those of a big key, the pulse, and some to spare.
const redisConns = lanes + 8

// redisCarrier moves keys between Redis servers. It is safe for concurrent use.
type redisCarrier struct {
	h       *handover
	fence   transit.Fence
	source  transit.Redis
	targets map[*receiver]transit.Redis
}

func newRedisCarrier(h *handover, fence transit.Fence, servers map[string]Server, watch func(*pulse, func(context.Context) error)) (*redisCarrier, error) {
	c := &redisCarrier{h: h, fence: fence, targets: make(map[*receiver]transit.Redis)}
	open := func(server Server, p *pulse) (transit.Redis, error) {
		client, err := dataserver.RedisClient(server, redisConns)
		if err != nil {
			return transit.Redis{}, err
		}
		watch(p, func(ctx context.Context) error { return client.Ping(ctx).Err() })
		return transit.Redis{Client: client}, nil
	}
	var err error
	if c.source, err = open(h.m.cfg.Source, h.pulse); err != nil {
		return nil, err
	}
	for id, server := range servers {
		r := h.receivers[id]
		if c.targets[r], err = open(server, r.pulse); err != nil {
			delete(c.targets, r)
			c.close()
			return nil, &holdup{to: r, err: err}
		}
	}
	return c, nil
}

func (c *redisCarrier) close() {
	_ = c.source.Client.Close()
	for _, to := range c.targets {
		_ = to.Client.Close()
	}
}

func (c *redisCarrier) size(ctx context.Context) int64 {
	n, err := c.source.Client.DBSize(ctx).Result()
	if err != nil {
		return -1
	}
	return n
}

// carry implements carrier: look at all receivers, take at the source, store at
// all receivers, remove at the source what all of them have and is unchanged.
func (c *redisCarrier) carry(ctx context.Context, p *parcel) ([]fate, int64, error) {
	fates := make([]fate, len(p.keys))
	names := p.names()
	looks := make([][]transit.RedisLook, len(p.to))
	for i, r := range p.to {
		seen, fenced, err := c.targets[r].LookFenced(ctx, c.fence, !p.leave, names...)
		if err == nil && !fenced {
			err = errUnfenced
		}
		if err != nil {
			return fates, 0, &holdup{to: r, err: err}
		}
		looks[i] = seen
	}
	failpoint.At("mover.looked")
	if !p.leave && allPresent(looks) {
		for i := range fates {
			fates[i] = settled
		}
		return fates, 0, nil
	}
	limits := c.h.m.pacer.get()
	values, err := c.source.TakeWithin(ctx, transit.Bound{
		Bytes: limits.BigKeyBytes, Elements: limits.BigKeyElements, Total: batchBytes}, names...)
	if err != nil {
		return fates, 0, err
	}
	failpoint.At("mover.took")
	t := newTrip(fates, len(p.keys))
	for i, v := range values {
		t.taken(i, v.State)
	}
	var sent int64
	var held error
	for i, r := range p.to {
		results, err := c.targets[r].StoreFenced(ctx, c.fence, looks[i], values)
		if err != nil {
			return fates, sent, &holdup{to: r, err: err}
		}
		var keys, bytes int64
		for k, result := range results {
			if t.stored(k, result, looks[i][k].Closed()) {
				keys, bytes = keys+1, bytes+int64(len(values[k].Payload))
			}
		}
		sent += bytes
		c.h.m.rec.arrived(r.id, keys, bytes)
		if t.refused != nil {
			held, t.refused = &holdup{r, t.refused, keys > 0}, nil
		}
	}
	failpoint.At("mover.stored")
	if p.leave {
		results, err := c.source.Remove(ctx, pick(values, t)...)
		if err != nil {
			return fates, sent, err
		}
		failpoint.At("mover.removed")
		t.removed(results)
	}
	t.end(p.leave)
	return fates, sent, held
}

func allPresent(looks [][]transit.RedisLook) bool {
	for _, list := range looks {
		for _, l := range list {
			if !l.Present {
				return false
			}
		}
	}
	return true
}

// pick returns the values that have arrived everywhere.
func pick[V any](values []V, t *trip) (arrived []V) {
	for i, v := range values {
		if t.arrived[i] {
			arrived = append(arrived, v)
		}
	}
	return arrived
}

// single implements carrier.
func (c *redisCarrier) single(ctx context.Context, p *parcel) (fate, int64, error) {
	b := &bigKey{c: c, p: p, key: p.keys[0].Key}
	var result fate
	err := c.source.Client.Watch(ctx, func(mine *redis.Tx) (err error) {
		result, err = b.move(ctx, mine)
		return err
	}, b.key)
	return result, b.bytes, err
}
