package httpcache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/cache"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a server behind a cache, and what its handler does.
type site struct {
	*Handler
	manager *cache.Manager
	url     string
	calls   atomic.Int32

	mu     sync.Mutex
	handle http.HandlerFunc
}

func (s *site) is(handle http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = handle
}

func newSite(t *testing.T, cfg Config, handle http.HandlerFunc) *site {
	t.Helper()
	return newSiteOn(t, cache.NewMemory(), cfg, handle)
}

func newSiteOn(t *testing.T, store cache.Store, cfg Config, handle http.HandlerFunc) *site {
	t.Helper()
	m, err := cache.NewManager(cache.ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name = "pages"
	c, err := New(m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{manager: m, handle: handle}
	s.Handler = c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.mu.Lock()
		handle := s.handle
		s.mu.Unlock()
		handle(w, r)
	}))
	server := httptest.NewServer(s.Handler)
	t.Cleanup(func() { server.Close(); _ = m.Close() })
	s.url = server.URL
	return s
}

// says is a handler that answers with these header fields and a number.
func says(fields ...string) http.HandlerFunc {
	n := atomic.Int32{}
	return func(w http.ResponseWriter, r *http.Request) {
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			w.Header().Add(name, value)
		}
		fmt.Fprintf(w, "answer %d %s", n.Add(1), r.Header.Get("Accept-Language"))
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (s *site) get(t *testing.T, fields ...string) reply { return s.do(t, "GET", "/", fields...) }

func (s *site) do(t *testing.T, method, path string, fields ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// What may be stored, and what must not.
func TestWhatIsStored(t *testing.T) {
	for _, tt := range []struct {
		name     string
		request  []string
		response []string
		stored   bool
	}{
		{"max-age", nil, []string{"Cache-Control: max-age=60"}, true},
		{"s-maxage over max-age", nil, []string{"Cache-Control: max-age=0, s-maxage=60"}, true},
		{"quoted", nil, []string{`Cache-Control: MAX-AGE="60"`}, true},
		{"Expires", nil, []string{"Expires: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, true},
		{"named axis", nil, []string{"Cache-Control: max-age=60", "Vary: accept-language"}, true},
		{"a cookie of the request", []string{"Cookie: a=b"}, []string{"Cache-Control: max-age=60"}, true},
		{"unknown directive", nil, []string{`Cache-Control: x="a, b", max-age=60`}, true},

		{"nothing said", nil, nil, false},
		{"no-store", nil, []string{"Cache-Control: max-age=60, no-store"}, false},
		{"private", nil, []string{"Cache-Control: private, max-age=60"}, false},
		{"private in a second field", nil, []string{"Cache-Control: max-age=60", "Cache-Control: private"}, false},
		{"private with a field name", nil, []string{`Cache-Control: max-age=60, private="x"`}, false},
		{"no-cache", nil, []string{"Cache-Control: max-age=60, no-cache"}, false},
		{"Set-Cookie", nil, []string{"Cache-Control: public, max-age=60", "Set-Cookie: session=1"}, false},
		{"Authorization", []string{"Authorization: Bearer x"}, []string{"Cache-Control: public, max-age=60"}, false},
		{"Range", []string{"Range: bytes=0-1"}, []string{"Cache-Control: max-age=60"}, false},
		{"another axis", nil, []string{"Cache-Control: max-age=60", "Vary: Cookie"}, false},
		{"any axis", nil, []string{"Cache-Control: max-age=60", "Vary: *"}, false},
		{"request no-store", []string{"Cache-Control: no-store"}, []string{"Cache-Control: max-age=60"}, false},
		{"max-age=0", nil, []string{"Cache-Control: max-age=0"}, false},
		{"older than it may be", nil, []string{"Cache-Control: max-age=60", "Age: 60"}, false},
		{"not a number", nil, []string{"Cache-Control: max-age=-1"}, false},
		{"two numbers", nil, []string{"Cache-Control: max-age=60, max-age=61"}, false},
		{"an Expires that cannot be read", nil, []string{"Expires: 0"}, false},
		{"quotation without an end", nil, []string{`Cache-Control: max-age=60, x="`}, false},
	} {
		s := newSite(t, Config{Vary: []string{"accept-language"}}, says(tt.response...))
		first, second := s.get(t, tt.request...), s.get(t, tt.request...)
		if stored := first.body == second.body; stored != tt.stored || first.status != 200 || second.status != 200 || int(s.calls.Load()) > 2 {
			t.Errorf("%s: stored %v, want %v: %+v, %+v", tt.name, stored, tt.stored, first, second)
		}
		if hit := second.header.Get("X-Cache") == "hit"; hit != tt.stored {
			t.Errorf("%s: X-Cache %q", tt.name, second.header.Get("X-Cache"))
		}
	}
}

func TestAxes(t *testing.T) {
	s := newSite(t, Config{Vary: []string{"Accept-Language"}}, says("Cache-Control: max-age=60", "Vary: Accept-Language"))
	seen := make(map[string]bool)
	for range 2 {
		for _, request := range [][]string{nil, {"Accept-Language: de"}, {"Accept-Language: en"}, {"Accept-Language: de", "Accept-Language: en"}} {
			seen[s.get(t, request...).body] = true
		}
		seen[s.do(t, "GET", "/?q=1").body] = true
		seen[s.do(t, "GET", "/a%2Fb").body] = true
		seen[s.do(t, "GET", "/a/b").body] = true
	}
	if len(seen) != 7 || s.calls.Load() != 7 {
		t.Errorf("%d pages, %d calls: %v", len(seen), s.calls.Load(), seen)
	}
}

func TestConditions(t *testing.T) {
	modified := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	s := newSite(t, Config{}, says("Cache-Control: max-age=60", `ETag: "v1"`, "Last-Modified: "+modified))
	if first := s.get(t, `If-None-Match: "v1"`); first.status != http.StatusNotModified {
		t.Errorf("the first: %+v", first) // the handler has made a whole response all the same
	}
	for condition, want := range map[string]int{
		`If-None-Match: "v1"`: 304, `If-None-Match: W/"v1"`: 304, `If-None-Match: "v0", "v1"`: 304, "If-None-Match: *": 304,
		`If-None-Match: "v2"`: 200, `If-None-Match: v1`: 200, `If-None-Match: "v1`: 200,
		"If-Modified-Since: " + modified: 304, "If-Modified-Since: " + time.Unix(0, 0).UTC().Format(http.TimeFormat): 200, "If-Modified-Since: x": 200,
	} {
		r := s.get(t, condition)
		if r.status != want || (want == 304) != (r.body == "") || r.header.Get("ETag") != `"v1"` || r.header.Get("Age") == "" {
			t.Errorf("%s: %+v", condition, r)
		}
	}
	if head := s.do(t, "HEAD", "/"); head.status != 200 || head.body != "" || head.header.Get("Content-Length") != "9" {
		t.Errorf("HEAD: %+v", head)
	}
	if s.calls.Load() != 1 {
		t.Errorf("%d calls", s.calls.Load())
	}
	if r := s.do(t, "GET", "/none", "Cache-Control: only-if-cached"); r.status != http.StatusGatewayTimeout {
		t.Errorf("only-if-cached: %+v", r)
	}
	if r := s.get(t, "Cache-Control: no-cache"); r.body != "answer 2 " || s.get(t).body != "answer 2 " {
		t.Errorf("no-cache: %+v", r)
	}
	s.do(t, "POST", "/")
	if r := s.get(t); r.header.Get("X-Cache") != "miss" {
		t.Errorf("after a POST: %+v", r)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// Callers at the same time share one call of the handler.
func TestOneCallForMany(t *testing.T) {
	release := make(chan struct{})
	s := newSite(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "one")
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Body.String() != "one" {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
	eventually(t, "the handler is called", func() bool { return s.calls.Load() == 1 })
	close(release)
	all.Wait()
	if s.calls.Load() != 1 {
		t.Errorf("%d calls", s.calls.Load())
	}
}

// A response that is not to be stored is for the one who asked, and for nobody else.
func TestPrivateIsNotShared(t *testing.T) {
	both := make(chan struct{}, 10)
	s := newSite(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		both <- struct{}{}
		for range 50 { // until the second waits for the first, most likely
			time.Sleep(time.Millisecond)
		}
		w.Header().Set("Cache-Control", "private, max-age=60")
		_, _ = io.WriteString(w, "for "+r.Header.Get("Cookie"))
	})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", fmt.Sprint(i))
			s.ServeHTTP(w, r)
			if want := fmt.Sprint("for ", i); w.Body.String() != want {
				t.Errorf("%q, want %q", w.Body, want)
			}
		})
	}
	all.Wait()
}

// A stream reaches the caller while it is written, and is not stored.
func TestStreams(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"flush": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "first "); w.(http.Flusher).Flush() },
		"large": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "first "+strings.Repeat("x", 5000))
			_ = http.NewResponseController(w).Flush()
		},
	} {
		goOn := make(chan struct{})
		s := newSite(t, Config{MaxBytes: 1000}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			begin(w)
			<-goOn
			_, _ = io.WriteString(w, "second")
		})
		resp, err := http.Get(s.url)
		if err != nil {
			t.Fatal(err)
		}
		start := make([]byte, 6)
		if _, err := io.ReadFull(resp.Body, start); err != nil || string(start) != "first " {
			t.Errorf("%s: %q, %v", name, start, err) // before the handler has returned
		}
		close(goOn)
		rest, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasSuffix(string(rest), "second") {
			t.Errorf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		if s.get(t); s.calls.Load() != 2 {
			t.Errorf("%s: %d calls", name, s.calls.Load())
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	}
}

