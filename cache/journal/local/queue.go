package local

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/internal/lane"
	bolt "go.etcd.io/bbolt"
)

type queue struct {
	log    *Log
	name   string
	opened atomic.Bool
	lane   lane.Lane
	last   uint64 // number; of the goroutine that commits
}

// request is one Append or Done.
type request struct {
	q     *queue
	data  [][]byte
	done  []uint64
	ready chan struct{} // closed when what follows is set

	records []journal.Record
	err     error
}

// Append is journal.Queue's.
func (q *queue) Append(ctx context.Context, data ...[]byte) ([]uint64, error) {
	r := &request{q: q, ready: make(chan struct{})}
	for _, d := range data {
		r.data = append(r.data, append([]byte(nil), d...))
	}
	if err := q.ask(ctx, r); err != nil {
		return nil, err
	}
	numbers := make([]uint64, len(r.records))
	for i, record := range r.records {
		numbers[i] = record.Number
	}
	return numbers, nil
}

func (q *queue) ask(ctx context.Context, r *request) error {
	if !q.opened.Load() {
		return journal.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := q.log.group.Add(r); err != nil {
		return err
	}
	select {
	case <-r.ready:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read is journal.Queue's.
func (q *queue) Read(ctx context.Context, most int) ([]journal.Record, error) {
	return q.lane.Read(ctx, most)
}

// Done is journal.Queue's.
func (q *queue) Done(ctx context.Context, numbers ...uint64) error {
	return q.ask(ctx, &request{q: q, done: append([]uint64(nil), numbers...), ready: make(chan struct{})})
}

// Peek is journal.Queue's.
func (q *queue) Peek(_ context.Context, most int) ([]journal.Record, int, error) {
	records, depth := q.lane.Peek(most)
	return records, depth, nil
}

// Close is journal.Queue's.
func (q *queue) Close() error {
	if q.opened.CompareAndSwap(true, false) {
		q.lane.Close()
	}
	return nil
}

// commit writes what was asked for in one transaction, and tells who asked.
func (l *Log) commit(requests []*request) {
	if l.broken == nil {
		err := guarded(l.path, func() error {
			return l.db.Update(func(tx *bolt.Tx) error { return l.write(tx, requests) })
		})
		if err == nil {
			l.commits.Add(1)
		}
		for _, r := range requests {
			r.err = err
		}
		if damaged(err) {
			l.broken = err // what bbolt has in memory cannot be trusted
		}
	} else {
		for _, r := range requests {
			r.err = l.broken
		}
	}
	for _, r := range requests {
		if r.err == nil {
			r.q.lane.Add(r.records...)
			r.q.lane.Done(r.done...)
		}
		close(r.ready)
	}
}

// write changes the file. A number that a transaction has given out and that fails is
// not given out again.
func (l *Log) write(tx *bolt.Tx, requests []*request) error {
	root, err := tx.CreateBucketIfNotExists(queuesBucket)
	if err != nil {
		return err
	}
	counts, err := tx.CreateBucketIfNotExists(countsBucket)
	if err != nil {
		return err
	}
	for _, r := range requests {
		b, err := root.CreateBucketIfNotExists([]byte(r.q.name))
		if err != nil {
			return err
		}
		if err := l.writeOne(b, counts, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) writeOne(b, counts *bolt.Bucket, r *request) error {
	name := []byte(r.q.name)
	n := uint64(0)
	if count := counts.Get(name); len(count) == 8 {
		n = binary.BigEndian.Uint64(count)
	}
	for _, d := range r.data {
		r.q.last = max(r.q.last+1, journal.NumberAt(l.now().UnixMilli()))
		if err := b.Put(bigEndian(r.q.last), journal.Frame(r.q.last, d)); err != nil {
			return err
		}
		r.records = append(r.records, journal.Record{Number: r.q.last, Data: d})
		n++
	}
	for _, number := range r.done {
		key := bigEndian(number)
		if b.Get(key) == nil {
			continue
		}
		if err := b.Delete(key); err != nil {
			return err
		}
		n--
	}
	if err := b.SetSequence(r.q.last); err != nil {
		return err
	}
	return counts.Put(name, bigEndian(n))
}

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
