package memnet

import "time"

// agenda is what is under way: a heap of arrivals, the earliest on top, and a
// timer that is set to it. The network's lock guards it.
type agenda struct {
	network *Network
	heap    []entry
	added   uint64
	timer   *time.Timer // nil: nothing was ever under way
	set     time.Time   // when the timer fires; zero: it has fired
	running bool        // arrivals are being delivered further up the stack
}

type entry struct {
	at     time.Time
	serial uint64 // of two arrivals at one moment the older goes first
	arrival
}

// arrival is a packet, or the next bytes of a stream.
type arrival interface {
	// arrive is called at its time, under the network's lock.
	arrive(n *Network, now time.Time)
}

// add puts something on the agenda. What is due already arrives before add
// returns, unless add is called by an arrival: then right after that one.
func (a *agenda) add(at time.Time, what arrival) {
	if grain := a.network.grain; grain > 0 {
		if over := time.Duration(at.UnixNano()) % grain; over > 0 {
			at = at.Add(grain - over)
		}
	}
	a.added++
	a.push(entry{at, a.added, what})
	a.run()
}

// run delivers what is due and sets the timer to what comes next.
func (a *agenda) run() {
	if a.running {
		return
	}
	a.running = true
	now := time.Now()
	for len(a.heap) > 0 && !a.heap[0].at.After(now) {
		a.pop().arrive(a.network, now)
	}
	a.running = false
	if len(a.heap) == 0 {
		return
	}
	next := a.heap[0].at
	if !a.set.IsZero() && !next.Before(a.set) {
		return // it fires in time
	}
	a.set = next
	if a.timer == nil {
		a.timer = time.AfterFunc(next.Sub(now), a.fire)
		return
	}
	a.timer.Reset(next.Sub(now))
}

func (a *agenda) fire() {
	a.network.mu.Lock()
	defer a.network.mu.Unlock()
	a.set = time.Time{}
	a.run()
}

func (e *entry) before(other *entry) bool {
	if e.at.Equal(other.at) {
		return e.serial < other.serial
	}
	return e.at.Before(other.at)
}

// push and pop are container/heap's, without an allocation for each entry.
func (a *agenda) push(e entry) {
	a.heap = append(a.heap, e)
	for i := len(a.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.heap[i].before(&a.heap[parent]) {
			return
		}
		a.heap[i], a.heap[parent] = a.heap[parent], a.heap[i]
		i = parent
	}
}

func (a *agenda) pop() entry {
	h := a.heap
	top, last := h[0], len(h)-1
	h[0], h[last] = h[last], entry{}
	h = h[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	a.heap = h
	return top
}
