package cache

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/ringway/ringway/cache/journal"
)

// unreadable is a record of the journal that is whole, and that the space cannot read.
type unreadable[K Key, V any] struct {
	record journal.Record
	write  behindWrite[K, V] // what could be read of it
	keyed  bool              // the key could
	err    error
}

// decodeWrites returns the writes up to the first that cannot be read, and then those
// that cannot, up to the next that can.
func (s *Space[K, V]) decodeWrites(records []journal.Record) (writes []behindWrite[K, V], dead []unreadable[K, V]) {
	for _, r := range records {
		w, err := s.decodeWrite(r.Number, r.Data)
		switch {
		case err != nil:
			dead = append(dead, unreadable[K, V]{record: r, write: w, keyed: w.store.text != "", err: err})
		case len(dead) > 0:
			return writes, dead
		default:
			writes = append(writes, w)
		}
	}
	return writes, dead
}

// decodeKey is KeyCodec.Decode; a codec that panics has not decoded it.
func (s *Space[K, V]) decodeKey(data []byte) (key K, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return s.behind.cfg.KeyCodec.Decode(data, nil)
}

// setAside moves records from the writes to the dead ones, so that what is behind them
// goes on; all before them is applied. The dead have them before the writes forget them:
// whatever becomes of this process, they are in one of the two. After an error nothing
// goes on, and it is to be tried again.
func (s *Space[K, V]) setAside(dead []unreadable[K, V]) error {
	b := s.behind
	if err := s.bury(dead); err != nil {
		return err
	}
	numbers := make([]uint64, len(dead))
	for i, d := range dead {
		numbers[i] = d.record.Number
	}
	last := numbers[len(numbers)-1]
	b.settle(last)
	atOnce(len(dead), func(i int) { s.unshow(dead[i]) })
	if err := b.queue.Done(b.ctx, numbers...); err != nil {
		return err
	}
	b.stats.setAside.Add(uint64(len(dead)))
	b.hide(b.done(last))
	s.tellDead(dead)
	if err := b.inspect(b.ctx); err != nil && b.ctx.Err() == nil {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: %w", err))
	}
	return nil
}

// bury adds records to the dead writes, but for those that a process which was killed
// here has left there.
func (s *Space[K, V]) bury(dead []unreadable[K, V]) error {
	b := s.behind
	b.burying.Lock()
	defer b.burying.Unlock()
	if err := s.learnDead(b.ctx); err != nil {
		return err
	}
	known := make(map[uint64]bool, len(b.buried))
	for _, d := range b.buried {
		known[d.number] = true
	}
	var records [][]byte
	for _, d := range dead {
		if !known[d.record.Number] {
			records = append(records, deadWrite{number: d.record.Number, why: d.err.Error(), record: d.record.Data}.encode())
		}
	}
	if len(records) == 0 {
		return nil
	}
	if _, err := b.dead.Append(b.ctx, records...); err != nil {
		return fmt.Errorf("record %d of the journal cannot be read (%w), nor set aside, which stops the queue: %w", dead[0].record.Number, dead[0].err, err)
	}
	return s.learnDead(b.ctx)
}

// tellDead tells of some of them.
func (s *Space[K, V]) tellDead(dead []unreadable[K, V]) {
	const most = 8
	for _, d := range dead[:min(len(dead), most)] {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: record %d%s cannot be read, and is set aside in the queue %s: %w",
			d.record.Number, s.behind.place(), s.name+deadQueue, d.err))
	}
	if more := len(dead) - most; more > 0 {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: %d more, up to record %d, likewise: %w", more, dead[len(dead)-1].record.Number, dead[most].err))
	}
}

// place says where the journal is, if it says so.
func (b *behind[K, V]) place() string {
	if where, says := b.cfg.Journal.(fmt.Stringer); says {
		return " of " + where.String()
	}
	return " of the journal"
}

