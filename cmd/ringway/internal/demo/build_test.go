package demo

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/proctest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests that run at the same time mostly wait for fleets.
	if n := flag.Lookup("test.parallel"); n != nil && n.Value.String() < "5" && len(n.Value.String()) == 1 {
		_ = n.Value.Set("5")
	}
	goleak.VerifyTestMain(proctest.Cleaning{M: m, Build: programs})
}

var programs = proctest.NewBuild("../../../..", "../..")

// ringway returns the path of the program.
func ringway(t *testing.T) string {
	t.Helper()
	return programs.Program(t, "ringway")
}
