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
	probes  []dataserver.Server
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
		probe, err := dataserver.Open(server)
		if err != nil {
			c.close()
			return nil, &holdup{to: r, err: err}
		}
		c.probes = append(c.probes, probe)
		r.witness = &witness{ask: probe.Identity}
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
	for _, probe := range c.probes {
		_ = probe.Close()
	}
}

// size is not known before a dump: the server's own number has items in it that
// are no more.
func (c *memcachedCarrier) size(context.Context) int64 { return 0 }

// carry implements carrier: see redisCarrier.carry.
func (c *memcachedCarrier) carry(ctx context.Context, p *parcel) ([]fate, int64, error) {
	t := newTrip(make([]fate, len(p.keys)), len(p.keys))
	before, err := witnesses(ctx, p)
	if err != nil {
		return t.fates, 0, err
	}
	values, sent, held, err := c.copy(ctx, p, t)
	if err != nil {
		return t.fates, sent, err
	}
	failpoint.At("mover.stored")
	if p.leave {
		if err := c.remove(ctx, p, t, before, values); err != nil {
			return t.fates, sent, err
		}
	}
	t.end(p.leave)
	return t.fates, sent, held
}

// copy is redisCarrier.copy.
func (c *memcachedCarrier) copy(ctx context.Context, p *parcel, t *trip) (values []transit.MemcachedValue, sent int64, held, err error) {
	names := p.names()
	looks := make([][]transit.MemcachedLook, len(p.to))
	for i, r := range p.to {
		seen, fenced, err := c.targets[r].ReserveFenced(ctx, c.fence, names...)
		if err == nil && !fenced {
			err = errUnfenced
		}
		if err != nil {
			return nil, 0, nil, &holdup{to: r, err: err}
		}
		looks[i] = seen
	}
	failpoint.At("mover.looked")
	if values, err = c.source.TakeAll(ctx, names...); err != nil {
		return nil, 0, nil, err
	}
	failpoint.At("mover.took")
	for i, v := range values {
		t.taken(i, v.State)
	}
	for i, r := range p.to {
		results, err := c.targets[r].StoreAll(ctx, looks[i], values)
		if err != nil {
			return nil, sent, nil, &holdup{to: r, err: err}
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
	return values, sent, held, nil
}

// remove is redisCarrier.remove.
func (c *memcachedCarrier) remove(ctx context.Context, p *parcel, t *trip, before []string, values []transit.MemcachedValue) error {
	if err := stillThere(ctx, p, before); err != nil {
		return err
	}
	results, err := c.source.RemoveAll(ctx, pick(values, t)...)
	if err != nil {
		return err
	}
	failpoint.At("mover.removed")
	t.removed(results)
	return nil
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
