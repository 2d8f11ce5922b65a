package main

import (
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	if err := run([]string{servertest.Memcached(t).Addr(), servertest.Memcached(t).Addr()}); err != nil {
		t.Error(err)
	}
	if err := run([]string{"127.0.0.1:1"}); err == nil {
		t.Error("a server that is not there: no error")
	}
}