// unshow deletes the entry of a write that is set aside: the source does not have it.
func (s *Space[K, V]) unshow(d unreadable[K, V]) {
	b, key, keyed := s.behind, d.write.key, d.keyed
	b.mu.RLock()
	if own, is := b.own[d.record.Number]; is {
		key, keyed = own.key, true
	}
	b.mu.RUnlock()
	if keyed {
		s.settleOne(&RowChange[K, V]{Key: key, Number: d.record.Number})
	}
}

func (b *behind[K, V]) writes() *WriteJournal { return &WriteJournal{b.queue, b.dead} }

// learnDead notes which writes are dead. Its caller has burying.
func (s *Space[K, V]) learnDead(ctx context.Context) error {
	b := s.behind
	all, depth, err := b.writes().buried(ctx)
	if err != nil {
		return err
	}
	b.buried = all
	b.deadDepth.Store(int64(depth))
	return nil
}

// lookForDead learns what other processes have set aside, revived or dropped.
func (s *Space[K, V]) lookForDead() {
	b := s.behind
	b.burying.Lock()
	defer b.burying.Unlock()
	if _, depth, err := b.dead.Peek(b.ctx, 0); err == nil && int64(depth) != b.deadDepth.Load() {
		_ = s.learnDead(b.ctx) // or the next time
	}
}

// overtake notes of dead writes that later ones of their keys were applied, which they
// would undo.
func (s *Space[K, V]) overtake(writes []behindWrite[K, V]) {
	b := s.behind
	if b.deadDepth.Load() == 0 {
		return
	}
	if err := s.noteOvertaken(writes); err != nil && b.ctx.Err() == nil {
		s.m.tell(s.name, fmt.Errorf("cache: write-behind: %w", err))
	}
}

func (s *Space[K, V]) noteOvertaken(writes []behindWrite[K, V]) error {
	b := s.behind
	b.burying.Lock()
	defer b.burying.Unlock()
	keys := make([]string, len(writes))
	for i, w := range writes {
		key, _ := b.cfg.KeyCodec.Encode(w.key, nil) // it did before
		keys[i] = string(key)
	}
	changed := false
	for _, d := range b.buried {
		r, err := decodeBehindRecord(d.record)
		if d.overtaken != 0 || err != nil {
			continue
		}
		for i, w := range writes {
			if keys[i] == string(r.key) && d.number < w.number && r.kind.undoes(w.kind) {
				d.overtaken, changed = w.number, true
				if _, err := b.dead.Append(b.ctx, d.encode()); err != nil {
					return err
				}
				if err := b.dead.Done(b.ctx, d.ids...); err != nil {
					return err
				}
				break
			}
		}
	}
	if !changed {
		return nil
	}
	return s.learnDead(b.ctx)
}

// DeadWrites returns the writes that were acknowledged and that the space could not read
// when their turn came, the oldest first, at most 10,000: those of earlier processes,
// and of others that share the journal, too. The source does not have them. Without
// WriteBehind there are none.
func (s *Space[K, V]) DeadWrites(ctx context.Context) ([]DeadWrite, error) {
	if s.behind == nil {
		return nil, nil
	}
	return s.behind.writes().Dead(ctx)
}

// ReviveWrites is WriteJournal.Revive for a space that is open.
func (s *Space[K, V]) ReviveWrites(ctx context.Context, ids ...uint64) (int, error) {
	return s.changeDead(ctx, func(w *WriteJournal) (int, error) { return w.Revive(ctx, ids...) })
}

// DropWrites is WriteJournal.Drop for a space that is open.
func (s *Space[K, V]) DropWrites(ctx context.Context, ids ...uint64) (int, error) {
	return s.changeDead(ctx, func(w *WriteJournal) (int, error) { return w.Drop(ctx, ids...) })
}

func (s *Space[K, V]) changeDead(ctx context.Context, change func(*WriteJournal) (int, error)) (int, error) {
	switch {
	case s.m.ctx.Err() != nil:
		return 0, ErrClosed
	case s.behind == nil:
		return 0, nil
	}
	s.behind.burying.Lock()
	defer s.behind.burying.Unlock()
	n, err := change(s.behind.writes())
	if err == nil {
		err = s.learnDead(ctx)
	}
	return n, err
}
