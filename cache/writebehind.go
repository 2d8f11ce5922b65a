package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// behind is what a space has that writes behind.
type behind[K Key, V any] struct {
	cfg   WriteBehindConfig[K, V]
	queue journal.Queue
	dead  journal.Queue // writes that cannot be read

	ctx    context.Context // ends when Close has waited for long enough
	cancel context.CancelFunc
	hurry  chan struct{} // closed by Close: no pauses between batches
	shows  chan struct{} // has one of each call that the store is being shown

	shown atomic.Int64 // len(values), for readers
	left  atomic.Int64 // in the journal, when the space was closed

	burying   sync.Mutex   // held while dead changes, and guards what follows; taken before mu
	buried    []deadWrite  // what is in dead
	deadDepth atomic.Int64 // how many records; for readers without the lock

	mu       sync.RWMutex // guards what follows
	closing  bool
	count    int                     // writes of this process on their way, and those about to be
	room     chan struct{}           // closed, and made anew, when count falls
	own      map[uint64]behindOwn[K] // those that the journal has, by number
	values   map[K]*behindValueOf[V] // the last of each key that is no delta, for reads
	mark     uint64                  // everything up to it is done
	oldest   time.Time               // of all in the journal; zero: there is none, or nobody has looked
	depth    int                     // likewise
	settling uint64                  // everything up to it is done, or about to be
	stats    struct{ acknowledged, applied, coalesced, batches, failures, rejected, setAside, unshown, full atomic.Uint64 }
}

type behindOwn[K Key] struct {
	key   K
	store storeKey
}

// behindValueOf is what readers are shown.
type behindValueOf[V any] struct {
	id      identity // of its key
	number  uint64
	deleted bool
	value   V
	payload []byte
	since   time.Time
}

// The version of an entry that the source does not have yet: above all versions of the
// source, and ordered as the journal is. So nothing that is loaded meanwhile, by any
// process, replaces it; an older write that comes late does not either; and whoever has
// applied a write deletes what is below, which later writes are not.
const pendingVersion uint64 = 1 << 63

// ErrQueueFull: too many writes are on their way to the source. Nothing was written.
var ErrQueueFull = errors.New("cache: write-behind: the queue is full")

// ErrNotJournaled: the journal did not say that it has the write. It may have it.
var ErrNotJournaled = errors.New("cache: write-behind: not known to be in the journal")

// ErrNotApplied: Close or Flush did not wait for longer. The writes are in the journal.
var ErrNotApplied = errors.New("cache: write-behind: not all writes are applied")

// Add adds a number to the row of the key at the source. It returns when the journal has
// the delta; reads see it when the source has it. ErrNoSave: the space has no
// WriteBehind.
func (s *Space[K, V]) Add(ctx context.Context, key K, delta int64) error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return s.AddOnce(ctx, key, delta, id)
}

// AddOnce is Add with an ID of the caller's, who may then repeat it after an error: a
// source that keeps IDs (see RowChange) adds it once.
func (s *Space[K, V]) AddOnce(ctx context.Context, key K, delta int64, id [16]byte) error {
	if s.behind == nil {
		return ErrNoSave
	}
	return s.writeBehind(ctx, behindWrite[K, V]{kind: behindDelta, key: key, delta: delta, id: id})
}

// Flush waits until the source has what this process has written before. ErrNotApplied:
// ctx ended first. Without WriteBehind it does nothing.
func (s *Space[K, V]) Flush(ctx context.Context) error {
	if s.behind == nil {
		return nil
	}
	return s.behind.flush(ctx, s.name)
}

