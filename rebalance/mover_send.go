package rebalance

import (
	"context"
	"time"
)

// asideParcels bounds how many parcels for a slow receiver are kept while others go
// to the rest: some 20,000 keys, or 1,000 where few a second may move. What is found
// beyond that is left to the next pass, as long as there are others.
const asideParcels = 64

// quickWithin is for how long the walk goes on without room for a slow receiver's keys
// since the last of another one's. Then nobody is held up by waiting; to go on would be to
// walk over all keys again and again for the sake of a few.
const quickWithin = time.Second

// send moves a batch beside the walk, once there is room and the limits allow it.
func (p *pass) send(ctx context.Context, batch *parcel) error {
	if slow := p.slow(batch); slow != nil {
		p.sendAside(ctx, batch, slow)
		return ctx.Err()
	}
	p.quick = time.Now()
	select {
	case p.lanes <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.admit(ctx, batch); err != nil {
		<-p.lanes
		return err
	}
	p.flying.Go(func() {
		defer func() { <-p.lanes }()
		p.deliver(ctx, batch)
	})
	return nil
}

// admit waits for the limits and for Resume.
func (p *pass) admit(ctx context.Context, batch *parcel) error {
	if err := p.h.m.pacer.wait(ctx); err != nil {
		return err
	}
	if err := p.h.m.gate.pass(ctx); err != nil {
		return err
	}
	p.h.m.pacer.spend(len(batch.keys), 0, p.h.pulse.now())
	return nil
}

// slow returns the receiver of a batch that answers slowly, nil if there is none,
// or none that it would hold up.
func (p *pass) slow(batch *parcel) *receiver {
	if len(p.h.receivers) == 1 {
		return nil
	}
	for _, r := range batch.to {
		if r.pulse.now() < 1 {
			return r
		}
	}
	return nil
}

// roomAside takes a place among the parcels for a slow receiver. It waits for one only if
// no other receiver is held up by that.
func (p *pass) roomAside(ctx context.Context, slow *receiver) bool {
	select {
	case slow.aside <- struct{}{}:
		return true
	default:
	}
	if time.Since(p.quick) < quickWithin {
		return false
	}
	select {
	case slow.aside <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// sendAside moves a batch while no other one goes to that slow receiver: it keeps
// none of the lanes from others, and the walk does not wait for it.
func (p *pass) sendAside(ctx context.Context, batch *parcel, slow *receiver) {
	if !p.roomAside(ctx, slow) {
		for _, f := range batch.keys {
			p.skip(f.Key)
		}
		p.h.reuse(batch)
		return
	}
	p.flying.Go(func() {
		defer func() { <-slow.aside }()
		select {
		case slow.turn <- struct{}{}:
			defer func() { <-slow.turn }()
		case <-ctx.Done():
			return
		}
		if p.admit(ctx, batch) == nil {
			p.deliver(ctx, batch)
		}
	})
}
