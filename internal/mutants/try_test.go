package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestTryAll: every verdict there is, of a small package.
func TestTryAll(t *testing.T) {
	c, _ := small(t)
	all := []*trial{
		smallTrial("killed", "n + 1", "n + 2", "TestPasses|TestKinds", 1),
		smallTrial("crashes", "c.n * 2", "c.n * 2 / len(begun[:0])", "TestKinds", 2),
		smallTrial("lives", "func unused() int { return 1 }", "func unused() int { return 2 }", "TestPasses", 3),
		smallTrial("skipped", `return "parameters"`, `return ""`, "TestSkipped", 4),
		smallTrial("constant", "limit = 3", "limit = 4", "TestKinds", 5),
		smallTrial("no constant", "limit = 3", "limit = none", "TestKinds", 6),
		smallTrial("not reached", "func notReached() int { return 1 }", "func notReached() int { return 2 }", "TestPasses", 7),
	}
	results, err := c.tryAll(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		verdict
		says  string
		alone bool
	}{
		{killed, "by TestKinds", false},
		{killed, "by TestKinds", false},
		{lives, "by none of TestPasses", false},
		{nothing, "TestSkipped was skipped", false},
		{killed, "by TestKinds", true},
		{nothing, "undefined: none", true},
		{lives, "by none of TestPasses", true},
	}
	for i, r := range results {
		if w := want[i]; r.verdict != w.verdict || !strings.Contains(r.killers(), w.says) || (r.alone != "") != w.alone {
			t.Errorf("%s: %s %s (alone: %q), want %+v", r.name, r.verdict, r.killers(), r.alone, w)
		}
	}
	page := string(page{command: "make mutants"}.of(results))
	for _, line := range []string{
		"\n    make mutants\n",
		"Of 7 mutations 3 are noticed, 2 are not, and of 2 nothing is known. 3 of them were built alone.",
		"| crashes | crashes | `kinds.go` | killed | `TestKinds` in `` |",
		"| not reached | not reached | `kinds.go` | LIVES (alone) | none of `TestPasses` |",
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the page does not say %q:\n%s", line, page)
		}
	}
}

// TestFailsBefore: nothing is said of mutants whose tests fail without one.
func TestFailsBefore(t *testing.T) {
	t.Setenv("CRASH", "1")
	c, _ := small(t)
	_, err := c.tryAll(t.Context(), []*trial{smallTrial("a", "n + 1", "n + 2", "TestCrash", 1)})
	if err == nil || !strings.Contains(err.Error(), "without a mutation: ./: exit status 1") {
		t.Error(err)
	}
}

// TestInterrupted: a run that is ended says so, and its copy can be removed.
func TestInterrupted(t *testing.T) {
	c, all := small(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.tryAll(ctx, all); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.remove()
	if _, err := os.Stat(c.temp); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
