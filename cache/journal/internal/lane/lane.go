// Package lane keeps the records of a queue in this process, in their order.
package lane

import (
	"context"
	"slices"
	"sync"

	"github.com/ringway/ringway/cache/journal"
)

// Lane is a queue in memory. The zero value is empty. It is safe for concurrent use.
type Lane struct {
	mu      sync.Mutex // guards what follows
	records []journal.Record
	read    int           // how many of them were read
	added   chan struct{} // closed when there are more; nil: nobody waits
	closed  bool
}

// Open begins to read anew.
func (l *Lane) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read, l.closed = 0, false
}

// Close ends Read.
func (l *Lane) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

func (l *Lane) wake() {
	if l.added != nil {
		close(l.added)
		l.added = nil
	}
}

// Add adds records with greater numbers than those that are there.
func (l *Lane) Add(records ...journal.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, records...)
	l.wake()
}

// Read is Queue.Read.
func (l *Lane) Read(ctx context.Context, most int) ([]journal.Record, error) {
	for {
		records, more, err := l.next(most)
		if err != nil || len(records) > 0 {
			return records, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *Lane) next(most int) ([]journal.Record, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, journal.ErrClosed
	}
	if n := min(most, len(l.records)-l.read); n > 0 {
		l.read += n
		return slices.Clone(l.records[l.read-n : l.read]), nil, nil
	}
	if l.added == nil {
		l.added = make(chan struct{})
	}
	return nil, l.added, nil
}

// Done is Queue.Done. It returns how many there were.
func (l *Lane) Done(numbers ...uint64) (removed int) {
	if len(numbers) == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	done := make(map[uint64]bool, len(numbers))
	for _, n := range numbers {
		done[n] = true
	}
	kept := make([]journal.Record, 0, max(0, len(l.records)-len(numbers)))
	read := l.read
	for i, r := range l.records {
		switch {
		case !done[r.Number]:
			kept = append(kept, r)
		case i < l.read:
			read--
		}
	}
	removed = len(l.records) - len(kept)
	l.records, l.read = kept, read
	return removed
}

// Peek is Queue.Peek.
func (l *Lane) Peek(most int) ([]journal.Record, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records[:min(max(most, 0), len(l.records))]), len(l.records)
}
