package router

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// spot is the place of one key on one node, where a tombstone may stand. Its
// operations treat that as if nothing were there, and let it keep copies away.
//
// The server knows nothing of tombstones. So it is looked first what is there, and
// what depends on it is done with the CAS that was seen: if something else has
// come in between nothing is done, and it is looked again.
type spot struct {
	*itemMove
	n *memcachedNode
}

// spotAttempts is how often an operation begins anew since the item was changed
// by others. Each time one of them got on.
const spotAttempts = 64

var errRestless = fmt.Errorf("router: the item is changed by others all the time: %w", memcache.ErrCASConflict)

// ask makes a request to the node.
func (p spot) ask(ctx context.Context, name string, request func(context.Context, transit.Memcached) error) error {
	return p.Memcached.ask(ctx, p.s, p.n, operation{name: name}, 1, func(ctx context.Context, c *memcache.Client) error {
		return request(ctx, transit.Memcached{Client: c, EncodeKey: p.encode})
	})
}

// settle has the node told what it has to be told on the key.
func (p spot) settle(ctx context.Context) error {
	err := p.spool.settle(ctx, p.n.about.Load().ID, p.key)
	var failed *NodeError
	if err != nil && !errors.As(err, &failed) {
		err = p.n.fail(err)
	}
	return err
}

func (p spot) look(ctx context.Context) (look transit.MemcachedLook, err error) {
	err = p.ask(ctx, "mg", func(ctx context.Context, c transit.Memcached) (err error) {
		look, err = c.Look(ctx, p.key)
		return err
	})
	if look.Won {
		p.given, p.givenCAS = p.n, look.CAS
	}
	return look, err
}

func (p spot) bury(ctx context.Context, kind transit.Kind) (existed bool, err error) {
	err = p.ask(ctx, "ms", func(ctx context.Context, c transit.Memcached) (err error) {
		existed, err = c.Bury(ctx, kind, p.key)
		return err
	})
	return existed, err
}

// sendGet sends a request as it is, with what is needed to know a tombstone, and
// tells whether it is one.
func (p spot) sendGet(ctx context.Context, r memcache.GetRequest) (resp memcache.Response, look transit.MemcachedLook, err error) {
	r.Return |= memcache.ReturnFlags | memcache.ReturnCAS
	if r.Return&memcache.ReturnValue == 0 {
		r.Return |= memcache.ReturnSize
	}
	at := time.Now()
	err = p.ask(ctx, p.op.name, func(ctx context.Context, c transit.Memcached) (err error) {
		resp, err = c.Client.MetaGet(ctx, r)
		return err
	})
	return resp, transit.LookOf(at, &resp), err
}

// get is a read. A node that cannot be told what it has to be told counts as
// without the item: the look is zero then.
func (p spot) get(ctx context.Context, r memcache.GetRequest) (memcache.Response, transit.MemcachedLook, error) {
	if p.settle(ctx) != nil {
		return missOf(r), transit.MemcachedLook{}, nil
	}
	resp, look, err := p.sendGet(ctx, r)
	switch {
	case err != nil:
		return memcache.Response{}, look, err
	case look.Tombstone:
		return missOf(r), look, nil
	}
	return only(resp, r.Return), look, nil
}

func missOf(r memcache.GetRequest) memcache.Response {
	return memcache.Response{Status: memcache.StatusMiss, Opaque: r.Opaque}
}

// only takes out of a reply what was not asked for by the caller.
func only(resp memcache.Response, asked memcache.Return) memcache.Response {
	if asked&memcache.ReturnFlags == 0 {
		resp.ClientFlags = 0
	}
	if asked&memcache.ReturnCAS == 0 {
		resp.CAS = 0
	}
	if asked&memcache.ReturnSize == 0 {
		resp.Size = 0
	}
	return resp
}

// set is any set.
func (p spot) set(ctx context.Context, r memcache.SetRequest) (memcache.Response, error) {
	if r.Mode == memcache.ModeSet && r.CompareCAS == 0 {
		return p.sendSet(ctx, r)
	}
	for range spotAttempts {
		if r.Mode == memcache.ModeAdd {
			if resp, err := p.sendSet(ctx, r); err != nil || resp.Status != memcache.StatusNotStored {
				return resp, err
			}
		}
		look, err := p.look(ctx)
		if err != nil {
			return memcache.Response{}, err
		}
		q, outcome := setOver(r, look)
		switch outcome {
		case memcache.StatusNone:
			resp, err := p.sendSet(ctx, q)
			if err != nil || resp.Status == memcache.StatusOK || q.CompareCAS == r.CompareCAS {
				return resp, err
			}
		case again:
		default:
			return memcache.Response{Status: outcome, Opaque: r.Opaque}, nil
		}
	}
	return memcache.Response{}, errRestless
}

// again is no status of the server: look once more.
const again = memcache.Status(255)

