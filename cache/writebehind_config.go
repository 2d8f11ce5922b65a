package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// WriteBehindConfig has writes return as soon as a journal has them; the source gets
// them later, in batches. Apply and Journal turn it on, and go together.
//
// Put, PutMany, Delete and Add write so. Reads of this process see a value from then on,
// from wherever they would have come; those of other processes see it in the store,
// which has it at once unless it is slow (see StoreWait), and if it is thrown out there
// before the source has it, what the source had before. Deltas (Add) are seen when the source has them. A write that
// failed with another error than ErrQueueFull or ErrClosed may be applied all the same.
type WriteBehindConfig[K Key, V any] struct {
	// Apply writes changes to the source, of each key one at most. It must return
	// when its context ends, and an error unless all of them are durable, or else a
	// *Rejection of some. After an error the same changes come again, perhaps with
	// more, as they do after a crash, and as they do from a process that was too slow
	// to be believed alive: see RowChange for how a source tells. It may set
	// RowChange.Version.
	//
	// Batches come one after the other, from one process of those that share the
	// journal, so that the writes of a key are applied in the order in which the
	// journal has them.
	Apply func(ctx context.Context, batch []*RowChange[K, V]) error

	// Journal keeps what the source does not have yet: local.Open for this process
	// alone, whose keys no other may write then; streams.New for all that share it,
	// which then need the same configuration; memory.New if writes may be lost. It
	// stays the caller's, and must stay open until the manager is closed. The
	// journal has keys and values readable, but for what the codecs encrypt.
	Journal journal.Journal

	// KeyCodec makes the journal's keys; nil: JSON, which sees exported fields only.
	// A key that it does not bring back is refused.
	KeyCodec Codec[K]

	Batch    int           // how many writes an Apply takes up at most, several of a key counted; 0 means 500
	Interval time.Duration // between two batches that are not full; 0 means 50 ms
	Timeout  time.Duration // of an Apply; 0 means 10 s

	// StoreWait is how long a write, which the journal has by then, waits for the store
	// to show it to other processes; 0 means 100 ms. It is shown later if the store is
	// slower, and when it is applied if that is away, or 256 calls wait for it already.
	// A space with Epochs may wait as long once more, before. So this bounds what a
	// write waits for but for the journal and a place in the Queue, for which the
	// caller's context does, and for Filter, without which nothing is written:
	// Loads.Timeout.
	StoreWait time.Duration

	// Queue is how many writes of this process may be on their way. When there are as
	// many, further ones wait for a place until their context ends, and fail with
	// ErrQueueFull; 0 means 10,000.
	Queue int

	// Pause is how long an Apply that has failed is let be, at first; each time it is
	// twice as long, up to MaxPause, less up to a half by chance. 0 means 100 ms and
	// 30 s. It is tried until it succeeds: see Rejection.
	Pause, MaxPause time.Duration

	// Drain is how long Manager.Close waits for the source to have everything that
	// this process has written, or has found in the journal; 0 means 5 s. What is left over stays in the journal,
	// and is applied when there is a space of this name and schema again.
	//
	// In a journal that processes share, what others have written since is no reason
	// to wait, and no error: one of them, or the next, applies it. Where this process is
	// the last one it stays: BehindStats.Left says how much there was.
	Drain time.Duration
}

// Writing is what a RowChange does to a row.
type Writing uint8

// The writings.
const (
	WriteNothing Writing = iota // there are only deltas
	WriteValue                  // the row has the Value
	WriteDelete                 // there is no row
)

// String returns the writing in a word.
func (w Writing) String() string {
	return [...]string{"nothing", "value", "delete"}[min(int(w), 2)]
}

// RowChange is what becomes of one key: the last of its writes, and then its deltas.
//
// A change may come more than once, and with other ones: after +1 and +2, which were
// applied, +1, +2 and +3. Values can be written again, deltas cannot. So a source
// remembers, in the transaction that changes the row, either
//
//   - with the row the number that Last returns, and does only what After returns for
//     it: if all that write the row share one journal; or
//   - the ID of each delta, and leaves out those that it knows, until no process can be
//     at work any more on what was applied then, which is sure after a day.
type RowChange[K Key, V any] struct {
	Key    K
	Write  Writing
	Value  V
	Number uint64 // of the write, by which the writes and deltas of a key are ordered; 0: there is none
	Deltas []Delta

	// Version is for Apply to set, if the source has versions, to the one that the row
	// has now: less than 2^63. With one the store is given the value; else, and if
	// there are deltas, the entry is deleted.
	Version uint64
}

// Delta is what is to be added to a row.
type Delta struct {
	Number uint64
	ID     [16]byte // random, or the caller's
	By     int64
}

// Last returns the highest number in the change.
func (c *RowChange[K, V]) Last() uint64 {
	if n := len(c.Deltas); n > 0 {
		return c.Deltas[n-1].Number
	}
	return c.Number
}

// After returns what is left to be done for a row that has everything up to a number: 0
// for one that has nothing. The sum is to be added after what is written.
func (c *RowChange[K, V]) After(last uint64) (write Writing, sum int64) {
	if c.Number > last {
		write = c.Write
	}
	for _, d := range c.Deltas {
		if d.Number > last {
			sum += d.By
		}
	}
	return write, sum
}

// Rejection is for Apply to return if the source refuses some changes for good, and has
// all others of the batch. They are dropped, counted, and ManagerConfig.OnError is told.
type Rejection struct {
	Changes []int // indexes in the batch
	Err     error // why
}

// Error is that of the source.
func (r *Rejection) Error() string {
	return fmt.Sprintf("cache: write-behind: the source refuses %d changes: %v", len(r.Changes), r.Err)
}

// Unwrap returns the source's error.
func (r *Rejection) Unwrap() error { return r.Err }

func (c WriteBehindConfig[K, V]) withDefaults(saves bool) (WriteBehindConfig[K, V], error) {
	if err := firstError(checkSet("WriteBehind.Journal", c.Journal), checkSet("WriteBehind.KeyCodec", c.KeyCodec)); err != nil {
		return c, err
	}
	switch {
	case (c.Apply == nil) != (c.Journal == nil):
		return c, configError("WriteBehind", "one of Apply and Journal", "both, or neither")
	case c.Apply == nil:
		return c, nil
	case saves:
		return c, configError("WriteBehind", "Save or SaveMany too", "one way to write")
	case c.Batch < 0 || c.Queue < 0:
		return c, configError("WriteBehind", fmt.Sprintf("Batch %d, Queue %d", c.Batch, c.Queue), "0 or more")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"Interval", &c.Interval, 50 * time.Millisecond}, {"Timeout", &c.Timeout, 10 * time.Second}, {"Drain", &c.Drain, 5 * time.Second},
		{"StoreWait", &c.StoreWait, 100 * time.Millisecond},
		{"Pause", &c.Pause, 100 * time.Millisecond}, {"MaxPause", &c.MaxPause, 30 * time.Second},
	} {
		if *d.value < 0 || *d.value > time.Hour {
			return c, configError("WriteBehind."+d.name, *d.value, "0 to 1 h")
		}
		setDefault(d.value, d.zero)
	}
	setDefault(&c.Batch, 500)
	setDefault(&c.Queue, 10_000)
	if c.KeyCodec == nil {
		c.KeyCodec = JSON[K]{}
	}
	return c, nil
}
