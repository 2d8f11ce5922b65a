package cache

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is for a loader to return if the source does not have the key:
	// that alone is remembered as an absence. Get returns it too, from the loader
	// or from what is remembered.
	ErrNotFound = errors.New("cache: not found")

	// ErrMiss: a Store does not have the key.
	ErrMiss = errors.New("cache: miss")

	// ErrNoLoader: the key is not cached, and neither the space nor the call has
	// a loader.
	ErrNoLoader = errors.New("cache: no loader")

	// ErrNoSave: Put was called on a space without Save, or Delete on one without Remove.
	// Nothing was written.
	ErrNoSave = errors.New("cache: no Save")

	// ErrLoadTimeout: the loader took longer than Loads.Timeout. Nothing was stored.
	ErrLoadTimeout = errors.New("cache: the loader took too long")

	// ErrClosed: the manager was closed.
	ErrClosed = errors.New("cache: closed")

	// ErrUnsupported: the store cannot do it.
	ErrUnsupported = errors.New("cache: not supported by the store")

	// ErrConfig: NewManager or NewSpace refused what it was given.
	ErrConfig = errors.New("cache: config")

	// ErrNotInvalidated: the source was written, or Invalidate was called, and the
	// fleet could not be told: until its time to live ends, the entry that was
	// there may still be.
	ErrNotInvalidated = errors.New("cache: not invalidated")

	// ErrShed: there are as many loads as the source is given at a time, or as many
	// calls of the space or the tenant as there may be, and no old value to hand
	// out: see LimitConfig and BulkheadConfig. Nobody was asked. Try later.
	ErrShed = errors.New("cache: too many at a time")

	// ErrInvalidValue: Validate refused a value. It was not stored.
	ErrInvalidValue = errors.New("cache: invalid value")
)

// KeyError reports a key that a space does not take. Nothing was sent.
type KeyError struct {
	Space   string // name and schema
	Problem string // what is wrong, and what is expected
	Err     error  // the guard's, or nil
}

// Error never shows the key, which may be personal.
func (e *KeyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cache: key of %s: %s: %v", e.Space, e.Problem, e.Err)
	}
	return fmt.Sprintf("cache: key of %s: %s", e.Space, e.Problem)
}

// Unwrap returns the guard's error.
func (e *KeyError) Unwrap() error { return e.Err }

// PanicError is a panic of a function that a space or a call was given: a loader, Save,
// Validate, Clone, a Codec, AppendKey and so on. On no path does it go on as a panic, in
// the caller's goroutine or in one that nobody could recover it in: whoever the function
// was called for, be it many callers of one load, gets it as an error. What the function
// was for has not been done; of a Save nobody knows, and the entry is deleted. A codec
// that panics does not encode, or not decode: see Codec.
//
// Where writes wait for the source (WriteBehind), what Put does with a value in its
// caller's goroutine panics there as ever. And what is told of errors and of time must not
// panic, for then there is nobody to be told: OnError, OnDead, Observer and Tracer.
type PanicError struct {
	In    string // which function: "the loader", "Validate", "Codec.Encode"; "": one of those that are rarer
	Value any    // of the panic
	Stack []byte // of its goroutine
}

// Error shows the value, not the stack.
func (e *PanicError) Error() string {
	in := e.In
	if in == "" {
		in = "a function that it was given"
	}
	return fmt.Sprintf("cache: %s panicked: %v", in, e.Value)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func configError(field string, got any, want string) error {
	return fmt.Errorf("%w: %s: %v, want %s", ErrConfig, field, got, want)
}
