package main

import (
	"cmp"
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
)

// errBuild is wrapped by what the compiler refuses.
var errBuild = errors.New("does not build")

// build makes a test binary of a package.
func (c *workingCopy) build(ctx context.Context, pkg, binary string) error {
	// Without DWARF (-w) it is linked faster; stacks are as they were.
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-w", "-o", binary, pkg)
	cmd.Dir = c.dir
	cmd.Env = c.environment()
	defer separate(cmd)()
	switch out, err := cmd.CombinedOutput(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: %w: %w\n%s", pkg, errBuild, err, tail(string(out)))
	}
	return nil
}

func (c *workingCopy) binary(name string) string { return filepath.Join(c.temp, name+".test") }

// writeSwitches puts the trials of one file after another behind switches.
func (c *workingCopy) writeSwitches(all []*trial) (spans map[string][]span, err error) {
	spans = make(map[string][]span)
	for _, of := range groups(all, func(t *trial) string { return t.file }) {
		file := of[0].file
		if filepath.Ext(file) != ".go" {
			for _, t := range of {
				t.alone = "not Go"
			}
			continue
		}
		s, err := addSwitches(of[0].before, of)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(c.path(file), []byte(s.text), 0o644); err != nil {
			return nil, err
		}
		if len(s.spans) == 0 {
			continue
		}
		beside := filepath.Join(filepath.Dir(c.path(file)), switchFile)
		if err := os.WriteFile(beside, []byte(switchSource(s.pkg)), 0o644); err != nil {
			return nil, err
		}
		spans[filepath.Clean(file)] = s.spans
	}
	return spans, nil
}

// buildSwitched builds a package's test binary with the mutants of all trials, those of
// files of other packages included. Those that the compiler refuses are marked as
// alone, and it is built without them.
func (c *workingCopy) buildSwitched(ctx context.Context, pkg string, all []*trial) (binary string, err error) {
	binary = c.binary(strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "_"))
	for {
		spans, err := c.writeSwitches(all)
		if err != nil {
			return "", err
		}
		err = c.build(ctx, pkg, binary)
		if !errors.Is(err, errBuild) || !blame(err.Error(), spans) {
			return binary, err
		}
	}
}

var errorLine = regexp.MustCompile(`(?m)^(\S+\.go):(\d+)(?::\d+)?: `)

// blame marks the mutants in whose lines the compiler found an error; false: none.
func blame(out string, spans map[string][]span) (any bool) {
	for _, found := range errorLine.FindAllStringSubmatch(out, -1) {
		line, _ := strconv.Atoi(found[2])
		for _, s := range spans[filepath.Clean(found[1])] {
			if s.first <= line && line <= s.last {
				s.trial.alone, any = "it does not compile beside the original", true
			}
		}
	}
	return any
}

// removeSwitches makes the sources what they were.
func (c *workingCopy) removeSwitches(all []*trial) error {
	for _, of := range groups(all, func(t *trial) string { return t.file }) {
		file := c.path(of[0].file)
		if err := os.WriteFile(file, []byte(of[0].before), 0o644); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(filepath.Dir(file), switchFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// buildAlone builds a test binary with one mutant, which needs no choice. undo takes the
// mutant away.
func (c *workingCopy) buildAlone(ctx context.Context, t *trial) (binary string, undo func() error, err error) {
	file := c.path(t.file)
	undo = func() error { return os.WriteFile(file, []byte(t.before), 0o644) }
	if err := os.WriteFile(file, []byte(t.after), 0o644); err != nil {
		return "", nil, errors.Join(err, undo())
	}
	binary = c.binary("alone")
	if err := c.build(ctx, t.pkg, binary); err != nil {
		return "", nil, errors.Join(err, undo())
	}
	return binary, undo, nil
}

// groups returns the trials by a key, in the order of the keys.
func groups(all []*trial, key func(*trial) string) (lists [][]*trial) {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *trial) int { return cmp.Compare(key(a), key(b)) })
	for i, t := range sorted {
		if i == 0 || key(sorted[i-1]) != key(t) {
			lists = append(lists, nil)
		}
		lists[len(lists)-1] = append(lists[len(lists)-1], t)
	}
	return lists
}

func tail(out string) string {
	const most = 4 << 10 // bytes
	if len(out) > most {
		out = "…" + out[len(out)-most:]
	}
	return strings.ToValidUTF8(out, "")
}
