package cache

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// flights has callers in this process that want the same key share one load. A
// flight belongs to none of its callers: it goes on if they leave.
type flights[R any] struct {
	mu    sync.Mutex
	byKey map[string]*flight[R] // "user/3/i2:17"
}

type flight[R any] struct {
	done   chan struct{} // closed when result and err are set
	result R
	err    error
}

// join returns the flight for the key, and starts one if there is none. do is
// called in a goroutine of its own that start begins; if start fails so does join.
func (fs *flights[R]) join(key string, start func(func()) error, do func(f *flight[R]) (R, error)) (f *flight[R], leader bool, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byKey[key]; f != nil {
		return f, false, nil
	}
	f = &flight[R]{done: make(chan struct{})}
	if err := start(func() { fs.fly(key, f, do) }); err != nil {
		return nil, false, err
	}
	if fs.byKey == nil {
		fs.byKey = make(map[string]*flight[R])
	}
	fs.byKey[key] = f
	return f, true, nil
}

// underWay returns the flight for the key; nil: there is none.
func (fs *flights[R]) underWay(key string) *flight[R] {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byKey[key]
}

func (fs *flights[R]) fly(key string, f *flight[R], do func(f *flight[R]) (R, error)) {
	// Also if do panics or ends its goroutine: nobody may be left waiting.
	f.err = errGoexit
	defer func() {
		if p := recover(); p != nil {
			f.err = &PanicError{Value: p, Stack: debug.Stack()}
		}
		fs.leave(key, f)
		close(f.done)
	}()
	f.result, f.err = do(f)
}

var errGoexit = errors.New("cache: the loader ended its goroutine")

// leave has later callers start a flight of their own.
func (fs *flights[R]) leave(key string, f *flight[R]) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byKey[key] == f {
		delete(fs.byKey, key)
	}
}

// forget does so for whatever flight there is.
func (fs *flights[R]) forget(key string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.byKey, key)
}

// call runs f in a goroutine that start begins, and returns ErrLoadTimeout if the
// time is up or the context ends before f returns, whether f looks at its context
// or not.
func call[T any](ctx context.Context, timeout time.Duration, start func(func()) error, f func(context.Context) (T, error)) (result T, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrLoadTimeout)
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	err = start(func() {
		o := outcome{err: errGoexit}
		defer func() {
			if p := recover(); p != nil {
				o.err = &PanicError{In: "the loader", Value: p, Stack: debug.Stack()}
			}
			done <- o
			cancel()
		}()
		o.result, o.err = f(ctx)
	})
	if err != nil {
		cancel()
		return result, err
	}
	ended := func(o outcome) (T, error) {
		if ctx.Err() != nil && errors.Is(o.err, ctx.Err()) {
			o.err = context.Cause(ctx) // f noticed first
		}
		return o.result, o.err
	}
	select {
	case o := <-done:
		return ended(o)
	case <-ctx.Done():
		select {
		case o := <-done: // f returned, and its context ended with it
			return ended(o)
		default:
			return result, context.Cause(ctx)
		}
	}
}
