// Package group has callers of a moment share one commit: what comes while one is
// under way waits for the next, all together.
package group

import (
	"sync"

	"github.com/ringway/ringway/cache/journal"
)

// Group collects items. Make one with New. It is safe for concurrent use.
type Group[T any] struct {
	commit func([]T)

	mu      sync.Mutex // guards what follows, and Go of work
	waiting []T
	busy    bool
	closed  bool
	work    sync.WaitGroup
}

// New returns a group that has commit called with all that waits, by one goroutine at a
// time, which ends when nothing does.
func New[T any](commit func([]T)) *Group[T] { return &Group[T]{commit: commit} }

// Add has the item committed, or returns ErrClosed.
func (g *Group[T]) Add(item T) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return journal.ErrClosed
	}
	g.waiting = append(g.waiting, item)
	if !g.busy {
		g.busy = true
		g.work.Go(g.run)
	}
	return nil
}

func (g *Group[T]) run() {
	for {
		g.mu.Lock()
		items := g.waiting
		g.waiting = nil
		g.busy = len(items) > 0
		g.mu.Unlock()
		if len(items) == 0 {
			return
		}
		g.commit(items)
	}
}

// Close refuses more, and waits for what was added.
func (g *Group[T]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.work.Wait()
}
