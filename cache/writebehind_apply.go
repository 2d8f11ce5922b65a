package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// openBehind opens the queue of the space, and shows readers what is in it.
func (s *Space[K, V]) openBehind() error {
	b := &behind[K, V]{cfg: s.cfg.WriteBehind, hurry: make(chan struct{}), shows: make(chan struct{}, behindShows), room: make(chan struct{}),
		own: make(map[uint64]behindOwn[K]), values: make(map[K]*behindValueOf[V])}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(b.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	var err error
	if b.queue, err = b.cfg.Journal.Queue(ctx, s.name+writesQueue); err != nil {
		b.cancel()
		return err
	}
	if b.dead, err = b.cfg.Journal.Queue(ctx, s.name+deadQueue); err != nil {
		b.cancel()
		return errors.Join(err, b.queue.Close())
	}
	s.behind = b
	left, depth, err := b.queue.Peek(ctx, mostLeft)
	if b.depth = depth; err == nil {
		err = s.showLeft(left)
	}
	if err == nil {
		err = s.learnDead(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cache: write-behind: %s: %w", s.name, err), s.endBehind())
	}
	return nil
}

// mostLeft is how many writes of earlier processes readers are shown, and Close waits
// for. There may be a Queue full of each that was killed.
const mostLeft = 1 << 20

// showLeft shows readers what an earlier process has left. What cannot be read is set
// aside when it is its turn.
func (s *Space[K, V]) showLeft(left []journal.Record) error {
	for _, r := range left {
		w, err := s.decodeWrite(r.Number, r.Data)
		if err != nil {
			continue
		}
		payload := []byte(nil)
		if w.kind == behindValue && !s.copiesGiven() {
			if payload, err = s.cfg.Codec.Encode(w.value, w.store.identity[:]); err != nil {
				return err
			}
		}
		s.behind.count++
		s.behind.register(&w, w.value, payload, r.Time())
	}
	return nil
}

// endBehind leaves the queue to others.
func (s *Space[K, V]) endBehind() error {
	if s.behind == nil {
		return nil
	}
	s.behind.cancel()
	return errors.Join(s.behind.queue.Close(), s.behind.dead.Close())
}

// drain is called when the manager is about to be closed: no more is taken, and the
// source gets what is there, for as long as Drain.
func (s *Space[K, V]) drain() error {
	b := s.behind
	if b == nil {
		return nil
	}
	b.mu.Lock()
	closing := b.closing
	b.closing = true
	b.mu.Unlock()
	if closing {
		return nil
	}
	close(b.hurry)
	ctx, cancel := context.WithTimeout(context.Background(), b.cfg.Drain)
	defer cancel()
	err := b.flush(ctx, s.name)
	s.countLeft()
	b.cancel()
	return err
}

// countLeft notes what the journal goes on having once the space is closed: what is this
// process's own is done by then, or Close says that it is not.
func (s *Space[K, V]) countLeft() {
	b := s.behind
	ctx, cancel := context.WithTimeout(b.ctx, behindLast)
	defer cancel()
	_, depth, err := b.queue.Peek(ctx, 0)
	if err != nil {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: what is left is not known: %w", err))
		return
	}
	b.left.Store(int64(depth))
}

// keepApplying applies what is in the journal, and sets aside what cannot be read. A
// journal that fails stops it until that is over: nothing is left out.
func (s *Space[K, V]) keepApplying() {
	b := s.behind
	var left []journal.Record // that were read, and are not applied
	for failed := 0; b.ctx.Err() == nil; {
		begun, full := time.Now(), false
		var err error
		if len(left) == 0 {
			left, err = b.queue.Read(b.ctx, b.cfg.Batch)
			full = len(left) == b.cfg.Batch
		}
		if err == nil {
			writes, dead := s.decodeWrites(left)
			s.applyAndSettle(writes)
			left = left[len(writes):]
			if len(dead) > 0 && b.ctx.Err() == nil {
				if err = s.setAside(dead); err == nil {
					left = left[len(dead):]
				}
			}
			full = full || len(left) > 0
		}
		switch {
		case b.ctx.Err() != nil || errors.Is(err, journal.ErrClosed):
			return
		case err != nil:
			s.m.tell(s.name, fmt.Errorf("cache: write-behind: %w", err))
			b.sleep(s.retryPause(failed))
			failed++
		default:
			failed = 0
			if !full {
				b.pause(b.cfg.Interval - time.Since(begun))
			}
		}
	}
}

// pause waits, unless the space is being closed.
func (b *behind[K, V]) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.hurry:
	}
}

func (b *behind[K, V]) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	}
}

// retryPause grows with each failure in turn.
func (s *Space[K, V]) retryPause(failed int) time.Duration {
	return growing(s.behind.cfg.Pause, s.behind.cfg.MaxPause, failed, s.m.cfg.random())
}

// growing is a pause after a number of failures, less up to a half of it by u in [0,1),
// so that processes do not try in step.
func growing(first, most time.Duration, failed int, u float64) time.Duration {
	d := first
	for ; failed > 0 && d < most; failed-- {
		d *= 2
	}
	d = min(d, most)
	return d - time.Duration(u*float64(d/2))
}

