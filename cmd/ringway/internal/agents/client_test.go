package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers are what an agent of a fleet of one node sends in an epoch.
func answers(t *testing.T, epoch uint64) (ringBody, membersBody []byte) {
	t.Helper()
	view, err := membership.NewView(epoch, membership.Member{ID: "a", Address: "10.0.0.1:6379"})
	if err != nil {
		t.Fatal(err)
	}
	placement, err := agentapi.PlacementOf(ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := agentapi.RingOf(view, placement)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, r), encode(t, agentapi.MembersOf(r))
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// agentOf serves the answers of epochs in turn: each pair of questions gets the
// next one, the last for ever.
func agentOf(t *testing.T, epochs ...uint64) http.Handler {
	t.Helper()
	var asked atomic.Int64
	bodies := make([][2][]byte, len(epochs))
	for i, epoch := range epochs {
		bodies[i][0], bodies[i][1] = answers(t, epoch)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodies[min(int(asked.Add(1)-1), len(bodies)-1)]
		switch r.URL.Path {
		case agentapi.RingPath:
			_, _ = w.Write(body[0])
		case agentapi.MembersPath:
			_, _ = w.Write(body[1])
		default:
			http.NotFound(w, r)
		}
	})
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// nobody is a URL at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// The next agent is asked where one does not answer, or not what it should; and
// the one that did is asked first from then on.
func TestFailover(t *testing.T) {
	fails := map[string]string{
		"nobody":      nobody(t),
		"no socket":   "unix:///no/such/socket",
		"status":      serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not yet", http.StatusServiceUnavailable) })),
		"no JSON":     serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })),
		"no view":     serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"schema": "ringway.ring/1"}`) })),
		"redirection": serve(t, http.RedirectHandler(serve(t, agentOf(t, 7)), http.StatusFound)),
	}
	for name, url := range fails {
		t.Run(name, func(t *testing.T) {
			good := serve(t, agentOf(t, 7))
			c := client(t, Config{URLs: []string{url, good}})
			r, from, err := c.Ring(context.Background())
			if err != nil || r.Epoch != 7 || from != good || c.first != 1 {
				t.Fatalf("epoch %d from %s, next first %d: %v", r.Epoch, from, c.first, err)
			}
			m, from, err := c.Members(context.Background())
			if err != nil || m.Epoch != 7 || len(m.Members) != 1 || from != good {
				t.Errorf("epoch %d from %s: %v", m.Epoch, from, err)
			}
			alone := client(t, Config{URLs: []string{url}})
			_, _, err = alone.Ring(context.Background())
			none := (*NoAnswerError)(nil)
			if !errors.As(err, &none) || !strings.HasPrefix(err.Error(), "agent "+url+": ") || strings.Count(err.Error(), url) != 1 {
				t.Errorf("error %v", err)
			}
		})
	}
}

// An agent that takes the connection and says nothing does not hold up the rest.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	silent := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer close(release)
	good := serve(t, agentOf(t, 7))
	c := client(t, Config{URLs: []string{silent, good}, Timeout: 50 * time.Millisecond})
	for deadline := time.Now().Add(time.Minute); ; { // on a busy machine the good one may take as long
		_, from, err := c.Ring(context.Background())
		if err == nil && from == good {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("from %s: %v", from, err)
		}
	}
	alone := client(t, Config{URLs: []string{silent}, Timeout: 50 * time.Millisecond})
	if _, _, err := alone.Ring(context.Background()); err == nil || err.Error() != "agent "+silent+": no answer within 50ms" {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	patient := client(t, Config{URLs: []string{silent, good}, Timeout: time.Hour})
	if _, _, err := patient.Ring(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

// Both answers are of one moment, also where the fleet changes between them.
func TestBoth(t *testing.T) {
	c := client(t, Config{URLs: []string{serve(t, agentOf(t, 5, 6, 6, 7, 7))}})
	r, m, _, err := c.Both(context.Background())
	if err != nil || r.Epoch != m.Epoch || r.Epoch != 7 {
		t.Errorf("epochs %d and %d: %v", r.Epoch, m.Epoch, err)
	}
	restless := client(t, Config{URLs: []string{serve(t, agentOf(t, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))}})
	if _, _, _, err := restless.Both(context.Background()); err == nil {
		t.Error("answers of different moments were taken")
	}
}

// The token goes to the agents that are named, and nowhere else.
func TestToken(t *testing.T) {
	var elsewhere atomic.Int64
	other := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
	}))
	inner := agentOf(t, 7)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer secret":
			inner.ServeHTTP(w, r)
		default:
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		}
	}))
	if _, _, err := client(t, Config{URLs: []string{url}, Token: "secret"}).Ring(context.Background()); err != nil {
		t.Error(err)
	}
	if _, _, err := client(t, Config{URLs: []string{url}, Token: "another"}).Ring(context.Background()); err == nil || elsewhere.Load() != 0 {
		t.Errorf("a redirection was followed: %d, %v", elsewhere.Load(), err)
	}
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "rw") // the path of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: agentOf(t, 7)}}
	s.Start()
	t.Cleanup(s.Close)
	if _, from, err := client(t, Config{URLs: []string{"unix://" + path}}).Ring(context.Background()); err != nil || from != "unix://"+path {
		t.Errorf("from %s: %v", from, err)
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8946", "ftp://a", "http://", "unix:/relative", "unix://host/path", "unix://", "http://a?x=1", "http://a#x", "http://user:secret@a", "http://a b", "%"} {
		_, err := New(Config{URLs: []string{url}})
		wrong := (*URLError)(nil)
		if !errors.As(err, &wrong) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no URL was taken")
	}
	if _, err := New(Config{URLs: []string{"http://a", "http://a"}}); err == nil {
		t.Error("one URL was taken twice")
	}
	for _, url := range []string{"http://a", "https://a:1/", "http://[::1]:8946", "unix:///run/x.sock", "http://proxy/ringway"} {
		if c, err := New(Config{URLs: []string{url}}); err != nil {
			t.Errorf("%q: %v", url, err)
		} else {
			c.Close()
		}
	}
}
