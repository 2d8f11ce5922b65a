//go:build unix

package memcache

import (
	"net"
	"syscall"
)

// A rawSocket does to a socket what net.Conn cannot: it never waits.
type rawSocket struct {
	conn  syscall.RawConn // nil: not a socket
	write func(fd uintptr) bool
	peek  func(fd uintptr)

	buf []byte // what write is to write, and what came of it
	n   int
	err error

	silent bool // what peek found
}

func (s *rawSocket) init(nc net.Conn) {
	conn, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	s.conn, s.write, s.peek = conn, s.writeOnce, s.peekOnce // method values here: they allocate
}

// try writes as much as the socket takes at once, which may be nothing. Only
// one goroutine may call it at a time.
func (s *rawSocket) try(buf []byte) (n int, err error) {
	if s.conn == nil {
		return 0, nil
	}
	s.buf, s.n, s.err = buf, 0, nil
	err = s.conn.Write(s.write)
	if err == nil {
		err = s.err
	}
	s.buf = nil
	return s.n, err
}

// writeOnce always returns true, which stands for "do not wait for the socket".
func (s *rawSocket) writeOnce(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), s.buf)
		switch err {
		case nil:
			s.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			s.err = err
		}
		return true
	}
}

// quiet reports whether there is nothing to be read, neither bytes nor the end.
// Only one goroutine may call it at a time.
func (s *rawSocket) quiet() bool {
	if s.conn == nil {
		return true
	}
	s.silent = false
	return s.conn.Control(s.peek) == nil && s.silent
}

func (s *rawSocket) peekOnce(fd uintptr) {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			s.silent = err == syscall.EAGAIN
			return
		}
	}
}
