package proctest

import (
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
)

// Build is programs of this module, built together when the first test of a package
// wants one. Make one with NewBuild, and remove what it built with Cleaning.
type Build struct {
	root string
	args []string

	once sync.Once
	dir  string // empty: nothing was built
	err  error
}

// NewBuild returns what `go build` makes of the arguments, flags and the paths of
// main packages; root is the folder of the module. Paths are relative to the folder
// of the tests.
func NewBuild(root string, args ...string) *Build { return &Build{root: root, args: args} }

// Program returns the path of a program by its name. It has the race detector if the
// tests have it and RINGWAY_SOAK is 1: two dozen processes with it are more than two
// processors can keep going in time, and what they do is tested with it in process.
func (b *Build) Program(t testing.TB, name string) string {
	t.Helper()
	b.once.Do(b.build)
	if b.err != nil {
		t.Fatal(b.err)
	}
	b.touchSources(t)
	return filepath.Join(b.dir, name)
}

func (b *Build) build() {
	if b.dir, b.err = os.MkdirTemp("", "ringway"); b.err != nil {
		return
	}
	args := []string{"build", "-o", b.dir + string(filepath.Separator)}
	if withRace() && os.Getenv("RINGWAY_SOAK") == "1" {
		args = append(args, "-race")
	}
	args = append(args, b.args...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		b.err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
}

// Computes is for tests that compute much, and in which nothing is concurrent that
// other tests do not run too. With the race detector they take ten times as long and
// find nothing: they are skipped there, and `make test` runs them without it.
func Computes(t testing.TB) {
	t.Helper()
	if withRace() {
		t.Skip("skipped with -race: nothing but computation; make test runs it without")
	}
}

// withRace reports whether the tests were built with the race detector.
func withRace() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// touchSources looks at every source of the module: go test repeats the result of a
// test whose files are unchanged, and knows nothing of what a test has built.
func (b *Build) touchSources(t testing.TB) {
	t.Helper()
	err := filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != b.root {
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

// Cleaning is a test run that removes what was built when it is over: for TestMain,
// alone or within goleak.VerifyTestMain.
type Cleaning struct {
	M     *testing.M
	Build *Build
}

// Run runs the tests and returns the exit code.
func (c Cleaning) Run() int {
	code := c.M.Run()
	if c.Build.dir != "" {
		if err := os.RemoveAll(c.Build.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}
