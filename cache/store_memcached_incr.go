package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// The server's sums go to 2^64-1 and begin again at 0 beyond. What is added without a
// look at the counter is so little that, with all that may be added at the same time, the
// sum still shows when it is beyond 2^63-1.
const mostUnseen = 1 << 31

// Incr is Counter.Incr. What passes 2^63-1 is added by the server and taken back at once:
// others that add meanwhile may be refused too, though less would still fit.
func (m *Memcached) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	if err := checkTTL(ttl); err != nil {
		return 0, err
	}
	switch {
	case delta > math.MaxInt64:
		return 0, errCounter
	case delta > mostUnseen:
		return m.incrSeen(ctx, key, delta, ttl)
	}
	r := memcache.ArithmeticRequest{Key: key, Delta: delta, Initial: delta, Create: memcache.ExpireIn(ttl), Return: memcache.ReturnValue}
	for range 100 {
		resp, err := m.client.MetaArithmetic(ctx, r)
		switch {
		case errors.Is(err, memcache.ErrClientError):
			return 0, fmt.Errorf("%w: %w", errCounter, keyless(err))
		case err != nil:
			return 0, fmt.Errorf("cache: memcached: incr: %w", keyless(err))
		case resp.Status == memcache.StatusNotStored: // created by another meanwhile
			continue
		}
		if n, err := memcachedCount(resp); err == nil {
			return n, nil
		}
		return 0, m.takeBack(ctx, key, delta)
	}
	return 0, fmt.Errorf("cache: memcached: incr: %w", errBusyKey)
}

// memcachedCount reads a counter. The server fills one that has become shorter with blanks.
func memcachedCount(there memcache.Response) (uint64, error) {
	n, err := strconv.ParseUint(string(bytes.TrimRight(there.Value, " ")), 10, 63)
	if err != nil {
		return 0, errCounter
	}
	return n, nil
}

// takeBack undoes what has led beyond 2^63-1.
func (m *Memcached) takeBack(ctx context.Context, key string, delta uint64) error {
	// Also if the caller leaves just now: who comes next finds the counter as it was.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	_, err := m.client.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key, Delta: delta, Decrement: true})
	if err != nil {
		return fmt.Errorf("%w, and stays there until it ends: %w", errCounter, keyless(err))
	}
	return errCounter
}

const takeBackTime = 3 * time.Second

// incrSeen adds so much that the counter has to be looked at first.
func (m *Memcached) incrSeen(ctx context.Context, key string, delta uint64, ttl time.Duration) (sum uint64, err error) {
	var refused error
	err = m.change(ctx, "incr", key, func(there memcache.Response) (memcache.SetRequest, bool) {
		var n uint64
		r := memcache.SetRequest{TTL: ttl}
		if refused = nil; there.Found() {
			n, refused = memcachedCount(there)
			r.TTL = there.TTL
		}
		if refused == nil && delta > math.MaxInt64-n {
			refused = errCounter
		}
		sum = n + delta
		r.Value = strconv.AppendUint(nil, sum, 10)
		return r, refused == nil
	})
	if err = firstError(err, refused); err != nil {
		return 0, err
	}
	return sum, nil
}
