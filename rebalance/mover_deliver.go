package rebalance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
)

// deliver moves a batch, in as many steps as it takes.
func (p *pass) deliver(ctx context.Context, batch *parcel) {
	alone := func(f dataserver.Found) {
		p.deliverBig(ctx, &parcel{keys: []dataserver.Found{f}, to: batch.to, leave: batch.leave})
	}
	if p.once { // the walk has told the sizes
		big := p.h.m.pacer.get().BigKeyBytes
		batch.keys = slices.DeleteFunc(batch.keys, func(f dataserver.Found) bool {
			if f.Size > big {
				alone(f)
			}
			return f.Size > big
		})
	}
	for len(batch.keys) > 0 && ctx.Err() == nil {
		began := time.Now()
		fates, bytes, err := p.h.carrier.carry(ctx, batch)
		p.note(ctx, batch, fates, bytes, err)
		p.h.m.pacer.spend(0, bytes, p.h.pace())
		var unseen []dataserver.Found
		for i, f := range batch.keys {
			switch fates[i] {
			case unread:
				unseen = append(unseen, f)
			case large:
				alone(f)
			default:
				p.finish(f.Key, fates[i], batch.leave)
			}
		}
		batch = &parcel{keys: unseen, to: batch.to, leave: batch.leave, again: true}
		p.rest(ctx, time.Since(began))
		if len(unseen) > 0 && p.h.m.pacer.wait(ctx) != nil {
			return
		}
	}
}

// rest gives slow servers time, in proportion to what the batch took.
func (p *pass) rest(ctx context.Context, took time.Duration) {
	if pace := p.h.pace(); pace < 1 {
		_ = rest(ctx, min(time.Duration(float64(took)*(1/pace-1)), longestRest))
	}
}

// deliverBig moves one key, while no other big one moves.
func (p *pass) deliverBig(ctx context.Context, single *parcel) {
	select {
	case p.h.turn <- struct{}{}:
		defer func() { <-p.h.turn }()
	case <-ctx.Done():
		return
	}
	if p.h.m.gate.pass(ctx) != nil || p.h.m.pacer.wait(ctx) != nil {
		return
	}
	f, bytes, err := p.h.carrier.single(ctx, single)
	if f == moved {
		p.h.m.rec.do(func() { p.h.m.rec.p.BigKeysMoved++ })
	}
	p.note(ctx, single, []fate{f}, bytes, err)
	p.finish(single.keys[0].Key, f, single.leave)
}

// note says what went where, and what held it up.
func (p *pass) note(ctx context.Context, batch *parcel, fates []fate, bytes int64, err error) {
	var keys int64
	for _, f := range fates {
		if f == moved {
			keys++
		}
	}
	if keys > 0 || bytes > 0 {
		p.h.m.rec.moved(keys, bytes)
	}
	if ctx.Err() != nil {
		return
	}
	var u *holdup
	switch {
	case err == nil:
		for _, r := range batch.to {
			p.h.serves(r)
		}
	case errors.As(err, &u):
		p.h.hold(u)
	case errors.Is(err, errSlow):
		p.h.failed("a big key", err)
	default:
		p.h.failed(errSource.Error(), err)
	}
}

// finish takes the fate of a key that was tried.
func (p *pass) finish(key string, f fate, leave bool) {
	if f == moved {
		p.moved.Add(1)
		if !leave {
			p.copied.Add(1)
		}
	}
	p.done(key, f, leave)
}

func (p *pass) done(key string, f fate, leave bool) {
	waiting := int64(0)
	if f == again {
		waiting = 1
		p.left.Add(1)
	}
	p.h.m.rec.settle(1, waiting)
	if p.once && (f != moved || !leave) {
		p.mu.Lock()
		p.staying[p.hash(key)] = struct{}{}
		p.cut = len(p.staying) >= maxStaying
		p.mu.Unlock()
	}
}
