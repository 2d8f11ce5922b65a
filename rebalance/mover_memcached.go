package rebalance

import (
	"context"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// memcachedCarrier moves items between Memcached servers. It is safe for
// concurrent use.
type memcachedCarrier struct {
	h       *handover
	fence   transit.Fence
	source  transit.Memcached
	targets map[*receiver]transit.Memcached
	pulses  []*memcache.Client // of their own: what is asked must not wait for batches
}

func newMemcachedCarrier(h *handover, fence transit.Fence, servers map[string]Server, watch func(*pulse, func(context.Context) error)) (*memcachedCarrier, error) {
	c := &memcachedCarrier{h: h, fence: fence, targets: make(map[*receiver]transit.Memcached)}
	open := func(server Server, p *pulse) (transit.Memcached, error) {
		client, err := dataserver.MemcachedClient(server, lanes)
		if err != nil {
			return transit.Memcached{}, err
		}
		pulse, err := dataserver.MemcachedClient(server, 1)
		if err != nil {
			_ = client.Close()
			return transit.Memcached{}, err
		}
		c.pulses = append(c.pulses, pulse)
		watch(p, pulse.Ping)
		return transit.Memcached{Client: client}, nil
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

func (c *memcachedCarrier) close() {
	_ = c.source.Client.Close()
	for _, to := range c.targets {
		_ = to.Client.Close()
	}
	for _, client := range c.pulses {
		_ = client.Close()
	}
}

// size is not known before a dump: the server's own number has items in it that
// are no more.
func (c *memcachedCarrier) size(context.Context) int64 { return 0 }

// carry implements carrier: see redisCarrier.carry.
func (c *memcachedCarrier) carry(ctx context.Context, p *parcel) ([]fate, int64, error) {
	fates := make([]fate, len(p.keys))
	t := newTrip(fates, len(p.keys))
	names := p.names()
	looks := make([][]transit.MemcachedLook, len(p.to))
	for i, r := range p.to {
		seen, fenced, err := c.targets[r].ReserveFenced(ctx, c.fence, names...)
		if err == nil && !fenced {
			err = errUnfenced
		}
		if err != nil {
			return fates, 0, &holdup{to: r, err: err}
		}
		looks[i] = seen
	}
	failpoint.At("mover.looked")
	values, err := c.source.TakeAll(ctx, names...)
	if err != nil {
		return fates, 0, err
	}
	failpoint.At("mover.took")
	for i, v := range values {
		t.taken(i, v.State)
	}
	var sent int64
	var held error
	for i, r := range p.to {
		results, err := c.targets[r].StoreAll(ctx, looks[i], values)
		if err != nil {
			return fates, sent, &holdup{to: r, err: err}
		}
		var keys, bytes int64
		for k, result := range results {
			closed := looks[i][k].Tombstone && looks[i][k].Kind == transit.Closed
			if t.stored(k, result, closed) {
				keys, bytes = keys+1, bytes+int64(len(values[k].Item.Value))
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
		results, err := c.source.RemoveAll(ctx, pick(values, t)...)
		if err != nil {
			return fates, sent, err
		}
		failpoint.At("mover.removed")
		t.removed(results)
	}
	t.end(p.leave)
	return fates, sent, held
}

// single implements carrier. An item has no parts, and its server does not wait
// for it: it moves like any other, but alone.
func (c *memcachedCarrier) single(ctx context.Context, p *parcel) (fate, int64, error) {
	k := p.keys[0]
	c.h.log.Info("a big key moves", "transition", c.h.transition, "key", k.Key, "bytes", k.Size)
	sent := c.h.m.rec.big(BigKey{Key: k.Key, Type: "item", Bytes: k.Size})
	defer sent(-1)
	fates, bytes, err := c.carry(ctx, p)
	return fates[0], bytes, err
}
