package memcache

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_, err := servers.Find(servers.Memcached)
	if errors.Is(err, servers.ErrNotInstalled) && os.Getenv(servertest.RequireVariable) != "1" {
		// An example cannot skip itself.
		fmt.Fprintln(os.Stderr, "SKIPPED, NOTHING WAS TESTED: examples: memcached is not installed")
		_ = flag.Set("test.skip", "^Example")
	}
	goleak.VerifyTestMain(m)
}

// patience is for what must happen and has no set time. It is never waited for
// in a test that passes.
const patience = 20 * time.Second

// real starts a memcached and a Client for it.
func real(t testing.TB, args ...string) (*Client, *servertest.Server) {
	t.Helper()
	server := servertest.Memcached(t, args...)
	return client(t, Config{Address: server.Addr()}), server
}

// client makes a Client that is closed before its server.
func client(t testing.TB, config Config) *Client {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A script is the other end of one connection, after the first exchange.
type script func(s *session)

// fake is a server that follows a script for each connection: the first for the
// first one, and so on; the last for all that are left. There are no others: a
// connection beyond them fails the test.
func fake(t testing.TB, scripts ...script) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	fakeOn(t, listener, scripts...)
	return listener.Addr().String()
}

// fakeOn is fake on a listener of the caller's choice.
func fakeOn(t testing.TB, listener net.Listener, scripts ...script) {
	t.Helper()
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { play(nc, scripts[min(i, len(scripts)-1)]) })
		}
	})
	// Registered before any Client's: a session ends when its Client closes.
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
}

// play answers the greeting and follows the script.
func play(nc net.Conn, next script) {
	defer nc.Close()
	s := &session{Conn: nc, in: bufio.NewReader(nc)}
	if s.line() == "mn" {
		s.send("MN\r\n")
		next(s)
	}
}

// A session is a connection as the server sees it. What fails on it shows as an
// empty line, and in the test through what the Client then says.
type session struct {
	net.Conn
	in *bufio.Reader
}

// line returns the next line without its end, and "" when there is none.
func (s *session) line() string {
	line, err := s.in.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimRight(line, "\r\n")
}

// request returns the next command line, having read its data block, if any.
func (s *session) request() string {
	line := s.line()
	var size int
	if n, _ := fmt.Sscanf(line, "ms %s %d", new(string), &size); n == 2 {
		if _, err := io.CopyN(io.Discard, s.in, int64(size)+2); err != nil {
			return ""
		}
	}
	return line
}

func (s *session) send(text string) { _, _ = io.WriteString(s.Conn, text) }

// untilClosed reads until the other end closes.
func (s *session) untilClosed() { _, _ = io.Copy(io.Discard, s.in) }

// answer answers everything as an empty server would.
func answer(s *session) {
	for {
		switch line := s.request(); {
		case line == "":
			return
		case line == "mn":
			s.send("MN\r\n")
		case strings.HasPrefix(line, "mg"):
			s.send("EN\r\n")
		case strings.HasPrefix(line, "ms"):
			s.send("HD\r\n")
		default:
			s.send("NF\r\n")
		}
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails the test unless the error is what it should be.
func wantError(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("got error %v, want one that matches %v", err, w)
		}
	}
}

// wantSent fails the test unless the error is a *NoReplyError with this Sent.
func wantSent(t testing.TB, err error, sent bool) {
	t.Helper()
	var lost *NoReplyError
	if !errors.As(err, &lost) || lost.Sent != sent || errors.Is(err, ErrOutcomeUnknown) != sent {
		t.Errorf("got error %v (%T), want a *NoReplyError with Sent %v", err, err, sent)
	}
}

// background is a context that ends only when something has gone wrong.
func background(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}
