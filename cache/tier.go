package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// TieredConfig is how two stores are made one. The zero value is the default.
type TieredConfig struct {
	// NearTTL is how long the near store keeps what it has before the far one is
	// asked again: so old may a value be there that another region has changed and
	// the Bus has not told of. 0 means 1 min.
	NearTTL time.Duration

	// FarTimeout is how long a read of the far store may take; 0 means 500 ms. What
	// fails or takes longer is a miss.
	FarTimeout time.Duration

	// Bus tells other regions' near stores what is changed in this one, and the
	// other way round. It belongs to this store alone, apart from ManagerConfig.Bus,
	// and all processes of all regions are on it. nil: NearTTL has to do.
	Bus Bus

	// OnError is told of errors of the far store that were taken for misses, and of
	// changes elsewhere that the near store could not be told, without keys as
	// ManagerConfig.OnError is. nil: nobody is.
	OnError func(error)
}

// Tiered is a Store of two: a near one, of a region, before a far one that all regions
// share. Reads ask the near one, then the far one, and then the loader; what is found
// far is kept near. Writes and deletes go to both, and fail if one does.
//
// Who loads is decided in the near store, by its leases: one process in a region. The
// far one is filled under a lease of its own, for which nobody waits: so what one
// region has deleted no other fills again with what it was loading at the time.
//
// A hold-off (LifeConfig.HoldOff) of other regions counts in the far store alone. It is a
// Batcher; a Tagger if the far store is one, and a Scanner if both are. The versions of
// tags are far, with copies near: while the far store is away entries with tags are hits
// for NearTTL at most, and nothing with tags is stored; and after a tag was invalidated
// each region loads for itself. Patterns and EraseTag go through the far store and the
// near one of this region: what is in those of others alone ends with NearTTL.
type Tiered struct {
	near, far       Store
	nearest, remote Leaser

	nearMany, farMany Batcher

	cfg TieredConfig

	stop   context.CancelFunc
	work   sync.WaitGroup
	forget chan string // keys that other regions have changed
}

const (
	tierSpace = "tier:" // of a Change: and the key behind it
	tierQueue = 4096
)

// NewTiered returns a Store of two that are Leasers. Both stay the caller's, and must
// stay open until the Tiered is closed, which is to be after its managers.
func NewTiered(near, far Store, cfg TieredConfig) (*Tiered, error) {
	if err := firstError(checkStore("near", near), checkStore("far", far), checkBus("Bus", cfg.Bus)); err != nil {
		return nil, err
	}
	t := &Tiered{near: near, far: far, cfg: cfg, forget: make(chan string, tierQueue)}
	var leases [2]bool
	t.nearest, leases[0] = near.(Leaser)
	t.remote, leases[1] = far.(Leaser)
	switch {
	case !leases[0]:
		return nil, configError("near", fmt.Sprintf("%T", near), "a store that is a Leaser")
	case !leases[1]:
		return nil, configError("far", fmt.Sprintf("%T", far), "a store that is a Leaser")
	case cfg.NearTTL < 0 || cfg.NearTTL > maxTTL:
		return nil, configError("NearTTL", cfg.NearTTL, "0 to 30 days")
	case cfg.FarTimeout < 0 || cfg.FarTimeout > time.Hour:
		return nil, configError("FarTimeout", cfg.FarTimeout, "0 to 1 h")
	}
	t.nearMany, t.farMany = batcherOf(near, t.nearest), batcherOf(far, t.remote)
	setDefault(&t.cfg.NearTTL, time.Minute)
	setDefault(&t.cfg.FarTimeout, 500*time.Millisecond)
	ctx, stop := context.WithCancel(context.Background())
	if t.stop = stop; cfg.Bus != nil {
		t.work.Go(func() { t.failed(cfg.Bus.Run(ctx, tierListener{t})) })
		t.work.Go(func() { t.follow(ctx) })
	}
	return t, nil
}

// Close tells other regions what is still queued. The stores stay open.
func (t *Tiered) Close() error {
	t.stop()
	t.work.Wait()
	return nil
}

func (t *Tiered) failed(err error) {
	if err != nil && !errors.Is(err, ErrMiss) && t.cfg.OnError != nil {
		t.cfg.OnError(fmt.Errorf("cache: tiers: %w", keyless(err)))
	}
}

// farFor returns a context for a read of the far store.
func (t *Tiered) farFor(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.cfg.FarTimeout)
}

// shortened is an entry as the near store has it.
func (t *Tiered) shortened(e Entry) Entry {
	if e.TTL <= 0 || e.TTL > t.cfg.NearTTL {
		e.TTL = t.cfg.NearTTL
	}
	return e
}

