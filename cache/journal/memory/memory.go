// Package memory is a journal that promises nothing beyond the life of the process: for
// tests, and for what may be lost.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/internal/lane"
)

// Journal keeps queues in memory. It is safe for concurrent use.
type Journal struct {
	most int

	mu     sync.Mutex // guards what follows
	queues map[string]*queue
}

// New returns a journal whose queues take as many records each; 0 means 10,000.
func New(most int) *Journal {
	if most <= 0 {
		most = 10_000
	}
	return &Journal{most: most, queues: make(map[string]*queue)}
}

// Queue is journal.Journal's.
func (j *Journal) Queue(_ context.Context, name string) (journal.Queue, error) {
	if err := journal.CheckName(name); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	q := j.queues[name]
	if q == nil {
		q = &queue{most: j.most}
		j.queues[name] = q
	}
	if !q.open() {
		return nil, journal.ErrLocked
	}
	return q, nil
}

type queue struct {
	most int
	lane lane.Lane

	mu     sync.Mutex // guards what follows, and the order of Add
	opened bool
	last   uint64
}

func (q *queue) open() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.opened {
		return false
	}
	q.opened = true
	q.lane.Open()
	return true
}

// Append is journal.Queue's.
func (q *queue) Append(_ context.Context, data ...[]byte) ([]uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.opened {
		return nil, journal.ErrClosed
	}
	if _, n := q.lane.Peek(0); n+len(data) > q.most {
		return nil, journal.ErrFull
	}
	records := make([]journal.Record, len(data))
	numbers := make([]uint64, len(data))
	for i, d := range data {
		q.last = max(q.last+1, journal.NumberAt(time.Now().UnixMilli()))
		numbers[i] = q.last
		records[i] = journal.Record{Number: q.last, Data: append([]byte(nil), d...)}
	}
	q.lane.Add(records...)
	return numbers, nil
}

func (q *queue) Read(ctx context.Context, most int) ([]journal.Record, error) {
	return q.lane.Read(ctx, most)
}

func (q *queue) Done(_ context.Context, numbers ...uint64) error {
	q.lane.Done(numbers...)
	return nil
}

func (q *queue) Peek(_ context.Context, most int) ([]journal.Record, int, error) {
	records, depth := q.lane.Peek(most)
	return records, depth, nil
}

func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.opened = false
	q.lane.Close()
	return nil
}
