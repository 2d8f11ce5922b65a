package cache

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// A dead write is one that a journal has whole and that the space cannot read: its
// codec, or that of keys, refuses it, or it is of a form that this release does not
// know. It lies in a queue beside that of the writes. In that journal, which adds a
// checksum of its own, numbers big endian:
//
//	version 1 · number 8 · overtaken 8 · length of why 2 · why · record …
type deadWrite struct {
	ids       []uint64 // its numbers in the queue of the dead: several if a process was killed while it changed it
	number    uint64   // that it had among the writes
	overtaken uint64   // number of a write that was applied since, and that it would undo; 0: none
	why       string
	record    []byte // as it was
}

const (
	deadVersion = 1
	deadHeader  = 1 + 8 + 8 + 2
	maxWhy      = 400
)

var errDeadWrite = errors.New("cache: write-behind: not a dead write")

func (d deadWrite) encode() []byte {
	why := d.why[:min(len(d.why), maxWhy)]
	out := make([]byte, 0, deadHeader+len(why)+len(d.record))
	out = append(out, deadVersion)
	out = binary.BigEndian.AppendUint64(out, d.number)
	out = binary.BigEndian.AppendUint64(out, d.overtaken)
	out = binary.BigEndian.AppendUint16(out, uint16(len(why)))
	return append(append(out, why...), d.record...)
}

func decodeDeadWrite(id uint64, data []byte) (d deadWrite, err error) {
	if len(data) < deadHeader || data[0] != deadVersion {
		return d, fmt.Errorf("%w: %d bytes, want version %d and at least %d", errDeadWrite, len(data), deadVersion, deadHeader)
	}
	n := int(binary.BigEndian.Uint16(data[17:]))
	if n > maxWhy || n > len(data)-deadHeader {
		return d, fmt.Errorf("%w: a reason of %d bytes in %d", errDeadWrite, n, len(data))
	}
	return deadWrite{ids: []uint64{id}, number: binary.BigEndian.Uint64(data[1:]), overtaken: binary.BigEndian.Uint64(data[9:]),
		why: string(data[deadHeader : deadHeader+n]), record: data[deadHeader+n:]}, nil
}

// JournaledWrite is a write as a journal has it.
type JournaledWrite struct {
	Number uint64    // by which the writes of a space are ordered
	What   string    // "value", "delete" or "delta"; "unknown" where not even that can be read
	Key    []byte    // as WriteBehindConfig.KeyCodec has it; nil: unknown
	Size   int       // of the record, in bytes
	Since  time.Time // when it was acknowledged, or nearly so
}

// DeadWrite is a write that was set aside, for the space could not read it.
type DeadWrite struct {
	JournaledWrite
	ID  uint64 // by which it is revived or dropped
	Err string // what could not be read of it

	// Overtaken is the number of a later write of the same key that was applied since,
	// and that this one would undo; 0: none is known.
	Overtaken uint64
}

func journaledWrite(number uint64, record []byte) JournaledWrite {
	w := JournaledWrite{Number: number, What: "unknown", Size: len(record), Since: (journal.Record{Number: number}).Time()}
	if r, err := decodeBehindRecord(record); err == nil {
		w.What, w.Key = r.kind.String(), slices.Clone(r.key)
	}
	return w
}

func (k behindKind) String() string {
	return [...]string{"unknown", "value", "delete", "delta"}[min(k, behindDelta)]
}

// undoes says whether a dead write would undo a later one of its key if it came after
// it: all would, but a delta a delta.
func (k behindKind) undoes(later behindKind) bool { return k != behindDelta || later != behindDelta }

// maxDeadWrites is how many dead writes are listed, and looked at.
const maxDeadWrites = 10_000

// The queues of a space in a journal.
const (
	writesQueue = "/writes"
	deadQueue   = "/writes/dead"
)

// WriteJournal is the writes of a space in a journal, for tools that look after it while
// no process has the space open: see "ringway cache journal". It is safe for concurrent
// use.
type WriteJournal struct{ queue, dead journal.Queue }

