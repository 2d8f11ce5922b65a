package rebalance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/transit"
)

// carryLimit is how long a batch may take. What is not over by then is of no use to
// the receiver, which throws away what is older than CopyLimit; and where the network
// is cut, what has been sent into it is not waited for any longer.
const carryLimit = 2 * transit.CopyLimit

// deliver moves a batch, in as many steps as it takes.
func (p *pass) deliver(ctx context.Context, batch *parcel) {
	alone := func(f dataserver.Found) {
		p.deliverBig(ctx, &parcel{keys: []dataserver.Found{f}, to: batch.to, leave: batch.leave, process: batch.process})
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
		carried, cancel := context.WithTimeout(ctx, carryLimit)
		fates, bytes, err := p.h.carrier.carry(carried, batch)
		cancel()
		p.note(ctx, batch, fates, bytes, err)
		p.h.m.pacer.spend(0, bytes, p.h.pulse.now())
		var unseen []dataserver.Found
		var t tally
		for i, f := range batch.keys {
			switch fates[i] {
			case unread:
				unseen = append(unseen, f)
			case large:
				alone(f)
			default:
				t.add(fates[i], batch.leave)
				p.stays(f.Key, fates[i], batch.leave)
			}
		}
		p.finish(t)
		p.rest(ctx, time.Since(began), batch.to)
		next := &parcel{keys: unseen, to: slices.Clone(batch.to), leave: batch.leave, again: true, process: batch.process}
		p.h.reuse(batch)
		batch = next
		if len(unseen) > 0 && p.h.m.pacer.wait(ctx) != nil {
			return
		}
	}
}

// rest gives slow servers time, in proportion to what the batch took.
func (p *pass) rest(ctx context.Context, took time.Duration, to []*receiver) {
	if pace := p.h.paceTo(to); pace < 1 {
		_ = pause.For(ctx, min(time.Duration(float64(took)*(1/pace-1)), longestRest))
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
	var t tally
	t.add(f, single.leave)
	p.stays(single.keys[0].Key, f, single.leave)
	p.finish(t)
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

// A tally counts the fates of keys that were tried.
type tally struct{ keys, moved, copied, again int64 }

func (t *tally) add(f fate, leave bool) {
	t.keys++
	switch {
	case f == moved && leave:
		t.moved++
	case f == moved:
		t.moved, t.copied = t.moved+1, t.copied+1
	case f == again:
		t.again++
	}
}

func (p *pass) finish(t tally) {
	p.moved.Add(t.moved)
	p.copied.Add(t.copied)
	p.left.Add(t.again)
	p.h.m.rec.settle(t.keys, t.again)
}

// skip leaves a key to the next pass.
func (p *pass) skip(key string) {
	p.finish(tally{keys: 1, again: 1})
	p.stays(key, again, false)
}

// stays remembers a key that this pass is done with and that is still there.
func (p *pass) stays(key string, f fate, leave bool) {
	if !p.once || f == moved && leave {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.staying[p.hash(key)] = struct{}{}
	p.cut = len(p.staying) >= maxStaying
}
