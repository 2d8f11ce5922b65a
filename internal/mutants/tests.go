package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// testRun is what came of tests of a package.
type testRun struct {
	out     string
	err     error // as the process ended
	reached bool  // the mutant that was chosen was called, in this process or one of its own
}

// test runs tests of a package by the names of their functions. number chooses a
// mutant; 0: none. A process that is still there a minute after the time limit is
// killed.
func (c *workingCopy) test(ctx context.Context, binary, pkg string, tests []string, number int, limit time.Duration) (testRun, error) {
	within, cancel := context.WithTimeout(ctx, limit+time.Minute)
	defer cancel()
	mark := filepath.Join(c.temp, "reached")
	if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return testRun{}, err
	}
	cmd := exec.CommandContext(within, binary, "-test.v", "-test.failfast", "-test.paniconexit0",
		"-test.timeout", limit.String(), "-test.run", "^("+strings.Join(tests, "|")+")$")
	cmd.Dir = c.path(pkg)
	cmd.Env = append(c.environment(), fmt.Sprint(numberVariable, "=", number), reachedVariable+"="+mark)
	end := separate(cmd)
	out, err := cmd.CombinedOutput()
	end()
	_, reached := os.Stat(mark)
	return testRun{string(out), err, reached == nil}, ctx.Err()
}

func (c *workingCopy) environment() []string {
	return append(os.Environ(), "TMPDIR="+c.scratch, "GOTMPDIR="+c.scratch)
}

// baseline is what a package's tests do without a mutant.
type baseline struct {
	took    map[string]time.Duration // by tests that have passed
	skipped []string
}

var endLine = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\w+) \(([0-9.]+)s\)$`)

// readBaseline says what passed and what was skipped; an error if a test did neither.
func readBaseline(run testRun, tests []string) (baseline, error) {
	b := baseline{took: make(map[string]time.Duration)}
	if run.err != nil {
		return b, fmt.Errorf("%w\n%s", run.err, tail(run.out))
	}
	for _, found := range endLine.FindAllStringSubmatch(run.out, -1) {
		seconds, _ := strconv.ParseFloat(found[3], 64)
		switch found[1] {
		case "PASS":
			b.took[found[2]] = time.Duration(seconds * float64(time.Second))
		case "SKIP":
			b.skipped = append(b.skipped, found[2])
		}
	}
	for _, test := range tests {
		if _, passed := b.took[test]; !passed && !slices.Contains(b.skipped, test) {
			return b, fmt.Errorf("%s did not run", test)
		}
	}
	return b, nil
}

// skips returns one of a trial's tests that was skipped; "" if all have run.
func (b baseline) skips(t *trial) string {
	for _, test := range t.names() {
		if slices.Contains(b.skipped, test) {
			return test
		}
	}
	return ""
}

// limit is how long tests may take with a mutant: ten times what they took without,
// and a minute, since those that wait for something give up in less.
func (b baseline) limit(tests []string) time.Duration {
	limit := time.Minute
	for _, test := range tests {
		limit += 10 * b.took[test]
	}
	return limit
}
