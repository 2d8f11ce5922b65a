package ring

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// index leads from a hash to the owner of the first token at or after it,
// mostly by one read. The top bits of the hash choose an entry; the entry
// answers at once where at most one token lies among the hashes with those top
// bits, and says where to search where more do.
//
// An entry of the first kind holds, from the highest bit down,
//
//	0 · split · after · upTo
//
// where upTo owns what lies up to the token, after owns what lies past it
// (positions of nodes, in as many bits as the number of nodes needs), and split
// is the next bits of the token below the top bits, as many as are left of 31.
// The same bits of the hash are compared with split. If they are equal the entry
// cannot tell, and all tokens are searched: one lookup in 2^11 of those that
// meet a token, at 1000 nodes. An entry of the second kind holds
//
//	1 · first
//
// where first is the position of the first token in that part of the space. Past
// 2^14 nodes two positions leave too few bits: then every entry with a token is
// of the second kind, and the others hold one position.
//
// A table of bare owners would have smaller entries, but needs 16 of them a
// token to answer most lookups, where this needs about two.
type index struct {
	entries   []uint32
	shift     uint8 // from a hash to its entry
	ownerBits uint8 // of a position; 0 where entries hold a single one
	mask      uint32
}

const (
	crowded      = 1 << 31
	maxOwnerBits = 14
)

// indexBits is the number of top bits that the index uses for that many tokens:
// 4 to 8 entries a token while the table stays within 32 KiB, and 1.5 to 3
// beyond, where a larger table costs more in cache misses, and in time to build,
// than it saves in searches; at most 2^24 entries (64 MiB).
func indexBits(tokens int) int {
	small := min(bits.Len(uint(tokens-1))+2, 13)
	return min(max(small, bits.Len(uint(tokens+tokens/2-1))), 24)
}

func newIndex(tokens []uint64, owners []uint32, nodes int) index {
	b := indexBits(len(tokens))
	ix := index{entries: make([]uint32, 1<<b), shift: uint8(64 - b), mask: crowded - 1}
	if ownerBits := bits.Len(uint(nodes - 1)); ownerBits <= maxOwnerBits {
		ix.ownerBits = uint8(ownerBits)
		ix.mask = 1<<ownerBits - 1
	}
	ix.fill(tokens, owners)
	return ix
}

// fill counts the tokens of each entry, in the entry, and then writes what it
// has to say. How many tokens an entry has is hard to predict for a processor,
// so entries without a token take the same path as those with one: both owners
// are then the one of the next token, and whatever is split says the same.
func (ix *index) fill(tokens []uint64, owners []uint32) {
	// The fields are copied so that the compiler need not read them again after
	// each write to entries.
	entries, shift, ownerBits := ix.entries, ix.shift&63, ix.ownerBits&31
	for _, token := range tokens {
		entries[token>>shift]++
	}
	most, splitMask := uint32(1), uint32(crowded-1) // tokens that an entry has room for
	if ix.mask == crowded-1 {
		most, splitMask = 0, 0
	}
	e, first := 0, 0
	for ; first < len(tokens); e++ {
		count := entries[e]
		if count > most {
			entries[e] = crowded | uint32(first)
			first += int(count)
			continue
		}
		upTo, after := owners[first], owners[0] // past the last token comes the first
		split := uint32(tokens[first]<<(64-shift)>>(33+2*ownerBits)) & splitMask
		if first += int(count); first < len(owners) {
			after = owners[first]
		}
		entries[e] = split<<(2*ownerBits) | after<<ownerBits | upTo
	}
	for ; e < len(entries); e++ {
		entries[e] = owners[0]<<ownerBits | owners[0]
	}
}

// Owner returns the node that owns the key. It does not allocate.
func (r *Ring) Owner(key string) Node {
	i := r.OwnerIndex(key)
	if uint(i) >= uint(len(r.nodes)) {
		return Node{}
	}
	return r.nodes[i]
}

// OwnerBytes is Owner for a key in bytes, which it neither keeps nor changes.
func (r *Ring) OwnerBytes(key []byte) Node { return r.Owner(asString(key)) }

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Ring. It does not allocate.
func (r *Ring) OwnerIndex(key string) int {
	if !r.plain {
		return r.OwnerOfHash(r.cfg.Hasher.Sum(key))
	}
	// What OwnerOfHash does, once more: a call less on the path that nearly
	// every lookup takes.
	hash := xxhash.Sum64String(key)
	if entry, told := r.index.entry(hash); told {
		return r.index.owner(hash, entry)
	}
	return r.search(hash)
}

// OwnerIndexBytes is OwnerIndex for a key in bytes.
func (r *Ring) OwnerIndexBytes(key []byte) int { return r.OwnerIndex(asString(key)) }

// Hash returns the place of the key in the 64-bit hash space.
func (r *Ring) Hash(key string) uint64 { return r.cfg.Hasher.Sum(key) }

// OwnerOfHash returns the position in Nodes of the node that owns this place of
// the hash space: the node of the first token at or after it, past the last
// token the first one. It returns -1 for the zero Ring.
func (r *Ring) OwnerOfHash(hash uint64) int {
	if entry, told := r.index.entry(hash); told {
		return r.index.owner(hash, entry)
	}
	return r.search(hash)
}

// entry returns the entry of a hash, and whether it tells the owner.
func (ix *index) entry(hash uint64) (entry uint32, told bool) {
	top := hash >> (ix.shift & 63)
	if top >= uint64(len(ix.entries)) {
		return 0, false // the zero Ring
	}
	entry = ix.entries[top]
	return entry, entry < crowded && entry>>(2*ix.ownerBits&31) != ix.below(hash)
}

// owner returns the owner that an entry tells. The difference is negative where
// the hash lies after the token: its sign then makes the shift, without a branch
// that the processor would mispredict half the time.
func (ix *index) owner(hash uint64, entry uint32) int {
	difference := int32(entry>>(2*ix.ownerBits&31) - ix.below(hash))
	return int(entry >> (uint8(difference>>31) & ix.ownerBits & 31) & ix.mask)
}

// below returns the bits of the hash that are compared with a split.
func (ix *index) below(hash uint64) uint32 {
	return uint32(hash << (-ix.shift & 63) >> ((33 + 2*ix.ownerBits) & 63))
}

// search finds the owner of a hash that its entry does not tell.
func (r *Ring) search(hash uint64) int {
	if len(r.tokens) == 0 {
		return -1
	}
	return int(r.owners[r.tokenAfter(hash, r.index.first(hash))])
}

// first returns a token position that is not past the first token at or after
// the hash: a place to begin a search.
func (ix *index) first(hash uint64) int {
	if entry := ix.entries[hash>>ix.shift]; entry >= crowded {
		return int(entry &^ crowded)
	}
	return 0
}

// tokenAfter returns the position of the first token at or after the hash,
// searching from a position that is not past it: a few steps forward, then a
// binary search over ever longer stretches, so that a crowd of tokens costs
// their logarithm only.
func (r *Ring) tokenAfter(hash uint64, first int) int {
	tokens := r.tokens
	for end := min(first+8, len(tokens)); first < end; first++ {
		if tokens[first] >= hash {
			return first
		}
	}
	low, high := first, first
	for step := 8; high < len(tokens) && tokens[high] < hash; step *= 2 {
		low, high = high+1, high+step
	}
	high = min(high, len(tokens))
	for low < high {
		middle := int(uint(low+high) / 2)
		if tokens[middle] < hash {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(tokens) {
		return 0
	}
	return low
}
