package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// Lease is Leaser.Lease.
func (m *Memcached) Lease(ctx context.Context, key string, q LeaseRequest) (Grant, error) {
	if err := checkLease(q); err != nil {
		return Grant{}, err
	}
	if q.Void.cas != 0 {
		if err := m.breakLease(ctx, key, q.Void); err != nil {
			return Grant{}, err
		}
	}
	// One second more: the server's clock ticks once a second, so that an item
	// may end a second early. The holder keeps to q.Life by its own clock.
	epoch := m.epoch()
	r := memcache.GetRequest{Key: key, Return: look, Vivify: memcache.ExpireIn(q.Life + time.Second)}
	if q.Renew {
		r.RecacheBelow = maxTTL // whatever is there: see longest
	}
	resp, err := m.client.MetaGet(ctx, r)
	if err != nil {
		return Grant{}, fmt.Errorf("cache: memcached: lease: %w", keyless(err))
	}
	g := Grant{Lease: Lease{cas: resp.CAS, epoch: epoch, until: time.Now().Add(q.Life)}}
	kind, version, value := memcachedCell(resp.Value)
	if kind == cellValue {
		g.Entry, g.Lease.version = Entry{Version: version, Value: value}, version
	}
	switch {
	case kind == cellHoldOff:
		return Grant{State: HoldOff}, nil
	case resp.Won:
		g.State = Won
	case resp.Pending || kind == cellLease:
		g.State = Pending
	case kind == cellValue && !q.Renew:
		return Grant{State: Hit, Entry: g.Entry}, nil
	default:
		claimed, err := m.claim(ctx, key, resp, q, epoch)
		if claimed.State == Won { // what it has taken away is still known, and nothing older is to follow
			claimed.Entry, claimed.Lease.version = g.Entry, version
		}
		return claimed, err
	}
	return g, nil
}

// claim takes the place of an item that nobody is given to renew, for it is none
// of ours or lives for ever.
func (m *Memcached) claim(ctx context.Context, key string, there memcache.Response, q LeaseRequest, epoch uint64) (Grant, error) {
	resp, err := m.client.MetaSet(ctx, memcache.SetRequest{Key: key, TTL: q.Life + time.Second, CompareCAS: there.CAS, Return: memcache.ReturnCAS})
	if err != nil {
		return Grant{}, fmt.Errorf("cache: memcached: lease: %w", keyless(err))
	}
	if resp.Status != memcache.StatusOK {
		return Grant{State: Pending, Lease: Lease{cas: there.CAS}}, nil // somebody else was faster
	}
	return Grant{State: Won, Lease: Lease{cas: resp.CAS, epoch: epoch, until: time.Now().Add(q.Life)}}, nil
}

// breakLease ends the lease of a holder that is dead. A server never forgets that
// it gave an item to somebody to renew, as long as the item lives: so the same item
// is stored anew. Of several that try one succeeds, and the lease's own CAS is void.
func (m *Memcached) breakLease(ctx context.Context, key string, lease Lease) error {
	there, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: look, NoBump: true})
	if err != nil {
		return fmt.Errorf("cache: memcached: break lease: %w", keyless(err))
	}
	if there.Found() && there.CAS != lease.cas {
		return nil
	}
	there.CAS = lease.cas // also of what is not found: while keys move a lease may be one of a tombstone, which nobody reads
	return m.giveBack(ctx, key, there)
}

// giveBack stores the item as it is, for the time that it has left, or deletes it
// if it is but a lease. It does nothing to one that has changed.
func (m *Memcached) giveBack(ctx context.Context, key string, there memcache.Response) (err error) {
	if len(there.Value) == 0 {
		_, err = m.client.MetaDelete(ctx, memcache.DeleteRequest{Key: key, CompareCAS: there.CAS})
	} else {
		_, err = m.client.MetaSet(ctx, memcache.SetRequest{Key: key, Value: there.Value, TTL: there.TTL, CompareCAS: there.CAS})
	}
	if err != nil {
		return fmt.Errorf("cache: memcached: release: %w", keyless(err))
	}
	return nil
}

// Fill is Leaser.Fill.
func (m *Memcached) Fill(ctx context.Context, key string, lease Lease, e Entry) (Filled, error) {
	if err := checkEntry(e); err != nil {
		return 0, err
	}
	if lease.cas == 0 || !time.Now().Before(lease.until) {
		return Lost, nil
	}
	if lease.epoch != m.epoch() { // where the key does not move the lease still keeps others out
		return Lost, m.Release(ctx, key, lease)
	}
	if e.Version != 0 && e.Version < lease.version {
		return m.fillOlder(ctx, key, lease)
	}
	resp, err := m.client.MetaSet(ctx, memcache.SetRequest{Key: key, Value: memcachedItem(cellValue, e.Version, e.Value), TTL: min(e.TTL, longest), CompareCAS: lease.cas})
	switch {
	case err != nil:
		return 0, fmt.Errorf("cache: memcached: fill: %w", keyless(err))
	case resp.Status != memcache.StatusOK:
		return Lost, nil
	case lease.epoch != m.epoch(): // it may just have reached another server
		if _, err := m.client.MetaDelete(ctx, memcache.DeleteRequest{Key: key}); err != nil {
			return 0, fmt.Errorf("cache: memcached: fill: %w", keyless(err))
		}
		return Lost, nil
	}
	return Stored, nil
}

// fillOlder gives back the lease for a value that is older than the one there.
func (m *Memcached) fillOlder(ctx context.Context, key string, lease Lease) (Filled, error) {
	there, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: look, NoBump: true})
	switch {
	case err != nil:
		return 0, fmt.Errorf("cache: memcached: fill: %w", keyless(err))
	case !there.Found() || there.CAS != lease.cas:
		return Lost, nil
	}
	return Older, m.giveBack(ctx, key, there)
}

// Release is Leaser.Release.
func (m *Memcached) Release(ctx context.Context, key string, lease Lease) error {
	if lease.cas == 0 {
		return nil
	}
	return m.breakLease(ctx, key, lease)
}
