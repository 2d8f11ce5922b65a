package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// A record is kept as magic 4 · data … · checksum 8, big endian: xxhash64 of the
// number by which it is found (8, big endian; 0 where the keeper gives the number), the
// magic and the data.
const (
	frameMagic = "rwj1"
	frameMin   = len(frameMagic) + 8
)

// Frame returns data as a journal keeps it.
func Frame(number uint64, data []byte) []byte {
	out := make([]byte, 0, frameMin+len(data))
	out = append(append(out, frameMagic...), data...)
	return binary.BigEndian.AppendUint64(out, frameSum(number, out))
}

// Unframe returns the data, part of what it is given, or an error that matches
// ErrDamaged.
func Unframe(number uint64, framed []byte) ([]byte, error) {
	if len(framed) < frameMin || string(framed[:len(frameMagic)]) != frameMagic {
		return nil, fmt.Errorf("%w: record %d: %d bytes that are no record, want magic %s", ErrDamaged, number, len(framed), frameMagic)
	}
	body := framed[:len(framed)-8]
	got, want := frameSum(number, body), binary.BigEndian.Uint64(framed[len(body):])
	if got != want {
		return nil, fmt.Errorf("%w: record %d: checksum %016x, want %016x", ErrDamaged, number, got, want)
	}
	return body[len(frameMagic):], nil
}

func frameSum(number uint64, body []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], number)
	_, _ = d.Write(n[:]) // never fails
	_, _ = d.Write(body)
	return d.Sum64()
}
