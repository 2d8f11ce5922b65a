package simulations

// mostAtOnce is how many requests of one time a spreader looks at together.
const mostAtOnce = 1 << 20

// A spreader gives every request of a trace a moment of its own. Traces tell whole
// seconds, or times that are finer but still those of many requests: these are
// spread evenly from that time to the next one, or over one second where that
// comes later. It reads ahead until the time changes. Of more requests than it
// looks at together, each lot is spread over half of what is left of the second.
type spreader struct {
	most  int
	ready []ahead // of one time, with their moments
	given int     // of ready
	held  []ahead // the first request of the next time, if it was read
	err   error   // of the request after those

	time  float64 // of ready, as the trace tells it
	taken float64 // seconds after it, by lots of the same time
	last  float64 // moment
}

// ahead is a request that was read ahead.
type ahead struct {
	event
	version uint32
	keys    int // distinct ones, up to this request
}

// fill gives a chunk its requests.
func (s *spreader) fill(f *feed, c *chunk) {
	keys := 0
	for i := range c.events {
		if s.given == len(s.ready) && !s.read(f) {
			c.events, f.err = c.events[:i], s.err
			break
		}
		next := &s.ready[s.given]
		s.given++
		c.events[i], keys = next.event, next.keys
		if f.writes != nil {
			c.versions = append(c.versions, next.version)
		}
	}
	c.keys = f.keys.upTo(keys)
}

// read reads the requests of the next time, and reports whether there are any.
func (s *spreader) read(f *feed) bool {
	s.ready, s.given = append(s.ready[:0], s.held...), 0
	s.held = s.held[:0]
	for s.err == nil && len(s.ready) < s.most {
		var next ahead
		if s.err = f.event(&next.event); s.err != nil {
			break
		}
		next.at, next.keys = f.moment, f.keys.len()
		if f.writes != nil {
			next.version = f.version(&next.event)
		}
		if len(s.ready) > 0 && next.at != s.ready[0].at {
			s.held = append(s.held, next)
			break
		}
		s.ready = append(s.ready, next)
	}
	if len(s.ready) > 0 {
		s.spread()
	}
	return len(s.ready) > 0
}

// spread sets the moments of what has been read.
func (s *spreader) spread() {
	if at := s.ready[0].at; at != s.time {
		s.time, s.taken = at, 0
	}
	width := 1 - s.taken
	switch {
	case len(s.held) > 0:
		width = min(width, s.held[0].at-s.time-s.taken)
	case s.err == nil:
		width /= 2 // there may be more of the same time
	}
	for i := range s.ready {
		part := float64(width * float64(i) / float64(len(s.ready))) // not fused, which would round otherwise elsewhere
		s.last = max(s.last, s.time+s.taken+part)
		s.ready[i].at = s.last
	}
	s.taken += width
}