// OpenWriteJournal opens what a journal has of a space, which is named with its schema:
// "svc:user/3". Close it when done. An error that matches ErrConfig: there is no journal.
func OpenWriteJournal(ctx context.Context, log journal.Journal, space string) (*WriteJournal, error) {
	if isNil(log) {
		return nil, configError("journal", fmt.Sprintf("nil (%T)", log), "one")
	}
	queue, err := log.Queue(ctx, space+writesQueue)
	if err != nil {
		return nil, err
	}
	dead, err := log.Queue(ctx, space+deadQueue)
	if err != nil {
		return nil, errors.Join(err, queue.Close())
	}
	return &WriteJournal{queue, dead}, nil
}

// Close leaves the journal to others.
func (w *WriteJournal) Close() error { return errors.Join(w.queue.Close(), w.dead.Close()) }

// Waiting returns the oldest writes that the source does not have yet, at most as many,
// and how many there are.
func (w *WriteJournal) Waiting(ctx context.Context, most int) (oldest []JournaledWrite, depth int, err error) {
	records, depth, err := w.queue.Peek(ctx, most)
	for _, r := range records {
		oldest = append(oldest, journaledWrite(r.Number, r.Data))
	}
	return oldest, depth, err
}

// Dead returns the writes that were set aside, the oldest first, at most 10,000.
func (w *WriteJournal) Dead(ctx context.Context) (all []DeadWrite, err error) {
	dead, _, err := w.buried(ctx)
	for _, d := range dead {
		all = append(all, DeadWrite{JournaledWrite: journaledWrite(d.number, d.record), ID: d.ids[0], Err: d.why, Overtaken: d.overtaken})
	}
	return all, err
}

// buried returns the dead writes in the order of their numbers, and how many records
// they are.
func (w *WriteJournal) buried(ctx context.Context) (all []deadWrite, depth int, err error) {
	records, depth, err := w.dead.Peek(ctx, maxDeadWrites)
	at := make(map[uint64]int)
	for _, r := range records {
		d, err := decodeDeadWrite(r.Number, r.Data)
		if err != nil {
			d = deadWrite{ids: []uint64{r.Number}, number: r.Number, why: err.Error(), record: r.Data}
		}
		if i, twice := at[d.number]; twice {
			all[i].ids, all[i].overtaken = append(all[i].ids, r.Number), max(all[i].overtaken, d.overtaken)
			continue
		}
		at[d.number] = len(all)
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b deadWrite) int { return cmp.Compare(a.number, b.number) })
	return all, depth, err
}

// Revive has dead writes tried anew, as the last writes of their keys: those that are
// named by their IDs, overtaken or not; without any all that are not overtaken, the
// oldest first. It returns how many. One that still cannot be read is set aside again.
// A process that is killed meanwhile may leave one both revived and dead.
func (w *WriteJournal) Revive(ctx context.Context, ids ...uint64) (int, error) {
	return w.eachDead(ctx, ids, func(d deadWrite) (bool, error) {
		if len(ids) == 0 && d.overtaken != 0 {
			return false, nil
		}
		_, err := w.queue.Append(ctx, d.record)
		return true, err
	})
}

// Drop throws the dead writes of those IDs away, and returns how many there were.
func (w *WriteJournal) Drop(ctx context.Context, ids ...uint64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return w.eachDead(ctx, ids, func(deadWrite) (bool, error) { return true, nil })
}

// eachDead removes the dead writes of some IDs, or of all, once something was done about
// them.
func (w *WriteJournal) eachDead(ctx context.Context, ids []uint64, do func(deadWrite) (bool, error)) (n int, err error) {
	all, _, err := w.buried(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range all {
		if len(ids) > 0 && !slices.Contains(ids, d.ids[0]) {
			continue
		}
		remove, err := do(d)
		if err == nil && remove {
			err = w.dead.Done(ctx, d.ids...)
		}
		if err != nil {
			return n, err
		}
		if remove {
			n++
		}
	}
	return n, nil
}
