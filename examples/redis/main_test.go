package main

import (
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var addresses []string
	for range 3 {
		addresses = append(addresses, servertest.Redis(t).Addr())
	}
	var out strings.Builder
	if err := run(t.Context(), &out, addresses); err != nil {
		t.Fatal(err)
	}
	const want = `city:Oslo = 0 on cache-3
city:Rome = 1 on cache-1
city:Lima = 2 on cache-1
city:Cairo = 3 on cache-2
city:Tokyo = 4 on cache-3
city:Quito = 5 on cache-2
a transaction with a hash tag: true
news: it works
`
	if out.String() != want {
		t.Errorf("it printed\n%s\nwant\n%s", out.String(), want)
	}
	if err := run(t.Context(), &out, []string{"127.0.0.1:1"}); err == nil {
		t.Error("no server: no error")
	}
}
