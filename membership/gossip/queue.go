package gossip

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// queue holds messages on their way to all members: those sent least often go
// first, and of these the newest. It is safe for concurrent use.
//
// It is in place of memberlist.TransmitLimitedQueue, which forgets messages: it
// may give a message a number that another one of the same length has, and then
// drops that one unsent (v0.7.0; github.com/hashicorp/memberlist, pull requests
// 263 and 322). Records of a fleet's nodes are often of one length, and what was
// lost would be that a node is LEFT, of which nobody is left to speak.
type queue struct {
	limit func() int // how often a message is sent; at least once

	mu     sync.Mutex
	byName map[string]*message
	last   uint64 // number of the newest message
}

// message is one record, eviction or abort.
type message struct {
	text   []byte
	sent   int
	number uint64 // above that of all before it
}

// put adds a message. A newer one of the same name takes the place of the older.
func (q *queue) put(name string, text []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byName == nil {
		q.byName = make(map[string]*message)
	}
	q.last++
	q.byName[name] = &message{text: text, number: q.last}
}

// size returns how many messages are still to be sent.
func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.byName)
}

// sent returns how often a message was sent so far. One that is not there was sent as
// often as is needed.
func (q *queue) sent(name string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.byName[name]; m != nil {
		return m.sent
	}
	return math.MaxInt
}

// take returns what goes into the next packet, in which limit bytes are free and
// each message takes overhead more than its own.
func (q *queue) take(overhead, limit int) (texts [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.byName) == 0 {
		return nil
	}
	type entry struct {
		name string
		*message
	}
	all := make([]entry, 0, len(q.byName))
	for name, m := range q.byName {
		all = append(all, entry{name, m})
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.sent, b.sent), cmp.Compare(b.number, a.number))
	})
	most := q.limit()
	for _, m := range all {
		if limit < overhead+len(m.text) {
			continue
		}
		limit -= overhead + len(m.text)
		texts = append(texts, m.text)
		if m.sent++; m.sent >= most {
			delete(q.byName, m.name)
		}
	}
	return texts
}

// timesToSend is how often each of n members sends a message, as memberlist has it.
func timesToSend(mult, n int) int { return mult * int(math.Ceil(math.Log10(float64(n+1)))) }
