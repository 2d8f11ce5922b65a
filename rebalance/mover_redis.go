package rebalance

import (
	"context"
	"errors"
	"slices"

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
		return transit.Redis{Client: client, Lines: transit.NewLines(client)}, nil
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
		r.witness = &witness{ask: c.targets[r].Lines.Process}
	}
	return c, nil
}

func (c *redisCarrier) close() {
	closeRedis(c.source)
	for _, to := range c.targets {
		closeRedis(to)
	}
}

func closeRedis(r transit.Redis) {
	if r.Client != nil {
		r.Lines.Close()
		_ = r.Client.Close()
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
	t := newTrip(make([]fate, len(p.keys)), len(p.keys))
	before, err := witnesses(ctx, p)
	if err != nil {
		return t.fates, 0, err
	}
	values, sent, held, err := c.copy(ctx, p, t)
	if err != nil || values == nil {
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

// copy brings the keys to all receivers. There are no values if nothing is left to
// do. held is what keeps some of the keys here, err what keeps them all.
func (c *redisCarrier) copy(ctx context.Context, p *parcel, t *trip) (values []transit.RedisValue, sent int64, held, err error) {
	names := p.names()
	looks := make([]transit.Looks, len(p.to))
	for i, r := range p.to {
		seen, fenced, err := c.look(ctx, r, p, names)
		if err == nil && !fenced {
			err = errUnfenced
		}
		if err != nil {
			return nil, 0, nil, &holdup{to: r, err: err}
		}
		looks[i] = seen
	}
	failpoint.At("mover.looked")
	if !p.leave && allPresent(looks) {
		for i := range t.fates {
			t.decide(i, settled)
		}
		return nil, 0, nil, nil
	}
	values, process, err := c.take(ctx, p, names)
	if err == nil {
		err = c.sameSource(ctx, p, process)
	}
	if err != nil {
		return nil, 0, nil, err
	}
	failpoint.At("mover.took")
	for i, v := range values {
		t.taken(i, v.State)
	}
	for i, r := range p.to {
		results, err := c.targets[r].StoreFenced(ctx, c.fence, looks[i], lacking(values, looks[i]))
		if err != nil {
			return nil, sent, nil, &holdup{to: r, err: err}
		}
		var keys, bytes int64
		for k, result := range results {
			if result.Outcome == transit.Blocked && c.glances(p) {
				t.decide(k, unread)
			}
			if t.stored(k, result, looks[i].Of(k).Closed(c.fence.Transition)) {
				keys, bytes = keys+1, bytes+int64(len(values[k].Payload))
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

// sameSource fails if the source is another process than when the pass began: what was
// read may be what it has brought from its disk. now is the process that was read; empty:
// it is asked.
func (c *redisCarrier) sameSource(ctx context.Context, p *parcel, now string) (err error) {
	if p.process == "" {
		return nil
	}
	if now == "" {
		now, err = c.source.Lines.Process(ctx)
	}
	if err == nil && now != p.process {
		err = errSourceRestarted
	}
	return err
}

var errSourceRestarted = errors.New("it was restarted in the middle of a pass")

func (c *redisCarrier) take(ctx context.Context, p *parcel, names []string) (values []transit.RedisValue, process string, err error) {
	source, limits := c.source, c.h.m.pacer.get()
	if p.again { // what was not read the first time is rarely short
		source.Lines = nil
	}
	return source.TakeFrom(ctx, transit.Bound{Bytes: limits.BigKeyBytes, Elements: limits.BigKeyElements, Total: batchBytes}, names...)
}

// remove takes from the source what has arrived, if the receivers have it still.
func (c *redisCarrier) remove(ctx context.Context, p *parcel, t *trip, before []string, values []transit.RedisValue) error {
	if err := stillThere(ctx, p, before); err != nil {
		return err
	}
	results, err := c.source.Remove(ctx, pick(values, t)...)
	if err != nil {
		return err
	}
	failpoint.At("mover.removed")
	t.removed(results)
	return nil
}

// look asks a receiver what it has. With one copy of each key it nearly always has
// nothing, neither keys nor tombstones, and storing finds that out by itself: so a
// first look is at the time and the fence alone, and only what is in the way of a
// copy is looked at.
func (c *redisCarrier) look(ctx context.Context, r *receiver, p *parcel, names []string) (transit.Looks, bool, error) {
	to := c.targets[r]
	if c.glances(p) {
		return to.GlanceFenced(ctx, c.fence)
	}
	several := c.h.routes.copies > 1
	looks, fenced, err := to.LookFenced(ctx, c.fence, !p.leave || several, names...)
	if err != nil || !fenced || !several || allPresent([]transit.Looks{looks}) {
		return looks, fenced, err
	}
	return looks, true, lookEach(ctx, to.Client, names, looks)
}

// lookEach notes of each key whether it is there.
func lookEach(ctx context.Context, client *redis.Client, names []string, looks transit.Looks) error {
	there := make([]*redis.IntCmd, len(names))
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, name := range names {
			there[i] = pipe.Exists(ctx, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range looks {
		looks[i].Present = there[i].Val() > 0
	}
	return nil
}

// glances reports whether the keys are not looked at before they are stored. Where
// they stay at the source too, a look spares the reading of what has arrived before;
// where others have copies, the sending of what is there.
func (c *redisCarrier) glances(p *parcel) bool {
	return p.leave && !p.again && c.h.routes.copies == 1
}

// lacking returns the values with those that the receiver has marked as Present:
// they are not sent.
func lacking(values []transit.RedisValue, looks transit.Looks) []transit.RedisValue {
	if !slices.ContainsFunc(looks, func(l transit.RedisLook) bool { return l.Present }) {
		return values
	}
	values = slices.Clone(values)
	for i := range values {
		if looks.Of(i).Present && values[i].State == 0 {
			values[i].State = transit.Present
		}
	}
	return values
}

func allPresent(looks []transit.Looks) bool {
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
	if !slices.Contains(t.arrived, false) {
		return values
	}
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
