// Package latest hands the newest of something to any number of readers, each at
// its own pace: a slow one skips what has been replaced meanwhile. What the
// sources of views have in common stands here once.
package latest

import (
	"context"
	"sync"
)

// Box holds the newest value. The zero Box holds none and is ready to use. It is
// safe for concurrent use; do not copy it.
type Box[T any] struct {
	mu      sync.Mutex // guards what follows
	value   T
	version uint64        // of value; 0 before the first
	changed chan struct{} // closed at the next change; nil while nobody waits
	closed  error         // what Next returns once the box is closed
}

// Set replaces the value by what next makes of the old one and of the new one's
// version: 1 for the first value, then one more each time. next is called under
// the box's lock and must not use the box. After Close nothing changes, and Set
// returns the error that Close was given.
func (b *Box[T]) Set(next func(old T, version uint64) T) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		return b.closed
	}
	b.version++
	b.value = next(b.value, b.version)
	b.wake()
	return nil
}

// Next returns the newest value as soon as its version is above after: at once
// for after 0, unless there is no value yet. It fails with the cause of ctx when
// that ends, and with the error of Close.
func (b *Box[T]) Next(ctx context.Context, after uint64) (T, error) {
	for {
		value, changed, err := b.look(after)
		if changed == nil {
			return value, err
		}
		select {
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		case <-changed:
		}
	}
}

// look returns what Next has to return, or a channel that is closed when it is
// worth to look again.
func (b *Box[T]) look(after uint64) (value T, changed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed != nil:
		return value, nil, b.closed
	case b.version > after:
		return b.value, nil, nil
	case b.changed == nil:
		b.changed = make(chan struct{})
	}
	return value, b.changed, nil
}

// Close ends every Next, with err, which must not be nil. Of several calls the
// first counts.
func (b *Box[T]) Close(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed == nil {
		b.closed = err
		b.wake()
	}
}

// wake is called with the lock held.
func (b *Box[T]) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
