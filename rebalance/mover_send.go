package rebalance

import "context"

// asideParcels bounds how many parcels for a slow receiver are kept while others go
// to the rest: some 20,000 keys. What is found beyond that is left to the next pass.
const asideParcels = 64

// send moves a batch beside the walk, once there is room and the limits allow it.
func (p *pass) send(ctx context.Context, batch *parcel) error {
	if slow := p.slow(batch); slow != nil {
		p.sendAside(ctx, batch, slow)
		return ctx.Err()
	}
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

// sendAside moves a batch while no other one goes to that slow receiver: it keeps
// none of the lanes from others, and the walk does not wait for it.
func (p *pass) sendAside(ctx context.Context, batch *parcel, slow *receiver) {
	select {
	case slow.aside <- struct{}{}:
	default:
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
