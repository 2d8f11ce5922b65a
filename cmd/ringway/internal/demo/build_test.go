package demo

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
	// Tests that run at the same time mostly wait for fleets.
	if n := flag.Lookup("test.parallel"); n != nil && n.Value.String() < "5" && len(n.Value.String()) == 1 {
		_ = n.Value.Set("5")
	}
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

// built is the program, built when the first test wants it.
var built struct {
	once sync.Once
	dir  string // empty: nothing was built
	err  error
}

// ringway returns the path of the program, built with the race detector if the
// tests are.
func ringway(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "ringway"); built.err != nil {
			return
		}
		args := []string{"build", "-o", built.dir + string(filepath.Separator)}
		info, _ := debug.ReadBuildInfo()
		if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "../..")...).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	touchSources(t)
	return filepath.Join(built.dir, "ringway")
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
