package httpcache

import (
	"net/http"
	"strings"
	"testing"
)

// A response that is larger than MaxBytes arrives whole, and is not stored, however it
// is written; one of that size is.
func TestLargeResponses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		writes []string
		stored bool
	}{
		{"at once", []string{strings.Repeat("x", 11)}, false},
		{"bit by bit", strings.Split(strings.Repeat("y", 11), ""), false},
		{"just fits", []string{"12345", "67890"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, Config{MaxBytes: 10}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				for _, part := range tt.writes {
					_, _ = w.Write([]byte(part))
				}
			})
			for range 2 {
				if r := s.get(t); r.status != http.StatusOK || r.body != strings.Join(tt.writes, "") {
					t.Errorf("%+v", r)
				}
			}
			if stored := s.calls.Load() == 1; stored != tt.stored {
				t.Errorf("%d calls of the handler for two requests: stored %t, want %t", s.calls.Load(), stored, tt.stored)
			}
		})
	}
}
