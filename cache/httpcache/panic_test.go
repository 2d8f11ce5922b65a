package httpcache

import (
	"net/http"
	"testing"
)

// A handler that panics after it has said that its response may be stored: nothing is.
func TestPanicsAreNotStored(t *testing.T) {
	s := newSite(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write([]byte("half of "))
		panic(http.ErrAbortHandler)
	})
	if resp, err := http.Get(s.url); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a handler that aborts answers %v", resp.Status)
	}
	s.is(says("Cache-Control: max-age=60"))
	for i, want := range []string{"miss", "hit"} {
		if r := s.get(t); r.status != http.StatusOK || r.body != "answer 1 " || r.header.Get("X-Cache") != want {
			t.Errorf("request %d after it: %+v, want a %s", i, r, want)
		}
	}
}
