package ring

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/spaolacci/murmur3"
)

// HashFunction names a 64-bit hash.
type HashFunction uint8

const (
	// XXHash64 is XXH64 (https://github.com/Cyan4973/xxHash), the default.
	XXHash64 HashFunction = iota
	// Murmur3 is the first half of MurmurHash3_x64_128. Its implementation
	// reads words in the machine's byte order: fleets whose clients run on
	// little-endian and on big-endian machines use XXHash64.
	Murmur3
	// numFunctions counts the values above.
	numFunctions
)

// String returns the name that ParseHashFunction reads: "xxhash64", "murmur3".
func (f HashFunction) String() string {
	switch f {
	case XXHash64:
		return "xxhash64"
	case Murmur3:
		return "murmur3"
	}
	return fmt.Sprintf("HashFunction(%d)", uint8(f))
}

// ParseHashFunction returns the function of that name, or an *InputError that
// lists the names.
func ParseHashFunction(name string) (HashFunction, error) {
	for f := XXHash64; f < numFunctions; f++ {
		if name == f.String() {
			return f, nil
		}
	}
	return 0, &InputError{Err: ErrInvalidConfig, Field: "hash", Value: name, Want: "xxhash64 or murmur3"}
}

// Hasher says how a key becomes a 64-bit hash. The zero value is XXH64 over the
// whole key, without a seed. A Hasher is a plain value: it may be copied and
// used by many goroutines.
type Hasher struct {
	Function HashFunction

	// Seed, when it is not 0, is mixed into every hash of keys and tokens, and
	// must be the same in every client. Drawn at random and kept secret, it
	// keeps outsiders from computing which node owns a key, and so from
	// choosing keys that all fall on one node. It does not turn these functions
	// into keyed cryptographic ones: whoever can watch where many keys go may
	// still learn enough. Murmur3 takes 32 bits: a larger seed is refused.
	Seed uint64

	// HashTags makes keys that share a tag share an owner: only what stands
	// between the first "{" and the first "}" after it is hashed, if that is not
	// empty, as in the Redis Cluster specification.
	HashTags bool

	// replaced stands in for Function in tests that need collisions.
	replaced func(string) uint64
}

// Validate returns an *InputError if the Hasher cannot be used.
func (h Hasher) Validate() error {
	if h.Function >= numFunctions {
		return &InputError{Err: ErrInvalidConfig, Field: "Hasher.Function", Value: h.Function, Want: "XXHash64 or Murmur3"}
	}
	if h.Function == Murmur3 && h.Seed > math.MaxUint32 {
		// The value is a secret: it does not go into the error.
		return &InputError{Err: ErrInvalidConfig, Field: "Hasher.Seed", Value: secret("a seed over 32 bits"), Want: "at most 32 bits with Murmur3"}
	}
	return nil
}

// secret stands in an error for a value that must not be printed.
type secret string

// Plain reports whether Sum is XXH64 of the whole key and nothing else. A
// placement asks once, and on its hot path calls xxhash.Sum64String itself: the
// detour through Sum costs as much as a table lookup.
func (h Hasher) Plain() bool {
	return h.Function == XXHash64 && h.Seed == 0 && !h.HashTags && h.replaced == nil
}

// Sum returns the hash of a key: its place in the 64-bit hash space. It
// allocates nothing.
func (h *Hasher) Sum(key string) uint64 {
	if h.HashTags {
		key = Tag(key)
	}
	return h.SumLabel(key)
}

// SumLabel returns the hash of what is not a key, such as a node ID or the label
// of a token: it is Sum without regard to tags. A tag joins keys, but two nodes
// whose IDs hold the same braces must differ.
func (h *Hasher) SumLabel(s string) uint64 {
	switch {
	case h.replaced != nil:
		return h.replaced(s)
	case h.Function == Murmur3:
		return murmur3.Sum64WithSeed(unsafe.Slice(unsafe.StringData(s), len(s)), uint32(h.Seed))
	case h.Seed != 0:
		var d xxhash.Digest
		d.ResetWithSeed(h.Seed)
		d.WriteString(s)
		return d.Sum64()
	}
	return xxhash.Sum64String(s)
}

// Equal reports whether both give every key the same hash. (Hashers hold a test
// hook and cannot be compared with ==.)
func (h Hasher) Equal(o Hasher) bool {
	return h.Function == o.Function && h.Seed == o.Seed && h.HashTags == o.HashTags &&
		(h.replaced == nil) == (o.replaced == nil)
}

// Tag returns the part of a key that is hashed where hash tags are on: what
// stands between the first "{" and the first "}" after it if that is at least
// one byte, else the whole key. The result shares the key's memory.
//
// Source: Redis Cluster specification, "Hash tags".
func Tag(key string) string {
	open := strings.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	length := strings.IndexByte(key[open+1:], '}')
	if length < 1 {
		return key
	}
	return key[open+1 : open+1+length]
}

// asString views bytes as a string for the length of a lookup.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
