package dataserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/router/memcache"
)

const (
	// gatherMax is how many keys are gathered from one dump before they are
	// deleted: at 250 bytes each, 64 MB.
	gatherMax = 1 << 18

	// maxDumps bounds a walk at a server that is filled faster than emptied.
	maxDumps = 1 << 16

	// deleteBatch is how many keys are deleted at a time.
	deleteBatch = 500

	// flushAbove is where deleting one by one, whose count is exact and which
	// gives the memory back at once, begins to take longer (270,000 keys took
	// 0.7 s) than a flush_all, which takes two seconds: see flush.
	flushAbove = 500_000

	// busyFor is how long to wait for a crawler that serves others or a hash
	// table that grows, busyPause how long before looking again.
	busyFor   = time.Minute
	busyPause = 20 * time.Millisecond
)

// Count implements Server. It goes by a dump, since the server's own number of
// items has those in it that have expired or were flushed, until it happens
// upon them.
func (m *memcachedServer) Count(ctx context.Context) (int64, error) {
	var n int64
	err := m.dump(ctx, "count", func(item memcache.ItemInfo) bool {
		if m.ours(item.Key) {
			n++
		}
		return true
	})
	return n, err
}

// Purge implements Server.
func (m *memcachedServer) Purge(ctx context.Context, progress func(removed int64)) (removed int64, err error) {
	if m.prefix == "" {
		removed, done, err := m.flush(ctx)
		if done && progress != nil {
			progress(removed)
		}
		if done || err != nil {
			return removed, err
		}
	}
	t, err := m.walk(ctx, "purge", keepNothing, progress)
	return t.removed, err
}

// flush empties a large server. done is false if it is better done key by key,
// or the server refuses.
//
// A flush_all goes by numbers that the server gives to items (CAS), and by the
// second in which they were stored. Of the current second it spares those whose
// number a client has chosen; and without numbers (-C) it takes with it what is
// stored in the rest of that second. So there are two, and after each the
// server's clock has to move on.
func (m *memcachedServer) flush(ctx context.Context) (removed int64, done bool, err error) {
	before, err := m.numbers(ctx, "purge")
	if err != nil || before.items <= m.flushAbove {
		return 0, false, err
	}
	for range 2 {
		if done, err := m.flushAll(ctx); !done {
			return removed, removed > 0, err
		}
		removed = before.items
		if err := m.tick(ctx); err != nil {
			return removed, true, err
		}
	}
	return removed, true, nil
}

// tick returns when the server's clock, which counts seconds, has moved on.
func (m *memcachedServer) tick(ctx context.Context) error {
	e := m.begin(ctx, "purge", m.busyFor)
	defer e.end()
	first, err := m.numbers(ctx, "purge")
	for now := first; err == nil && now.now <= first.now; now, err = m.numbers(ctx, "purge") {
		if err := pause.For(e.ctx, m.busyPause); err != nil {
			return e.verdict(err)
		}
	}
	return err
}

// flushAll reports done as false, and no error, if the server does not permit it.
func (m *memcachedServer) flushAll(ctx context.Context) (done bool, err error) {
	e := m.begin(ctx, "purge", m.patience)
	defer e.end()
	err = m.work.FlushAll(e.ctx)
	var refused *memcache.ServerError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil, e.verdict(timely(err))
}

// Sweep implements Server.
func (m *memcachedServer) Sweep(ctx context.Context, keep func(key string) bool, progress func(removed int64)) (removed int64, err error) {
	if keep == nil {
		return 0, errNoKeep
	}
	t, err := m.walk(ctx, "sweep", keep, progress)
	return t.removed, err
}

