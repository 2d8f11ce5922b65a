package observer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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

	"github.com/ringway/ringway/internal/agentapi"
)

const patience = 20 * time.Second // for what takes milliseconds on an idle machine

// serve starts a real server for an agent.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func start(t *testing.T, cfg Config) *Observer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// await returns the first view after a version, and fails the test if none comes.
func await(t *testing.T, o *Observer, after uint64) (epoch uint64, ids string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v, err := o.Next(ctx, after)
	if err != nil {
		t.Fatal(err)
	}
	return v.Epoch, idsOf(v)
}

func TestOverHTTP(t *testing.T) {
	a, b := newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x"))
	one, two := serve(t, a), serve(t, b)
	o := start(t, Config{Agents: []string{one.URL, two.URL + "/"}})
	a.say(t, ringOf(t, 2, "x", "y"))
	if epoch, ids := await(t, o, 1); epoch != 2 || ids != "x y" {
		t.Errorf("epoch %d: %s", epoch, ids)
	}
	one.CloseClientConnections()
	one.Listener.Close() // as after a kill
	b.say(t, ringOf(t, 3, "y"))
	if epoch, ids := await(t, o, 2); epoch != 3 || ids != "y" {
		t.Errorf("epoch %d: %s", epoch, ids)
	}
}

// TestAnotherCluster: who is told which fleet to follow believes no other.
func TestAnotherCluster(t *testing.T) {
	said := func(cluster string, epoch uint64, ids ...string) agentapi.Ring {
		r := ringOf(t, epoch, ids...)
		r.Cluster = cluster
		return r
	}
	ours, theirs, silent := newFakeAgent(t, said("blue", 1, "x")), newFakeAgent(t, said("green", 9, "z")), newFakeAgent(t, said("", 9, "z"))
	urls := []string{serve(t, theirs).URL, serve(t, silent).URL, serve(t, ours).URL}
	errs := make(chan error, 100)
	o := start(t, Config{Agents: urls, Cluster: "blue", OnError: func(err error) {
		select {
		case errs <- err:
		default:
		}
	}})
	if epoch, ids := await(t, o, 0); epoch != 1 || ids != "x" {
		t.Errorf("epoch %d: %s", epoch, ids)
	}
	missing := map[string]bool{`cluster: got "green", want "blue"`: true, `cluster: got "", want "blue"`: true}
	for len(missing) > 0 {
		select {
		case err := <-errs:
			for text := range missing {
				if strings.Contains(err.Error(), text) {
					delete(missing, text)
				}
			}
		case <-time.After(patience):
			t.Fatalf("nothing was said of %v", missing)
		}
	}
	anybody := start(t, Config{Agents: urls})
	for version := uint64(0); ; version++ {
		if epoch, ids := await(t, anybody, version); epoch == 9 {
			if ids != "z" {
				t.Errorf("without a name: %s", ids)
			}
			break
		}
	}
}

func TestUnixAndTLSAndToken(t *testing.T) {
	agent := newFakeAgent(t, ringOf(t, 1, "x"))
	guarded := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" || r.URL.Path != "/v1/ring" && r.URL.Path != "/fleet/v1/ring" {
			http.Error(w, "go away", http.StatusUnauthorized)
			return
		}
		agent.ServeHTTP(w, r)
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(guarded))
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = nil
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())

	dir, err := os.MkdirTemp("", "ringway") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "agent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(guarded)}}
	local.Start()
	t.Cleanup(local.Close)

	for _, url := range []string{secure.URL, secure.URL + "/fleet/", "unix://" + socket} {
		o := start(t, Config{Agents: []string{url}, Token: "s3cret", TLS: &tls.Config{RootCAs: trusted}})
		if epoch, ids := await(t, o, 0); epoch != 1 || ids != "x" {
			t.Errorf("%s: epoch %d, %s", url, epoch, ids)
		}
	}
	told := make(chan error, 10)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-told
		cancel()
	}()
	_, err = New(ctx, Config{Agents: []string{secure.URL}, Token: "wr0ng", TLS: &tls.Config{RootCAs: trusted}, OnError: func(err error) { told <- err }})
	if err == nil || !strings.Contains(err.Error(), `status: got 401 Unauthorized, want 200 OK: "go away"`) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("the wrong token: %v", err)
	}
}

