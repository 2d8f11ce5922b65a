package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	addresses := []string{servertest.Redis(t).Addr(), servertest.Redis(t).Addr()}
	path := filepath.Join(t.TempDir(), "journal")
	const want = `Home
Home, 1000 views, from fewer than 100 transactions: true
`
	for range 2 { // also with what the first run has left
		var out strings.Builder
		if err := run(t.Context(), &out, path, addresses); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("it printed\n%s\nwant\n%s", out.String(), want)
		}
	}
	if err := run(t.Context(), &strings.Builder{}, path, []string{"127.0.0.1:1"}); err == nil {
		t.Error("no server: no error")
	}
}
