package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// behindRecord is a write as the journal has it, which adds a checksum of its own. On
// the wire, numbers big endian:
//
//	version 1 · kind 1 · ID 16 · delta 8 · length of the key 4 · key · value …
type behindRecord struct {
	kind  behindKind
	id    [16]byte // of a delta
	delta int64
	key   []byte // by KeyCodec
	value []byte // by Codec
}

type behindKind byte

const (
	behindValue  behindKind = 1
	behindDelete behindKind = 2
	behindDelta  behindKind = 3

	behindVersion = 1
	behindHeader  = 1 + 1 + 16 + 8 + 4
)

var errBehindRecord = errors.New("cache: write-behind: not a write")

func (r behindRecord) encode() []byte {
	out := make([]byte, 0, behindHeader+len(r.key)+len(r.value))
	out = append(out, behindVersion, byte(r.kind))
	out = append(out, r.id[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(r.delta))
	out = binary.BigEndian.AppendUint32(out, uint32(len(r.key)))
	return append(append(out, r.key...), r.value...)
}

// decodeBehindRecord returns the record, or an error for anything that encode has not
// made.
func decodeBehindRecord(data []byte) (r behindRecord, err error) {
	if len(data) < behindHeader || data[0] != behindVersion {
		return r, fmt.Errorf("%w: %d bytes, want version %d and at least %d", errBehindRecord, len(data), behindVersion, behindHeader)
	}
	r.kind, r.id, r.delta = behindKind(data[1]), [16]byte(data[2:18]), int64(binary.BigEndian.Uint64(data[18:]))
	if n := uint64(binary.BigEndian.Uint32(data[26:])); n > uint64(len(data)-behindHeader) {
		return behindRecord{}, fmt.Errorf("%w: a key of %d bytes in %d", errBehindRecord, n, len(data))
	} else {
		r.key, r.value = data[behindHeader:behindHeader+n], data[behindHeader+n:]
	}
	switch {
	case r.kind < behindValue || r.kind > behindDelta:
		return behindRecord{}, fmt.Errorf("%w: kind %d", errBehindRecord, r.kind)
	case r.kind != behindValue && len(r.value) > 0, r.kind != behindDelta && (r.delta != 0 || r.id != [16]byte{}):
		return behindRecord{}, fmt.Errorf("%w: kind %d with what it does not have", errBehindRecord, r.kind)
	}
	return r, nil
}

// behindWrite is a write of a key.
type behindWrite[K Key, V any] struct {
	kind   behindKind
	key    K
	store  storeKey
	value  V
	id     [16]byte
	delta  int64
	number uint64 // 0: the journal does not have it yet
}

// encodeWrite makes the journal's record, and refuses a key that would be another one
// after a restart.
func (s *Space[K, V]) encodeWrite(w *behindWrite[K, V]) ([]byte, error) {
	r := behindRecord{kind: w.kind, id: w.id, delta: w.delta}
	var err error
	if r.key, err = s.behind.cfg.KeyCodec.Encode(w.key, nil); err != nil {
		return nil, err
	}
	if again, err := s.behind.cfg.KeyCodec.Decode(r.key, nil); err != nil || again != w.key {
		return nil, &KeyError{Space: s.name, Problem: "the journal's codec loses fields of it: export them, or set WriteBehind.KeyCodec", Err: err}
	}
	if w.kind == behindValue {
		if r.value, err = s.cfg.Codec.Encode(w.value, w.store.identity[:]); err != nil {
			return nil, err
		}
	}
	return r.encode(), nil
}

// decodeWrite is what a record of the journal, from any process, says.
func (s *Space[K, V]) decodeWrite(number uint64, data []byte) (w behindWrite[K, V], err error) {
	r, err := decodeBehindRecord(data)
	if err != nil {
		return w, err
	}
	w.kind, w.id, w.delta, w.number = r.kind, r.id, r.delta, number
	if w.key, err = s.decodeKey(r.key); err != nil {
		return w, err
	}
	if w.store, err = s.keyIn(w.key, 0, true); err != nil {
		return w, err
	}
	if w.kind == behindValue {
		w.value, err = s.decode(r.value, w.store.identity)
	}
	return w, err
}
