package memnet

import (
	"io"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	window      = 256 << 10 // bytes that a writer may be ahead of its reader
	segmentSize = 64 << 10  // bytes, at most, that one draw of loss and jitter decides on
	firstRetry  = 200 * time.Millisecond
	keepAlive   = 150 * time.Second // after so long without contact a stream is given up: net's default
	dialRetry   = time.Second       // doubled each time
	dialGivenUp = 127 * time.Second // without a timeout of the caller's
)

// stream is one end of a connection. The network's lock guards it.
type stream struct {
	network       *Network
	local, remote *host
	crashes       int // of both hosts when it was opened
	peer          *stream
	changed       *sync.Cond // broadcast when a Read or Write may go on

	unread          []byte
	ended           bool  // the peer has closed; EOF once unread is empty
	closed          bool  // by Close
	failure         error // why nothing works any more, if so
	readBy, writeBy time.Time

	sent        []segment // on the way to the peer, oldest first
	outstanding int       // bytes that Write took and the peer has not read
	scheduled   bool      // the stream is on the agenda, for the first of sent
	retry       time.Duration
	stuckSince  time.Time // zero: the last segment got through
}

// segment is what a stream has under way: bytes or one of two marks.
type segment struct {
	at    time.Time // of arrival, if those before it have arrived
	data  []byte
	fin   bool // the sender has closed
	reset bool // the sender does not know the stream any more
}

var _ net.Conn = (*stream)(nil)

// newStreams returns the two ends of a connection.
func (n *Network) newStreams(from, to *host) (dialed, accepted *stream) {
	dialed = &stream{network: n, local: from, remote: to, changed: sync.NewCond(&n.mu)}
	accepted = &stream{network: n, local: to, remote: from, changed: sync.NewCond(&n.mu), peer: dialed}
	dialed.peer = accepted
	dialed.crashes = from.crashes + to.crashes
	accepted.crashes = dialed.crashes
	n.open[dialed], n.open[accepted] = true, true
	return dialed, accepted
}

func (s *stream) LocalAddr() net.Addr  { return s.local.tcp }
func (s *stream) RemoteAddr() net.Addr { return s.remote.tcp }

// Read waits for bytes, the peer's Close (io.EOF), the deadline or a failure.
func (s *stream) Read(b []byte) (int, error) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	for {
		if err := s.obstacle(s.readBy); err != nil {
			return 0, s.opError("read", err)
		}
		if len(s.unread) > 0 || len(b) == 0 {
			count := copy(b, s.unread)
			s.unread = s.unread[count:]
			s.peer.outstanding -= count
			s.peer.changed.Broadcast()
			return count, nil
		}
		if s.ended {
			return 0, io.EOF
		}
		s.wait(s.readBy)
	}
}

// Write returns once the network has taken all of b, which it copies; it waits
// while a window of bytes is ahead of the reader.
func (s *stream) Write(b []byte) (written int, err error) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	for {
		if err := s.obstacle(s.writeBy); err != nil {
			return written, s.opError("write", err)
		}
		if written == len(b) {
			return written, nil
		}
		count := min(len(b)-written, window-s.outstanding, segmentSize)
		if count == 0 {
			s.wait(s.writeBy)
			continue
		}
		s.outstanding += count
		s.local.stats.StreamBytesSent += uint64(count)
		s.transmit(segment{data: append([]byte(nil), b[written:written+count]...)})
		written += count
	}
}

// obstacle returns why a Read or Write with that deadline cannot be done now.
func (s *stream) obstacle(deadline time.Time) error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.failure != nil:
		return s.failure
	case !deadline.IsZero() && !time.Now().Before(deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait returns when something has changed, at the deadline, or when the stream
// has been given up. With neither deadline nor fault it sets no timer, so that a
// bubble in which nobody will ever write is found to be deadlocked.
func (s *stream) wait(deadline time.Time) {
	n := s.network
	began, limit := time.Now(), time.Duration(math.MaxInt64)
	if !deadline.IsZero() {
		limit = deadline.Sub(began)
	}
	fault := s.fault()
	if fault != nil {
		limit = min(limit, keepAlive)
	}
	if limit < math.MaxInt64 {
		// Under the lock, or it could ring before Wait listens.
		alarm := time.AfterFunc(limit, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			s.changed.Broadcast()
		})
		defer alarm.Stop()
	}
	s.changed.Wait()
	if fault != nil && time.Since(began) >= keepAlive {
		s.fail(fault)
	}
}

// fault returns what keep-alive would find: that the other end is out of reach,
// or knows nothing of the stream.
func (s *stream) fault() error {
	n := s.network
	switch {
	case !n.passes(s.local, s.remote) || !n.passes(s.remote, s.local):
		return syscall.ETIMEDOUT
	case s.dead():
		return syscall.ECONNRESET
	}
	return nil
}

// dead reports whether a host has crashed since the stream was opened.
func (s *stream) dead() bool { return s.local.crashes+s.remote.crashes != s.crashes }

func (s *stream) fail(err error) {
	if s.failure == nil {
		s.failure = err
	}
	s.changed.Broadcast()
}

func (s *stream) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.local.tcp, Addr: s.remote.tcp, Err: err}
}

// Close sends what was written, and the end after it. Bytes that came and were
// not read turn it into a reset, as with TCP.
func (s *stream) Close() error {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	if len(s.unread) > 0 {
		s.abort()
		return nil
	}
	s.close(segment{fin: true})
	return nil
}

// abort closes the stream and tells the peer that nothing will be read.
func (s *stream) abort() { s.close(segment{reset: true}) }

func (s *stream) close(last segment) {
	s.closed, s.unread = true, nil
	delete(s.network.open, s)
	s.transmit(last)
	s.changed.Broadcast()
}

// SetDeadline, SetReadDeadline and SetWriteDeadline apply to calls that wait
// already, too. The zero time is none.
func (s *stream) SetDeadline(t time.Time) error { return s.setDeadlines(t, &s.readBy, &s.writeBy) }

func (s *stream) SetReadDeadline(t time.Time) error { return s.setDeadlines(t, &s.readBy) }

func (s *stream) SetWriteDeadline(t time.Time) error { return s.setDeadlines(t, &s.writeBy) }

func (s *stream) setDeadlines(t time.Time, deadlines ...*time.Time) error {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	for _, d := range deadlines {
		*d = t
	}
	s.changed.Broadcast()
	return nil
}
