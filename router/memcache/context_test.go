package memcache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

// Whatever a call does, it ends with its context while the server does not
// answer; and nothing is the worse for it when the server goes on.
func TestEveryCallEndsWithItsContext(t *testing.T) {
	server := servertest.Memcached(t)
	c := client(t, Config{Address: server.Addr(), ReplyTimeout: never, DialTimeout: never, Conns: 1})
	must(t, c.SetMulti(background(t), []Item{{Key: "n", Value: []byte("1")}, {Key: "a", Value: []byte("a")}}))
	calls := map[string]func(context.Context) error{
		"Get":            func(ctx context.Context) error { _, err := c.Get(ctx, "a"); return err },
		"GetAndTouch":    func(ctx context.Context) error { _, err := c.GetAndTouch(ctx, "a", time.Hour); return err },
		"GetMulti":       func(ctx context.Context) error { _, err := c.GetMulti(ctx, []string{"a", "b"}); return err },
		"Set":            func(ctx context.Context) error { return c.Set(ctx, Item{Key: "b"}) },
		"SetMulti":       func(ctx context.Context) error { return c.SetMulti(ctx, []Item{{Key: "b"}, {Key: "c"}}) },
		"CompareAndSwap": func(ctx context.Context) error { return c.CompareAndSwap(ctx, Item{Key: "b", CAS: 1}) },
		"Touch":          func(ctx context.Context) error { return c.Touch(ctx, "a", time.Hour) },
		"Delete":         func(ctx context.Context) error { return c.Delete(ctx, "d") },
		"MetaDeleteMulti": func(ctx context.Context) error {
			_, err := c.MetaDeleteMulti(ctx, []DeleteRequest{{Key: "d"}, {Key: "e"}})
			return err
		},
		"Increment":   func(ctx context.Context) error { _, err := c.Increment(ctx, "n", 1); return err },
		"Debug":       func(ctx context.Context) error { _, err := c.Debug(ctx, "a"); return err },
		"Version":     func(ctx context.Context) error { _, err := c.Version(ctx); return err },
		"Ping":        c.Ping,
		"ServerStats": func(ctx context.Context) error { _, err := c.ServerStats(ctx, ""); return err },
		"Metadump": func(ctx context.Context) (last error) {
			for _, err := range c.Metadump(ctx) {
				last = err
			}
			return last
		},
	}
	server.Stop()
	for name, call := range calls {
		for _, way := range []string{"deadline", "cancel"} {
			t.Run(name+" "+way, func(t *testing.T) { endsWithItsContext(t, c, way, call) })
		}
	}
	server.Cont()
	ctx := background(t)
	must(t, c.Ping(ctx))
	wantValue(t, c, "a", "a")
	eventually(t, "what was abandoned is answered", func() bool { return c.Stats().InFlight == 0 })
	if s := c.Stats(); s.Conns != 1 || s.LostNetwork+s.LostOverdue+s.LostProtocol != 0 {
		t.Errorf("got %+v", s)
	}
}

// endsWithItsContext makes a call that gets no answer, and ends its context.
func endsWithItsContext(t *testing.T, c *Client, way string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // without a deadline that would end it too
	defer cancel()
	want := context.Canceled
	if way == "deadline" {
		ctx, cancel = context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		want = context.DeadlineExceeded
	}
	before := c.Stats()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	if way == "cancel" {
		eventually(t, "the call is under way", func() bool {
			s := c.Stats()
			return s.Requests > before.Requests || s.Dials > before.Dials
		})
		cancel()
	}
	select {
	case err := <-done:
		wantError(t, err, want)
		if !errors.As(err, new(*NoReplyError)) {
			t.Errorf("got %T, want a *NoReplyError", err)
		}
	case <-time.After(patience):
		t.Fatal("the call does not end")
	}
}

// A caller can leave on every kind of connection, and the connection stays good
// for the others.
func TestCallersLeaveOnEveryTransport(t *testing.T) {
	certificate, pool := selfSigned(t)
	tcp := func(network, address string) func(*testing.T) net.Listener {
		return func(t *testing.T) net.Listener {
			listener, err := net.Listen(network, address)
			must(t, err)
			return listener
		}
	}
	for _, tt := range []struct {
		name   string
		listen func(*testing.T) net.Listener
		tls    *tls.Config
	}{
		{"tcp", tcp("tcp", "127.0.0.1:0"), nil},
		{"unix", tcp("unix", filepath.Join(t.TempDir(), "s")), nil},
		{"tls", func(t *testing.T) net.Listener {
			return tls.NewListener(tcp("tcp", "127.0.0.1:0")(t), &tls.Config{Certificates: []tls.Certificate{certificate}})
		}, &tls.Config{RootCAs: pool}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reply := make(chan struct{})
			listener := tt.listen(t)
			fakeOn(t, listener, func(s *session) {
				for i := range 3 {
					s.request()
					if i > 0 {
						<-reply
					}
					s.send(fmt.Sprintf("VA 1 f0 c1\r\n%d\r\n", i))
				}
				answer(s)
			})
			address := listener.Addr().String()
			if tt.name == "unix" {
				address = "unix://" + address
			}
			c := client(t, Config{Address: address, TLS: tt.tls, ReplyTimeout: never, Conns: 1})
			wantValue(t, c, "a", "0")
			get := func(ctx context.Context) error { _, err := c.Get(ctx, "a"); return err }
			for c.Stats().Abandoned == 0 { // again if the deadline was over before it was sent
				endsWithItsContext(t, c, "deadline", get)
			}
			endsWithItsContext(t, c, "cancel", get)
			close(reply)
			must(t, c.Ping(background(t)))
			if s := c.Stats(); s.Dials != 1 || s.Abandoned != 2 || s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// A server that accepts a connection and never gets on with TLS costs a
// DialTimeout, or less if the caller has less patience.
func TestHandshakeThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var held []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			held = append(held, nc)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
		for _, nc := range held {
			nc.Close()
		}
	})
	config := Config{Address: listener.Addr().String(), TLS: &tls.Config{}, DialTimeout: 20 * time.Millisecond}
	err = client(t, config).Ping(background(t))
	wantError(t, err, ErrDialTimeout)
	wantSent(t, err, false)
	config.DialTimeout = never
	patient := client(t, config)
	endsWithItsContext(t, patient, "cancel", patient.Ping)
}

// Hundreds of callers share the few connections that there may be, also as the
// server sees it.
func TestFewConnections(t *testing.T) {
	_, server := real(t)
	watcher := client(t, Config{Address: server.Addr(), Conns: 1})
	connections := func() string {
		stats, err := watcher.ServerStats(background(t), "")
		must(t, err)
		return stats["total_connections"]
	}
	var before, after int
	_, err := fmt.Sscan(connections(), &before)
	must(t, err)
	const conns, callers = 3, 300
	c := client(t, Config{Address: server.Addr(), Conns: conns})
	ctx := background(t)
	var running sync.WaitGroup
	for g := range callers {
		running.Go(func() {
			key := fmt.Sprint("k", g)
			for range 20 {
				if err := c.Set(ctx, Item{Key: key, Value: []byte(key)}); err != nil {
					t.Error(err)
					return
				}
				if item, err := c.Get(ctx, key); err != nil || string(item.Value) != key {
					t.Errorf("%s: got %q, %v", key, item.Value, err)
				}
			}
		})
	}
	running.Wait()
	_, err = fmt.Sscan(connections(), &after)
	must(t, err)
	if after -= before + 1; after < 1 || after > conns { // one for the second look
		t.Errorf("%d callers took %d connections, want at most %d", callers, after, conns)
	}
}
