package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/memory"
)

// later is the invalidations of a space, or of the tags of a manager, that are due
// later. They go through a journal even if that is in memory, so that there is one way.
// Its goroutine begins with the space if there is a journal, else with the first of them.
type later struct {
	m       *Manager
	name    string // "user/3"; "@tags" of the manager
	cfg     InvalidationConfig
	timeout time.Duration // of the journal, and of an attempt that is no scan
	do      func(context.Context, *laterTask) error
	scanned chan scanEnded // of the scan that is under way

	reading     context.Context // ends before that of the manager, for the last attempts
	stopReading context.CancelFunc
	ended       chan struct{} // closed when the goroutine has ended

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
	laterWrite = 256         // written at a time
)

func (l *later) begin(m *Manager, name string, cfg InvalidationConfig, timeout time.Duration, do func(context.Context, *laterTask) error) {
	l.m, l.name, l.cfg, l.timeout, l.do = m, name, cfg, timeout, do
	l.scanned, l.ended = make(chan scanEnded, 1), make(chan struct{})
	l.reading, l.stopReading = context.WithCancel(m.ctx)
}

// openLater opens the queues, of a journal or in memory, and begins to work on them.
func (l *later) openLater() (journal.Queue, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue != nil {
		return l.queue, nil
	}
	log := l.cfg.Journal
	if log == nil {
		log = memory.New(0)
	}
	ctx, cancel := context.WithTimeout(l.m.ctx, l.timeout)
	defer cancel()
	queue, err := log.Queue(ctx, l.name+"/invalidations")
	if err != nil {
		return nil, err
	}
	dead, err := log.Queue(ctx, l.name+"/dead")
	if err == nil {
		err = l.m.run(func() { l.keepInvalidating(queue, dead) })
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

// used says whether there has been anything to do.
func (l *later) used() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue != nil || l.dropped.Load() > 0
}

func (l *later) endLater() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopReading != nil { // else it never began
		l.stopReading()
	}
	if l.queue == nil {
		return nil
	}
	return errors.Join(l.queue.Close(), l.dead.Close())
}

// queueLater has tasks of one kind done later. Those that cannot be queued are counted,
// and told of.
func (l *later) queueLater(ctx context.Context, tasks ...*laterTask) {
	if len(tasks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	queue, err := l.openLater()
	for part := range slices.Chunk(tasks, laterWrite) {
		records := make([][]byte, len(part))
		for i, t := range part {
			records[i] = t.encode()
		}
		if err == nil {
			_, err = queue.Append(ctx, records...)
		}
		switch {
		case err != nil:
			l.dropped.Add(uint64(len(part)))
		case part[0].kind == laterRetry:
			l.queued.Add(uint64(len(part)))
		}
	}
	if err != nil {
		l.m.tell(l.name, fmt.Errorf("cache: invalidations cannot be queued: %w", err))
	}
}

// firstRetry is when what has just failed is tried again.
func (l *later) firstRetry() time.Time { return l.retryAt(0) }

func (l *later) retryAt(failed int) time.Time {
	return time.Now().Add(growing(l.cfg.Pause, l.cfg.MaxPause, failed, l.m.cfg.random()))
}

// keepInvalidating does what is due.
func (l *later) keepInvalidating(queue, dead journal.Queue) {
	defer close(l.ended)
	var tasks laterTasks
	defer func() { l.lastLater(&tasks, queue, dead) }()
	for failed := 0; l.reading.Err() == nil; {
		ctx, cancel := context.WithTimeout(l.reading, tasks.wait(time.Now(), laterLook))
		records, err := queue.Read(ctx, laterRead)
		timeout := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
		cancel()
		if err != nil && !timeout {
			if errors.Is(err, journal.ErrClosed) {
				return
			}
			l.m.tell(l.name, fmt.Errorf("cache: invalidations: %w", err))
			l.sleepLater(growing(l.cfg.Pause, l.cfg.MaxPause, failed, l.m.cfg.random()))
			failed++
		} else {
			failed = 0
		}
		l.take(&tasks, records, queue)
		l.endScan(&tasks, queue, dead)
		for due := tasks.due(time.Now(), laterBatch); len(due) > 0; due = tasks.due(time.Now(), laterBatch) {
			l.invalidateDue(&tasks, due, queue, dead)
		}
		l.lookLater(queue)
	}
}

func (l *later) sleepLater(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.reading.Done():
	}
}

// take adds what was read. A record that is no invalidation cannot be done by waiting:
// it is told of, and dropped.
func (l *later) take(tasks *laterTasks, records []journal.Record, queue journal.Queue) {
	for _, r := range records {
		t, err := decodeLaterTask(r.Data)
		if err != nil {
			l.dropped.Add(1)
			l.m.tell(l.name, fmt.Errorf("record %d of the journal is dropped: %w", r.Number, err))
			l.endTask(queue, []uint64{r.Number})
			continue
		}
		t.since = r.Time()
		// A clock that was put back, or another's, must not put it off for ever.
		if latest := time.Now().Add(max(l.cfg.SecondDelete, l.cfg.Pause)); t.due.After(latest) {
			t.due = latest
		}
		tasks.add(t, r.Number)
	}
}

func (l *later) invalidateDue(tasks *laterTasks, due []*laterTask, queue, dead journal.Queue) {
	due = l.beginScans(tasks, due)
	errs := make([]error, len(due))
	atOnce(len(due), func(i int) { errs[i] = l.attempt(due[i], l.timeout) })
	var done []uint64
	for i, t := range due {
		done = append(done, l.attempted(tasks, t, errs[i], dead)...)
	}
	l.endTask(queue, done)
}

// attempt does what a task says. The store is asked once: it is asked again later.
func (l *later) attempt(t *laterTask, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(l.m.ctx, timeout)
	defer cancel()
	second := t.kind == laterSecond
	if !second {
		l.retried.Add(1)
	}
	err := l.do(ctx, t)
	switch {
	case err != nil:
	case second:
		l.second.Add(1)
	default:
		l.mended.Add(1)
	}
	return err
}

// attempted returns the records of the journal that are done with: all of the task's,
// or none, if it is to be tried again.
func (l *later) attempted(tasks *laterTasks, t *laterTask, err error, dead journal.Queue) (done []uint64) {
	if err != nil && l.m.ctx.Err() != nil {
		return nil // closed: it comes again
	}
	if err != nil {
		t.failed++
		if t.kind = laterRetry; t.failed < l.cfg.Attempts {
			t.due = l.retryAt(t.failed)
			tasks.again(t)
			return nil
		}
		l.giveUp(t, err, dead)
	}
	tasks.ended(t)
	return t.numbers
}

// endTask has the journal forget records. If it fails, they are done once more one day.
func (l *later) endTask(queue journal.Queue, numbers []uint64) {
	if len(numbers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.m.ctx), l.timeout)
	defer cancel()
	if err := queue.Done(ctx, numbers...); err != nil {
		l.m.tell(l.name, fmt.Errorf("cache: invalidations: %w", err))
	}
}
