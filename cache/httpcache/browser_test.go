package httpcache

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium returns a browser that runs here, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if out, err := dump(t, path, "data:text/html,<p>it runs"); err != nil || !strings.Contains(out, "it runs") {
			t.Skipf("%s does not run here: %v", path, err)
		}
		return path
	}
	t.Skip("no Chromium is installed")
	return ""
}

// dump opens an address in a browser that has seen nothing before, so that its own cache
// has no part in it, and returns what it shows.
func dump(t *testing.T, browser, url string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a browser that hangs
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--user-data-dir="+filepath.Join(t.TempDir(), "profile"), "--dump-dom", url)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	return string(out), err
}

// shows loads the page and returns what it shows of what the handler said.
func shows(t *testing.T, browser, url string) string {
	t.Helper()
	out, err := dump(t, browser, url)
	_, rest, found := strings.Cut(out, "<p>")
	text, _, whole := strings.Cut(rest, "</p>")
	if err != nil || !found || !whole {
		t.Fatalf("the browser: %v: %.300q", err, out)
	}
	return text
}

// RFC 5861, by what a browser shows: a page that is past its time comes at once as it
// was, although it is made anew, and the next load has the new one; and while the
// handler fails the old page stands in for the error.
func TestStaleAsABrowserSeesIt(t *testing.T) {
	browser := chromium(t)
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r) // its icon
				return
			}
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Cache-Control", "max-age=1, stale-while-revalidate=600, stale-if-error=600")
			_, _ = w.Write([]byte("<!doctype html><p>" + text + "</p>"))
		}
	}
	s := newSite(t, Config{}, answer("first"))
	page := s.url + "/"
	past := func() { time.Sleep(1100 * time.Millisecond) } // of the second for which it is fresh
	if got := shows(t, browser, page); got != "first" {
		t.Fatalf("at first: %q", got)
	}
	past()
	anew := make(chan struct{})
	second := answer("second")
	s.is(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			<-anew // who waits for this shows nothing
		}
		second(w, r)
	})
	if got := shows(t, browser, page); got != "first" {
		t.Errorf("while it is made anew: %q", got)
	}
	close(anew)
	s.is(second)
	eventually(t, "the new page", func() bool { return shows(t, browser, page) == "second" })
	s.is(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<p>away</p>", http.StatusServiceUnavailable)
	})
	past()
	if got := shows(t, browser, page); got != "second" {
		t.Errorf("while the handler fails: %q", got)
	}
}
