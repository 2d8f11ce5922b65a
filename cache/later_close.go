package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// lastLater is for what only memory has, when the manager closes: all that waits, due or
// not, is tried once more, within the time-out of an attempt. What is left stays in the
// queue, where forgotten counts it.
func (l *later) lastLater(tasks *laterTasks, queue, dead journal.Queue) {
	if l.cfg.Journal != nil || l.m.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.m.ctx, l.timeout)
	defer cancel()
	for {
		records, err := queue.Read(l.reading, laterRead) // ended: it returns what is there
		if err != nil || len(records) == 0 {
			break
		}
		l.take(tasks, records, queue)
	}
	if tasks.scans {
		select {
		case ended := <-l.scanned:
			l.endTask(queue, l.attempted(tasks, ended.task, ended.err, dead))
		case <-ctx.Done():
		}
	}
	end, _ := ctx.Deadline()
	all := tasks.all
	done := make([]bool, len(all))
	atOnce(len(all), func(i int) {
		if left := time.Until(end); left > 0 {
			done[i] = l.attempt(all[i], left) == nil
		}
	})
	for i, t := range all {
		if done[i] {
			l.endTask(queue, t.numbers)
		}
	}
}

// closeLater ends the goroutine, and waits for its last attempts: for an attempt that was
// under way, and the last one.
func (l *later) closeLater() {
	l.stopReading()
	l.mu.Lock()
	opened := l.queue != nil
	l.mu.Unlock()
	if !opened {
		return
	}
	timer := time.NewTimer(2 * l.timeout)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
	}
}

// forgotten returns an error that says what memory still has, once nothing runs any more.
func (l *later) forgotten() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil || l.cfg.Journal != nil {
		return nil
	}
	_, n, err := l.queue.Peek(context.Background(), 0)
	if n == 0 || err != nil {
		return err
	}
	return fmt.Errorf("%w: %s: %d invalidations were left when the manager was closed, and no Journal keeps them", ErrNotInvalidated, l.name, n)
}

// lastInvalidations has all queues of the manager make their last attempts.
func (m *Manager) lastInvalidations(spaces map[string]space) {
	var all sync.WaitGroup
	all.Go(m.later.closeLater)
	for _, s := range spaces {
		all.Go(s.closeLater)
	}
	all.Wait()
}

func (s *Space[K, V]) closeLater() { s.later.closeLater() }

func (s *Space[K, V]) forgotten() error { return s.later.forgotten() }

// closeSlack is what Close waits for goroutines beyond the longest time-out.
const closeSlack = time.Second

// patience is how long what runs for the space may take, whatever becomes of its context.
func (s *Space[K, V]) patience() time.Duration {
	return max(s.cfg.Loads.Timeout, s.cfg.WriteBehind.Timeout)
}

// loads says whether a loader is under way.
func (s *Space[K, V]) loads() bool { return s.loading.Load() > 0 }

// counted is the loader, and counts while it runs: also past its time-out, and past the
// flight that began it.
func (s *Space[K, V]) counted(load Loader[K, V]) Loader[K, V] {
	if load == nil {
		return nil
	}
	return func(ctx context.Context, key K) (Loaded[V], error) {
		s.loading.Add(1)
		defer s.loading.Add(-1)
		return load(ctx, key)
	}
}

func (s *Space[K, V]) countedMany(load func(context.Context, []K) (map[K]Loaded[V], error)) func(context.Context, []K) (map[K]Loaded[V], error) {
	if load == nil {
		return nil
	}
	return func(ctx context.Context, keys []K) (map[K]Loaded[V], error) {
		s.loading.Add(1)
		defer s.loading.Add(-1)
		return load(ctx, keys)
	}
}

// awaitWork waits for all goroutines, but not for ever: a loader that does not look at its
// context is no reason to keep a program from ending.
func (m *Manager) awaitWork(spaces map[string]space) error {
	patience := tagTimeout
	for _, s := range spaces {
		patience = max(patience, s.patience())
	}
	patience += closeSlack
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.work.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
	}
	var names []string
	for name, s := range spaces {
		if s.loads() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return fmt.Errorf("cache: close: something else than a loader goes on %v after its context ended", patience)
	}
	return fmt.Errorf("%w: loaders of %s go on %v after their context ended", ErrLoadTimeout, strings.Join(names, ", "), patience)
}

// endAll ends what is left of the manager, and says what was lost.
func (m *Manager) endAll(spaces map[string]space) error {
	err := m.later.forgotten()
	for _, s := range spaces {
		err = errors.Join(err, s.forgotten())
		s.end()
	}
	if ended := m.later.endLater(); ended != nil {
		m.tell(m.tags.name, ended)
	}
	return err
}