// TestLearnsNothingWrong has one agent send what is no view of the fleet, and
// another one that is right.
func TestLearnsNothingWrong(t *testing.T) {
	text := func(change func(r *agentapi.Ring)) string {
		r := ringOf(t, 99, "evil")
		change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	whole := text(func(*agentapi.Ring) {})
	say := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) }
	}
	var elsewhere atomic.Int64
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		fmt.Fprint(w, whole)
	}))
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"HTML":           {say("<html><body>It works!</body></html>"), "not JSON"},
		"nothing":        {say(""), "body of 0 bytes"},
		"half":           {say(whole[:len(whole)/2]), "not JSON, or cut off"},
		"another schema": {say(text(func(r *agentapi.Ring) { r.Schema = "ringway.ring/9" })), `got "ringway.ring/9", want "ringway.ring/1"`},
		"a bad member":   {say(text(func(r *agentapi.Ring) { r.Members[0].State = "GOOD" })), `state of member "evil": got "GOOD"`},
		"damaged":        {say(text(func(r *agentapi.Ring) { r.Members[0].Weight = 2 })), "which follows from the members"},
		"cut connection": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			fmt.Fprint(w, whole[:len(whole)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
		"500":                      {status(500), "status: got 500 Internal Server Error"},
		"no content":               {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, "status: got 204"},
		"not modified since never": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) }, "status: got 304"},
		"a redirection to itself":  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }, "status: got 302"},
		"a redirection to elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "status: got 307"},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte{0x1f, 0x8b, 8})
		}, "body: not UTF-8"},
		"headers without end": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
			fmt.Fprint(w, whole)
		}, "exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			good := newFakeAgent(t, ringOf(t, 1, "x"))
			bad := serve(t, c.handler)
			told := make(chan error, 100)
			o := start(t, Config{Agents: []string{bad.URL, serve(t, good).URL}, Token: "t", OnError: func(err error) { told <- err }})
			select {
			case err := <-told:
				if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), bad.URL) || len(err.Error()) > 600 {
					t.Errorf("told %v, want %s", err, c.want)
				}
			case <-time.After(patience):
				t.Error("nothing was told")
			}
			good.say(t, ringOf(t, 2, "x", "y"))
			if epoch, ids := await(t, o, 1); epoch != 2 || ids != "x y" {
				t.Errorf("epoch %d: %s", epoch, ids)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("a redirection was followed %d times", n)
	}
}

// TestBodyWithoutEnd: the observer reads no more than it must take.
func TestBodyWithoutEnd(t *testing.T) {
	for _, c := range []struct {
		status int
		want   string
		most   int64 // bytes that the server gets rid of: buffers are on the way
	}{
		{http.StatusOK, "body: got more than 67108864 bytes", 2 * agentapi.MaxBody},
		{http.StatusBadGateway, "status: got 502", 16 << 20},
	} {
		var sent atomic.Int64
		bad := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			spaces := []byte(strings.Repeat(" ", 1<<20))
			for sent.Load() <= 2*c.most {
				n, err := w.Write(spaces)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
			<-r.Context().Done()
		}))
		told := make(chan error, 100)
		start(t, Config{Agents: []string{bad.URL, serve(t, newFakeAgent(t, ringOf(t, 1, "x"))).URL}, RetryMin: time.Hour, RetryMax: time.Hour,
			AnswerTimeout: time.Minute, OnError: func(err error) { told <- err }})
		select {
		case err := <-told:
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("told %v, want %s", err, c.want)
			}
		case <-time.After(3 * patience):
			t.Errorf("status %d: nothing was told", c.status)
		}
		if n := sent.Load(); n > c.most {
			t.Errorf("status %d: %d bytes were taken", c.status, n)
		}
	}
}

func TestClosesItsConnections(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(newFakeAgent(t, ringOf(t, 1, "x")))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	defer server.Close()
	o := start(t, Config{Agents: []string{server.URL}})
	if open.Load() == 0 {
		t.Error("no connection was seen: nothing was checked")
	}
	o.Close()
	for deadline := time.Now().Add(patience); open.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", open.Load())
		}
		time.Sleep(time.Millisecond)
	}
}
