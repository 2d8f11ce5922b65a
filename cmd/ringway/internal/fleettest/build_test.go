//go:build unix

package fleettest

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/proctest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(proctest.Cleaning{M: m, Build: programs})
}

// programs have the places at which a process can be killed: see internal/failpoint.
var programs = proctest.NewBuild("../../../..", "-tags", "failpoint", "../..", "./router", "./historian")

// program returns the path of a program: ringway, router or historian.
func program(t *testing.T, name string) string {
	t.Helper()
	return programs.Program(t, name)
}
