package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// reserve takes places in the queue, and waits for them until ctx ends.
func (b *behind[K, V]) reserve(ctx context.Context, n int) error {
	for {
		b.mu.Lock()
		if b.closing {
			b.mu.Unlock()
			return ErrClosed
		}
		if b.count+n <= b.cfg.Queue || b.count == 0 {
			b.count += n
			b.mu.Unlock()
			return nil
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-b.hurry:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: %d writes wait: %w", ErrQueueFull, b.cfg.Queue, ctx.Err())
		}
	}
}

// refused counts writes that found no place, in the queue or in the journal.
func (b *behind[K, V]) refused(n int, err error) error {
	if errors.Is(err, ErrQueueFull) {
		b.stats.full.Add(uint64(n))
	}
	return err
}

func (b *behind[K, V]) leave(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaveLocked(n)
}

func (b *behind[K, V]) leaveLocked(n int) {
	if n == 0 {
		return
	}
	b.count -= n
	close(b.room)
	b.room = make(chan struct{})
}

// register shows a write that the journal has to readers. Not shown: it is done already,
// or it is no value; then nothing is to be stored either.
func (b *behind[K, V]) register(w *behindWrite[K, V], value V, payload []byte, since time.Time) (shown bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.number <= b.mark {
		b.leaveLocked(1)
		return false
	}
	b.own[w.number] = behindOwn[K]{key: w.key, store: w.store}
	if w.kind == behindDelta {
		return false
	}
	if v := b.values[w.key]; v == nil || v.number < w.number {
		b.values[w.key] = &behindValueOf[V]{id: w.store.identity, number: w.number, deleted: w.kind == behindDelete, value: value, payload: payload, since: since}
		b.shown.Store(int64(len(b.values)))
	}
	return true
}

// stored is called when the entry of a write is in the store. Over: it is done
// meanwhile, so that the entry has to go again.
func (b *behind[K, V]) stored(w *behindWrite[K, V]) (over bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return w.number <= max(b.mark, b.settling)
}

// settle is called before the entries of all writes up to a number are made what the
// source has. An entry that is on its way to the store at the moment arrives before, or
// stored says that it is over.
func (b *behind[K, V]) settle(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settling = max(b.settling, number)
}

// done is called when everything up to a number is done, and returns what was this
// process's own. It goes on being shown until hide.
func (b *behind[K, V]) done(mark uint64) (own map[uint64]behindOwn[K]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark = max(b.mark, mark)
	own = make(map[uint64]behindOwn[K])
	for n, o := range b.own {
		if n <= b.mark {
			own[n] = o
			delete(b.own, n)
		}
	}
	return own
}

func (b *behind[K, V]) hide(own map[uint64]behindOwn[K]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, o := range own {
		if v := b.values[o.key]; v != nil && v.number <= n {
			delete(b.values, o.key)
		}
	}
	b.shown.Store(int64(len(b.values)))
	b.leaveLocked(len(own))
}

// look returns what readers are shown of a key.
func (b *behind[K, V]) look(key K) *behindValueOf[V] {
	if b == nil || b.shown.Load() == 0 {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.values[key]
}

// fromPending answers from what the source does not have yet.
func (s *Space[K, V]) fromPending(key K) (v V, meta Meta, err error, found bool) {
	p := s.behind.look(key)
	if p == nil {
		return v, meta, nil, false
	}
	meta = Meta{Source: FromPending, Age: max(0, time.Since(p.since))}
	if p.deleted {
		return v, meta, ErrNotFound, true
	}
	if s.copiesGiven() {
		v, _, err = s.plainCopy(p.value)
	} else {
		v, err = s.decode(p.payload, p.id)
	}
	return v, meta, err, true
}

func (b *behind[K, V]) flush(ctx context.Context, name string) error {
	for {
		b.mu.RLock()
		count, room := b.count, b.room
		b.mu.RUnlock()
		if count == 0 {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %d left: %w", ErrNotApplied, name, count, ctx.Err())
		}
	}
}

// inspect looks at the journal: who reads it may be another process.
func (b *behind[K, V]) inspect(ctx context.Context) error {
	b.mu.RLock()
	highest := uint64(0)
	for n := range b.own {
		highest = max(highest, n)
	}
	b.mu.RUnlock()
	oldest, depth, err := b.queue.Peek(ctx, 1)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.depth, b.oldest = depth, time.Time{}
	if len(oldest) > 0 {
		b.oldest, highest = oldest[0].Time(), oldest[0].Number-1
	}
	b.mark = max(b.mark, highest)
	return nil
}

// BehindStats says how far the source is behind.
type BehindStats struct {
	Depth  int           // writes in the journal, of all processes that share it; no count
	Oldest time.Duration // how long the oldest of them has been there; no count
	Left   int           // writes that the journal still had when the space was closed, of all processes; 0 before; no count

	Queued int    // writes of this process on their way, each of which has a place of the Queue; no count
	Queue  int    // how many places there are: WriteBehindConfig.Queue; no count
	Full   uint64 // writes of this process that failed with ErrQueueFull

	Acknowledged uint64 // writes of this process
	Applied      uint64 // writes that this process has applied, of whomever
	Coalesced    uint64 // of them, those that a later one of the same batch made superfluous, or that were added up
	Batches      uint64 // calls of Apply that succeeded
	Failures     uint64 // calls that did not
	Rejected     uint64 // changes that the source has refused

	Dead     int    // writes that could not be read, and were set aside, of all processes that share the journal; no count
	SetAside uint64 // writes that this process has set aside
	Unshown  uint64 // writes of this process that the store was too slow to be shown: others see them when they are applied
}

func (s *Space[K, V]) behindStats() (st BehindStats) {
	b := s.behind
	if b == nil {
		return st
	}
	b.mu.RLock()
	st.Depth = max(b.depth, len(b.own))
	st.Queued, st.Queue, st.Full = b.count, b.cfg.Queue, b.stats.full.Load()
	oldest := b.oldest
	for n := range b.own {
		if t := (journal.Record{Number: n}).Time(); oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	b.mu.RUnlock()
	if st.Depth > 0 && !oldest.IsZero() {
		st.Oldest = max(0, time.Since(oldest))
	}
	c := &b.stats
	st.Acknowledged, st.Applied, st.Coalesced = c.acknowledged.Load(), c.applied.Load(), c.coalesced.Load()
	st.Left, st.Dead, st.SetAside = int(b.left.Load()), int(b.deadDepth.Load()), b.stats.setAside.Load()
	st.Unshown = b.stats.unshown.Load()
	st.Batches, st.Failures, st.Rejected = c.batches.Load(), c.failures.Load(), c.rejected.Load()
	return st
}

// coalesce makes one change of all writes of a key, in the order in which the keys
// came.
func coalesce[K Key, V any](writes []behindWrite[K, V]) []*RowChange[K, V] {
	byKey := make(map[K]*RowChange[K, V])
	var batch []*RowChange[K, V]
	for _, w := range writes {
		c := byKey[w.key]
		if c == nil {
			c = &RowChange[K, V]{Key: w.key}
			byKey[w.key] = c
			batch = append(batch, c)
		}
		switch w.kind {
		case behindValue:
			c.Write, c.Value, c.Number, c.Deltas = WriteValue, w.value, w.number, nil
		case behindDelete:
			var none V
			c.Write, c.Value, c.Number, c.Deltas = WriteDelete, none, w.number, nil
		case behindDelta:
			c.Deltas = append(c.Deltas, Delta{Number: w.number, ID: w.id, By: w.delta})
		}
	}
	return slices.Clip(batch)
}
