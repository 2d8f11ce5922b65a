package router

import (
	"context"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// Get returns the item under the key, with value, flags and CAS, or
// ErrCacheMiss.
func (m *Memcached) Get(ctx context.Context, key string) (item Item, err error) {
	err = m.on(ctx, key, operation{"get", toRead}, func(ctx context.Context, c *memcache.Client, _ time.Duration) (err error) {
		item, err = c.Get(ctx, key)
		return err
	})
	if len(item.Value) == 0 && err == nil && buried(item) {
		return Item{}, ErrCacheMiss
	}
	return item, err
}

// buried reports a tombstone. Where one may stand an operation knows it; this is
// for a client that has begun after the transition that left it.
func buried(item Item) bool {
	_, is := transit.TombstoneOf(item.Flags, len(item.Value))
	return is
}

// GetAndTouch is Get, and gives the item the time to live ttl, counted as
// Item.TTL is.
func (m *Memcached) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (item Item, err error) {
	err = m.on(ctx, key, operation{"gat", toRead}, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		item, err = c.GetAndTouch(ctx, key, limited(ttl, limit))
		return err
	})
	return item, err
}

// Touch gives the item the time to live ttl, counted as Item.TTL is, or returns
// ErrCacheMiss.
func (m *Memcached) Touch(ctx context.Context, key string, ttl time.Duration) error {
	return m.on(ctx, key, operation{"touch", toAlter}, func(ctx context.Context, c *memcache.Client, limit time.Duration) error {
		return c.Touch(ctx, key, limited(ttl, limit))
	})
}

// store runs an operation that takes an item.
func (m *Memcached) store(ctx context.Context, item Item, op operation, do func(*memcache.Client, context.Context, Item) error) error {
	return m.on(ctx, item.Key, op, func(ctx context.Context, c *memcache.Client, limit time.Duration) error {
		item.TTL = limited(item.TTL, limit)
		return do(c, ctx, item)
	})
}

// Set stores the item, whatever was there.
func (m *Memcached) Set(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"set", toSet}, (*memcache.Client).Set)
}

// Add stores the item if there is none under its key, else ErrNotStored.
func (m *Memcached) Add(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"add", toAlter}, (*memcache.Client).Add)
}

// Replace stores the item if there is one under its key, else ErrNotStored.
func (m *Memcached) Replace(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"replace", toAlter}, (*memcache.Client).Replace)
}

// Append puts the value behind the one that is there, whose flags and time to
// live stay; ErrNotStored if there is none.
func (m *Memcached) Append(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"append", toAlter}, (*memcache.Client).Append)
}

// Prepend is Append in front.
func (m *Memcached) Prepend(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"prepend", toAlter}, (*memcache.Client).Prepend)
}

// CompareAndSwap stores the item if what is there still has the item's CAS, which
// Get has filled in: else ErrCASConflict, and an error that matches ErrNotStored
// and ErrCacheMiss if it is gone. A CAS of 0 is refused.
func (m *Memcached) CompareAndSwap(ctx context.Context, item Item) error {
	return m.store(ctx, item, operation{"cas", toAlter}, (*memcache.Client).CompareAndSwap)
}

// Delete removes the item, or returns ErrCacheMiss. Under Successor, one that
// fails on the owner is done on the next node too, lest the value be read there,
// and has failed all the same: the owner may come back with the value.
func (m *Memcached) Delete(ctx context.Context, key string) error {
	return m.on(ctx, key, operation{"delete", toDelete}, func(ctx context.Context, c *memcache.Client, _ time.Duration) error {
		return c.Delete(ctx, key)
	})
}

// DeleteCAS removes the item if it still has this CAS: else ErrCASConflict, and
// ErrCacheMiss if it is gone. A CAS of 0 is refused.
func (m *Memcached) DeleteCAS(ctx context.Context, key string, cas uint64) error {
	return m.on(ctx, key, operation{"delete", toAlter}, func(ctx context.Context, c *memcache.Client, _ time.Duration) error {
		return c.DeleteCAS(ctx, key, cas)
	})
}

// Increment adds delta to a decimal number and returns the sum, which wraps
// around at 2^64, or ErrCacheMiss. A value that is no number is an error that
// matches memcache.ErrClientError. The time to live stays.
func (m *Memcached) Increment(ctx context.Context, key string, delta uint64) (value uint64, err error) {
	err = m.on(ctx, key, operation{"incr", toAlter}, func(ctx context.Context, c *memcache.Client, _ time.Duration) (err error) {
		value, err = c.Increment(ctx, key, delta)
		return err
	})
	return value, err
}

// Decrement takes delta from a decimal number, down to 0, and returns what is
// left, or ErrCacheMiss.
func (m *Memcached) Decrement(ctx context.Context, key string, delta uint64) (value uint64, err error) {
	err = m.on(ctx, key, operation{"decr", toAlter}, func(ctx context.Context, c *memcache.Client, _ time.Duration) (err error) {
		value, err = c.Decrement(ctx, key, delta)
		return err
	})
	return value, err
}

// IncrementWithInitial is Increment, and on a miss creates the item with the number
// initial, which it returns, and the time to live ttl, counted as Item.TTL is. An
// item that is there keeps its time to live. ErrNotStored: another client created
// it between the two, and nothing was added.
func (m *Memcached) IncrementWithInitial(ctx context.Context, key string, delta, initial uint64, ttl time.Duration) (value uint64, err error) {
	err = m.on(ctx, key, operation{"incr", toAlter}, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		value, err = c.IncrementWithInitial(ctx, key, delta, initial, limited(ttl, limit))
		return err
	})
	return value, err
}

// DecrementWithInitial is Decrement, and on a miss what IncrementWithInitial is.
func (m *Memcached) DecrementWithInitial(ctx context.Context, key string, delta, initial uint64, ttl time.Duration) (value uint64, err error) {
	err = m.on(ctx, key, operation{"decr", toAlter}, func(ctx context.Context, c *memcache.Client, limit time.Duration) (err error) {
		value, err = c.DecrementWithInitial(ctx, key, delta, initial, limited(ttl, limit))
		return err
	})
	return value, err
}
