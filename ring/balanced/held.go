package balanced

// request is a slot that asks a node, with the pair's draw.
type request struct {
	draw uint64
	slot uint32
}

// worse reports whether a node prefers r to the other less. All its requests
// have the node's own weight, so that the draw alone tells.
func (r request) worse(other request) bool {
	if r.draw != other.draw {
		return r.draw < other.draw
	}
	return r.slot > other.slot
}

// held is what a node has accepted so far: a plain list until it is full, then a
// heap with the worst request first. Most nodes of a calm market never need the
// heap.
type held struct {
	requests []request
	heaped   bool
}

// accept takes the request, and if that is one too many returns the worst of
// all, which is turned away.
func (h *held) accept(r request, capacity int) (turned request, full bool) {
	if len(h.requests) < capacity {
		h.requests = append(h.requests, r)
		return request{}, false
	}
	if !h.heaped {
		for i := len(h.requests)/2 - 1; i >= 0; i-- {
			h.sift(i)
		}
		h.heaped = true
	}
	if r.worse(h.requests[0]) {
		return r, true
	}
	turned, h.requests[0] = h.requests[0], r
	h.sift(0)
	return turned, true
}

// sift moves the request at i down to its place.
func (h *held) sift(i int) {
	requests := h.requests
	for {
		child := 2*i + 1
		if child >= len(requests) {
			return
		}
		if right := child + 1; right < len(requests) && requests[right].worse(requests[child]) {
			child = right
		}
		if !requests[child].worse(requests[i]) {
			return
		}
		requests[i], requests[child] = requests[child], requests[i]
		i = child
	}
}
