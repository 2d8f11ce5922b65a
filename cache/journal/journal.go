// Package journal says what a journal is: what has been promised and is yet to be
// done, kept where a process that is killed does not lose it. Package cache keeps
// writes that the source does not have yet in one, and invalidations that are due
// later.
//
//	log, err := local.Open("/var/lib/svc/cache.journal", local.Config{})    // a file, for one process
//	shared, err := streams.New(client, streams.Config{})                    // Redis Streams, for a fleet
//
// Each is in a package of its own, so that nobody inherits what it does not use; and
// there is one in memory, which promises nothing.
//
// # What is promised
//
//   - What Append has acknowledged is read by somebody, once at least, until Done is
//     acknowledged.
//   - Numbers grow in a queue, also over restarts, and records are read in the order of
//     their numbers.
//   - Of all processes one reads a queue at a time. One that was thought dead and is
//     not may still be at work on what it had read: Number says what is older.
package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Journal has queues by name.
type Journal interface {
	// Queue returns the queue of a name of 1 to 200 bytes, and makes it if it is not
	// there. In one process a queue is open once at a time.
	Queue(ctx context.Context, name string) (Queue, error)
}

// Queue is a sequence of records. It is safe for concurrent use, but for Read, which
// is for one reader.
type Queue interface {
	// Append returns the numbers of the records once all of them are durable. After an
	// error nobody knows whether they are, unless it is ErrFull or ErrClosed: then they
	// are not.
	Append(ctx context.Context, data ...[]byte) (numbers []uint64, err error)

	// Read returns the next records, in their order, at least one and at most as many
	// as asked for. It waits for the first until ctx ends. It begins with those that are
	// not done, of processes that are gone too, and may return one again that the
	// caller has at hand.
	Read(ctx context.Context, most int) ([]Record, error)

	// Done removes records. Those that are not there any more are no error.
	Done(ctx context.Context, numbers ...uint64) error

	// Peek returns the oldest records, whoever reads them, and how many there are in
	// all.
	Peek(ctx context.Context, most int) (oldest []Record, depth int, err error)

	// Close leaves the queue to others. What was read and not done is read again.
	Close() error
}

// Record is an entry of a queue.
type Record struct {
	Number uint64 // by which records of a queue are ordered; less than 2^63
	Data   []byte // not to be changed
}

// In the lower bits of a number records of the same millisecond are counted.
const counterBits = 22

// NumberAt returns the number that the first record at a time has, in ms since 1970.
// Journals use it, or the number after their last if that is greater: so numbers go on
// growing where a journal is lost and another one begun, and never depend on the clock
// within one.
func NumberAt(ms int64) uint64 { return uint64(max(ms, 1)) << counterBits }

// Time returns when the record was appended, or nearly so, by the clock of the journal.
func (r Record) Time() time.Time { return time.UnixMilli(int64(r.Number >> counterBits)) }

var (
	// ErrClosed: the journal or the queue was closed. Nothing was appended.
	ErrClosed = errors.New("journal: closed")

	// ErrFull: there is no place for more. Nothing was appended.
	ErrFull = errors.New("journal: full")

	// ErrLocked: another process has the journal, or the queue is open already.
	ErrLocked = errors.New("journal: in use")

	// ErrDamaged: what is there was changed by something else than a journal. Nothing
	// of it is used, and nothing is thrown away: see the error's text.
	ErrDamaged = errors.New("journal: damaged")
)

// CheckName returns an error for a name that is no queue's.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > 200 {
		return fmt.Errorf("journal: name of a queue: %d bytes, want 1 to 200", len(name))
	}
	return nil
}
