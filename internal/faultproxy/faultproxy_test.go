package faultproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that returns what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// roundTrip sends a text and returns what comes back of it.
func roundTrip(c net.Conn, text string) (string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(c, buf)
	return string(buf[:n]), err
}

func TestFaults(t *testing.T) {
	p := New(t, echo(t))
	c := dial(t, p)
	if got, err := roundTrip(c, "hello"); got != "hello" || err != nil {
		t.Fatalf("a healthy proxy: %q, %v", got, err)
	}

	const delay = 20 * time.Millisecond
	p.Delay(delay)
	start := time.Now()
	if _, err := roundTrip(c, "hello"); err != nil || time.Since(start) < 2*delay {
		t.Errorf("with a delay each way: %v after %v", err, time.Since(start))
	}
	p.Heal()

	p.Hang()
	c.SetDeadline(time.Now().Add(delay))
	if got, err := roundTrip(c, "hello"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a hung connection: %q, %v", got, err)
	}
	fresh := dial(t, p) // is accepted
	fresh.SetDeadline(time.Now().Add(delay))
	if got, err := roundTrip(fresh, "hello"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a new connection while all hang: %q, %v", got, err)
	}
	p.Heal()
	c.SetDeadline(time.Time{})
	buf := make([]byte, 5)
	if _, err := io.ReadFull(c, buf); string(buf) != "hello" || err != nil {
		t.Errorf("what hung: %q, %v", buf, err)
	}

	p.CutReplies(3)
	if got, err := roundTrip(c, "hello"); got != "hel" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut reply: %q, %v", got, err)
	}
	p.Heal()

	p.CutOneReply(3)
	if got, err := roundTrip(dial(t, p), "hello"); got != "hel" || err == nil {
		t.Errorf("the cut reply: %q, %v", got, err)
	}
	if got, err := roundTrip(dial(t, p), "hello"); got != "hello" || err != nil {
		t.Errorf("after the cut reply: %q, %v", got, err)
	}

	c = dial(t, p)
	if _, err := roundTrip(c, "hello"); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a reset connection: %v", err)
	}
	if got, err := roundTrip(dial(t, p), "again"); got != "again" || err != nil {
		t.Errorf("a new connection after a reset: %q, %v", got, err)
	}
}
