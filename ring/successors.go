package ring

import "slices"

// EachOwner yields the position in Nodes of every node once: the owner of the
// key, then its successors clockwise, until yield returns false.
func (r *Ring) EachOwner(key string, yield func(node int) bool) {
	if len(r.nodes) == 0 {
		return
	}
	var w walk
	w.start(r, r.Hash(key))
	for node := w.next(); node >= 0; node = w.next() {
		if !yield(node) {
			return
		}
	}
}

// Successors appends to dst the first n distinct nodes clockwise after the
// owner of the key, without regard to zones, or all other nodes where there are
// fewer. It allocates only where dst has too little room, or the ring has more
// than 4096 nodes.
func (r *Ring) Successors(dst []Node, key string, n int) []Node {
	if len(r.nodes) == 0 || n <= 0 {
		return dst
	}
	var w walk
	w.start(r, r.Hash(key))
	w.next() // the owner
	for range n {
		node := w.next()
		if node < 0 {
			break
		}
		dst = append(dst, r.nodes[node])
	}
	return dst
}

// Replicas appends to dst the n nodes that hold a copy of the key at a
// replication factor of n: the owner, then nodes clockwise from zones that hold
// no copy yet; where the zones do not suffice, the nodes passed over, in the
// same order. All are distinct; where the ring has fewer than n nodes, all of
// them are given. A node without a zone counts as a zone of its own.
//
// It allocates only where dst has too little room, or the ring has more than
// 4096 nodes.
func (r *Ring) Replicas(dst []Node, key string, n int) []Node {
	if len(r.nodes) == 0 || n <= 0 {
		return dst
	}
	var w walk
	w.start(r, r.Hash(key))
	if r.zoneCount == len(r.nodes) { // every node has a zone of its own
		return w.appendAny(dst, n)
	}
	return w.appendByZone(dst, n)
}

// walk goes clockwise from a hash and finds each node once.
type walk struct {
	ring  *Ring
	at    int // position of the token to look at
	left  int // tokens not looked at
	found int // nodes found
	nodes bitset
}

func (w *walk) start(r *Ring, hash uint64) {
	w.ring = r
	w.at = r.tokenAfter(hash, r.index.first(hash))
	w.left = len(r.tokens)
	w.nodes.grow(len(r.nodes))
}

// next returns the next node that was not found before, -1 when there is none.
func (w *walk) next() int {
	for w.left > 0 && w.found < len(w.ring.nodes) {
		node := w.ring.owners[w.at]
		w.left--
		if w.at++; w.at == len(w.ring.owners) {
			w.at = 0
		}
		if !w.nodes.has(node) {
			w.nodes.add(node)
			w.found++
			return int(node)
		}
	}
	return -1
}

func (w *walk) appendAny(dst []Node, n int) []Node {
	for range n {
		node := w.next()
		if node < 0 {
			break
		}
		dst = append(dst, w.ring.nodes[node])
	}
	return dst
}

// appendByZone walks twice at most: once for nodes in fresh zones, and once
// more from the start for the nodes passed over, if there are not zones enough.
func (w *walk) appendByZone(dst []Node, n int) []Node {
	r, again := w.ring, *w
	var zones, chosen bitset
	zones.grow(r.zoneCount)
	chosen.grow(len(r.nodes))
	fresh := min(n, r.zoneCount)
	for taken := 0; taken < fresh; {
		node := uint32(w.next())
		if zones.has(r.zones[node]) {
			continue
		}
		zones.add(r.zones[node])
		chosen.add(node)
		dst = append(dst, r.nodes[node])
		taken++
	}
	again.nodes = chosen // so that the second walk passes over what was taken
	again.found = fresh
	for range n - fresh {
		node := again.next()
		if node < 0 {
			break
		}
		dst = append(dst, r.nodes[node])
	}
	return dst
}

// bitset is a set of small numbers, on the stack up to 4096 of them.
type bitset struct {
	small [64]uint64
	large []uint64
}

func (b *bitset) grow(size int) {
	if size > 64*len(b.small) {
		b.large = slices.Grow([]uint64(nil), (size+63)/64)[:(size+63)/64]
	}
}

func (b *bitset) has(i uint32) bool {
	if b.large != nil {
		return b.large[i/64]&(1<<(i%64)) != 0
	}
	return b.small[i/64%64]&(1<<(i%64)) != 0
}

func (b *bitset) add(i uint32) {
	if b.large != nil {
		b.large[i/64] |= 1 << (i % 64)
		return
	}
	b.small[i/64%64] |= 1 << (i % 64)
}
