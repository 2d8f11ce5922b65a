package lifecycle

import (
	"time"

	"github.com/ringway/ringway/membership"
)

// server holds a few keys.
type server struct {
	n     *node
	up    bool
	until time.Time
	open  uint64 // the transition in which its agent takes keys: a mover with another view is refused
	keys  map[int]held
	swept map[uint64]bool // transitions for which it really was

	purges  []purge
	brought bool // keys have come since they were checked
}

// held is what a server knows of a key. It is old once the node's agent has seen
// that the key belongs to somebody else; but not in the transition in which a
// mover brought it, who may know of changes that the agent has not heard of.
type held struct {
	old bool
	by  uint64 // the mover's transition; 0: a client wrote it
}

// purge is one that was really done.
type purge struct {
	eviction   uint64
	began      time.Time
	generation uint64
}

func (s *server) fails(long time.Duration, loses bool) {
	if !s.up {
		return
	}
	s.up = false
	if loses {
		clear(s.keys)
	}
	s.n.w.tell("%s: server fails for %v", s.n.id, long)
	s.until = s.n.w.now.Add(long)
	until := s.until
	s.n.w.after(long, func() {
		if !s.up && s.until.Equal(until) {
			s.returns()
		}
	})
}

func (s *server) returns() {
	s.up = true
	s.n.w.tell("%s: server answers", s.n.id)
}

// write is a client's write, at times, of a key that the node owns and will own.
func (s *server) write() {
	key, view := s.n.w.rng.IntN(keys), s.n.ledger.View()
	if s.up && ownsKeys(s.n.machine.Record()) && ownerOf(key, view.Current(membership.Redis)) == s.n.id &&
		ownerOf(key, view.Next(membership.Redis)) == s.n.id {
		s.keys[key] = held{}
		s.n.w.written[key] = true
	}
}

func (s *server) sweep(transition uint64) {
	ring := s.n.ledger.View().Current(membership.Redis)
	for k := range s.keys {
		if ownerOf(k, ring) != s.n.id {
			delete(s.keys, k)
		}
	}
	s.swept[transition] = true
}

// handOver brings keys to where they will be; it fails if it cannot bring one.
func (s *server) handOver(transition uint64) bool {
	view := s.n.ledger.View()
	if number, phase := view.Transition(membership.Redis); number != transition || phase != membership.PhaseImporting {
		s.n.w.fail("%s moves keys in transition %d while it sees %d, %s", s.n.id, transition, number, phase)
	}
	next := view.Next(membership.Redis)
	for k := range keys { // not in the order of the map
		if _, has := s.keys[k]; !has {
			continue
		}
		to := ownerOf(k, next)
		if to == s.n.id || to == "" {
			continue
		}
		other := s.n.w.nodes[to[0]-'a']
		if !other.server.up || s.n.w.group[other.index] != s.n.w.group[s.n.index] || other.server.open != transition {
			return false
		}
		if _, has := other.server.keys[k]; !has {
			other.server.keys[k] = held{by: transition}
			other.server.brought = true
		}
		delete(s.keys, k)
	}
	return true
}
