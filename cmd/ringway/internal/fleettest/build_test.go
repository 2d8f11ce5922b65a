//go:build unix

package fleettest

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(cleaning{m})
}

// cleaning removes what was built.
type cleaning struct{ *testing.M }

func (c cleaning) Run() int {
	code := c.M.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// built are the programs, built when the first test wants them.
var built struct {
	once sync.Once
	dir  string // empty: nothing was built
	err  error
}

// program returns the path of a program: ringway, router or historian. All are
// built once, with the race detector if the tests have it, and with the places at
// which a process can be killed: see internal/failpoint.
func program(t *testing.T, name string) string {
	t.Helper()
	built.once.Do(func() {
		touchSources(t)
		if built.dir, built.err = os.MkdirTemp("", "ringway"); built.err != nil {
			return
		}
		args := []string{"build", "-tags", "failpoint", "-o", built.dir + string(filepath.Separator)}
		if withRace() {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "../..", "./router", "./historian")...).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// withRace reports whether the tests were built with the race detector.
func withRace() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// touchSources looks at every source of the module: go test repeats the result of
// a test whose files are unchanged, and knows nothing of what a test has built.
func touchSources(t *testing.T) {
	t.Helper()
	const root = "../../../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir // of others, who may be writing in it
		}
		if name := d.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "go.mod" {
			_, _ = os.Stat(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
