package memcache

import (
	"context"
	"fmt"
	"time"
)

// Get returns the item under the key, with value, flags and CAS, or
// ErrCacheMiss.
//
// An item that was marked as stale is returned like any other, and to the first
// caller the server then says that it is the one to renew it; who wants to know
// uses MetaGet.
func (c *Client) Get(ctx context.Context, key string) (Item, error) {
	return c.getItem(ctx, GetRequest{Key: key, Return: itemReturns})
}

const itemReturns = ReturnValue | ReturnFlags | ReturnCAS

// GetAndTouch is Get, and gives the item the time to live ttl.
func (c *Client) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (Item, error) {
	return c.getItem(ctx, GetRequest{Key: key, Return: itemReturns, Touch: ExpireIn(ttl)})
}

func (c *Client) getItem(ctx context.Context, r GetRequest) (Item, error) {
	resp, err := c.MetaGet(ctx, r)
	if err != nil {
		return Item{}, err
	}
	if resp.Status == StatusMiss {
		return Item{}, ErrCacheMiss
	}
	return itemOf(r.Key, &resp), nil
}

func itemOf(key string, resp *Response) Item {
	return Item{Key: key, Value: resp.Value, Flags: resp.ClientFlags, CAS: resp.CAS}
}

// GetMulti returns the items under those of the keys that are there. With an
// error, the map holds what was got all the same, and a key that is missing
// from it may or may not be on the server; if a key is malformed, nothing was
// sent and the map is nil.
func (c *Client) GetMulti(ctx context.Context, keys []string) (map[string]Item, error) {
	requests := make([]GetRequest, len(keys))
	for i, key := range keys {
		requests[i] = GetRequest{Key: key, Return: itemReturns}
	}
	results, err := c.MetaGetMulti(ctx, requests)
	if results == nil && err != nil {
		return nil, err
	}
	items := make(map[string]Item, len(results))
	for i := range results {
		if r := &results[i]; r.Err == nil && r.Found() {
			items[keys[i]] = itemOf(keys[i], &r.Response)
		}
	}
	return items, err
}

// Touch gives the item the time to live ttl. ErrCacheMiss: it is not there.
func (c *Client) Touch(ctx context.Context, key string, ttl time.Duration) error {
	resp, err := c.MetaGet(ctx, GetRequest{Key: key, Touch: ExpireIn(ttl)})
	if err == nil && resp.Status == StatusMiss {
		return ErrCacheMiss
	}
	return err
}

// Set stores the item, whether the key is there or not.
func (c *Client) Set(ctx context.Context, item Item) error { return c.store(ctx, item, ModeSet) }

// Add stores the item if the key is not there. ErrNotStored: it is.
func (c *Client) Add(ctx context.Context, item Item) error { return c.store(ctx, item, ModeAdd) }

// Replace stores the item if the key is there. ErrNotStored: it is not.
func (c *Client) Replace(ctx context.Context, item Item) error {
	return c.store(ctx, item, ModeReplace)
}

// Append puts the item's value behind the one that is there, whose flags and
// time to live stay as they are. ErrNotStored: there is none.
func (c *Client) Append(ctx context.Context, item Item) error { return c.store(ctx, item, ModeAppend) }

// Prepend is Append in front.
func (c *Client) Prepend(ctx context.Context, item Item) error {
	return c.store(ctx, item, ModePrepend)
}

func (c *Client) store(ctx context.Context, item Item, mode SetMode) error {
	resp, err := c.MetaSet(ctx, setRequest(item, mode))
	if err != nil {
		return err
	}
	return stored(resp.Status)
}

func setRequest(item Item, mode SetMode) SetRequest {
	return SetRequest{Key: item.Key, Value: item.Value, TTL: item.TTL, ClientFlags: item.Flags, Mode: mode}
}

// stored turns the outcome of a set or delete into an error.
func stored(s Status) error {
	switch s {
	case StatusNotStored:
		return ErrNotStored
	case StatusExists:
		return ErrCASConflict
	case StatusNotFound:
		return ErrCacheMiss
	}
	return nil
}

