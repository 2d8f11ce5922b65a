package cache

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"
)

// GetMany is Batcher.GetMany.
func (m *Memory) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	for i, key := range keys {
		results[i].Entry, results[i].Err = m.Get(ctx, key)
	}
	return results
}

// LeaseMany is Batcher.LeaseMany.
func (m *Memory) LeaseMany(ctx context.Context, keys []string, r LeaseRequest) []Result {
	results := make([]Result, len(keys))
	for i, key := range keys {
		results[i].Grant, results[i].Err = m.Lease(ctx, key, r)
	}
	return results
}

// StoreMany is Batcher.StoreMany.
func (m *Memory) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	for i, w := range writes {
		results[i].Filled, results[i].Err = storeOne(ctx, m, w)
	}
	return results
}

type leaseStore interface {
	Store
	Leaser
}

// storeOne does one Write of a batch by itself.
func storeOne(ctx context.Context, s leaseStore, w Write) (Filled, error) {
	if w.Lease != nil {
		return s.Fill(ctx, w.Key, *w.Lease, w.Entry)
	}
	stored, err := s.Set(ctx, w.Key, w.Entry)
	switch {
	case err != nil:
		return 0, err
	case stored:
		return Stored, nil
	}
	return Older, nil
}

var errCounter = errors.New("cache: the counter is no number, or beyond 2^63-1")

// Incr is Counter.Incr.
func (m *Memory) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	if err := firstError(ctx.Err(), checkTTL(ttl)); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(key)
	if c == nil {
		c = &cell{kind: cellValue, value: []byte("0"), ends: time.Now().Add(ttl)}
	}
	n, err := strconv.ParseUint(string(c.value), 10, 63)
	if err != nil || delta > math.MaxInt64-n {
		return 0, errCounter
	}
	c.value = strconv.AppendUint(nil, n+delta, 10)
	m.put(key, c)
	return n + delta, nil
}
