package router

import (
	"context"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// bring copies the item to the next owner if it is not there and may be: the
// operation is then done to what is there.
func (i *itemMove) bring(ctx context.Context) error {
	to := i.at(i.next)
	for range bringAttempts {
		look, err := to.look(ctx)
		if err != nil || look.Present || look.Tombstone && (look.Kind == transit.Closed || look.Leased) {
			return err
		}
		if !look.Tombstone { // most keys that are missing here are missing there: then no place is kept
			if there, err := i.at(i.now).take(ctx); err != nil || there.State != 0 {
				return err
			}
		}
		outcome, _, err := i.carry(ctx, look)
		if err != nil || outcome == transit.Copied || outcome == transit.Gone {
			return err
		}
	}
	return to.n.fail(ErrNotMoved)
}

// carry copies the item, after a look at the next owner. It returns the CAS that
// it has there. An owner that owes something on the key counts as without it:
// what it has is no longer true.
func (i *itemMove) carry(ctx context.Context, look transit.MemcachedLook) (outcome transit.Outcome, cas uint64, err error) {
	from, to := i.at(i.now), i.at(i.next)
	if from.settle(ctx) != nil {
		return transit.Gone, 0, nil
	}
	if !look.Present && !look.Tombstone {
		err = to.ask(ctx, "ms", func(ctx context.Context, c transit.Memcached) (err error) {
			look, err = c.Reserve(ctx, i.key)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
	}
	v, err := from.take(ctx)
	if err != nil || v.State != 0 {
		return v.State, 0, err
	}
	err = to.ask(ctx, "ms", func(ctx context.Context, c transit.Memcached) (err error) {
		outcome, cas, err = c.Store(ctx, look, v)
		return err
	})
	return outcome, cas, err
}

func (p spot) take(ctx context.Context) (v transit.MemcachedValue, err error) {
	err = p.ask(ctx, "mg", func(ctx context.Context, c transit.Memcached) (err error) {
		v, err = c.Take(ctx, p.key)
		return err
	})
	return v, err
}

// place does what a debt says on a node that was entered, and returns whether an
// item was there.
func (m *Memcached) place(ctx context.Context, s *snapshot[*memcachedNode], n *memcachedNode, d debt) (existed bool, err error) {
	name := "md"
	if d.bury {
		name = "ms"
	}
	err = m.ask(ctx, s, n, operation{name: name}, 1, func(ctx context.Context, c *memcache.Client) (err error) {
		if d.bury {
			server := transit.Memcached{Client: c, EncodeKey: d.encode}
			if d.yields {
				existed, err = server.BuryUnlessClosed(ctx, d.key)
				return err
			}
			existed, err = server.Bury(ctx, d.kind, d.key)
			return err
		}
		resp, err := c.MetaDelete(ctx, memcache.DeleteRequest{Key: d.key, EncodeKey: d.encode})
		existed = resp.Status == memcache.StatusOK
		return err
	})
	return existed, err
}

// payDebt is how the spool pays: as Redis.payDebt. Long after a transition a
// tombstone would also be taken for an item.
func (m *Memcached) payDebt(ctx context.Context, d debt) error {
	s := m.fleet.current.Load()
	if s.placement == nil {
		return ErrNoNodes
	}
	forgives := s.moving.forgives()
	if forgives || s.moving.swept(d.transition) {
		if s.nodes[s.placement.OwnerIndex(d.key)].about.Load().ID != d.node {
			return errForgiven
		}
	}
	d.bury = d.bury && !forgives
	for _, n := range s.all() {
		if n.about.Load().ID != d.node {
			continue
		}
		if n.node.enter() == 0 {
			return n.fail(ErrClosed) // it has just been replaced
		}
		defer n.leave()
		_, err := m.place(ctx, s, n, d)
		return err
	}
	return errForgiven
}
