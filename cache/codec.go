package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Codec turns values into bytes and back. Both methods are given the identity of
// the key that the value belongs to, which a codec that authenticates binds to its
// output; others leave it alone. Decode must not keep data, and must return an
// error, never panic, for bytes that Encode did not make. A Codec is used by many
// goroutines at once.
//
// A value that does not encode, as JSON of a NaN, or of which Decode does not take what
// Encode made, is not stored: whoever loads it gets it, ManagerConfig.OnError is told,
// Stats.Unstorable counts, and the next Get loads it again. Unless they are flat, or have a
// Clone, only the codec copies what a loader hands out: there each of the callers who share a
// load loads his own, one after the other. An entry that does not decode is a miss. A
// codec that panics has failed with a *PanicError.
type Codec[V any] interface {
	Encode(value V, identity []byte) ([]byte, error)
	Decode(data, identity []byte) (V, error)
}

// JSON is the default codec. Fields that the type does not have are ignored, so
// that an older reader survives a newer writer; what follows the value is not.
type JSON[V any] struct{}

// Encode is json.Marshal.
func (JSON[V]) Encode(value V, _ []byte) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("cache: encode: %w", err)
	}
	return data, nil
}

// Decode is json.Unmarshal.
func (JSON[V]) Decode(data, _ []byte) (value V, err error) {
	if err := json.Unmarshal(data, &value); err != nil {
		var zero V
		return zero, fmt.Errorf("cache: decode: %w", err)
	}
	return value, nil
}

// Bytes is the codec of values that are bytes already.
type Bytes struct{}

// Encode copies the value.
func (Bytes) Encode(value, _ []byte) ([]byte, error) { return bytes.Clone(value), nil }

// Decode copies the data.
func (Bytes) Decode(data, _ []byte) ([]byte, error) { return append([]byte{}, data...), nil }
