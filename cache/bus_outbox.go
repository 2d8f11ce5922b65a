package cache

import "sync"

// busOutbox holds what one channel has to tell. It never grows beyond a limit: what
// comes then is dropped, and a number with it, so that everybody notices.
type busOutbox struct {
	limit int
	wake  chan struct{} // holds a token while something waits

	mu      sync.Mutex // guards the following
	waiting map[Change]struct{}
	dropped bool
	number  uint64 // of the last message with changes, sent or not
}

func newBusOutbox(limit int) *busOutbox {
	return &busOutbox{limit: limit, wake: make(chan struct{}, 1), waiting: make(map[Change]struct{})}
}

func (o *busOutbox) add(c Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= o.limit {
		clear(o.waiting)
		o.dropped = true
	}
	o.waiting[c] = struct{}{}
	o.poke()
}

func (o *busOutbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns the next message with changes, of at most that many bytes, and false if
// nothing waits.
func (o *busOutbox) take(sender [16]byte, longest int) (m busMessage, found bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped {
		o.dropped = false
		o.number++ // of a message that never was
	}
	if len(o.waiting) == 0 {
		return m, false
	}
	o.number++
	m = busMessage{kind: busChanges, sender: sender, number: o.number}
	size := busSize{bytes: busHeader}
	for c := range o.waiting {
		if len(m.changes) == busBatch || (!size.add(c, longest) && len(m.changes) > 0) {
			o.poke()
			break
		}
		delete(o.waiting, c)
		m.changes = append(m.changes, c)
	}
	return m, true
}

// state returns a message that says how far this process has come.
func (o *busOutbox) state(kind busKind, sender [16]byte) busMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return busMessage{kind: kind, sender: sender, number: o.number}
}
