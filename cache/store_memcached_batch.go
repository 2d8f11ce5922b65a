package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ringway/ringway/router"
)

// GetMany is Batcher.GetMany: the client cuts it by node.
func (m *Memcached) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	items, err := m.client.GetMulti(ctx, keys)
	var multi *router.MultiError
	partial := errors.As(err, &multi)
	for i, key := range keys {
		item, found := items[key]
		failed := err
		if partial {
			failed = multi.Keys[key]
		}
		switch {
		case found:
			results[i].Entry, results[i].Err = memcachedEntry(item.Value)
		case failed != nil:
			results[i].Err = fmt.Errorf("cache: memcached: get: %w", keyless(failed))
		default:
			results[i].Err = ErrMiss
		}
	}
	return results
}

// LeaseMany is Batcher.LeaseMany.
func (m *Memcached) LeaseMany(ctx context.Context, keys []string, q LeaseRequest) []Result {
	results := make([]Result, len(keys))
	together(memcachedWidth, len(keys), func(i int) {
		results[i].Grant, results[i].Err = m.Lease(ctx, keys[i], q)
	})
	return results
}

// StoreMany is Batcher.StoreMany.
func (m *Memcached) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	together(memcachedWidth, len(writes), func(i int) {
		results[i].Filled, results[i].Err = storeOne(ctx, m, writes[i])
	})
	return results
}

const (
	batchWidth = 128

	// Of a batch of a Memcached, which takes as many round trips as one key does for each
	// so many keys. A goroutine and a request each is little beside what is written.
	memcachedWidth = 4096
)

// atOnce calls do for 0 to n-1, a number of them at the same time: the client puts
// requests that come together into one packet, and the server answers them so.
func atOnce(n int, do func(i int)) { together(batchWidth, n, do) }

func together(width, n int, do func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, width)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	all.Wait()
}