// Get implements Store.
func (t *Tiered) Get(ctx context.Context, key string) (Entry, error) {
	e, err := t.near.Get(ctx, key)
	if err == nil || ctx.Err() != nil {
		return e, err
	}
	nearErr := err
	asking, cancel := t.farFor(ctx)
	e, err = t.far.Get(asking, key)
	if cancel(); err != nil {
		t.failed(err)
		return Entry{}, nearErr
	}
	if !errors.Is(nearErr, ErrMiss) {
		return e, nil // the near store is away, and the far one serves
	}
	// What is kept near must have been read under a lease: this may have been
	// deleted by now.
	g, err := t.Lease(ctx, key, LeaseRequest{Life: t.cfg.FarTimeout + time.Second})
	switch {
	case err == nil && g.State == Hit:
		return g.Entry, nil
	case err == nil && g.State == Won:
		_ = t.Release(ctx, key, g.Lease)
		return Entry{}, ErrMiss
	}
	return e, nil // somebody else sees to it
}

// Lease implements Leaser: the lease is of the near store. Where it is won and the far
// store has an entry, that is kept near and is a Hit.
func (t *Tiered) Lease(ctx context.Context, key string, request LeaseRequest) (Grant, error) {
	for range 3 {
		g, err := t.nearest.Lease(ctx, key, request)
		if err != nil || g.State != Won {
			return g, err
		}
		asking, cancel := t.farFor(ctx)
		far, err := t.remote.Lease(asking, key, LeaseRequest{Life: request.Life, Renew: request.Renew})
		if cancel(); err != nil {
			t.failed(err)
			return g, nil
		}
		switch far.State {
		case Won:
			g.Lease.far = &far.Lease
			if g.Entry.Value == nil {
				g.Entry = far.Entry
			}
			return g, nil
		case Hit:
			filled, err := t.nearest.Fill(ctx, key, g.Lease, t.shortened(far.Entry))
			if err != nil {
				t.failed(err)
			}
			if err != nil || filled != Lost {
				return Grant{State: Hit, Entry: far.Entry}, nil
			} // else it was deleted meanwhile
		default:
			return g, nil // another region loads it: this one loads for itself, and fills nothing far
		}
	}
	return Grant{State: HoldOff}, nil
}

// Fill implements Leaser. The far store comes first: if its lease is lost, another
// region has changed the key, and nothing is stored.
func (t *Tiered) Fill(ctx context.Context, key string, lease Lease, entry Entry) (Filled, error) {
	if far := lease.far; far != nil {
		lease.far = nil
		filled, err := t.remote.Fill(ctx, key, *far, entry)
		t.failed(err)
		if err == nil && filled != Stored {
			t.failed(t.nearest.Release(ctx, key, lease))
			return filled, nil
		}
	}
	return t.nearest.Fill(ctx, key, lease, t.shortened(entry))
}

// Release implements Leaser.
func (t *Tiered) Release(ctx context.Context, key string, lease Lease) error {
	if far := lease.far; far != nil {
		lease.far = nil
		asking, cancel := t.farFor(ctx)
		t.failed(t.remote.Release(asking, key, *far))
		cancel()
	}
	return t.nearest.Release(ctx, key, lease)
}

// Set implements Store. Where the far store has a newer entry, or fails, the near one
// is to have none.
func (t *Tiered) Set(ctx context.Context, key string, entry Entry) (stored bool, err error) {
	stored, err = t.far.Set(ctx, key, entry)
	if err != nil || !stored {
		return false, errors.Join(err, t.deleteNear(ctx, key, AnyVersion, 0))
	}
	stored, err = t.near.Set(ctx, key, t.shortened(entry))
	t.tell(key)
	return stored, err
}

// Delete implements Store. The far store comes first: what is read of it after the near
// one was deleted is new.
func (t *Tiered) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	err := t.far.Delete(ctx, key, below, holdOff)
	err = errors.Join(err, t.deleteNear(ctx, key, below, holdOff))
	t.tell(key)
	return err
}

// deleteNear deletes from the near store, although the far one may have taken all the
// time that there was.
func (t *Tiered) deleteNear(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
	}
	return t.near.Delete(ctx, key, below, holdOff)
}

// Incr implements Counter: counters are in the far store alone.
func (t *Tiered) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	if c, counts := t.far.(Counter); counts {
		return c.Incr(ctx, key, delta, ttl)
	}
	return 0, ErrUnsupported
}

func (t *Tiered) tell(key string) {
	if t.cfg.Bus != nil {
		t.cfg.Bus.Tell(Change{Space: tierSpace + key, Key: [16]byte{}})
	}
}