func TestPanics(t *testing.T) {
	s := newSite(t, Config{}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	resp, err := http.Get(s.url)
	if err == nil {
		_ = resp.Body.Close()
		t.Errorf("a handler that aborts answers %v", resp.Status)
	}
	s.is(says("Cache-Control: max-age=60"))
	if r := s.get(t); r.status != 200 {
		t.Errorf("after it: %+v", r)
	}
}

// curl asks as people do. It returns the body, and X-Cache.
func curl(t *testing.T, args ...string) (body, from string) {
	t.Helper()
	program, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append([]string{"-sS", "-w", "\n%{http_code} %header{x-cache}"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	end := strings.LastIndexByte(string(out), '\n')
	return strings.TrimSuffix(string(out[:end]), "\n"), string(out[end+1:])
}

// RFC 5861: a stale response at once while it is made anew, and in place of an error,
// each for as long as the response says, as curl sees it.
func TestStaleAsCurlSeesIt(t *testing.T) {
	s := newSite(t, Config{}, says("Cache-Control: max-age=1, stale-while-revalidate=60"))
	want := func(what, body, from string) {
		t.Helper()
		if b, f := curl(t, s.url); b != body || f != from {
			t.Fatalf("%s: %q %q, want %q %q", what, b, f, body, from)
		}
	}
	want("at first", "answer 1 ", "200 miss")
	want("then", "answer 1 ", "200 hit")
	eventually(t, "it is stale, handed out at once, and made anew", func() bool {
		b, f := curl(t, s.url)
		return b == "answer 1 " && f == "200 stale"
	})
	eventually(t, "the new one is there", func() bool { b, _ := curl(t, s.url); return b == "answer 2 " || b == "answer 3 " })

	s = newSite(t, Config{}, says("Cache-Control: max-age=1, stale-if-error=2"))
	want("at first", "answer 1 ", "200 miss")
	s.is(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", http.StatusServiceUnavailable) })
	want("while it is fresh", "answer 1 ", "200 hit")
	eventually(t, "the handler fails, and the old one stands in", func() bool {
		b, f := curl(t, s.url)
		return b == "answer 1 " && f == "200 stale"
	})
	eventually(t, "that ends", func() bool { b, f := curl(t, s.url); return b == "away" && f == "503 " })

	s = newSite(t, Config{}, says("Cache-Control: max-age=1, stale-if-error=60, must-revalidate"))
	want("at first", "answer 1 ", "200 miss")
	s.is(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", http.StatusServiceUnavailable) })
	eventually(t, "must-revalidate forbids it", func() bool { b, f := curl(t, s.url); return b == "away" && f == "503 " })
}

func FuzzControl(f *testing.F) {
	for _, text := range []string{"max-age=1", `a="b\"`, ",,", "max-age", `private="x", s-maxage=9`, "=", "max-age=99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseControl(http.Header{"Cache-Control": {text}})
		if err == nil && (c.maxAge > maxSeconds*time.Second || c.maxAge < -1) {
			t.Errorf("%q: %v", text, c.maxAge)
		}
		matches(text, `"x"`)
	})
}

func FuzzCodec(f *testing.F) {
	whole, err := codec{}.Encode(page{Status: 200, Header: http.Header{"A": {"b"}}, body: []byte("body")}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = codec{}.Decode(data, nil) })
}
