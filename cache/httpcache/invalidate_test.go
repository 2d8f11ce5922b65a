package httpcache

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/cache"
)

var languages = []string{"de", "en", ""}

// processes are as many processes before one handler, over one fleet.
func processes(t *testing.T, n int, store cache.Store, cfg Config, handle http.HandlerFunc) (all []*site) {
	t.Helper()
	for range n {
		all = append(all, newSiteOn(t, store, cfg, handle))
	}
	return all
}

// from asks a process for a page in a language, and wants it from there.
func (s *site) from(t *testing.T, path, language, want string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if language != "" {
		r.Header.Set("Accept-Language", language)
	}
	got := s.direct(r)
	if from := got.header.Get("X-Cache"); from != want {
		t.Errorf("%s in %q is a %q, want %q", path, language, from, want)
	}
	return got
}

// direct asks without a network, so that the host is the test's.
func (s *site) direct(r *http.Request) reply {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return reply{w.Code, w.Result().Header, w.Body.String()}
}

// varied answers reads, and what is not one as the test says.
func varied(write http.HandlerFunc) http.HandlerFunc {
	read := says("Cache-Control: max-age=60", "Vary: Accept-Language")
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			read(w, r)
			return
		}
		write(w, r)
	}
}

// A request that changes a page makes misses of all its variants, in all processes, and of
// no other page (RFC 9111, section 4.4).
func TestWritesInvalidateAllVariants(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
		gone   bool
	}{
		{"POST", 200, true}, {"PUT", 204, true}, {"PATCH", 303, true}, {"DELETE", 200, true}, {"UNKNOWN", 200, true},
		{"POST", 400, false}, {"PUT", 500, false}, {"OPTIONS", 200, false}, {"TRACE", 200, false},
	} {
		t.Run(tt.method+" "+http.StatusText(tt.status), func(t *testing.T) {
			both := processes(t, 2, cache.NewMemory(), Config{Vary: []string{"Accept-Language"}},
				varied(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) }))
			old := make(map[string]string)
			for _, language := range languages {
				old[language] = both[0].from(t, "/page?q=1", language, "miss").body
				both[0].from(t, "/page?q=2", language, "miss")
				both[1].from(t, "/page?q=1", language, "hit")
			}
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://example.com/page?q=1", nil)
			if got := both[0].direct(r); got.status != tt.status {
				t.Errorf("status %d", got.status)
			}
			want := map[bool]string{true: "miss", false: "hit"}[tt.gone]
			for _, language := range languages {
				if got := both[1].from(t, "/page?q=1", language, want); (got.body != old[language]) != tt.gone {
					t.Errorf("in %q: %q, was %q", language, got.body, old[language])
				}
				both[0].from(t, "/page?q=1", language, "hit") // what the other process has made
				both[1].from(t, "/page?q=2", language, "hit")
			}
		})
	}
}

// So it is for pages that the response names, of the same origin only.
func TestWritesInvalidateWhatTheyName(t *testing.T) {
	for _, vary := range [][]string{nil, {"Accept-Language"}} {
		for _, tt := range []struct {
			name, value string
			gone        bool
		}{
			{"Location", "/made", true}, {"Content-Location", "made", true}, {"Location", "http://example.com/made", true},
			{"Content-Location", "https://EXAMPLE.com:443/made", true}, {"Location", "//example.com/made#part", true},
			{"Location", "http://elsewhere.com/made", false}, {"Location", "http://example.com:8080/made", false},
			{"Location", "ftp://example.com/made", false}, {"Location", "http:example.com/made", false}, {"Location", "%", false}, {"Location", "/made?q=1", false},
		} {
			read := says("Cache-Control: max-age=60")
			both := processes(t, 2, cache.NewMemory(), Config{Vary: vary}, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					read(w, r)
					return
				}
				r.URL.Path = "/changed" // by a handler that does so
				w.Header().Set(tt.name, tt.value)
				w.WriteHeader(http.StatusCreated)
			})
			for _, path := range []string{"/made", "/list", "/other"} {
				both[0].from(t, path, "de", "miss")
			}
			both[0].direct(httptest.NewRequestWithContext(t.Context(), "POST", "http://example.com/list", nil))
			want := map[bool]string{true: "miss", false: "hit"}[tt.gone]
			t.Log(vary, tt.name, tt.value)
			both[1].from(t, "/made", "de", want)
			both[1].from(t, "/list", "de", "miss")
			both[1].from(t, "/other", "de", "hit")
		}
	}
}

