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
	"strings"
)

// workingCopy is a copy of the module in a temporary folder.
type workingCopy struct{ dir string }

// newCopy copies everything but hidden folders.
func newCopy(root string) (*workingCopy, error) {
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return nil, fmt.Errorf("-root: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	c := &workingCopy{dir}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to, _ := filepath.Rel(root, path)
		switch to = filepath.Join(dir, to); {
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
	if err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

func (c *workingCopy) remove() { _ = os.RemoveAll(c.dir) }

func (c *workingCopy) path(file string) string { return filepath.Join(c.dir, filepath.FromSlash(file)) }

// findAll looks for the texts of all mutations before anything is run.
func (c *workingCopy) findAll(all []mutation) error {
	var errs []error
	for _, m := range all {
		if _, _, err := c.find(m); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// find returns a file as it is and as the mutation has it.
func (c *workingCopy) find(m mutation) (before, after string, err error) {
	text, err := os.ReadFile(c.path(m.file))
	if err != nil {
		return "", "", fmt.Errorf("mutation %q: %w", m.name, err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", "", fmt.Errorf("mutation %q: %s: found the old text %d times, want it once:\n%s", m.name, m.file, n, m.old)
	}
	return string(text), strings.Replace(string(text), m.old, m.new, 1), nil
}

// allPass runs the tests without a mutation.
func (c *workingCopy) allPass(ctx context.Context, all []mutation) error {
	tests := make(map[string][]string) // by package
	var packages []string
	for _, m := range all {
		if tests[m.pkg] == nil {
			packages = append(packages, m.pkg)
		}
		for _, test := range strings.Split(m.tests, "|") {
			if !slices.Contains(tests[m.pkg], test) {
				tests[m.pkg] = append(tests[m.pkg], test)
			}
		}
	}
	for _, pkg := range packages {
		out, err := c.test(ctx, pkg, strings.Join(tests[pkg], "|"))
		if err != nil {
			return fmt.Errorf("without a mutation: %s: %w\n%s", pkg, err, tail(out))
		}
		for _, test := range tests[pkg] {
			if !strings.Contains(out, "--- PASS: "+test+" ") {
				return fmt.Errorf("without a mutation: %s: %s did not run, or was skipped", pkg, test)
			}
		}
		fmt.Printf("%-8s %s\n", "passes", pkg)
	}
	return nil
}

// result is what became of a mutation.
type result struct {
	mutation
	failed []string // tests
}

// try applies a mutation, runs its tests and takes it back.
func (c *workingCopy) try(ctx context.Context, m mutation) (r result, err error) {
	before, after, err := c.find(m)
	if err != nil {
		return r, err
	}
	if err := os.WriteFile(c.path(m.file), []byte(after), 0o644); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.WriteFile(c.path(m.file), []byte(before), 0o644)) }()
	out, err := c.test(ctx, m.pkg, m.tests)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	r.mutation = m
	if err != nil {
		r.failed = failures(out)
		if len(r.failed) == 0 {
			return r, fmt.Errorf("mutation %q: no test has failed, and yet: %w\n%s", m.name, err, tail(out))
		}
	}
	return r, nil
}

// test runs tests of a package by the names of their functions.
func (c *workingCopy) test(ctx context.Context, pkg, tests string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-v", "-failfast", "-timeout", "5m", "-run", "^("+tests+")$", pkg)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var failLine = regexp.MustCompile(`(?m)^--- FAIL: (\w+)|^(panic: test timed out)|^panic: `)
var running = regexp.MustCompile(`(?m)^=== RUN   (\w+)$`)

// failures returns the tests that have failed; one that panicked is the last that
// was begun.
func failures(out string) (tests []string) {
	for _, found := range failLine.FindAllStringSubmatchIndex(out, -1) {
		name := ""
		if found[2] >= 0 {
			name = out[found[2]:found[3]]
		} else if begun := running.FindAllStringSubmatch(out[:found[0]], -1); len(begun) > 0 {
			name = begun[len(begun)-1][1]
		}
		if name != "" && !slices.Contains(tests, name) {
			tests = append(tests, name)
		}
	}
	return tests
}

func tail(out string) string {
	const most = 4 << 10
	if len(out) > most {
		out = "…" + out[len(out)-most:]
	}
	return out
}
