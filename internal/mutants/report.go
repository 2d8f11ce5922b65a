package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// page is docs/evidence/mutations.md.
type page struct {
	command string
	began   time.Time
}

func command(only string) string {
	if only == "" {
		return "make mutants"
	}
	return fmt.Sprintf("go run ./internal/mutants -run '%s' -write FILE", only)
}

// of writes what came of the mutations.
func (p page) of(results []result) []byte {
	var b bytes.Buffer
	b.WriteString("# What the tests notice\n\n" +
		"Each line is one protection, taken away in a copy of the sources. The tests that are named passed before and failed then. " +
		"The texts that are replaced, and the tests that have to notice, are in `internal/mutants`.\n\n" +
		"A mutation within one function is a second version of that function, which an environment variable chooses: " +
		"a package's test binary is built once, its tests have to pass while no mutant is chosen, and then they run once for each. " +
		"The mutant's own function has to be called. Other mutations, marked \"alone\", are built one at a time.\n\n" +
		"This page is written by\n\n    " + p.command + "\n\n")
	fmt.Fprintf(&b, "which took %.0f minutes with %s on %d processors of %s.\n\n",
		time.Since(p.began).Minutes(), runtime.Version(), runtime.NumCPU(), processor())
	count := make(map[verdict]int)
	alone := 0
	for _, r := range results {
		count[r.verdict]++
		if r.alone != "" {
			alone++
		}
	}
	fmt.Fprintf(&b, "Of %d mutations %d are noticed, %d are not, and of %d nothing is known. %d of them were built alone.\n\n",
		len(results), count[killed], count[lives], count[nothing], alone)
	b.WriteString("| mutation | taken away | where | result | by which tests |\n|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s |\n", r.name, cell(r.what), r.file, r.how(), cell(r.by()))
	}
	return b.Bytes()
}

func (r result) how() string {
	how := string(r.verdict)
	if r.timeOut {
		how += ", timed out"
	}
	if r.alone != "" {
		how += " (alone)"
	}
	return how
}

func (r result) by() string {
	switch r.verdict {
	case killed:
		return "`" + strings.Join(r.failed, "`, `") + "` in `" + strings.TrimPrefix(r.pkg, "./") + "`"
	case lives:
		return "none of `" + strings.ReplaceAll(r.tests, "|", "`, `") + "`"
	}
	first, _, _ := strings.Cut(r.why, "\n")
	return first
}

// cell is a text as a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// processor is the name that Linux gives it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