func TestSameOriginByTLS(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
	r.Host, r.TLS = "example.com", &tls.ConnectionState{}
	for text, want := range map[string]bool{"https://example.com/": true, "http://example.com/": false, "/a": true, "https://example.com:444/": false} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host == "" {
			u.Host = r.Host
		}
		if got := sameOrigin(u, r); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// A program can do the same: a page in all variants, all that a tag has, and everything.
func TestInvalidatePages(t *testing.T) {
	for _, vary := range [][]string{nil, {"Accept-Language"}} {
		for _, epochs := range []bool{false, true} {
			handle := says("Cache-Control: max-age=60")
			both := processes(t, 2, cache.NewMemory(), Config{Vary: vary, Epochs: epochs, Tags: func(page *url.URL) []cache.Tag {
				return []cache.Tag{{Name: "product " + page.Host + strings.Split(page.Path, "/")[1]}}
			}}, handle)
			paths := []string{"/7", "/7/a%2Fb?q=1", "/8"}
			fill := func() {
				t.Helper()
				for _, path := range paths {
					both[0].from(t, path, "de", "miss")
				}
			}
			remain := func(what string, want ...string) {
				t.Helper()
				t.Log(vary, epochs, what)
				for i, path := range paths {
					both[1].from(t, path, "de", want[i])
				}
			}
			fill()
			page, err := url.Parse("http://example.com/7/a%2Fb?q=1")
			if err != nil {
				t.Fatal(err)
			}
			if err := both[0].of.Invalidate(t.Context(), page); err != nil {
				t.Error(err)
			}
			remain("one page", "hit", "miss", "hit")
			if err := both[0].Invalidate(t.Context(), httptest.NewRequestWithContext(t.Context(), "GET", "http://example.com/8", nil)); err != nil {
				t.Error(err)
			}
			remain("the page of a request", "hit", "hit", "miss")
			if err := both[0].manager.InvalidateTags(t.Context(), cache.Tag{Name: "product example.com7"}); err != nil {
				t.Error(err)
			}
			remain("a tag", "miss", "miss", "hit")
			if err := both[0].of.InvalidateAll(t.Context()); err != nil {
				t.Error(err)
			}
			if epochs {
				eventually(t, "the other process hears of the epoch", func() bool {
					r := httptest.NewRequestWithContext(t.Context(), "GET", "http://example.com/8", nil)
					r.Header.Set("Accept-Language", "de")
					return both[1].direct(r).header.Get("X-Cache") == "miss"
				})
				continue
			}
			remain("all", "miss", "miss", "miss")
		}
	}
}

// An operator's control, and a program's, pass the pages by: each request is the handler's.
func TestBypassPages(t *testing.T) {
	store := cache.NewMemory()
	both := processes(t, 2, store, Config{Controls: true, L1: cache.L1Config{MaxBytes: 1 << 20}}, says("Cache-Control: max-age=60"))
	both[0].from(t, "/", "", "miss")
	both[1].from(t, "/", "", "hit")
	set := func(mode cache.Bypass) {
		t.Helper()
		if err := cache.SetControl(t.Context(), store, "pages/1", cache.Control{Bypass: mode}); err != nil {
			t.Fatal(err)
		}
		for _, s := range both {
			eventually(t, "the process does as it says: "+mode.String(), func() bool { return s.space.Bypassed() == mode })
		}
	}
	set(cache.BypassAll)
	bodies := make(map[string]bool)
	for range 2 {
		for _, s := range both {
			bodies[s.from(t, "/", "", "miss").body] = true
		}
	}
	if len(bodies) != 4 {
		t.Errorf("%d different answers to 4 requests past the cache", len(bodies))
	}
	set(cache.BypassNothing)
	both[0].from(t, "/", "", "hit")
	both[0].of.Bypass(cache.BypassAll)
	both[0].from(t, "/", "", "miss")
	both[1].from(t, "/", "", "hit")
	both[0].of.Bypass(cache.BypassFleet)
	both[0].from(t, "/", "", "hit") // of level 1
	both[0].from(t, "/new", "", "miss")
	both[0].from(t, "/new", "", "hit")
	both[1].from(t, "/new", "", "miss")
}

// Without a store pages that vary are kept in level 1, and go with a write all the same.
func TestVariantsWithoutStore(t *testing.T) {
	s := newSiteOn(t, nil, Config{Vary: []string{"Accept-Language"}, L1: cache.L1Config{MaxBytes: 1 << 20}}, varied(func(http.ResponseWriter, *http.Request) {}))
	for _, want := range []string{"miss", "hit"} {
		for _, language := range languages {
			s.from(t, "/", language, want)
		}
	}
	s.direct(httptest.NewRequestWithContext(t.Context(), "PUT", "http://example.com/", nil))
	for _, language := range languages {
		s.from(t, "/", language, "miss")
	}
}

// untagged is a store that keeps no tags.
type untagged struct{ cache.Store }

// What cannot be invalidated is refused where it is made, not found out by a POST.
func TestVariantsNeedTags(t *testing.T) {
	m, err := cache.NewManager(cache.ManagerConfig{Store: untagged{cache.NewMemory()}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := New(m, Config{Name: "pages", Vary: []string{"Accept-Language"}}); !errors.Is(err, cache.ErrConfig) || !strings.Contains(err.Error(), "Tagger") {
		t.Errorf("%v", err)
	}
	if _, err := New(m, Config{Name: "pages"}); err != nil {
		t.Errorf("pages that do not vary: %v", err)
	}
}

// A fleet that is away when a page is changed is told later, and the program is not told
// of an error that is seen to.
func TestWritesWhileTheFleetIsAway(t *testing.T) {
	store := &away{Memory: cache.NewMemory()}
	var missed []error
	s := newSiteOn(t, store, Config{Vary: []string{"Accept-Language"}, OnMiss: func(err error) { missed = append(missed, err) }},
		varied(func(http.ResponseWriter, *http.Request) {}))
	s.from(t, "/", "de", "miss")
	store.down = true
	s.direct(httptest.NewRequestWithContext(t.Context(), "POST", "http://example.com/", nil))
	if len(missed) > 0 || s.space.Stats().Later.Queued != 1 {
		t.Errorf("told %v, %d invalidations are to be repeated, want 1", missed, s.space.Stats().Later.Queued)
	}
}

type away struct {
	*cache.Memory
	down bool
}

func (a *away) BumpTags(ctx context.Context, tags []string) []cache.TagVersion {
	if !a.down {
		return a.Memory.BumpTags(ctx, tags)
	}
	versions := make([]cache.TagVersion, len(tags))
	for i := range versions {
		versions[i].Err = errors.New("no answer")
	}
	return versions
}

// What says s-maxage says proxy-revalidate to a shared cache: none of these is handed out
// past its end, be the handler slow, at work or failing.
func TestSharedMaxAgeIsNeverStale(t *testing.T) {
	h := newSite(t, Config{}, says()).Handler
	for field, want := range map[string]time.Duration{
		"max-age=1, stale-while-revalidate=60, stale-if-error=60":                     time.Minute,
		"s-maxage=1, stale-while-revalidate=60, stale-if-error=60":                    0,
		"max-age=1, s-maxage=2, stale-while-revalidate=60, stale-if-error=60":         0,
		"max-age=1, proxy-revalidate, stale-while-revalidate=60, stale-if-error=60":   0,
		"max-age=1, must-revalidate, stale-while-revalidate=60, stale-if-error=60":    0,
		"max-age=1, public, stale-while-revalidate=60, stale-if-error=60":             time.Minute,
		`s-maxage="1", stale-while-revalidate=60, stale-if-error=60`:                  0,
		"s-maxage=1, public, stale-while-revalidate=60, stale-if-error=60, x=\"y,z\"": 0,
	} {
		p, stored := h.store(http.StatusOK, http.Header{"Cache-Control": {field}}, nil, time.Now())
		if !stored || p.While != want || p.Error != want {
			t.Errorf("%s: stored %v, stale for %v and %v, want %v", field, stored, p.While, p.Error, want)
		}
	}
	s := newSite(t, Config{}, says("Cache-Control: s-maxage=1, stale-while-revalidate=60, stale-if-error=60"))
	s.from(t, "/", "", "miss")
	s.is(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", http.StatusServiceUnavailable) })
	eventually(t, "its end", func() bool {
		got := s.direct(httptest.NewRequestWithContext(t.Context(), "GET", "http://example.com/", nil))
		if got.header.Get("X-Cache") == "stale" {
			t.Fatal("it was handed out past its end")
		}
		return got.status == http.StatusServiceUnavailable
	})
}
