package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Version is the first byte of all that members send each other. A member
// ignores what has another one.
const Version = 2

// ErrVersion is the cause of a *VersionError.
var ErrVersion = errors.New("unknown version")

// VersionError is returned for a message of another version of the protocol.
type VersionError struct{ Got byte }

func (e *VersionError) Error() string {
	return fmt.Sprintf("gossip message of version %d, want %d", e.Got, Version)
}

// Unwrap returns ErrVersion.
func (e *VersionError) Unwrap() error { return ErrVersion }

// errShort is the error of a message that ends early, errNumber that of a number
// which is too long: each message has one encoding.
var (
	errShort  = errors.New("gossip message ends early")
	errNumber = errors.New("gossip message: number: got more bytes than it needs, or than 64 bits have")
)

// writer appends the fields of a message: numbers as varints, texts with their
// lengths.
type writer []byte

func (w *writer) byte(b byte)      { *w = append(*w, b) }
func (w *writer) number(n uint64)  { *w = binary.AppendUvarint(*w, n) }
func (w *writer) signed(n int64)   { *w = binary.AppendVarint(*w, n) }
func (w *writer) weight(f float64) { *w = binary.BigEndian.AppendUint64(*w, math.Float64bits(f)) }
func (w *writer) text(s string)    { w.number(uint64(len(s))); *w = append(*w, s...) }
func (w *writer) bytes(b []byte)   { *w = append(*w, b...) }
func (w *writer) flag(set bool)    { w.byte(map[bool]byte{true: 1}[set]) }

// reader reads them back. After a first error everything is zero, so that the
// error needs to be looked at once, at the end.
type reader struct {
	left []byte
	err  error
}

func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.left)) {
		r.fail(errShort)
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.left = nil
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.left)
	switch b := r.take(uint64(max(size, 0))); {
	case size == 0:
		r.fail(errShort)
	case size < 0:
		r.fail(errNumber)
	case size > 1 && b[size-1] == 0: // a longer form of a shorter one
		r.fail(errNumber)
	default:
		return n
	}
	return 0
}

// signed undoes the zigzag of binary.AppendVarint.
func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) weight() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) flag() bool {
	b := r.byte()
	if b > 1 {
		r.fail(fmt.Errorf("gossip message: flag: got %d, want 0 or 1", b))
	}
	return b == 1
}

func (r *reader) text() string { return string(r.take(r.number())) }

// version reads the first byte.
func (r *reader) version() {
	if v := r.byte(); r.err == nil && v != Version {
		r.fail(&VersionError{Got: v})
	}
}

// end returns the first error; bytes that nobody has read are one.
func (r *reader) end() error {
	if r.err == nil && len(r.left) > 0 {
		return fmt.Errorf("gossip message: %d bytes after its end", len(r.left))
	}
	return r.err
}
