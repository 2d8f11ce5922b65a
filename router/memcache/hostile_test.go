package memcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// once says something after the first request and then nothing more.
func once(text string) script {
	return func(s *session) {
		s.request()
		s.send(text)
		s.untilClosed()
	}
}

// forever says something after the first request, and again and again.
func forever(text string) script {
	chunk := strings.Repeat(text, 1+4096/len(text))
	return func(s *session) {
		s.request()
		for {
			if _, err := io.WriteString(s.Conn, chunk); err != nil {
				return
			}
		}
	}
}

// A server that means harm costs its callers an error, and itself the
// connection. What it claims to send takes no memory before it has come, and
// what has no end is not read to it.
func TestHostileServer(t *testing.T) {
	get := func(ctx context.Context, c *Client) error { _, err := c.Get(ctx, "a"); return err }
	getMulti := func(ctx context.Context, c *Client) error { _, err := c.GetMulti(ctx, []string{"a", "b"}); return err }
	setMulti := func(ctx context.Context, c *Client) error { return c.SetMulti(ctx, []Item{{Key: "a"}, {Key: "b"}}) }
	meta := func(r GetRequest) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.MetaGet(ctx, r); return err }
	}
	debug := func(ctx context.Context, c *Client) error { _, err := c.Debug(ctx, "a"); return err }
	stats := func(ctx context.Context, c *Client) error { _, err := c.ServerStats(ctx, ""); return err }
	dump := func(ctx context.Context, c *Client) (last error) {
		for _, err := range c.Metadump(ctx) {
			last = err
		}
		return last
	}
	const short = 20 * time.Millisecond // ReplyTimeout where nothing else ends it
	tests := []struct {
		name    string
		call    func(context.Context, *Client) error
		server  script
		timeout time.Duration
		want    error // nil: the call succeeds, and the connection goes all the same
	}{
		{"a value of 8 EiB", get, once("VA 9223372036854775808 f0 c1\r\n"), never, ErrProtocol},
		{"a value beyond 64 bits", get, once("VA 99999999999999999999 f0 c1\r\n"), never, ErrProtocol},
		{"a value of 1 GiB that does not come", get, once("VA 1073741824 f0 c1\r\n"), short, ErrOverdue},
		{"a value of 1 MiB that does not come", get, once("VA 1048576 f0 c1\r\n"), short, ErrOverdue},
		{"values of 1 GiB in a batch", getMulti, once("VA 1073741824 f0 c1 O0\r\n"), short, ErrOverdue},
		{"a value without its end", get, forever("VA 1 f0 c1\r\nab"), never, ErrProtocol},
		{"a line without end", get, forever("x"), never, ErrProtocol},
		{"a line of flags without end", get, forever("HD f0 "), never, ErrProtocol},
		{"a line of zeros without end", getMulti, forever("\x00"), never, ErrProtocol},
		{"a line of debug without end", debug, forever("ME a exp=1 "), never, ErrProtocol},
		{"an opaque of another request", meta(GetRequest{Key: "a", Opaque: "mine"}), once("HD Oother\r\n"), never, ErrProtocol},
		{"a key of another request", meta(GetRequest{Key: "a", Return: ReturnKey}), once("HD kb\r\n"), never, ErrProtocol},
		{"an opaque that no request of a batch has", getMulti, once("VA 1 f0 c1 O2\r\nx\r\nMN\r\n"), never, ErrProtocol},
		{"opaques out of order", getMulti, once("VA 1 f0 c1 O1\r\nx\r\nVA 1 f0 c1 O0\r\nx\r\nMN\r\n"), never, ErrProtocol},
		{"errors without end for a batch", setMulti, forever("SERVER_ERROR x\r\n"), never, ErrProtocol},
		{"garbage", get, forever("\xff\x00\r\r\n"), never, ErrProtocol},
		{"empty lines", get, forever("\r\n"), never, ErrProtocol},
		{"a reply too many", get, once("VA 1 f0 c1\r\nx\r\nVA 1 f0 c1\r\ny\r\n"), never, nil},
		{"half a reply too many", get, once("VA 1 f0 c1\r\nx\r\nV"), never, nil},
		{"statistics without end", stats, forever("STAT a 1\r\n"), never, ErrProtocol},
		{"a line of statistics without end", stats, forever("STAT a "), never, ErrProtocol},
		{"a line of a dump without end", dump, forever("key=a "), never, ErrProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gone := make(chan struct{})
			first := func(s *session) {
				defer close(gone)
				tt.server(s)
			}
			c := client(t, Config{Address: fake(t, first, answer), ReplyTimeout: tt.timeout})
			ctx := background(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := tt.call(ctx, c)
			runtime.ReadMemStats(&after)
			if tt.want == nil {
				must(t, err)
			} else {
				wantError(t, err, tt.want)
			}
			// A value within the limit is made room for; statistics are kept up
			// to a limit, in a map that grows by doubling.
			if most := uint64(48 << 20); after.TotalAlloc-before.TotalAlloc > most {
				t.Errorf("allocated %d bytes, want at most %d", after.TotalAlloc-before.TotalAlloc, most)
			}
			select {
			case <-gone:
			case <-ctx.Done():
				t.Fatal("the connection was kept")
			}
			must(t, c.Ping(ctx)) // on a fresh one
		})
	}
}

// A value that is too large is read past in pieces of the reader's buffer.
func TestLargeValueIsReadPastInPieces(t *testing.T) {
	const size = 64 << 20
	piece := make([]byte, 1<<20)
	c := client(t, Config{ReplyTimeout: never, Address: fake(t, func(s *session) {
		s.request()
		s.send(fmt.Sprintf("VA %d f0 c1\r\n", size))
		for range size / len(piece) {
			_, _ = s.Conn.Write(piece)
		}
		s.send("\r\n")
		answer(s)
	})})
	ctx := background(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Get(ctx, "a")
	runtime.ReadMemStats(&after)
	wantError(t, err, ErrValueTooLarge)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/8 {
		t.Errorf("allocated %d bytes for a value of %d that nobody gets", n, size)
	}
	must(t, c.Ping(ctx))
	if s := c.Stats(); s.Dials != 1 {
		t.Errorf("the connection should have outlived it: %+v", s)
	}
}

// A reply that was there before its request is not given to it, whoever reads.
func TestReplyInAdvance(t *testing.T) {
	early := func(s *session) {
		s.request() // the goroutine's to read, the next one the caller's own
		s.send("EN\r\n")
		s.request()
		s.send("EN\r\nVA 5 f0 c1\r\nearly\r\n")
		s.untilClosed()
	}
	type wrapped struct{ net.Conn } // not a socket: the goroutine reads
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"caller":    func(nc net.Conn) net.Conn { return nc },
		"goroutine": func(nc net.Conn) net.Conn { return wrapped{nc} },
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Config{ReplyTimeout: never, Address: fake(t, early), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return wrap(nc), nil
			}})
			for range 20 {
				item, err := c.Get(background(t), "a")
				if !errors.Is(err, ErrCacheMiss) && !errors.Is(err, ErrProtocol) || bytes.Contains(item.Value, []byte("early")) {
					t.Fatalf("got %q, %v", item.Value, err)
				}
			}
			eventually(t, "the last loss is counted", func() bool { return c.Stats().LostProtocol == c.Stats().Dials })
		})
	}
}
