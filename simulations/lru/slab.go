package lru

import "math/bits"

const minTable = 16 // slots of the smallest table

// insert gives a new entry a slot, at the cost of the least recently used one
// where there are as many as there may be. It is not linked yet.
func (c *Cache) insert(id uint32) uint32 {
	if int64(c.count) >= c.cfg.Items {
		c.remove(c.slab[0].prev)
	}
	at := c.free
	if at != 0 {
		c.free = c.slab[at].next
	} else {
		at = uint32(len(c.slab))
		c.slab = append(c.slab, slot{})
		if c.sizes != nil {
			c.sizes = append(c.sizes, 0)
		}
		if c.expires != nil {
			c.expires = append(c.expires, 0)
		}
	}
	c.slab[at].id = id
	c.count++
	if 2*c.count > len(c.table) {
		c.resize(2 * len(c.table))
	}
	c.enter(uint64(id)<<32 | uint64(at))
	return at
}

// remove takes an entry out of the order, the table and the slab.
func (c *Cache) remove(at uint32) {
	c.unlink(at)
	c.forget(c.slab[at].id)
	c.slab[at].next = c.free
	c.free = at
	c.count--
	if c.sizes != nil {
		c.bytes -= c.sizes[at]
		c.sizes[at] = 0
	}
}

// use moves an entry to the front.
func (c *Cache) use(at uint32, tick uint64) {
	if c.slab[0].next == at {
		c.slab[at].used = tick
		return
	}
	c.unlink(at)
	c.link(at, 0, tick)
}

func (c *Cache) unlink(at uint32) {
	s := &c.slab[at]
	c.slab[s.prev].next = s.next
	c.slab[s.next].prev = s.prev
}

// link puts an entry behind another one in the order of use; behind 0 is first.
func (c *Cache) link(at, before uint32, tick uint64) {
	s, b := &c.slab[at], &c.slab[before]
	s.used = tick
	s.prev, s.next = before, b.next
	c.slab[b.next].prev = at
	b.next = at
}

// home is the slot of the table at which the search for an ID begins: Fibonacci
// hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4), which
// spreads the consecutive IDs that callers give out.
func (c *Cache) home(id uint32) int {
	return int(uint64(id) * 0x9e3779b97f4a7c15 >> c.shift)
}

// find returns the position of the entry, or 0.
func (c *Cache) find(id uint32) uint32 {
	mask := len(c.table) - 1
	for i := c.home(id) & mask; ; i = (i + 1) & mask {
		v := c.table[i&mask]
		if v == 0 {
			return 0
		}
		if uint32(v>>32) == id {
			return uint32(v)
		}
	}
}

func (c *Cache) enter(v uint64) {
	mask := len(c.table) - 1
	i := c.home(uint32(v>>32)) & mask
	for c.table[i] != 0 {
		i = (i + 1) & mask
	}
	c.table[i] = v
}

// forget removes an ID that is in the table, and moves up what its slot kept from
// its home, so that no search ends early (Knuth, algorithm 6.4R).
func (c *Cache) forget(id uint32) {
	mask := len(c.table) - 1
	i := c.home(id) & mask
	for uint32(c.table[i]>>32) != id || c.table[i] == 0 {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		v := c.table[j]
		if v == 0 {
			break
		}
		// v may move to i unless its home lies after i and up to j.
		if home := c.home(uint32(v >> 32)); (j-home)&mask >= (j-i)&mask {
			c.table[i] = v
			i = j
		}
	}
	c.table[i] = 0
}

func (c *Cache) resize(n int) {
	old := c.table
	c.table = make([]uint64, n)
	c.shift = uint8(64 - bits.TrailingZeros(uint(n)))
	for _, v := range old {
		if v != 0 {
			c.enter(v)
		}
	}
}
