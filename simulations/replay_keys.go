package simulations

import (
	"errors"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// interner numbers the distinct keys of a trace in the order of their first
// appearance, so that everything behind it works on small numbers. A key costs
// its length, 8 bytes of reference, and 11 to 21 bytes of table.
type interner struct {
	keyView
	free  int      // bytes of the last block of the arena
	table []uint64 // low 32 bits of the key's hash <<32 | number+1; 0 is free
}

// keyView is the keys that were there when it was copied. What it refers to is
// only ever appended to, so that goroutines may read a copy while the interner
// goes on.
type keyView struct {
	refs  []uint64 // block<<37 | offset in the block<<17 | length
	arena [][]byte
}

const (
	arenaBlock   = 1 << 20
	minKeyTable  = 1 << 10
	lengthBits   = 17
	positionBits = 20
)

var errTooManyKeys = errors.New("more distinct keys than fit into 32 bits")

// len returns the number of distinct keys.
func (v keyView) len() int { return len(v.refs) }

// upTo returns the view as it was when there were so many keys.
func (v keyView) upTo(n int) keyView { return keyView{v.refs[:n], v.arena} }

// key returns the key of that number. The string lasts as long as the view.
func (v keyView) key(id int) string {
	ref := v.refs[id]
	length := ref & (1<<lengthBits - 1)
	at := ref >> lengthBits & (1<<positionBits - 1)
	block := v.arena[ref>>(lengthBits+positionBits)]
	return unsafe.String(unsafe.SliceData(block[at:at+length]), length)
}

// id returns the number of the key, a new one if it has none yet.
func (n *interner) id(key []byte) (uint32, error) {
	if 4*(len(n.refs)+1) > 3*len(n.table) {
		n.grow()
	}
	mask := len(n.table) - 1
	hash := xxhash.Sum64(key) << 32
	i := int(hash>>32) & mask
	for ; n.table[i] != 0; i = (i + 1) & mask {
		if v := n.table[i]; (v^hash)>>32 == 0 && n.key(int(uint32(v)-1)) == string(key) {
			return uint32(v) - 1, nil
		}
	}
	id := len(n.refs)
	if uint64(id) >= math.MaxUint32-1 {
		return 0, errTooManyKeys
	}
	n.table[i] = hash | uint64(id+1)
	n.refs = append(n.refs, n.store(key))
	return uint32(id), nil
}

// store copies the key into the arena. Blocks are made at full length: views
// read their headers, which must not change.
func (n *interner) store(key []byte) uint64 {
	if n.free < len(key) {
		n.arena = append(n.arena, make([]byte, arenaBlock))
		n.free = arenaBlock
	}
	last := len(n.arena) - 1
	at := arenaBlock - n.free
	n.free -= copy(n.arena[last][at:], key)
	return uint64(last)<<(lengthBits+positionBits) | uint64(at)<<lengthBits | uint64(len(key))
}

// grow doubles the table. The 32 bits of hash in it are enough to find each new
// place: no key is read.
func (n *interner) grow() {
	old := n.table
	n.table = make([]uint64, max(minKeyTable, 2*len(old)))
	mask := len(n.table) - 1
	for _, v := range old {
		if v == 0 {
			continue
		}
		i := int(v>>32) & mask
		for n.table[i] != 0 {
			i = (i + 1) & mask
		}
		n.table[i] = v
	}
}
