package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/memory"
)

// later is the invalidations of a space that are due later. They go through a journal
// even if that is in memory, so that there is one way. Its goroutine begins with the
// space if there is a journal, else with the first of them.
type later struct {
	cfg InvalidationConfig

	mu          sync.Mutex // guards what follows
	queue, dead journal.Queue
	depth       int
	oldest      time.Time // zero: there is none

	queued, second, retried, mended, died, dropped atomic.Uint64
}

const (
	laterLook  = time.Second // between two looks at the clock and the journal
	laterBatch = 64          // done at a time
	laterRead  = 1024        // read at a time
)

// openLater opens the queues, of a journal or in memory, and begins to work on them.
func (s *Space[K, V]) openLater() (journal.Queue, error) {
	l := &s.later
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue != nil {
		return l.queue, nil
	}
	log := l.cfg.Journal
	if log == nil {
		log = memory.New(0)
	}
	ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	queue, err := log.Queue(ctx, s.name+"/invalidations")
	if err != nil {
		return nil, err
	}
	dead, err := log.Queue(ctx, s.name+"/dead")
	if err == nil {
		err = s.m.run(func() { s.keepInvalidating(queue, dead) })
	}
	if err != nil {
		if dead != nil {
			_ = dead.Close()
		}
		return nil, errors.Join(err, queue.Close())
	}
	l.queue, l.dead = queue, dead
	return queue, nil
}

func (s *Space[K, V]) endLater() error {
	l := &s.later
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		return nil
	}
	return errors.Join(l.queue.Close(), l.dead.Close())
}

// queueLater has a task done later. What cannot be queued is counted, and told.
func (s *Space[K, V]) queueLater(ctx context.Context, t *laterTask) {
	queue, err := s.openLater()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Loads.Timeout)
		defer cancel()
		_, err = queue.Append(ctx, t.encode())
	}
	if err == nil {
		if t.kind == laterRetry {
			s.later.queued.Add(1)
		}
		return
	}
	s.later.dropped.Add(1)
	s.m.tell(s.name, fmt.Errorf("cache: an invalidation cannot be queued: %w", err))
}

// deleteTwice has the key deleted once more, if that is wanted: it is in the journal
// before the first time, so that nothing that becomes of this process forgets it.
func (s *Space[K, V]) deleteTwice(ctx context.Context, k storeKey, below uint64) {
	if d := s.cfg.Invalidation.SecondDelete; d > 0 {
		s.queueLater(ctx, &laterTask{kind: laterSecond, due: time.Now().Add(d), below: below, identity: k.identity, key: k.text})
	}
}

// deleteAgain has an invalidation repeated that has failed.
func (s *Space[K, V]) deleteAgain(ctx context.Context, k storeKey, below uint64) {
	due := time.Now().Add(growing(s.later.cfg.Pause, s.later.cfg.MaxPause, 0, s.m.cfg.random()))
	s.queueLater(ctx, &laterTask{kind: laterRetry, due: due, below: below, identity: k.identity, key: k.text})
}

// keepInvalidating does what is due.
func (s *Space[K, V]) keepInvalidating(queue, dead journal.Queue) {
	var tasks laterTasks
	for failed := 0; s.m.ctx.Err() == nil; {
		ctx, cancel := context.WithTimeout(s.m.ctx, tasks.wait(time.Now(), laterLook))
		records, err := queue.Read(ctx, laterRead)
		timeout := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
		cancel()
		if err != nil && !timeout {
			if errors.Is(err, journal.ErrClosed) {
				return
			}
			s.m.tell(s.name, fmt.Errorf("cache: invalidations: %w", err))
			s.sleepLater(growing(s.later.cfg.Pause, s.later.cfg.MaxPause, failed, s.m.cfg.random()))
			failed++
		} else {
			failed = 0
		}
		s.take(&tasks, records, queue)
		for due := tasks.due(time.Now(), laterBatch); len(due) > 0; due = tasks.due(time.Now(), laterBatch) {
			s.invalidateDue(&tasks, due, queue, dead)
		}
		s.lookLater(queue)
	}
}

func (s *Space[K, V]) sleepLater(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.m.ctx.Done():
	}
}

// take adds what was read. A record that is no invalidation cannot be done by waiting:
// it is told of, and dropped.
func (s *Space[K, V]) take(tasks *laterTasks, records []journal.Record, queue journal.Queue) {
	for _, r := range records {
		t, err := decodeLaterTask(r.Data)
		if err != nil {
			s.later.dropped.Add(1)
			s.m.tell(s.name, fmt.Errorf("record %d of the journal is dropped: %w", r.Number, err))
			s.endTask(queue, []uint64{r.Number})
			continue
		}
		t.since = r.Time()
		// A clock that was put back, or another's, must not put it off for ever.
		if latest := time.Now().Add(max(s.cfg.Invalidation.SecondDelete, s.later.cfg.Pause)); t.due.After(latest) {
			t.due = latest
		}
		tasks.add(t, r.Number)
	}
}

func (s *Space[K, V]) invalidateDue(tasks *laterTasks, due []*laterTask, queue, dead journal.Queue) {
	errs := make([]error, len(due))
	atOnce(len(due), func(i int) { errs[i] = s.deleteNow(due[i]) })
	var done []uint64
	for i, t := range due {
		if errs[i] != nil && s.m.ctx.Err() != nil {
			continue // closed: it comes again
		}
		if errs[i] != nil {
			t.failed++
			if t.kind = laterRetry; t.failed < s.later.cfg.Attempts {
				t.due = time.Now().Add(growing(s.later.cfg.Pause, s.later.cfg.MaxPause, t.failed, s.m.cfg.random()))
				tasks.again(t)
				continue
			}
			s.giveUp(t, errs[i], dead)
		}
		tasks.ended(t)
		done = append(done, t.numbers...)
	}
	s.endTask(queue, done)
}

// endTask has the journal forget records. If it fails, they are done once more one day.
func (s *Space[K, V]) endTask(queue journal.Queue, numbers []uint64) {
	if len(numbers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.m.ctx), s.cfg.Loads.Timeout)
	defer cancel()
	if err := queue.Done(ctx, numbers...); err != nil {
		s.m.tell(s.name, fmt.Errorf("cache: invalidations: %w", err))
	}
}

// deleteNow deletes the key, here and on the fleet. The store is asked once: it is
// asked again later.
func (s *Space[K, V]) deleteNow(t *laterTask) error {
	ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	k := storeKey{text: t.key, identity: t.identity}
	holdOff := s.cfg.Life.HoldOff
	if t.kind == laterSecond {
		holdOff = 0
	} else {
		s.later.retried.Add(1)
	}
	s.forgetKey(k)
	err := errors.Join(s.m.cfg.Store.Delete(ctx, k.text, t.below, holdOff), s.dropCopies(ctx, k))
	s.forgetKey(k)
	if err != nil {
		s.storeFailed(ctx, err)
		return err
	}
	s.tellOthers(k)
	if t.kind == laterSecond {
		s.later.second.Add(1)
	} else {
		s.later.mended.Add(1)
	}
	return nil
}

// forgetKey is forget for a key of which only the store's name is known.
func (s *Space[K, V]) forgetKey(k storeKey) {
	s.changed(Change{Space: s.name, Key: k.identity})
	if s.epochs != nil {
		k.epoch, _ = s.epochs.now()
	}
	if k.tagged = s.tagged(); k.tagged {
		k.turn = s.m.tags.all.Load()
	}
	s.flights.forget(k.flight())
}
