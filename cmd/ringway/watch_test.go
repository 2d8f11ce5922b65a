package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/cli"
)

// lookOf is a look at a number, with a table of two lines that also shows an age.
func lookOf(n, age int) look {
	record := cli.Record{{Name: "n", Value: n}}
	return look{report: cli.Report{
		JSON:  func() cli.Record { return record },
		CSV:   func() []cli.Record { return []cli.Record{record} },
		Table: func(b *bytes.Buffer, _ cli.Style) { fmt.Fprintf(b, "number %d\nage %d\n", n, age) },
	}}
}

// watched runs a watcher over looks, one a second, an error for each that is 0,
// and is interrupted after the last.
func watched(t *testing.T, format cli.Format, inPlace bool, numbers ...int) (stdout, stderr string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		w := &watcher{out: &out, errs: &errs, format: format, inPlace: inPlace}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		at := 0
		err = w.run(ctx, time.Second, func(ctx context.Context) (look, error) {
			if at == len(numbers) {
				cancel()
				return look{}, ctx.Err()
			}
			at++
			if n := numbers[at-1]; n != 0 {
				return lookOf(n, at), nil
			}
			return look{}, errors.New("agent x: refused\nagent y: \x1b[2J")
		})
		stdout, stderr = out.String(), errs.String()
	})
	return stdout, stderr, err
}

func TestWatch(t *testing.T) {
	const trouble = "ringway: agent x: refused\nringway: agent y: \\x1b[2J\n"
	for _, test := range []struct {
		name           string
		format         cli.Format
		inPlace        bool
		numbers        []int
		stdout, stderr string
	}{
		{"only what is new", cli.Table, false, []int{1, 1, 2, 2, 2, 1}, "number 1\nage 1\n\nnumber 2\nage 3\n\nnumber 1\nage 6\n", ""},
		{"JSON", cli.JSON, false, []int{1, 1, 2}, "{\n  \"n\": 1\n}\n{\n  \"n\": 2\n}\n", ""},
		{"one header", cli.CSV, false, []int{1, 2, 2}, "n\n1\n2\n", ""},
		{"trouble is told once, and its end is seen", cli.CSV, false, []int{1, 0, 0, 1}, "n\n1\n1\n", trouble},
		{"in place", cli.Table, true, []int{1, 1}, "\x1b[2J\x1b[Hnumber 1\x1b[K\nage 1\x1b[K\n\x1b[J" + "\x1b[Hnumber 1\x1b[K\nage 2\x1b[K\n\x1b[J", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, err := watched(t, test.format, test.inPlace, test.numbers...)
			if err != nil || stdout != test.stdout || stderr != test.stderr {
				t.Errorf("stdout %q\nwant   %q\nstderr %q\nwant   %q\nerror %v", stdout, test.stdout, stderr, test.stderr, err)
			}
		})
	}
	if _, _, err := watched(t, cli.Table, false, 0); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody answers at first: %v", err)
	}
}

// An interrupted watch is one that has done what it was for: exit 0, and nothing
// half-written.
func TestWatchEndsCleanly(t *testing.T) {
	a, url := newAgentOf(t, ringConfig(), 7, stable()...)
	for _, command := range []string{"members", "ring"} {
		ctx, cancel := context.WithCancel(context.Background())
		a.mu.Lock()
		a.asked = func() { cancel() }
		a.mu.Unlock()
		code, stdout, stderr := runContext(ctx, strings.NewReader(""), command, "--watch", "--agent", url)
		cancel()
		if code != 0 || stderr != "" || stdout != "" && !strings.HasSuffix(stdout, "\n") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", command, code, stdout, stderr)
		}
	}
}