// SetMulti stores all items. The error is the first of those that were not
// stored; MetaSetMulti tells of each. If a key or value cannot be sent, none
// was. Items with the same key are not stored in any particular order.
func (c *Client) SetMulti(ctx context.Context, items []Item) error {
	requests := make([]SetRequest, len(items))
	for i, item := range items {
		requests[i] = setRequest(item, ModeSet)
	}
	_, err := c.MetaSetMulti(ctx, requests)
	return err
}

// CompareAndSwap stores the item if the one on the server still has its CAS.
// ErrCASConflict: it was changed; ErrCacheMiss, which matches ErrNotStored too:
// it is gone. An item without a CAS is refused as ErrInvalidRequest: the server
// would store it without comparing.
func (c *Client) CompareAndSwap(ctx context.Context, item Item) error {
	if err := needCAS(item.CAS); err != nil {
		return err
	}
	r := setRequest(item, ModeSet)
	r.CompareCAS = item.CAS
	resp, err := c.MetaSet(ctx, r)
	if err != nil {
		return err
	}
	if resp.Status == StatusNotFound {
		return errSwapMiss
	}
	return stored(resp.Status)
}

// errSwapMiss matches both: gomemcache documents the one and returns the other.
var errSwapMiss = fmt.Errorf("%w (%w)", ErrCacheMiss, ErrNotStored)

func needCAS(cas uint64) error {
	if cas == 0 {
		return &InputError{Err: ErrInvalidRequest, Field: "CAS", Value: cas, Want: "one that the server has given out"}
	}
	return nil
}

// Delete deletes the item. ErrCacheMiss: it is not there.
func (c *Client) Delete(ctx context.Context, key string) error {
	return c.remove(ctx, DeleteRequest{Key: key})
}

// DeleteCAS deletes the item if it still has this CAS value. ErrCASConflict: it
// was changed; ErrCacheMiss: it is gone. A CAS of 0 is refused.
func (c *Client) DeleteCAS(ctx context.Context, key string, cas uint64) error {
	if err := needCAS(cas); err != nil {
		return err
	}
	return c.remove(ctx, DeleteRequest{Key: key, CompareCAS: cas})
}

func (c *Client) remove(ctx context.Context, r DeleteRequest) error {
	resp, err := c.MetaDelete(ctx, r)
	if err != nil {
		return err
	}
	return stored(resp.Status)
}

// Increment adds delta to the decimal number under the key and returns the sum,
// which wraps around at 2^64. ErrCacheMiss: there is none; ErrClientError: the
// value is not a number.
func (c *Client) Increment(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.count(ctx, ArithmeticRequest{Key: key, Delta: delta})
}

// Decrement subtracts delta, and stops at 0. The server may leave a space
// behind a number that has become shorter, which Get returns.
func (c *Client) Decrement(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.count(ctx, ArithmeticRequest{Key: key, Delta: delta, Decrement: true})
}

// IncrementWithInitial is Increment, and on a miss creates the item with the
// number initial, which it returns, and the time to live ttl. An item that is
// there keeps its time to live. ErrNotStored: another client created it between
// the two.
func (c *Client) IncrementWithInitial(ctx context.Context, key string, delta, initial uint64, ttl time.Duration) (uint64, error) {
	return c.count(ctx, ArithmeticRequest{Key: key, Delta: delta, Initial: initial, Create: ExpireIn(ttl)})
}

// DecrementWithInitial is Decrement, and on a miss what IncrementWithInitial is.
func (c *Client) DecrementWithInitial(ctx context.Context, key string, delta, initial uint64, ttl time.Duration) (uint64, error) {
	return c.count(ctx, ArithmeticRequest{Key: key, Delta: delta, Decrement: true, Initial: initial, Create: ExpireIn(ttl)})
}

func (c *Client) count(ctx context.Context, r ArithmeticRequest) (uint64, error) {
	r.Return = ReturnValue
	resp, err := c.MetaArithmetic(ctx, r)
	if err != nil {
		return 0, err
	}
	if resp.Status != StatusValue {
		return 0, stored(resp.Status)
	}
	n, ok := parseUint(resp.Value, 1<<64-1)
	if !ok {
		return 0, violation("the result of arithmetic is not a number", resp.Value)
	}
	return n, nil
}
