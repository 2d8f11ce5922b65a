package cache

import (
	"context"
	"errors"
	"time"
)

// oneByOne is a Batcher over a store that is none.
type oneByOne struct{ leaseStore }

func batcherOf(s Store, l Leaser) Batcher {
	if b, batches := s.(Batcher); batches {
		return b
	}
	return oneByOne{struct {
		Store
		Leaser
	}{s, l}}
}

func (o oneByOne) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	atOnce(len(keys), func(i int) { results[i].Entry, results[i].Err = o.Get(ctx, keys[i]) })
	return results
}

func (o oneByOne) LeaseMany(ctx context.Context, keys []string, r LeaseRequest) []Result {
	results := make([]Result, len(keys))
	atOnce(len(keys), func(i int) { results[i].Grant, results[i].Err = o.Lease(ctx, keys[i], r) })
	return results
}

func (o oneByOne) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	atOnce(len(writes), func(i int) { results[i].Filled, results[i].Err = storeOne(ctx, o.leaseStore, writes[i]) })
	return results
}

// some are places in a batch.
type some []int

// pick returns what a batch has at the places.
func pick[T any](from []T, at some) []T {
	picked := make([]T, len(at))
	for n, i := range at {
		picked[n] = from[i]
	}
	return picked
}

// GetMany implements Batcher, as Get: what the near store does not have is asked of the
// far one, and kept near.
func (t *Tiered) GetMany(ctx context.Context, keys []string) []Result {
	if len(keys) == 0 {
		return nil
	}
	results := t.nearMany.GetMany(ctx, keys)
	var missing some
	for i, r := range results {
		if r.Err != nil && ctx.Err() == nil {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return results
	}
	asking, cancel := t.farFor(ctx)
	defer cancel()
	var keep some
	for n, far := range t.farMany.GetMany(asking, pick(keys, missing)) {
		i := missing[n]
		if far.Err != nil {
			t.failed(far.Err)
			continue
		}
		if errors.Is(results[i].Err, ErrMiss) { // else the near store is away, and the far one serves
			keep = append(keep, i)
		}
		results[i] = far
	}
	t.keepNear(ctx, keys, keep, results)
	return results
}

// keepNear has the near store keep what the far one has. It must have been read under a
// lease: what was read before may have been deleted by now.
func (t *Tiered) keepNear(ctx context.Context, keys []string, keep some, results []Result) {
	if len(keep) == 0 {
		return
	}
	request := LeaseRequest{Life: t.cfg.FarTimeout + time.Second}
	grants := t.LeaseMany(ctx, pick(keys, keep), request)
	atOnce(len(keep), func(n int) {
		i, g := keep[n], grants[n]
		switch {
		case g.Err == nil && g.Grant.State == Hit:
			results[i] = Result{Entry: g.Grant.Entry}
		case g.Err == nil && g.Grant.State == Won:
			_ = t.Release(ctx, keys[i], g.Grant.Lease)
			results[i] = Result{Err: ErrMiss}
		}
	})
}

// LeaseMany implements Batcher, as Lease.
func (t *Tiered) LeaseMany(ctx context.Context, keys []string, request LeaseRequest) []Result {
	results := t.nearMany.LeaseMany(ctx, keys, request)
	var won some
	for i, r := range results {
		if r.Err == nil && r.Grant.State == Won {
			won = append(won, i)
		}
	}
	if len(won) == 0 {
		return results
	}
	asking, cancel := t.farFor(ctx)
	defer cancel()
	var fills []Write
	var filled some
	for n, far := range t.farMany.LeaseMany(asking, pick(keys, won), LeaseRequest{Life: request.Life, Renew: request.Renew}) {
		i := won[n]
		g := &results[i].Grant
		switch {
		case far.Err != nil:
			t.failed(far.Err)
		case far.Grant.State == Won:
			g.Lease.far = &far.Grant.Lease
			if g.Entry.Value == nil {
				g.Entry = far.Grant.Entry
			}
		case far.Grant.State == Hit:
			lease := g.Lease
			fills, filled = append(fills, Write{Key: keys[i], Lease: &lease, Entry: t.shortened(far.Grant.Entry)}), append(filled, i)
			*g = Grant{State: Hit, Entry: far.Grant.Entry}
		}
	}
	if len(fills) == 0 {
		return results
	}
	stored := t.nearMany.StoreMany(ctx, fills)
	atOnce(len(filled), func(n int) {
		if i := filled[n]; stored[n].Err != nil {
			t.failed(stored[n].Err)
		} else if stored[n].Filled == Lost { // deleted meanwhile
			results[i].Grant, results[i].Err = t.Lease(ctx, keys[i], request)
		}
	})
	return results
}

// StoreMany implements Batcher, as Fill and Set: the far store first.
func (t *Tiered) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	near := make([]Write, len(writes))
	far := make([]Write, 0, len(writes))
	var inFar, inNear, refused some
	for i, w := range writes {
		near[i] = Write{Key: w.Key, Lease: w.Lease, Entry: t.shortened(w.Entry)}
		if w.Lease != nil && w.Lease.far == nil {
			inNear = append(inNear, i)
			continue
		}
		if w.Lease != nil {
			lease := *w.Lease
			lease.far = nil
			near[i].Lease, w.Lease = &lease, w.Lease.far
		}
		far, inFar = append(far, w), append(inFar, i)
	}
	if len(far) > 0 {
		for n, r := range t.farMany.StoreMany(ctx, far) {
			i := inFar[n]
			fill := writes[i].Lease != nil
			if t.failed(r.Err); r.Err == nil && r.Filled == Stored || fill && r.Err != nil {
				inNear = append(inNear, i)
			} else {
				results[i], refused = r, append(refused, i)
			}
		}
	}
	atOnce(len(refused), func(n int) { t.refuse(ctx, near[refused[n]], &results[refused[n]]) })
	if len(inNear) > 0 {
		for n, r := range t.nearMany.StoreMany(ctx, pick(near, inNear)) {
			results[inNear[n]] = r
		}
	}
	for _, w := range writes {
		if w.Lease == nil {
			t.tell(w.Key)
		}
	}
	return results
}

// refuse has the near store follow the far one, which has taken no entry.
func (t *Tiered) refuse(ctx context.Context, near Write, result *Result) {
	if near.Lease != nil {
		t.failed(t.nearest.Release(ctx, near.Key, *near.Lease))
		return
	}
	if err := t.deleteNear(ctx, near.Key, AnyVersion, 0); err != nil {
		result.Err = errors.Join(result.Err, err)
	}
}
