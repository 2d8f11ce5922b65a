package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/proctest"
)

// TestEvidence holds what ringsim prints to what others have published, and the page
// to both. To write the page: make evidence.
func TestEvidence(t *testing.T) {
	proctest.Computes(t)
	var page strings.Builder
	page.WriteString(evidenceHead)
	old, err := os.ReadFile(evidencePage)
	if err != nil && *evidenceFile == "" {
		t.Fatal(err)
	}
	for _, e := range evidenceTable {
		args, missing := withTraces(e.args)
		if missing != "" {
			if *evidenceFile != "" {
				t.Fatalf("%s is needed to write the page: set TRACES_DIR", missing)
			}
			t.Logf("%s: skipped: TRACES_DIR has no %s", e.title, missing)
			continue
		}
		began := time.Now()
		text := e.check(t, args)
		t.Logf("%s: %v", e.title, time.Since(began).Round(time.Millisecond))
		page.WriteString(text)
		if *evidenceFile == "" && !strings.Contains(string(old), text) {
			t.Errorf("%s has another text than\n%s\nIf that is meant: make evidence", evidencePage, text)
		}
	}
	if *evidenceFile != "" && !t.Failed() {
		if err := cli.WriteFile(*evidenceFile, []byte(page.String())); err != nil {
			t.Fatal(err)
		}
	}
}

const evidenceHead = `# What ringsim prints beside what others have found

This page is written by

    make evidence

and make test runs the same commands: it fails when a figure is farther from the published one than the error beside it, and when this page shows another figure than ringsim prints. Errors are those of chance: a ring is one draw of many, and keys are a sample. Ketama's published points and owners are held, one by one, by the tests of ring/ketama.
`

// withTraces puts the path of a trace in the place of its name; missing is that of a
// trace that is not there.
func withTraces(args []string) (out []string, missing string) {
	out = append(out, args...)
	for i, arg := range out {
		if strings.HasSuffix(arg, ".keys.gz") {
			out[i] = filepath.Join(os.Getenv("TRACES_DIR"), arg)
			if _, err := os.Stat(out[i]); err != nil || os.Getenv("TRACES_DIR") == "" {
				return nil, arg
			}
		}
	}
	return out, ""
}

// check runs the command, compares its figures, and returns the part of the page.
func (e evidence) check(t *testing.T, args []string) string {
	t.Helper()
	var report struct{ Results []map[string]any }
	code, stdout, stderr := run(append(args, "--format", "json")...)
	if code != 0 {
		t.Fatalf("%s: exit %d, %s", e.title, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n    ringsim %s\n\nPublished: %s.\n\n| | published | error | ringsim |\n|---|---|---|---|\n", e.title, shellWords(e.args), e.source)
	for _, f := range e.figures {
		got, ok := f.find(report.Results)
		if !ok {
			t.Errorf("%s: %s: no such figure", e.title, f.what)
			continue
		}
		if off := math.Abs(got - f.value); !(off <= f.off) {
			t.Errorf("%s: %s: ringsim prints %v, published is %v: %v off, and %v is the error", e.title, f.what, got, f.value, off, f.off)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.what, f.show(f.value), f.error(), f.show(got))
	}
	return b.String()
}

// find returns the figure in the first result that fits.
func (f published) find(results []map[string]any) (float64, bool) {
	for _, r := range results {
		fits := true
		for field, value := range f.row {
			fits = fits && r[field] == value
		}
		if got, isNumber := r[f.field].(float64); fits && isNumber {
			return got, true
		}
	}
	return 0, false
}

func (f published) show(x float64) string {
	switch {
	case f.unit == "%":
		return fmt.Sprintf("%.2f%%", 100*x)
	case x == math.Trunc(x):
		return commas(int64(x))
	}
	return fmt.Sprintf("%.4g", x)
}

func (f published) error() string {
	if f.off == 0 {
		return "none"
	}
	return "± " + f.show(f.off)
}

// A figure that is off is noticed, and so is one that is not there.
func TestEvidenceCanFail(t *testing.T) {
	results := []map[string]any{{"algorithm": "ring", "moved": 0.5, "note": "x"}}
	if got, ok := (published{row: named("ring"), field: "moved"}).find(results); !ok || got != 0.5 {
		t.Errorf("%v, %v", got, ok)
	}
	for _, f := range []published{{row: named("jump"), field: "moved"}, {row: named("ring"), field: "cv"}, {row: named("ring"), field: "note"}} {
		if got, ok := f.find(results); ok {
			t.Errorf("%+v: found %v", f, got)
		}
	}
}
