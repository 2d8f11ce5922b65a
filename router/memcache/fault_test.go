package memcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

// never is a ReplyTimeout that plays no part.
const never = 1000 * time.Hour

// A reply that is cut off at any byte is no reply.
func TestReplyCutOff(t *testing.T) {
	const whole = "VA 5 f2 c3\r\nhello\r\n"
	for n := range len(whole) {
		c := client(t, Config{Address: fake(t, func(s *session) {
			s.request()
			s.send(whole[:n])
		})})
		item, err := c.Get(background(t), "a")
		wantError(t, err, io.ErrUnexpectedEOF)
		wantSent(t, err, true)
		if item.Value != nil || item.CAS != 0 {
			t.Errorf("after %d bytes: got %+v", n, item)
		}
		c.Close()
	}
}

// Behind a breach of the protocol nothing is believed, not even a reply that
// looks right and came in the same packet.
func TestGarbage(t *testing.T) {
	for _, garbage := range []string{"\x00\x01\x02\r\n", "HTTP/1.1 400 Bad Request\r\n", "VA 3\r\nabcdef\r\n", "NS\r\n", "-ERR unknown command\r\n"} {
		two := make(chan struct{})
		c := client(t, Config{Address: fake(t, func(s *session) {
			s.request()
			s.send("MN\r\n")
			s.request()
			<-two
			s.request()
			s.send(garbage + "EN\r\nEN\r\n")
			s.untilClosed()
		}, answer)})
		ctx := background(t)
		must(t, c.Ping(ctx)) // from here on, a call that is alone reads for itself
		var running sync.WaitGroup
		call := func() {
			running.Go(func() {
				_, err := c.MetaGet(ctx, GetRequest{Key: "a"})
				wantError(t, err, ErrProtocol, ErrOutcomeUnknown)
			})
		}
		call()
		eventually(t, "the first call is under way", func() bool { return c.Stats().InFlight == 1 })
		call()
		eventually(t, "the second call is under way", func() bool { return c.Stats().InFlight == 2 })
		close(two)
		running.Wait()
		must(t, c.Ping(ctx)) // on a fresh connection
		if s := c.Stats(); s.LostProtocol != 1 || s.Dials != 2 {
			t.Errorf("%q: got %+v", garbage, s)
		}
	}
}

// A set that the server did not understand may have left its data block behind
// as commands: the caller is told what the server said, and the connection goes.
func TestSetNotUnderstood(t *testing.T) {
	c := client(t, Config{Address: fake(t, func(s *session) {
		s.request()
		s.send("CLIENT_ERROR bad command line format\r\nOK\r\n")
		s.untilClosed()
	}, answer)})
	err := c.Set(background(t), Item{Key: "a", Value: []byte("flush_all")})
	wantError(t, err, ErrClientError)
	if errors.Is(err, ErrOutcomeUnknown) || !strings.Contains(err.Error(), "bad command line format") {
		t.Errorf("got %v", err)
	}
	must(t, c.Ping(background(t)))
	if s := c.Stats(); s.LostProtocol != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestNotMemcached(t *testing.T) {
	for greeting, want := range map[string]error{
		"-ERR unknown command 'mn'\r\n":         ErrProtocol,
		"ERROR\r\n":                             ErrProtocol, // memcached before the meta commands
		"ERROR Too many open connections\r\n":   ErrServerError,
		"MN\r\nHD\r\n":                          ErrProtocol, // a reply in advance
		"":                                      io.ErrUnexpectedEOF,
		strings.Repeat("x", maxLine+1) + "\r\n": ErrProtocol,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		var running sync.WaitGroup
		running.Go(func() {
			for {
				nc, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = io.ReadFull(nc, make([]byte, 4))
				_, _ = io.WriteString(nc, greeting)
				nc.Close()
			}
		})
		c := client(t, Config{Address: listener.Addr().String()})
		err = c.Set(background(t), Item{Key: "a"})
		wantError(t, err, want)
		wantSent(t, err, false)
		c.Close()
		listener.Close()
		running.Wait()
	}
}

func TestConnectionRefused(t *testing.T) {
	server := servertest.Memcached(t)
	c := client(t, Config{Address: server.Addr()})
	ctx := background(t)
	must(t, c.Ping(ctx))
	server.Kill()
	eventually(t, "the loss is noticed", func() bool { return c.Stats().Conns == 0 })
	err := c.Ping(ctx)
	wantError(t, err, syscall.ECONNREFUSED)
	wantSent(t, err, false)
	server.Restart()
	must(t, c.Ping(ctx))
}

func TestOneDialForAll(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() { wantError(t, c.Ping(ctx), nil) })
	}
	running.Wait()
	if s := c.Stats(); s.Dials != 1 || s.Conns != 1 {
		t.Errorf("got %+v", s)
	}
}

// held starts a server that answers nothing before release is called, or the test
// ends.
func held(t *testing.T) (addr string, release func()) {
	t.Helper()
	released := make(chan struct{})
	addr = fake(t, func(s *session) {
		<-released
		answer(s)
	})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	return addr, release
}

