package router

import (
	"context"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// getAndChange is a get that touches the item, or may lease it.
func (p spot) getAndChange(ctx context.Context, r memcache.GetRequest) (memcache.Response, error) {
	for range spotAttempts {
		look, err := p.look(ctx)
		if err != nil {
			return memcache.Response{}, err
		}
		if look.Tombstone {
			resp, again, err := p.lease(ctx, r, look)
			if again {
				continue
			}
			return resp, err
		}
		resp, after, err := p.sendGet(ctx, r)
		if err != nil || !after.Tombstone {
			if resp.Pending && p.given == p.n && p.givenCAS == after.CAS {
				resp.Won, resp.Pending = true, false
			}
			return only(resp, r.Return), err
		}
		// It was buried in between, and now has the life of the item.
		if _, err := p.bury(ctx, transit.Closed); err != nil {
			return memcache.Response{}, err
		}
	}
	return memcache.Response{}, errRestless
}

// lease leases a tombstone, as a miss would be, for as long as a tombstone may stay. It
// stays what it is for everybody else. again says that it is another one by now.
func (p spot) lease(ctx context.Context, r memcache.GetRequest, look transit.MemcachedLook) (resp memcache.Response, again bool, err error) {
	life, wanted := r.Vivify.TTL()
	if !wanted {
		return missOf(r), false, nil
	}
	if look.Leased {
		r.Touch, r.RecacheBelow = memcache.Expiry{}, 0
		resp, after, err := p.sendGet(ctx, r)
		if err == nil && after.Tombstone {
			if !after.Leased {
				return memcache.Response{}, true, nil
			}
			resp.Pending, resp.ClientFlags = true, 0
		}
		return only(resp, r.Return), false, err
	}
	life = min(life, transit.TombstoneLife)
	mark := memcache.SetRequest{Key: p.key, EncodeKey: p.encode, ClientFlags: look.Kind.LeasedFlags(), TTL: life, CompareCAS: look.CAS,
		Return: memcache.ReturnCAS, Opaque: r.Opaque}
	err = p.ask(ctx, "ms", func(ctx context.Context, c transit.Memcached) (err error) {
		resp, err = c.Client.MetaSet(ctx, mark)
		return err
	})
	if err != nil || resp.Status != memcache.StatusOK {
		return memcache.Response{}, err == nil, err
	}
	return emptyLease(r, p.key, resp.CAS, life), false, nil
}

// emptyLease is what a server says to the one that it gives a missing item to make.
func emptyLease(r memcache.GetRequest, key string, cas uint64, life time.Duration) memcache.Response {
	resp := memcache.Response{Status: memcache.StatusOK, Won: true, CAS: cas, Opaque: r.Opaque}
	if r.Return&memcache.ReturnValue != 0 {
		resp.Status, resp.Value = memcache.StatusValue, []byte{}
	}
	if r.Return&memcache.ReturnTTL != 0 {
		resp.TTL = life
	}
	if r.Return&memcache.ReturnKey != 0 {
		resp.Key = key
	}
	return only(resp, r.Return)
}

// endLease ends the lease of a tombstone, unless that has changed meanwhile. The one who
// has it gives it back: the tombstone stays what it was. A delete leaves a closed one, and
// has found nothing. After the transition the tombstone goes as well: no copy is on its
// way any more, and it would stay for longer than anybody looks for one.
func (p spot) endLease(ctx context.Context, r memcache.DeleteRequest, look transit.MemcachedLook) (resp memcache.Response, ended bool, err error) {
	kind, deletes := look.Kind, r.CompareCAS == 0
	if deletes {
		kind = transit.Closed
	}
	if p.s.moving.underWay() {
		err = p.ask(ctx, "ms", func(ctx context.Context, c transit.Memcached) (err error) {
			resp, err = c.Client.MetaSet(ctx, memcache.SetRequest{Key: p.key, EncodeKey: p.encode, CompareCAS: look.CAS,
				ClientFlags: kind.Flags(), TTL: transit.TombstoneLife, Opaque: r.Opaque})
			return err
		})
	} else {
		r.CompareCAS = look.CAS
		err = p.ask(ctx, "md", func(ctx context.Context, c transit.Memcached) (err error) {
			resp, err = c.Client.MetaDelete(ctx, r)
			return err
		})
	}
	if ended = err == nil && resp.Status == memcache.StatusOK; ended && deletes {
		resp.Status = memcache.StatusNotFound
	}
	return resp, ended, err
}