// setOver says how a conditional set is to be sent, given what is there, or what
// its outcome is without that.
func setOver(r memcache.SetRequest, look transit.MemcachedLook) (memcache.SetRequest, memcache.Status) {
	buried := look.Tombstone && !look.Leased
	switch {
	case r.Mode == memcache.ModeAdd && buried: // takes the place of the tombstone
		r.Mode, r.CompareCAS = memcache.ModeSet, look.CAS
	case r.Mode == memcache.ModeAdd && look.CAS == 0: // it has gone since
		return r, again
	case r.Mode == memcache.ModeAdd:
		return r, memcache.StatusNotStored
	case r.CompareCAS != 0 && buried:
		return r, memcache.StatusNotFound
	case r.CompareCAS != 0:
	case !look.Present:
		return r, memcache.StatusNotStored
	default:
		r.CompareCAS = look.CAS
	}
	return r, memcache.StatusNone
}

func (p spot) sendSet(ctx context.Context, r memcache.SetRequest) (resp memcache.Response, err error) {
	err = p.ask(ctx, p.op.name, func(ctx context.Context, c transit.Memcached) (err error) {
		resp, err = c.Client.MetaSet(ctx, r)
		return err
	})
	return resp, err
}

// delete is any delete. On a next owner it leaves a tombstone.
func (p spot) delete(ctx context.Context, r memcache.DeleteRequest) (resp memcache.Response, err error) {
	for range spotAttempts {
		look, err := p.look(ctx)
		switch {
		case err != nil:
			return resp, err
		case look.Tombstone && look.Leased && !r.Invalidate && (r.CompareCAS == 0 || r.CompareCAS == look.CAS):
			if resp, ended, err := p.endLease(ctx, r, look); ended || err != nil {
				return resp, err
			}
			continue
		case !look.Present:
			return memcache.Response{Status: memcache.StatusNotFound, Opaque: r.Opaque}, nil
		case r.CompareCAS != 0 && r.CompareCAS != look.CAS:
			return memcache.Response{Status: memcache.StatusExists, Opaque: r.Opaque}, nil
		}
		resp, err := p.sendDelete(ctx, r, look.CAS)
		if err != nil || resp.Status == memcache.StatusOK {
			return resp, err
		}
	}
	return resp, errRestless
}

// sendDelete deletes the item of that CAS. If copies may be under way to this
// node, a tombstone takes its place.
func (p spot) sendDelete(ctx context.Context, r memcache.DeleteRequest, cas uint64) (resp memcache.Response, err error) {
	err = p.ask(ctx, p.op.name, func(ctx context.Context, c transit.Memcached) (err error) {
		if p.moves() && p.n == p.next && !r.Invalidate {
			resp, err = c.Client.MetaSet(ctx, memcache.SetRequest{Key: p.key, EncodeKey: p.encode, CompareCAS: cas,
				ClientFlags: transit.Closed.Flags(), TTL: transit.TombstoneLife, Opaque: r.Opaque})
			return err
		}
		r.CompareCAS = cas
		resp, err = c.Client.MetaDelete(ctx, r)
		return err
	})
	return resp, err
}

// hasChanged reports whether the item has another CAS by now.
func (p spot) hasChanged(ctx context.Context, cas uint64) bool {
	look, err := p.look(ctx)
	return err == nil && look.CAS != cas
}

// arithmetic is any arithmetic.
func (p spot) arithmetic(ctx context.Context, r memcache.ArithmeticRequest) (resp memcache.Response, err error) {
	for range spotAttempts {
		look, err := p.look(ctx)
		if err != nil {
			return resp, err
		}
		life, creates := r.Create.TTL()
		switch {
		case look.Tombstone && creates: // takes the place of the tombstone
			value := strconv.AppendUint(nil, r.Initial, 10)
			resp, err = p.sendSet(ctx, memcache.SetRequest{Key: p.key, EncodeKey: p.encode, Value: value, TTL: life, CompareCAS: look.CAS,
				Return: r.Return & memcache.ReturnCAS, Opaque: r.Opaque})
			if err == nil && resp.Status == memcache.StatusOK && r.Return&memcache.ReturnValue != 0 {
				resp.Status, resp.Value = memcache.StatusValue, value
			}
		case look.Tombstone, !look.Present && !creates:
			return memcache.Response{Status: memcache.StatusNotFound, Opaque: r.Opaque}, nil
		default:
			q := r
			if q.CompareCAS == 0 && look.Present {
				q.CompareCAS = look.CAS
			}
			err = p.ask(ctx, p.op.name, func(ctx context.Context, c transit.Memcached) (err error) {
				resp, err = c.Client.MetaArithmetic(ctx, q)
				return err
			})
			if q.CompareCAS == r.CompareCAS && resp.Status != memcache.StatusNotStored {
				return resp, err
			}
			if errors.Is(err, memcache.ErrClientError) && p.hasChanged(ctx, q.CompareCAS) {
				err = nil // a tombstone is no number, and the server looks at that first
			}
		}
		if err != nil || resp.Found() {
			return resp, err
		}
	}
	return resp, errRestless
}