// writeBehind has the journal take the writes, all or none, and shows them.
func (s *Space[K, V]) writeBehind(ctx context.Context, writes ...behindWrite[K, V]) error {
	b := s.behind
	data := make([][]byte, len(writes))
	ids := make([]identity, 0, len(writes))
	asking, cancel := context.WithTimeout(ctx, b.cfg.StoreWait) // for the epoch, if there is one
	defer cancel()
	for i := range writes {
		w := &writes[i]
		var err error
		if w.store, err = s.keyOf(asking, w.key); err != nil {
			return err
		}
		if w.kind == behindValue {
			if err = s.validate(w.key, w.value); err != nil {
				return err
			}
		}
		if data[i], err = s.encodeWrite(w); err != nil {
			return err
		}
		if w.kind != behindDelete {
			ids = append(ids, w.store.identity)
		}
	}
	if err := s.announceIDs(ctx, ids); err != nil {
		return err
	}
	if err := b.reserve(ctx, len(writes)); err != nil {
		return b.refused(len(writes), err)
	}
	numbers, err := b.queue.Append(ctx, data...)
	if err == nil && len(numbers) != len(data) {
		err = fmt.Errorf("%d numbers for %d records", len(numbers), len(data))
	}
	if err != nil {
		b.leave(len(writes))
		return b.refused(len(writes), behindError(s.name, err))
	}
	for i := range writes {
		writes[i].number = numbers[i]
	}
	return s.acknowledged(ctx, writes)
}

func behindError(name string, err error) error {
	switch {
	case errors.Is(err, journal.ErrFull):
		return fmt.Errorf("%w: %s: %w", ErrQueueFull, name, err)
	case errors.Is(err, journal.ErrClosed):
		return fmt.Errorf("%w: %s: %w", ErrClosed, name, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrNotJournaled, name, err)
}

// acknowledged shows writes that the journal has: first to readers here, then to those
// of the store. That the store fails is no error of theirs: what it has is deleted later.
func (s *Space[K, V]) acknowledged(ctx context.Context, writes []behindWrite[K, V]) error {
	b := s.behind
	b.stats.acknowledged.Add(uint64(len(writes)))
	var shown []*behindWrite[K, V]
	for i := range writes {
		w, payload, readable := &writes[i], []byte(nil), true
		value := s.private(w.value)
		if w.kind == behindValue {
			payload, readable = s.ownCopy(w)
		}
		if b.register(w, value, payload, time.Now()) && readable {
			shown = append(shown, w)
		}
	}
	s.showSoon(ctx, shown)
	return nil
}

// ownCopy has a write keep a value that the caller cannot change after it has returned:
// what follows may go on behind it. Where only the codec makes one it returns its bytes too.
func (s *Space[K, V]) ownCopy(w *behindWrite[K, V]) (payload []byte, readable bool) {
	if s.copiesGiven() {
		w.value = s.private(w.value)
		return nil, true
	}
	payload, err := s.cfg.Codec.Encode(w.value, w.store.identity[:]) // it did before
	if err == nil {
		w.value, err = s.decode(payload, w.store.identity)
	}
	return payload, err == nil
}

// private returns a value that the caller cannot change.
func (s *Space[K, V]) private(v V) V {
	if s.cfg.Clone != nil {
		return s.cfg.Clone(v)
	}
	return v
}

// showInStore stores the entry of a write that the source does not have yet.
func (s *Space[K, V]) showInStore(ctx context.Context, w *behindWrite[K, V]) {
	b, k := s.behind, w.store
	keys := []storeKey{k}
	storable, err := s.tagsForWrite(ctx, keys, []Pair[K, V]{{w.key, w.value}})
	k = keys[0]
	s.forget(w.key, k)
	set := err == nil && storable[0] && !k.noEpoch && s.Bypassed() == BypassNothing && (w.kind != behindDelete || !s.cfg.Life.NoNegative)
	if set {
		_, entry, sealing := s.seal(k, Loaded[V]{Value: w.value}, w.kind == behindDelete, 0)
		if entry.Version, err = pendingVersion|w.number, sealing; err == nil {
			_, err = s.m.cfg.Store.Set(ctx, k.text, entry)
			s.storeFailed(ctx, err)
			if err == nil {
				err = s.dropCopies(ctx, k)
			}
		}
	}
	s.forget(w.key, k)
	s.tellOthers(k)
	if over := b.stored(w); !set || err != nil || over {
		_ = s.invalidate(ctx, w.key, k, (pendingVersion|w.number)+1)
	}
	if w.kind == behindValue {
		if err := s.wrote(ctx, w.value); err != nil {
			s.m.tell(s.name, err)
		}
	}
}
