package memnet

import (
	"syscall"
	"time"
)

// transmit sends a segment after those before it, however often it is lost.
func (s *stream) transmit(next segment) {
	n := s.network
	next.at = time.Now().Add(n.travel(s.local))
	for wait := firstRetry; wait < keepAlive && n.lost(s.local); wait *= 2 {
		next.at = next.at.Add(wait)
	}
	s.sent = append(s.sent, next)
	if !s.scheduled {
		s.scheduled = true
		n.agenda.add(next.at, s)
	}
}

// arrive delivers the segments that are due. If they cannot get through they
// are tried again later, and again, until the stream is given up.
func (s *stream) arrive(n *Network, now time.Time) {
	s.scheduled = false
	switch {
	case !n.passes(s.local, s.remote):
		s.stick(now)
		return
	case s.dead():
		s.sent = nil
		s.fail(syscall.ECONNRESET)
		return
	}
	s.stuckSince = time.Time{}
	for len(s.sent) > 0 && !s.sent[0].at.After(now) {
		s.peer.receive(s.sent[0])
		s.sent = s.sent[1:]
	}
	if len(s.sent) > 0 {
		s.scheduled = true
		n.agenda.add(s.sent[0].at, s)
	}
}

// stick plans the next try, twice as far away as the last.
func (s *stream) stick(now time.Time) {
	if s.stuckSince.IsZero() {
		s.stuckSince, s.retry = now, firstRetry
	}
	if now.Sub(s.stuckSince) >= keepAlive {
		s.sent = nil
		s.fail(syscall.ETIMEDOUT)
		return
	}
	s.scheduled = true
	s.network.agenda.add(now.Add(s.retry), s)
	s.retry *= 2
}

// receive takes what the peer sent.
func (s *stream) receive(from segment) {
	switch {
	case from.reset:
		s.fail(syscall.ECONNRESET)
	case from.fin:
		s.ended = true
	case s.closed: // nobody will read it, and the peer should know
		s.transmit(segment{reset: true})
		return
	default:
		s.unread = append(s.unread, from.data...)
		s.local.stats.StreamBytesReceived += uint64(len(from.data))
	}
	s.changed.Broadcast()
}
