package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

var errDown = errors.New("down")

// outageStore is memory that can be away, empty again, or slow.
type outageStore struct {
	*Memory
	down                atomic.Bool
	once                atomic.Int64 // how many requests fail from now on
	slow                atomic.Int64 // time.Duration, of a Get
	gets, deletes, sets atomic.Int64 // of them how many came
}

func (o *outageStore) fails() error {
	if o.down.Load() {
		return errDown
	}
	if o.once.Load() > 0 && o.once.Add(-1) >= 0 {
		return errDown
	}
	return nil
}

// empty makes it a store that has just started.
func (o *outageStore) empty() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.cells)
}

func (o *outageStore) Get(ctx context.Context, key string) (Entry, error) {
	o.gets.Add(1)
	if slow := time.Duration(o.slow.Load()); slow > 0 {
		time.Sleep(slow)
	}
	if err := o.fails(); err != nil {
		return Entry{}, err
	}
	return o.Memory.Get(ctx, key)
}

func (o *outageStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	o.sets.Add(1)
	if err := o.fails(); err != nil {
		return false, err
	}
	return o.Memory.Set(ctx, key, e)
}

func (o *outageStore) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	o.deletes.Add(1)
	if err := o.fails(); err != nil {
		return err
	}
	return o.Memory.Delete(ctx, key, below, holdOff)
}

func (o *outageStore) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	if err := o.fails(); err != nil {
		return Grant{}, err
	}
	return o.Memory.Lease(ctx, key, r)
}

func (o *outageStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	if err := o.fails(); err != nil {
		return 0, err
	}
	return o.Memory.Fill(ctx, key, l, e)
}

func (o *outageStore) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	o.gets.Add(1)
	err := o.fails()
	for i, key := range keys {
		if results[i].Err = err; err == nil {
			results[i].Entry, results[i].Err = o.Memory.Get(ctx, key)
		}
	}
	return results
}

func (o *outageStore) LeaseMany(ctx context.Context, keys []string, r LeaseRequest) []Result {
	results := make([]Result, len(keys))
	for i, key := range keys {
		results[i].Grant, results[i].Err = o.Lease(ctx, key, r)
	}
	return results
}
