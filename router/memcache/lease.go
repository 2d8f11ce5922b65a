package memcache

import (
	"context"
	"time"
)

// Lease is an item as GetLease found it. At most one of Won and Pending is true.
type Lease struct {
	// Item has the CAS that CompareAndSwap needs. Its value is empty, and its flags are
	// 0, as long as nobody has stored one: if Won or Pending, and not Stale.
	Item Item

	Won     bool // the caller is the one who shall make a new value
	Stale   bool // the value was invalidated: usable by those who can do with an old one
	Pending bool // another caller has won and not stored yet
}

// GetLease is Get for many callers of whom one shall make the value that is
// missing, so that not all of them do. On a miss the server creates an empty item
// that lives for life, which is more than 0. The first caller has won it, and
// stores a value with CompareAndSwap and the CAS of the lease: ErrCASConflict if
// the key was set or invalidated meanwhile, ErrCacheMiss if it was deleted or the
// lease had ended. The others are told that the value is pending.
//
// A value that was invalidated, or with a renewBelow above 0 one that has less
// than that left to live, is given to the first caller as won too, and to the
// others as pending, each time with the old value.
func (c *Client) GetLease(ctx context.Context, key string, life, renewBelow time.Duration) (Lease, error) {
	if life <= 0 {
		return Lease{}, &InputError{Err: ErrInvalidRequest, Field: "life", Value: life, Want: "more than 0"}
	}
	resp, err := c.MetaGet(ctx, GetRequest{Key: key, Return: itemReturns, Vivify: ExpireIn(life), RecacheBelow: renewBelow})
	if err != nil {
		return Lease{}, err
	}
	if resp.Status == StatusMiss { // not with a Vivify
		return Lease{}, ErrCacheMiss
	}
	return Lease{Item: itemOf(key, &resp), Won: resp.Won, Stale: resp.Stale, Pending: resp.Pending}, nil
}

// Invalidate marks the item as stale and lets it live for ttl, counted as Item.TTL
// is: Get still returns it, and the first to ask, with Get or GetLease, has won it.
// Leases given out before are void. ErrCacheMiss: it is not there.
func (c *Client) Invalidate(ctx context.Context, key string, ttl time.Duration) error {
	return c.remove(ctx, DeleteRequest{Key: key, Invalidate: true, TTL: ExpireIn(ttl)})
}