// walk removes the keys under the prefix that are not kept: it gathers some from
// a dump, deletes them, and begins again until a dump was read to its end.
func (m *memcachedServer) walk(ctx context.Context, what string, keep func(key string) bool, progress func(removed int64)) (tally, error) {
	t := tally{progress: progress}
	unnameable := make(map[string]bool)
	for range m.maxDumps {
		var keys []string
		err := m.dump(ctx, what, func(item memcache.ItemInfo) bool {
			if key := item.Key; m.ours(key) && !keep(key) && !unnameable[key] {
				keys = append(keys, key)
			}
			return len(keys) < m.gatherMax
		})
		if err != nil {
			return t, err
		}
		whole := len(keys) < m.gatherMax
		if err := m.remove(ctx, what, keys, unnameable, &t); err != nil {
			return t, err
		}
		switch {
		case !whole:
		case len(unnameable) > 0:
			return t, m.failed(what, fmt.Errorf("%w: %d of them", ErrUnnameable, len(unnameable)))
		default:
			return t, nil
		}
	}
	return t, m.failed(what, fmt.Errorf("%w: %d dumps", ErrEndless, m.maxDumps))
}

// remove deletes keys, and notes those that it cannot.
func (m *memcachedServer) remove(ctx context.Context, what string, keys []string, unnameable map[string]bool, t *tally) error {
	for len(keys) > 0 {
		n := min(deleteBatch, len(keys))
		if err := m.deleteSome(ctx, what, keys[:n], unnameable, t); err != nil {
			return err
		}
		keys = keys[n:]
		t.report()
		e := m.begin(ctx, what, 0)
		err := m.rest(e.ctx, n)
		e.end()
		if err != nil {
			return e.verdict(err)
		}
	}
	return nil
}

func (m *memcachedServer) deleteSome(ctx context.Context, what string, keys []string, unnameable map[string]bool, t *tally) error {
	e := m.begin(ctx, what, m.patience)
	defer e.end()
	for range len(keys) + 1 { // each round has one key less
		var requests []memcache.DeleteRequest
		for _, key := range keys {
			if !unnameable[key] {
				requests = append(requests, memcache.DeleteRequest{Key: key})
			}
		}
		results, err := m.work.MetaDeleteMulti(e.ctx, requests)
		var refused *memcache.KeyError
		if errors.As(err, &refused) { // nothing was sent
			unnameable[refused.Key] = true
			continue
		}
		for _, result := range results {
			if result.Err == nil && result.Status == memcache.StatusOK {
				t.removed++
			}
		}
		return e.verdict(timely(err))
	}
	return nil
}

// dump calls take for every item on the server until it returns false.
//
// An empty dump proves nothing: newer versions answer with one when their hash
// table is growing. It is believed where the server says that it is empty, or
// when the table has not grown meanwhile.
func (m *memcachedServer) dump(ctx context.Context, what string, take func(memcache.ItemInfo) bool) error {
	waiting := m.begin(ctx, what, m.busyFor) // bounds the pauses, and not a dump that works
	defer waiting.end()
	before, err := m.numbers(ctx, what)
	for err == nil && before.items > 0 {
		n, err := m.dumpOnce(ctx, what, take)
		busy := errors.Is(err, memcache.ErrBusy)
		if err != nil && !busy || n > 0 {
			return err
		}
		after, err := m.numbers(ctx, what)
		if err != nil || !busy && before.steady(after) {
			return err
		}
		before = after
		if err := pause.For(waiting.ctx, m.busyPause); err != nil {
			if ctx.Err() == nil && m.ctx.Err() == nil {
				return m.failed(what, fmt.Errorf("%w: for %v", ErrBusy, m.busyFor))
			}
			return waiting.verdict(err)
		}
	}
	return err
}

// steady reports whether the hash table has stayed as it was. One that begins to
// grow has its next power at once.
func (n numbers) steady(later numbers) bool {
	return n.expand == 0 && n.hashPower == later.hashPower
}

// dumpOnce returns how many keys the server has dumped.
func (m *memcachedServer) dumpOnce(ctx context.Context, what string, take func(memcache.ItemInfo) bool) (n int, err error) {
	e := m.begin(ctx, what, 0)
	defer e.end()
	for item, err := range m.work.Metadump(e.ctx) {
		if err != nil {
			return n, e.verdict(timely(err))
		}
		n++
		if !take(item) {
			break
		}
	}
	return n, nil
}
