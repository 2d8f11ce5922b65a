package httpcache

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringway/ringway/cache"
)

// Of fifty pages that are missing as many are made at a time as Limits says; whoever is
// one too many is told to come again, and the handler is not run.
func TestLimitsBoundHandlers(t *testing.T) {
	const most = 2
	var running, peak atomic.Int32
	finish := make(chan struct{})
	s := newSite(t, Config{Limits: cache.LimitConfig{Max: most, NoWait: true}}, func(w http.ResponseWriter, _ *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		peak.Store(max(peak.Load(), n))
		if n <= most { // else the test would wait for ever for what should not be
			<-finish
		}
		w.Header().Set("Cache-Control", "max-age=60")
	})
	ask := func(i int) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint("/", i), nil))
		return w
	}
	var first sync.WaitGroup
	for i := range most {
		first.Go(func() {
			if w := ask(i); w.Code != http.StatusOK {
				t.Errorf("page %d: %d", i, w.Code)
			}
		})
	}
	eventually(t, "both handlers run", func() bool { return running.Load() == most })
	for i := most; i < 50; i++ {
		if w := ask(i); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
			t.Errorf("page %d: %d, Retry-After %q, want 503 and 1", i, w.Code, w.Header().Get("Retry-After"))
		}
	}
	close(finish)
	first.Wait()
	if n := peak.Load(); n != most {
		t.Errorf("%d handlers at a time, want %d", n, most)
	}
	if w := ask(49); w.Code != http.StatusOK {
		t.Errorf("once there is room: %d", w.Code)
	}
}

// Who is one too many gets the old page if it may stand in for an error.
func TestLimitsAndAnOldPage(t *testing.T) {
	busy, finish := make(chan struct{}), make(chan struct{})
	s := newSite(t, Config{Limits: cache.LimitConfig{Max: 1, NoWait: true}}, says("Cache-Control: max-age=1, stale-if-error=60"))
	if r := s.get(t); r.body != "answer 1 " {
		t.Fatalf("%+v", r)
	}
	s.is(func(http.ResponseWriter, *http.Request) { close(busy); <-finish })
	var other sync.WaitGroup
	other.Go(func() {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/other", nil))
	})
	<-busy
	s.is(says("Cache-Control: max-age=1"))
	calls := s.calls.Load()
	eventually(t, "the page is stale", func() bool {
		r := s.get(t)
		if from := r.header.Get("X-Cache"); r.status != http.StatusOK || from != "hit" && from != "stale" {
			t.Fatalf("%+v, want the old page", r)
		}
		return r.header.Get("X-Cache") == "stale"
	})
	if n := s.calls.Load(); n != calls {
		t.Errorf("the handler was run %d times", n-calls)
	}
	close(finish)
	other.Wait()
}