// applyAndSettle has the source take the writes, however long that takes, makes the
// store what the source is, and then has the journal forget them.
func (s *Space[K, V]) applyAndSettle(writes []behindWrite[K, V]) {
	b := s.behind
	if len(writes) == 0 {
		return
	}
	batch := coalesce(writes)
	if !s.apply(batch) {
		return
	}
	b.stats.batches.Add(1)
	b.stats.applied.Add(uint64(len(writes)))
	b.stats.coalesced.Add(uint64(len(writes) - len(batch)))
	last := writes[len(writes)-1].number
	s.overtake(writes)
	b.settle(last)
	atOnce(len(batch), func(i int) { s.settleOne(batch[i]) })
	numbers := make([]uint64, len(writes))
	for i, w := range writes {
		numbers[i] = w.number
	}
	for failed := 0; ; failed++ {
		err := b.queue.Done(b.ctx, numbers...)
		if err == nil {
			break
		}
		if b.ctx.Err() != nil {
			return // they come again
		}
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: %w", err))
		b.sleep(s.retryPause(failed))
	}
	b.hide(b.done(last))
	if err := b.inspect(b.ctx); err != nil && b.ctx.Err() == nil {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: %w", err))
	}
}

// apply calls Apply until it succeeds; false if the space ended before.
func (s *Space[K, V]) apply(batch []*RowChange[K, V]) bool {
	b := s.behind
	for failed := 0; b.ctx.Err() == nil; failed++ {
		err := s.applyOnce(batch)
		if err == nil {
			return true
		}
		if refused := (*Rejection)(nil); errors.As(err, &refused) {
			b.stats.rejected.Add(uint64(len(refused.Changes)))
			for _, i := range refused.Changes {
				if i >= 0 && i < len(batch) {
					batch[i].Version = 0 // whatever the row is now
				}
			}
			s.m.tell(s.name, err)
			return true
		}
		b.stats.failures.Add(1)
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: apply: %w", err))
		b.sleep(s.retryPause(failed))
	}
	return false
}

func (s *Space[K, V]) applyOnce(batch []*RowChange[K, V]) (err error) {
	ctx, cancel := context.WithTimeout(s.behind.ctx, s.behind.cfg.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	for _, c := range batch {
		c.Version = 0
	}
	return s.behind.cfg.Apply(ctx, batch)
}

// settleOne makes the entry of a change what the source has. Entries of later writes,
// which have higher versions, stay.
func (s *Space[K, V]) settleOne(c *RowChange[K, V]) {
	ctx, cancel := context.WithTimeout(s.behind.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	k, err := s.keyOf(ctx, c.Key)
	if err != nil {
		return // it was one when it was written
	}
	below := (pendingVersion | c.Last()) + 1
	whole := c.Write == WriteValue && len(c.Deltas) == 0
	if whole && c.Version != 0 && c.Version < pendingVersion && s.cfg.Life.HoldOff == 0 && !k.noEpoch && !s.tagged() && s.Bypassed() == BypassNothing {
		if s.m.cfg.Store.Delete(ctx, k.text, below, 0) == nil {
			_ = s.writeThrough(ctx, c.Key, k, Loaded[V]{Value: c.Value, Version: c.Version})
		} else {
			_ = s.invalidate(ctx, c.Key, k, below)
		}
	} else {
		_ = s.invalidate(ctx, c.Key, k, below)
	}
	if c.Write == WriteValue {
		if err := s.wrote(ctx, c.Value); err != nil {
			s.m.tell(s.name, err)
		}
	}
}

const (
	behindLook = 250 * time.Millisecond // between two looks at the journal
	behindLast = time.Second            // for the last one
)

// keepLooking notices what other processes have applied of this one's writes, if the
// journal is shared.
func (s *Space[K, V]) keepLooking() {
	b := s.behind
	for n := 0; b.ctx.Err() == nil; n++ {
		b.sleep(behindLook)
		b.mu.RLock()
		idle := len(b.own) == 0
		b.mu.RUnlock()
		if n%8 == 0 {
			s.lookForDead()
		} else if idle {
			continue
		}
		err := b.inspect(b.ctx)
		if err != nil {
			continue // the reader says why
		}
		s.settledElsewhere()
	}
}

// settledElsewhere hides what another process has applied. The entry of the write may
// have come to the store after that one had seen to it: then it goes.
func (s *Space[K, V]) settledElsewhere() {
	b := s.behind
	own := b.done(0)
	type write struct {
		behindOwn[K]
		number uint64
	}
	var all []write
	for n, o := range own {
		all = append(all, write{o, n})
	}
	atOnce(len(all), func(i int) {
		w := all[i]
		ctx, cancel := context.WithTimeout(b.ctx, s.cfg.Loads.Timeout)
		defer cancel()
		e, err := s.m.cfg.Store.Get(ctx, w.store.text)
		if err == nil && e.Version >= pendingVersion && e.Version <= pendingVersion|w.number {
			_ = s.invalidate(ctx, w.key, w.store, (pendingVersion|w.number)+1)
		} else if err != nil && !errors.Is(err, ErrMiss) {
			_ = s.invalidate(ctx, w.key, w.store, (pendingVersion|w.number)+1)
		}
		s.forget(w.key, w.store)
	})
	b.hide(own)
}
