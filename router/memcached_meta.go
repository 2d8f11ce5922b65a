package router

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// The Meta methods send one meta command to the node that owns the key, with every
// flag of the protocol as a field. Requests and Responses are those of package
// memcache; an outcome that is no error there is none here. The guard of
// Config.Keys is applied, and the failure policy. With Successor, times to live
// that a request gives are cut to Failure.GutterTTL on the next node.

// MetaGet sends one mg: see memcache.Client.MetaGet. With Vivify or RecacheBelow it
// may win the item, and the failure policy takes it for a write: Miss fails fast,
// and Successor moves it if it was never sent. Else it is a read, and a miss
// (memcache.StatusMiss) with Miss.
func (m *Memcached) MetaGet(ctx context.Context, r memcache.GetRequest) (resp memcache.Response, err error) {
	op := operation{"mg", toRead}
	if r.Vivify != (memcache.Expiry{}) || r.RecacheBelow > 0 {
		op.what = toAlter
	}
	err = m.on(ctx, r.Key, op, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		q := r
		if limit > 0 {
			q.Vivify, q.Touch = r.Vivify.Within(limit), r.Touch.Within(limit)
		}
		resp, err = c.MetaGet(ctx, q)
		return err
	})
	if errors.Is(err, ErrCacheMiss) { // by the failure policy
		return memcache.Response{Status: memcache.StatusMiss}, nil
	}
	return resp, err
}

// MetaSet sends one ms: see memcache.Client.MetaSet. Under Successor one with
// memcache.ModeSet and no CompareCAS moves as Set does, any other only if it was
// never sent.
func (m *Memcached) MetaSet(ctx context.Context, r memcache.SetRequest) (resp memcache.Response, err error) {
	op := operation{"ms", toAlter}
	if r.Mode == memcache.ModeSet && r.CompareCAS == 0 {
		op.what = toSet
	}
	err = m.on(ctx, r.Key, op, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		q := r
		q.TTL = limited(r.TTL, limit)
		resp, err = c.MetaSet(ctx, q)
		return err
	})
	return resp, err
}

// MetaDelete sends one md: see memcache.Client.MetaDelete. Under Successor one
// without CompareCAS is treated as Delete, one with it moves only if it was never
// sent.
func (m *Memcached) MetaDelete(ctx context.Context, r memcache.DeleteRequest) (resp memcache.Response, err error) {
	op := operation{"md", toDelete}
	if r.CompareCAS != 0 {
		op.what = toAlter
	}
	err = m.on(ctx, r.Key, op, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		q := r
		if limit > 0 {
			q.TTL = r.TTL.Within(limit)
		}
		resp, err = c.MetaDelete(ctx, q)
		return err
	})
	if err != nil {
		return memcache.Response{}, err // what the next node answered is not the outcome
	}
	return resp, nil
}

// MetaArithmetic sends one ma: see memcache.Client.MetaArithmetic. Under Successor
// it moves only if it was never sent.
func (m *Memcached) MetaArithmetic(ctx context.Context, r memcache.ArithmeticRequest) (resp memcache.Response, err error) {
	err = m.on(ctx, r.Key, operation{"ma", toAlter}, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		q := r
		if limit > 0 {
			q.Create, q.Touch = r.Create.Within(limit), r.Touch.Within(limit)
		}
		resp, err = c.MetaArithmetic(ctx, q)
		return err
	})
	return resp, err
}

// Lease is what GetLease found: see memcache.Lease.
type Lease = memcache.Lease

// GetLease is Get for many callers of whom one shall make the value that is
// missing, stale, or about to expire, and stores it with CompareAndSwap: see
// memcache.Client.GetLease. The failure policy takes it for a write, as MetaGet
// says.
func (m *Memcached) GetLease(ctx context.Context, key string, life, renewBelow time.Duration) (lease Lease, err error) {
	err = m.on(ctx, key, operation{"mg", toAlter}, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		lease, err = c.GetLease(ctx, key, limited(life, limit), renewBelow)
		return err
	})
	return lease, err
}

// Invalidate marks the item as stale and lets it live for ttl: see
// memcache.Client.Invalidate. The failure policy is applied as by Delete.
func (m *Memcached) Invalidate(ctx context.Context, key string, ttl time.Duration) error {
	return m.on(ctx, key, operation{"md", toDelete}, func(ctx context.Context, c *memcache.Client, limit time.Duration) error {
		return c.Invalidate(ctx, key, limited(ttl, limit))
	})
}
