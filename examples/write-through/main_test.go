package main

import (
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	addresses := []string{servertest.Memcached(t).Addr(), servertest.Memcached(t).Addr()}
	const want = `true from loader
Ada, version 1, from L2
Grace, version 2, from L2
the source was read 1 times
`
	for range 2 { // also with what the first run has left
		var out strings.Builder
		if err := run(t.Context(), &out, addresses); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("it printed\n%s\nwant\n%s", out.String(), want)
		}
	}
	if err := run(t.Context(), &strings.Builder{}, []string{"127.0.0.1:1"}); err == nil {
		t.Error("no server: no error")
	}
}
