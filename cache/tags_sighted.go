package cache

import (
	"sync"
	"time"
)

// A Memcached counts the life of a tag in whole seconds, by a clock that ticks once a
// second: what it says of a tag's age is up to two seconds too little, so that each load
// in the two seconds after a tag was made would look as if it had begun before, and be
// made again. But a process that has had a version in a reply has proof that it was there
// by then, by its own clock, which does not jump: versions begin at random and count up,
// so that one that is seen again was never another in between.

// sightings are when this process first had the versions of young tags in a reply. The
// zero value is ready for use.
type sightings struct {
	mu sync.Mutex // guards of
	of map[string]sighting
}

type sighting struct {
	version uint64
	first   time.Time
}

const (
	// From this age on what the server says is near enough.
	sightedFor = 10 * time.Second
	// One that is forgotten costs a load that is made again.
	mostSighted = 4096
)

// age returns how old the version of a tag is, at least, when a reply of a request has it
// that was sent at a moment: what the server says, or what this process has seen.
func (s *sightings) age(tag string, version uint64, sent time.Time, said time.Duration) time.Duration {
	if said >= sightedFor {
		return said
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.of[tag]
	if known && seen.version == version {
		return max(said, sent.Sub(seen.first)) // said is 0 at least
	}
	if !known && len(s.of) >= mostSighted {
		s.shrink()
	}
	if s.of == nil {
		s.of = make(map[string]sighting)
	}
	s.of[tag] = sighting{version, time.Now()} // the reply is here: it was there before
	return said
}

// shrink makes room: what is old the server knows well, and if that is not enough all is
// forgotten. s.mu is held.
func (s *sightings) shrink() {
	now := time.Now()
	for tag, seen := range s.of {
		if now.Sub(seen.first) >= sightedFor {
			delete(s.of, tag)
		}
	}
	if len(s.of) >= mostSighted {
		clear(s.of)
	}
}
