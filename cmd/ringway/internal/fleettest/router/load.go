package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cmd/ringway/internal/fleettest"
	"github.com/ringway/ringway/router"
)

// store is what the two clients have in common.
type store interface {
	get(ctx context.Context, key string) (value string, found bool, err error)
	set(ctx context.Context, key, value string) error
	NodeFor(key string) string
	Epoch() uint64
}

type redisStore struct{ *router.Redis }

func (s redisStore) get(ctx context.Context, key string) (string, bool, error) {
	value, err := s.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	return value, err == nil, err
}

func (s redisStore) set(ctx context.Context, key, value string) error {
	return s.Set(ctx, key, value, 0).Err()
}

type memcachedStore struct{ *router.Memcached }

func (s memcachedStore) get(ctx context.Context, key string) (string, bool, error) {
	item, err := s.Get(ctx, key)
	if errors.Is(err, router.ErrCacheMiss) {
		return "", false, nil
	}
	return string(item.Value), err == nil, err
}

func (s memcachedStore) set(ctx context.Context, key, value string) error {
	return s.Set(ctx, router.Item{Key: key, Value: []byte(value)})
}

const (
	workers = 4
	keys    = 40                    // of each worker
	pause   = 20 * time.Millisecond // between two operations of a worker
)

// load reads and writes, and counts.
type load struct {
	name  string
	store store

	mu    sync.Mutex
	count fleettest.Load // guarded by mu
}

func newLoad(name string, s store) *load {
	return &load{name: name, store: s, count: fleettest.Load{Failures: make(map[string]uint64), Timeouts: make(map[string]uint64)}}
}

// run ends with ctx.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() { l.work(ctx, w) })
	}
	all.Wait()
}

// key is one that this worker alone writes.
type key struct {
	name    string
	last    int          // number written last
	acked   int          // largest number whose write was acknowledged; 0: none
	unknown map[int]bool // numbers whose write failed, and may take effect yet
}

func (l *load) work(ctx context.Context, worker int) {
	mine := make([]key, keys)
	for i := range mine {
		mine[i] = key{name: fmt.Sprintf("%s:%d:%d", l.name, worker, i), unknown: make(map[int]bool)}
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if k := &mine[rand.IntN(keys)]; k.last == 0 || rand.IntN(2) == 0 {
			l.write(ctx, k)
		} else {
			l.read(ctx, k)
		}
	}
}

func (l *load) write(ctx context.Context, k *key) {
	k.last++
	err := l.store.set(ctx, k.name, strconv.Itoa(k.last))
	if err != nil {
		k.unknown[k.last] = true
		l.failed(ctx, err)
		return
	}
	k.acked = k.last
	l.note(func(c *fleettest.Load) { c.Writes++ })
}

func (l *load) read(ctx context.Context, k *key) {
	value, found, err := l.store.get(ctx, k.name)
	if err != nil {
		l.failed(ctx, err)
		return
	}
	n, errNumber := strconv.Atoi(value)
	l.note(func(c *fleettest.Load) {
		c.Reads++
		switch {
		case !found:
			c.Misses++
		case errNumber != nil || n > k.last:
			strange(c, fmt.Sprintf("%s: read %q, of %d writes", k.name, value, k.last))
		case n < k.acked && !k.unknown[n]:
			c.Stale++
			if c.FirstStale == "" {
				c.FirstStale = fmt.Sprintf("%s: read %d after %d was acknowledged; its owner was %s in epoch %d, at %v",
					k.name, n, k.acked, l.store.NodeFor(k.name), l.store.Epoch(), time.Now().Format(time.TimeOnly))
			}
		}
	})
}

func (l *load) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the program ends
	}
	l.note(func(c *fleettest.Load) {
		var of *router.NodeError
		switch {
		case !errors.As(err, &of):
			strange(c, err.Error())
		case of.Timeout() || errors.Is(err, router.ErrBreakerOpen):
			c.Timeouts[of.Node]++
		default:
			c.Failures[of.Node]++
		}
	})
}

func strange(c *fleettest.Load, what string) {
	if len(c.Strange) < mostComplaints {
		c.Strange = append(c.Strange, what)
	}
}

func (l *load) note(how func(*fleettest.Load)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	how(&l.count)
}

// report is a copy of what was counted, and what the ring is now.
func (l *load) report() fleettest.Load {
	epoch, routes := l.store.Epoch(), fleettest.RoutesOf(l.store.NodeFor)
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.count
	c.Epoch, c.Routes = epoch, routes
	c.Failures, c.Timeouts = maps.Clone(c.Failures), maps.Clone(c.Timeouts)
	c.Strange = append([]string(nil), c.Strange...)
	return c
}