// Connections are opened as calls pile up on those that are open, and no more
// than there may be.
func TestConnectionsGrow(t *testing.T) {
	addr, release := held(t)
	c := client(t, Config{Conns: 3, ReplyTimeout: never, Address: addr})
	ctx := background(t)
	var running sync.WaitGroup
	total := 0
	call := func(calls int) {
		total += calls
		for range calls {
			running.Go(func() { wantError(t, c.Ping(ctx), nil) })
		}
		eventually(t, "all calls are under way", func() bool { return c.Stats().InFlight == total })
	}
	conns := func(n int) {
		eventually(t, fmt.Sprint(n, " connections"), func() bool { return c.Stats().Conns == n })
	}
	call(1)
	call(spread - 1)
	if n := c.Stats().Conns; n != 1 {
		t.Errorf("got %d connections for %d calls", n, spread)
	}
	call(1)
	conns(2)
	call(2 * spread) // all of them may have looked before any was counted
	call(1)
	conns(3)
	call(10 * spread)
	release()
	running.Wait()
	if s := c.Stats(); s.Conns != 3 || s.Dials != 3 {
		t.Errorf("got %+v", s)
	}
}

// With a server that does not read, callers wait outside once enough is
// pending, and can still leave.
func TestRoomRunsOut(t *testing.T) {
	addr, release := held(t)
	c := client(t, Config{Conns: 1, ReplyTimeout: never, Address: addr})
	value := make([]byte, 1<<20)
	ctx, cancel := context.WithCancel(background(t))
	const n = 40 // mebibytes: several times what the kernel and we take in
	errs := make(chan error, n)
	for range n {
		go func() { errs <- c.Set(ctx, Item{Key: "a", Value: value}) }()
	}
	crowded := func() bool {
		cn := c.slots[0].Load()
		return cn != nil && cn.crowded.Load()
	}
	eventually(t, "somebody waits for room", crowded)
	cn := c.slots[0].Load()
	cn.mu.Lock()
	pending := len(cn.out)
	cn.mu.Unlock()
	if limit := maxPending + len(value) + 100; pending > limit {
		t.Errorf("%d bytes pending, want at most %d", pending, limit)
	}
	cancel()
	unsent := 0
	for range n {
		err := <-errs
		wantError(t, err, context.Canceled)
		if !errors.Is(err, ErrOutcomeUnknown) {
			unsent++
		}
	}
	if unsent == 0 {
		t.Error("nobody was kept outside")
	}
	release()
	must(t, c.Set(background(t), Item{Key: "a", Value: value})) // when all is drained
}

// Nor is there room for any number of calls whose callers have left.
func TestCallsRunOut(t *testing.T) {
	addr, release := held(t)
	c := client(t, Config{Conns: 1, ReplyTimeout: never, Address: addr})
	must(t, c.open1())
	cn := c.slots[0].Load()
	for range maxWaiting {
		k := c.newCall(commandNoop)
		k.line = append(k.line, "mn\r\n"...)
		k.state.Store(abandoned)
		if _, err := cn.append(context.Background(), k, 1); err != nil {
			t.Fatal(err)
		}
	}
	waits := make(chan error)
	go func() { waits <- c.Ping(background(t)) }()
	eventually(t, "somebody waits for room", cn.crowded.Load)
	ctx, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
	defer cancel()
	err := c.Ping(ctx)
	wantError(t, err, context.DeadlineExceeded)
	wantSent(t, err, false)
	release()
	must(t, <-waits)
}

// open1 opens the first connection.
func (c *Client) open1() error { _, err := c.await(context.Background()); return err }

// What was not sent when a connection is given up is never sent: the server does
// not find it when it wakes up.
func TestUnsentBytesAreDropped(t *testing.T) {
	given := make(chan struct{})
	read := make(chan error, 1)
	c := client(t, Config{ReplyTimeout: 4 * time.Millisecond, Address: fake(t, func(s *session) {
		<-given
		_, err := io.Copy(io.Discard, s.in)
		read <- err
	})})
	err := c.Set(background(t), Item{Key: "a", Value: make([]byte, 1<<20)})
	wantError(t, err, ErrOverdue)
	close(given)
	if err := <-read; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server read to the end (%v), want a reset", err)
	}
}

// A stopped server: callers leave in time, the connection is given up, and when
// the server goes on, so does everything.
func TestStoppedServer(t *testing.T) {
	server := servertest.Memcached(t)
	c := client(t, Config{Address: server.Addr(), ReplyTimeout: 100 * time.Millisecond, DialTimeout: 50 * time.Millisecond})
	patient := client(t, Config{Address: server.Addr(), ReplyTimeout: never})
	must(t, patient.Ping(background(t)))
	eventually(t, "the server answers in time", func() bool { return c.Ping(background(t)) == nil })
	server.Stop()
	var err error
	for patient.Stats().Abandoned == 0 { // again if the deadline was over before it was sent
		ctx, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
		err = patient.Set(ctx, Item{Key: "a"})
		cancel()
		wantError(t, err, context.DeadlineExceeded)
	}
	wantSent(t, err, true)
	wantError(t, c.Ping(background(t)), ErrOverdue)
	err = c.Ping(background(t)) // the kernel accepts, the server does not answer
	wantError(t, err, ErrDialTimeout)
	wantSent(t, err, false)
	server.Cont()
	eventually(t, "the server answers", func() bool { return c.Ping(background(t)) == nil })
}
