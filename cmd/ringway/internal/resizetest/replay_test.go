package resizetest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// store is a cache as the client sees it.
type store interface {
	get(ctx context.Context, key string) (value string, found bool, err error)
	set(ctx context.Context, key, value string) error
}

const (
	workers = 256           // each with one request under way, at full speed
	segment = 5000          // requests between two looks at the fleet
	life    = 2 * time.Hour // of what is stored: nothing expires by itself
)

// A client reads keys from a store, and what it misses from the database. The
// requests for a key are made by one worker, one after the other, so that nothing
// is loaded twice for want of patience.
type client struct {
	t        testing.TB
	requests requests
	store    store
	at       int      // the next request; from the end it goes on at the beginning
	versions []uint32 // how often each key was loaded: that of the database is the last
	phase    *phase
}

// A phase is what happens between two changes of the fleet.
type phase struct {
	requests int64
	loads    atomic.Int64 // from the database
	again    atomic.Int64 // of these, of keys that had been loaded before
	old      atomic.Int64 // values that had been replaced since by this very client
	errors   atomic.Int64
	cause    atomic.Value // the first error

	moved  int64 // keys in the cache that change owner, by the placements before and after
	movers int64 // keys that the movers have moved
	took   time.Duration
}

func newClient(t testing.TB, all requests, s store) *client {
	return &client{t: t, requests: all, store: s, versions: make([]uint32, len(all.keys)), phase: new(phase)}
}

// run makes requests, n at least, until done holds.
func (c *client) run(n int, done func() bool) *phase {
	c.t.Helper()
	c.phase = new(phase)
	began := time.Now()
	for deadline := began.Add(20 * time.Minute); ; {
		if c.phase.requests >= int64(n) && done() {
			c.phase.took = time.Since(began)
			return c.phase
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the change has not come to its end after %d requests", c.phase.requests)
		}
		some := c.requests.order[c.at:min(c.at+segment, len(c.requests.order))]
		c.at = (c.at + len(some)) % len(c.requests.order)
		c.phase.requests += int64(len(some))
		c.some(some)
	}
}

func (c *client) some(order []uint32) {
	var shares [workers][]uint32
	for _, key := range order {
		shares[key%workers] = append(shares[key%workers], key)
	}
	var work sync.WaitGroup
	for _, share := range shares {
		work.Go(func() {
			for _, key := range share {
				c.request(key)
			}
		})
	}
	work.Wait()
}

func (c *client) request(n uint32) {
	ctx, key := context.Background(), c.requests.keys[n]
	value, found, err := c.store.get(ctx, key)
	if err != nil {
		c.failed(err)
	}
	if found {
		if value != valueOf(key, c.versions[n]) {
			c.phase.old.Add(1)
		}
		return
	}
	c.phase.loads.Add(1)
	if c.versions[n]++; c.versions[n] > 1 {
		c.phase.again.Add(1)
	}
	if err := c.store.set(ctx, key, valueOf(key, c.versions[n])); err != nil {
		c.failed(err)
	}
}

func (c *client) failed(err error) {
	c.phase.errors.Add(1)
	c.phase.cause.CompareAndSwap(nil, err.Error())
}

// cached returns the keys that have been loaded.
func (c *client) cached() (keys []string) {
	for n, version := range c.versions {
		if version > 0 {
			keys = append(keys, c.requests.keys[n])
		}
	}
	return keys
}

// lost counts the keys that were loaded and are not in the store as they were.
func (c *client) lost() (lost int) {
	for n, version := range c.versions {
		value, found, err := c.store.get(c.t.Context(), c.requests.keys[n])
		must(c.t, err)
		if version > 0 && (!found || value != valueOf(c.requests.keys[n], version)) {
			lost++
		}
	}
	return lost
}

// valueOf is what the database has under a key: another value at each load.
func valueOf(key string, version uint32) string {
	return key + " " + strconv.FormatUint(uint64(version), 10) + strings.Repeat(".", 64)
}

func (p *phase) String() string {
	s := fmt.Sprintf("%d requests in %.1f s, %d loads, %d of them again", p.requests, p.took.Seconds(), p.loads.Load(), p.again.Load())
	if n := p.errors.Load(); n > 0 {
		s += fmt.Sprintf(", %d errors, the first: %v", n, p.cause.Load())
	}
	return s
}
