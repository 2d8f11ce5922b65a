package cache

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"
)

// envelope is what a stored entry has beside the encoded value. On the wire, all
// numbers big endian:
//
//	magic 4 · flags 1 · schema 4 · identity 16 · version 8 · epoch 8 ·
//	stored 8 · soft expiry 8 · hard expiry 8 (ms since 1970) · delta 4 (ms) ·
//	with flag 2: number of tags 1, of each its identity 16 and version 8 ·
//	payload … · checksum 8 (xxhash64 of all before it)
//
// The checksum is against accidents. Against forgery there is the AES codec.
type envelope struct {
	schema   uint32
	identity identity
	version  uint64 // of the source; 0: it has none
	epoch    uint64 // of the space; 0: it has none
	stored   time.Time
	soft     time.Time     // fresh until then
	hard     time.Time     // usable in need until then
	delta    time.Duration // what the load took, up to 49 days
	negative bool          // the source does not have the key
	tags     []tagVersion  // as they were before the value was loaded
	payload  []byte        // decoded: part of the data that was given
	stamp    uint64        // decoded: the checksum, which tells entries apart
}

const (
	envelopeMagic  = "rwc2"
	envelopeHeader = 4 + 1 + 4 + 16 + 5*8 + 4
	envelopeMin    = envelopeHeader + 8

	flagNegative = 1 << 0
	flagTags     = 1 << 1
	knownFlags   = flagNegative | flagTags
)

// Why an entry is no hit. Callers see a miss; Stats counts it.
var (
	errNotEnvelope   = errors.New("cache: not an entry")
	errChecksum      = errors.New("cache: checksum of an entry")
	errOtherKey      = errors.New("cache: entry of another key")
	errOtherSchema   = errors.New("cache: entry of another schema")
	errOtherEpoch    = errors.New("cache: entry of another epoch")
	errUnknownFlags  = errors.New("cache: entry with unknown flags")
	errOtherTags     = errors.New("cache: entry without a tag of its key")
	errTags          = errors.New("cache: entry with no number of tags")
	errNegativeValue = errors.New("cache: an absence with a value")
)

func (e *envelope) encode() []byte {
	out := make([]byte, 0, envelopeMin+len(e.payload))
	out = append(out, envelopeMagic...)
	var flags byte
	if e.negative {
		flags |= flagNegative
	}
	if len(e.tags) > 0 {
		flags |= flagTags
	}
	out = append(out, flags)
	out = binary.BigEndian.AppendUint32(out, e.schema)
	out = append(out, e.identity[:]...)
	out = binary.BigEndian.AppendUint64(out, e.version)
	out = binary.BigEndian.AppendUint64(out, e.epoch)
	for _, t := range []time.Time{e.stored, e.soft, e.hard} {
		out = binary.BigEndian.AppendUint64(out, uint64(t.UnixMilli()))
	}
	out = binary.BigEndian.AppendUint32(out, uint32(min(max(e.delta.Milliseconds(), 0), 1<<32-1)))
	out = appendTags(out, e.tags)
	out = append(out, e.payload...)
	e.stamp = xxhash.Sum64(out)
	return binary.BigEndian.AppendUint64(out, e.stamp)
}

// decodeEnvelope returns the entry if it is whole and belongs to this key.
func decodeEnvelope(data []byte, schema uint32, id identity) (envelope, error) {
	if len(data) < envelopeMin || string(data[:4]) != envelopeMagic {
		return envelope{}, errNotEnvelope
	}
	body := data[:len(data)-8]
	e := envelope{stamp: binary.BigEndian.Uint64(data[len(body):])}
	if xxhash.Sum64(body) != e.stamp {
		return envelope{}, errChecksum
	}
	e.schema = binary.BigEndian.Uint32(body[5:])
	e.identity = identity(identityIn(body))
	switch flags := body[4]; {
	case e.identity != id:
		return envelope{}, errOtherKey
	case e.schema != schema:
		return envelope{}, errOtherSchema
	case flags&^knownFlags != 0:
		return envelope{}, errUnknownFlags
	default:
		e.negative = flags&flagNegative != 0
	}
	e.version = binary.BigEndian.Uint64(body[25:])
	e.epoch = binary.BigEndian.Uint64(body[33:])
	e.stored = milli(body[41:])
	e.soft = milli(body[49:])
	e.hard = milli(body[57:])
	e.delta = time.Duration(binary.BigEndian.Uint32(body[65:])) * time.Millisecond
	e.payload = body[envelopeHeader:]
	if body[4]&flagTags != 0 {
		var whole bool
		if e.tags, e.payload, whole = cutTags(e.payload); !whole {
			return envelope{}, errTags
		}
	}
	if e.negative && len(e.payload) > 0 {
		return envelope{}, errNegativeValue
	}
	return e, nil
}

// identityIn is the identity in the data of an envelope, which is on the heap already.
func identityIn(data []byte) []byte { return data[9:25:25] }

func milli(b []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) }
