package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// connect opens a stream from A to B and returns both ends.
func connect(t *testing.T, n *Network) (dialed, accepted net.Conn) {
	t.Helper()
	a, b := listen(t, n, hostA), listen(t, n, hostB)
	dialed, err := a.DialTimeout(hostB.String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	accepted = <-b.StreamCh()
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed, accepted
}

// expect checks an error, and how much time has passed since began.
func expect(t *testing.T, what string, err, want error, began time.Time, after time.Duration) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
	if took := time.Since(began); took != after {
		t.Errorf("%s: after %v, want %v", what, took, after)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Delay: time.Millisecond})
		began := time.Now()
		a, b := connect(t, n)
		expect(t, "dial", nil, nil, began, 2*time.Millisecond)
		if a.LocalAddr().String() != hostA.String() || a.RemoteAddr().String() != hostB.String() ||
			b.LocalAddr().String() != hostB.String() || b.RemoteAddr().String() != hostA.String() {
			t.Errorf("A %v → %v, B %v → %v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
		}

		text := []byte("question")
		if count, err := a.Write(text); count != len(text) || err != nil {
			t.Fatalf("wrote %d, %v", count, err)
		}
		copy(text, "--------") // Write has copied it
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 5)
		count, err := io.ReadFull(b, buf)
		expect(t, "read", err, nil, began, 3*time.Millisecond)
		rest, err := io.ReadAll(b) // up to A's Close
		expect(t, "read to the end", err, nil, began, 3*time.Millisecond)
		if got := string(buf[:count]) + string(rest); got != "question" {
			t.Errorf("got %q", got)
		}
		if err := b.Close(); err != nil || len(n.open) != 0 {
			t.Errorf("close: %v; %d streams are left", err, len(n.open))
		}
		want := Stats{StreamsDialed: 1, StreamsAccepted: 1, StreamBytesSent: 8, StreamBytesReceived: 8}
		if got := n.Total(); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

// TestPacedWrites: what follows later arrives later.
func TestPacedWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, newNetwork(t, Config{Delay: 10 * time.Millisecond}))
		began, buf := time.Now(), make([]byte, 10)
		for i := range 3 {
			if i > 0 {
				time.Sleep(time.Millisecond)
			}
			if _, err := a.Write([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			count, err := b.Read(buf)
			expect(t, "read", err, nil, began, 10*time.Millisecond+time.Duration(i)*time.Millisecond)
			if count != 1 || buf[0] != byte(i) {
				t.Errorf("read %d: got % x", i, buf[:count])
			}
		}
	})
}

// TestLargeTransfer sends several windows over a bad network: all of it arrives,
// in order, and never is the writer more than a window ahead.
func TestLargeTransfer(t *testing.T) {
	for _, c := range []Config{
		{},
		{Delay: time.Millisecond},
		{Seed: 5, Delay: time.Millisecond, Jitter: 50 * time.Millisecond, Loss: 0.2},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t, Config{})
			a, b := connect(t, n)
			n.SetDelay(c.Delay, c.Jitter)
			n.SetLoss(c.Loss)
			text := make([]byte, 4*window+1)
			for i := range text {
				text[i] = byte(i * 7 >> 3)
			}
			go func() {
				if count, err := a.Write(text); count != len(text) || err != nil {
					t.Errorf("%+v: wrote %d of %d: %v", c, count, len(text), err)
				}
				a.Close()
			}()
			time.Sleep(time.Hour)
			if sent := n.Stats(hostA).StreamBytesSent; sent != window {
				t.Errorf("%+v: %d bytes ahead of a reader that does not read, want %d", c, sent, window)
			}
			got, err := io.ReadAll(b)
			if !bytes.Equal(got, text) || err != nil {
				t.Errorf("%+v: got %d bytes, want %d: %v", c, len(got), len(text), err)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	const never = 0
	full := make([]byte, 2*window)
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write(full); return err }
	tests := []struct {
		name  string
		set   func(c net.Conn, at time.Time) error
		do    func(c net.Conn) error
		after time.Duration // of the failure; never: the peer ends it after 60 s
	}{
		{"read", net.Conn.SetReadDeadline, read, 5 * time.Second},
		{"write", net.Conn.SetWriteDeadline, write, 5 * time.Second},
		{"both, read", net.Conn.SetDeadline, read, 5 * time.Second},
		{"both, write", net.Conn.SetDeadline, write, 5 * time.Second},
		{"write's, read", net.Conn.SetWriteDeadline, read, never},
		{"read's, write", net.Conn.SetReadDeadline, write, never},
		{"taken back", func(c net.Conn, at time.Time) error {
			c.SetDeadline(at)
			return c.SetDeadline(time.Time{})
		}, read, never},
		{"set while it waits", func(c net.Conn, at time.Time) error {
			time.AfterFunc(time.Second, func() { c.SetDeadline(at) })
			return nil
		}, read, 5 * time.Second},
		{"moved to the past while it waits", func(c net.Conn, at time.Time) error {
			time.AfterFunc(time.Second, func() { c.SetDeadline(time.Now().Add(-time.Hour)) })
			return c.SetDeadline(at)
		}, write, time.Second},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{})
			a, b := connect(t, n)
			began := time.Now()
			if err := tt.set(a, began.Add(5*time.Second)); err != nil {
				t.Fatal(err)
			}
			if tt.after == never {
				time.AfterFunc(time.Minute, func() {
					n.mu.Lock()
					defer n.mu.Unlock()
					b.(*stream).abort()
				})
				expect(t, "without deadline", tt.do(a), syscall.ECONNRESET, began, time.Minute)
				return
			}
			err := tt.do(a)
			expect(t, "with deadline", err, os.ErrDeadlineExceeded, began, tt.after)
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%v is no timeout", err)
			}
			// The stream is as good as before.
			a.SetDeadline(time.Time{})
			b.Write([]byte("x"))
			if err := read(a); err != nil {
				t.Errorf("after the deadline was lifted: %v", err)
			}
		})
	}
}

func TestDeadlinePassedAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, newNetwork(t, Config{}))
		b.Write([]byte("there to be read"))
		a.SetDeadline(time.Now())
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if count, err := a.Write([]byte("x")); count != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %d, %v", count, err)
		}
	})
}

func TestClose(t *testing.T) {
	one := make([]byte, 1)
	tests := []struct {
		name string
		do   func(t *testing.T, a, b net.Conn) error
		want error
	}{
		{"end of the peer's bytes", func(t *testing.T, a, b net.Conn) error {
			b.Close()
			_, err := a.Read(one)
			return err
		}, io.EOF},
		{"the peer has closed, first write", func(t *testing.T, a, b net.Conn) error {
			b.Close()
			_, err := a.Write(one)
			return err
		}, nil},
		{"the peer has closed, second write", func(t *testing.T, a, b net.Conn) error {
			b.Close()
			a.Write(one)
			time.Sleep(time.Second)
			_, err := a.Write(one)
			return err
		}, syscall.ECONNRESET},
		{"the peer closes without reading", func(t *testing.T, a, b net.Conn) error {
			a.Write(one)
			time.Sleep(time.Second)
			b.Close()
			_, err := a.Read(one)
			return err
		}, syscall.ECONNRESET},
		{"the peer closes on a blocked writer", func(t *testing.T, a, b net.Conn) error {
			time.AfterFunc(time.Second, func() { b.Close() })
			_, err := a.Write(make([]byte, 2*window))
			return err
		}, syscall.ECONNRESET},
		{"closed while it reads", func(t *testing.T, a, b net.Conn) error {
			time.AfterFunc(time.Second, func() { a.Close() })
			_, err := a.Read(one)
			return err
		}, net.ErrClosed},
		{"closed while it writes", func(t *testing.T, a, b net.Conn) error {
			time.AfterFunc(time.Second, func() { a.Close() })
			_, err := a.Write(make([]byte, 2*window))
			return err
		}, net.ErrClosed},
		{"write after close", func(t *testing.T, a, b net.Conn) error {
			a.Close()
			_, err := a.Write(one)
			return err
		}, net.ErrClosed},
		{"close twice", func(t *testing.T, a, b net.Conn) error {
			a.Close()
			return a.Close()
		}, net.ErrClosed},
		{"deadline after close", func(t *testing.T, a, b net.Conn) error {
			a.Close()
			return a.SetDeadline(time.Now())
		}, net.ErrClosed},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			a, b := connect(t, newNetwork(t, Config{Delay: time.Millisecond}))
			if err := tt.do(t, a, b); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
