package ketama

import (
	"crypto/md5"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"unsafe"
)

// KeyHash is the 32-bit hash of a key. Those of twemproxy are libmemcached's.
//
// Not offered: crc16 and crc32, which yield 16 and 15 bits, so that on a 32-bit
// circle nearly every key falls on the same point; hsieh and jenkins.
type KeyHash uint8

const (
	KeyHashOfVariant KeyHash = iota // FNV1a64 for Twemproxy, MD5 for the others
	MD5                             // the first four bytes, little-endian
	FNV1a64                         // FNV-1a of 64 bits, the lower 32; see Config.UnsignedChar
	FNV164                          // FNV-1 of 64 bits, the lower 32; see Config.UnsignedChar
	FNV1a32                         // FNV-1a of 32 bits; see Config.UnsignedChar
	FNV132                          // FNV-1 of 32 bits; see Config.UnsignedChar
	OneAtATime                      // Jenkins's one-at-a-time; see Config.UnsignedChar
	CRC32a                          // CRC-32 (IEEE)
	Murmur                          // MurmurHash2, seed 0xdeadbeef × length, little-endian
	numKeyHashes
)

var keyHashNames = [numKeyHashes]string{"variant", "md5", "fnv1a_64", "fnv1_64",
	"fnv1a_32", "fnv1_32", "one_at_a_time", "crc32a", "murmur"}

// String returns twemproxy's name of the hash, such as "fnv1a_64".
func (h KeyHash) String() string { return nameOf("KeyHash", keyHashNames[:], uint8(h)) }

// ParseKeyHash returns the hash that twemproxy calls so, or an *ring.InputError
// that lists the names.
func ParseKeyHash(name string) (KeyHash, error) {
	h, err := parse("KeyHash", keyHashNames[1:], name)
	return KeyHash(h + 1), err
}

// The 64-bit FNV prime is 2^40 + 0x1b3, and multiplication carries upwards only:
// the lower 32 bits of the hash follow from the lower 32 bits of everything.
const (
	fnv64Basis = 0xcbf29ce484222325 & 0xffffffff
	fnv64Prime = 0x1b3
	fnv32Basis = 0x811c9dc5
	fnv32Prime = 0x01000193
)

// Hash returns the hash of a key on the 32-bit circle. It allocates nothing.
func (k *Ketama) Hash(key string) uint32 {
	if k.cfg.HashTag != "" {
		key = tagged(key, k.cfg.HashTag)
	}
	switch k.cfg.KeyHash {
	case FNV1a64:
		return fnv1a(key, fnv64Basis, fnv64Prime, k.signBits)
	case FNV164:
		return fnv1(key, fnv64Basis, fnv64Prime, k.signBits)
	case FNV1a32:
		return fnv1a(key, fnv32Basis, fnv32Prime, k.signBits)
	case FNV132:
		return fnv1(key, fnv32Basis, fnv32Prime, k.signBits)
	case OneAtATime:
		return oneAtATime(key, k.signBits)
	case CRC32a:
		return crc32.ChecksumIEEE(asBytes(key))
	case Murmur:
		return murmur2(asBytes(key))
	}
	sum := md5.Sum(asBytes(key))
	return binary.LittleEndian.Uint32(sum[:])
}

// tagged is ring.Tag with other marks than braces.
func tagged(key, marks string) string {
	open := strings.IndexByte(key, marks[0])
	if open < 0 {
		return key
	}
	length := strings.IndexByte(key[open+1:], marks[1])
	if length < 1 {
		return key
	}
	return key[open+1 : open+1+length]
}

// asBytes views a key as bytes for the length of a hash.
func asBytes(key string) []byte { return unsafe.Slice(unsafe.StringData(key), len(key)) }

// widen converts a C char to uint32: where char is signed, signBits are the
// upper bits that a negative one gets.
func widen(c byte, signBits uint32) uint32 {
	return uint32(c) | -uint32(c>>7)&signBits
}

func fnv1a(key string, hash, prime, signBits uint32) uint32 {
	for i := range len(key) {
		hash = (hash ^ widen(key[i], signBits)) * prime
	}
	return hash
}

func fnv1(key string, hash, prime, signBits uint32) uint32 {
	for i := range len(key) {
		hash = hash*prime ^ widen(key[i], signBits)
	}
	return hash
}

func oneAtATime(key string, signBits uint32) uint32 {
	var hash uint32
	for i := range len(key) {
		hash += widen(key[i], signBits)
		hash += hash << 10
		hash ^= hash >> 6
	}
	hash += hash << 3
	hash ^= hash >> 11
	return hash + hash<<15
}

// murmur2 is MurmurHash2 with the seed that libmemcached chose. The clients read
// the key in the byte order of their machine; this is that of x86 and ARM.
func murmur2(key []byte) uint32 {
	const m = 0x5bd1e995
	length := uint32(len(key))
	hash := 0xdeadbeef*length ^ length
	for ; len(key) >= 4; key = key[4:] {
		word := binary.LittleEndian.Uint32(key) * m
		word = (word ^ word>>24) * m
		hash = hash*m ^ word
	}
	for i, c := range key {
		hash ^= uint32(c) << (8 * i)
	}
	if len(key) > 0 {
		hash *= m
	}
	hash = (hash ^ hash>>13) * m
	return hash ^ hash>>15
}
