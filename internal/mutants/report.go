package main

import (
	"bytes"
	"fmt"
	"strings"
)

func (r result) word() string {
	if len(r.failed) > 0 {
		return "killed"
	}
	return "LIVES"
}

func (r result) killers() string {
	if len(r.failed) == 0 {
		return "by none of " + strings.ReplaceAll(r.tests, "|", ", ")
	}
	return "by " + strings.Join(r.failed, ", ")
}

// report is docs/evidence/mutations.md.
func report(results []result) []byte {
	var b bytes.Buffer
	b.WriteString("# What the tests notice\n\n" +
		"Written by `make mutants`: each line is one protection of the protocol, taken away in a copy of the sources. " +
		"The tests that are named passed before and failed then. The texts that are replaced are in `internal/mutants`.\n\n" +
		"| taken away | where | result | tests that fail |\n|---|---|---|---|\n")
	killed := 0
	for _, r := range results {
		tests := "none"
		if len(r.failed) > 0 {
			killed++
			tests = "`" + strings.Join(r.failed, "`, `") + "` in `" + strings.TrimPrefix(r.pkg, "./") + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.what, r.file, r.word(), tests)
	}
	fmt.Fprintf(&b, "\n%d of %d are noticed.\n", killed, len(results))
	return b.Bytes()
}
