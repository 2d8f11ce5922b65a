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
	waitTogether()
	goleak.VerifyTestMain(proctest.Cleaning{M: m, Build: programs})
}

// waitTogether runs four tests at a time, where nobody says -parallel: they are other
// processes that wait for each other's time-outs, and hardly use a processor.
func waitTogether() {
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", "4") // it is there, and takes numbers
	}
}

// programs have the places at which a process can be killed: see internal/failpoint.
var programs = proctest.NewBuild("../../../..", "-tags", "failpoint", "../..", "./router", "./historian")

// program returns the path of a program: ringway, router or historian.
func program(t *testing.T, name string) string {
	t.Helper()
	return programs.Program(t, name)
}
