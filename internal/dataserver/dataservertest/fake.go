// Package dataservertest has a dataserver.Server that is nothing but a map, for
// tests of what uses one.
package dataservertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// Fake is a data server in memory. It does what the real ones do, at once unless
// told to take its time, and can be told to fail, to hang and to restart. It may
// be used by several goroutines, and inside of a testing/synctest bubble.
type Fake struct {
	kind    membership.Kind
	address string
	prefix  string

	mu       sync.Mutex // guards what follows
	keys     map[string]bool
	health   error         // what every call fails with
	hung     chan struct{} // closed when it goes on; nil: it does not hang
	closed   chan struct{}
	delay    time.Duration
	starts   int
	mark     string
	memory   [2]int64
	counters Counters
}

// Counters are how often something was called, failed calls included.
type Counters struct {
	Probes, Counts, Purges, Sweeps int
}

var _ dataserver.Server = (*Fake)(nil)

// New returns a healthy Fake without keys. Count, Purge and Sweep see the keys
// that begin with prefix.
func New(kind membership.Kind, address, prefix string) *Fake {
	return &Fake{
		kind: kind, address: address, prefix: prefix,
		keys: make(map[string]bool), closed: make(chan struct{}), starts: 1,
	}
}

// Set stores keys.
func (f *Fake) Set(keys ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		f.keys[key] = true
	}
}

// Keys returns the keys that are there, sorted.
func (f *Fake) Keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.keys))
}

// SetHealth makes every call fail with err, such as dataserver.ErrLoading, until
// it is called with nil.
func (f *Fake) SetHealth(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health = err
}

// Hang makes every call wait as for a server that accepts connections and does
// not answer: until its context ends, until Hang(false), or until it fails with
// dataserver.ErrNoAnswer after dataserver.DefaultTimeout, ten times that for
// Purge and Sweep.
func (f *Fake) Hang(hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case hang && f.hung == nil:
		f.hung = make(chan struct{})
	case !hang && f.hung != nil:
		close(f.hung)
		f.hung = nil
	}
}

// SetDelay is how long each later Purge and Sweep takes before it removes
// anything.
func (f *Fake) SetDelay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// SetMemory is what Memory returns from now on.
func (f *Fake) SetMemory(used, limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memory = [2]int64{used, limit}
}

// Restart gives the server another identity; its keys are there afterwards if
// keep is true.
func (f *Fake) Restart(keep bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts++
	if !keep {
		clear(f.keys)
		f.mark = ""
	}
}

// Counters returns how often what was called.
func (f *Fake) Counters() Counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counters
}

// enter counts a call, and waits and fails as it is told.
func (f *Fake) enter(ctx context.Context, what string, walk bool, count func(*Counters)) error {
	f.mu.Lock()
	if count != nil {
		count(&f.counters)
	}
	hung, delay := f.hung, f.delay
	f.mu.Unlock()
	var err error
	switch {
	case hung != nil && walk:
		err = f.wait(ctx, hung, 10*dataserver.DefaultTimeout, dataserver.ErrNoAnswer)
	case hung != nil:
		err = f.wait(ctx, hung, dataserver.DefaultTimeout, dataserver.ErrNoAnswer)
	case walk:
		err = f.wait(ctx, nil, delay, nil)
	default:
		err = f.wait(ctx, nil, 0, nil)
	}
	if err == nil {
		f.mu.Lock()
		err = f.health
		f.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("dataserver: %s of %s %s: %w", what, f.kind, f.address, err)
	}
	return nil
}

// wait returns nil as soon as it is told to go on, and late after d.
func (f *Fake) wait(ctx context.Context, goOn <-chan struct{}, d time.Duration, late error) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-f.closed:
		return dataserver.ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-goOn:
		return nil
	case <-timer.C:
		return late
	case <-f.closed:
		return dataserver.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kind implements dataserver.Server.
func (f *Fake) Kind() membership.Kind { return f.kind }

// Address implements dataserver.Server.
func (f *Fake) Address() string { return f.address }

// Probe implements dataserver.Server.
func (f *Fake) Probe(ctx context.Context) error {
	return f.enter(ctx, "probe", false, func(c *Counters) { c.Probes++ })
}

// Identity implements dataserver.Server.
func (f *Fake) Identity(ctx context.Context) (string, error) {
	if err := f.enter(ctx, "identity", false, nil); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("start %d", f.starts), nil
}

// Mark implements dataserver.Server.
func (f *Fake) Mark(ctx context.Context, text string) error {
	if err := f.enter(ctx, "mark", false, nil); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark = text
	return nil
}

// Marked implements dataserver.Server.
func (f *Fake) Marked(ctx context.Context) (string, error) {
	if err := f.enter(ctx, "mark", false, nil); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mark, nil
}

// Lasting implements dataserver.Server: true, as for Redis.
func (f *Fake) Lasting(ctx context.Context) (bool, error) {
	return f.kind == membership.Redis, f.enter(ctx, "settings", false, nil)
}

// Count implements dataserver.Server.
func (f *Fake) Count(ctx context.Context) (n int64, err error) {
	if err := f.enter(ctx, "count", false, func(c *Counters) { c.Counts++ }); err != nil {
		return 0, err
	}
	for _, key := range f.Keys() {
		if strings.HasPrefix(key, f.prefix) {
			n++
		}
	}
	return n, nil
}

// Purge implements dataserver.Server.
func (f *Fake) Purge(ctx context.Context, progress func(removed int64)) (int64, error) {
	if err := f.enter(ctx, "purge", true, func(c *Counters) { c.Purges++ }); err != nil {
		return 0, err
	}
	removed := f.remove(func(string) bool { return false }, progress)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.prefix == "" {
		f.mark = "" // as with FLUSHDB
	}
	return removed, nil
}

// Sweep implements dataserver.Server.
func (f *Fake) Sweep(ctx context.Context, keep func(key string) bool, progress func(removed int64)) (int64, error) {
	if keep == nil {
		return 0, errors.New("dataserver: sweep: keep: got nil, want a function; Purge removes everything")
	}
	if err := f.enter(ctx, "sweep", true, func(c *Counters) { c.Sweeps++ }); err != nil {
		return 0, err
	}
	return f.remove(keep, progress), nil
}

// remove holds no lock while it calls what belongs to the caller.
func (f *Fake) remove(keep func(key string) bool, progress func(removed int64)) (removed int64) {
	for _, key := range f.Keys() {
		if !strings.HasPrefix(key, f.prefix) || keep(key) {
			continue
		}
		f.mu.Lock()
		if f.keys[key] {
			removed++
			delete(f.keys, key)
		}
		f.mu.Unlock()
	}
	if progress != nil {
		progress(removed)
	}
	return removed
}

// Memory implements dataserver.Server.
func (f *Fake) Memory(ctx context.Context) (used, limit int64, err error) {
	if err := f.enter(ctx, "memory", false, nil); err != nil {
		return 0, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.memory[0], f.memory[1], nil
}

// Close implements dataserver.Server.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	return nil
}
