package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var here = &workingCopy{filepath.Join("..", "..")} // only read

// TestTable: what the mutations replace is there, and so are the tests.
func TestTable(t *testing.T) {
	if err := here.findAll(mutations); err != nil {
		t.Error(err)
	}
	names := make(map[string]bool)
	for _, m := range mutations {
		if names[m.name] || m.what == "" || m.old == m.new {
			t.Errorf("%+v: it has no name of its own, says nothing, or changes nothing", m)
		}
		names[m.name] = true
		sources := ""
		files, err := filepath.Glob(here.path(m.pkg + "/*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources += string(text)
		}
		for _, test := range strings.Split(m.tests, "|") {
			if !strings.Contains(sources, "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("%s: %s has no test %q", m.name, m.pkg, test)
			}
		}
	}
}

func TestFindRefuses(t *testing.T) {
	for _, m := range []mutation{
		{name: "no file", file: "none.go", old: "x"},
		{name: "no text", file: "go.mod", old: "no such text"},
		{name: "twice", file: "go.mod", old: "github.com"},
	} {
		if err := here.findAll([]mutation{m}); err == nil || !strings.Contains(err.Error(), m.name) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestFailures(t *testing.T) {
	for out, want := range map[string][]string{
		"ok":                           nil,
		"--- FAIL: TestA (0.00s)\n":    {"TestA"},
		"    --- FAIL: TestA/b (0s)\n": nil,
		"--- FAIL: TestA (1s)\n--- PASS: TestB\n--- FAIL: TestC (1s)\n": {"TestA", "TestC"},
		"=== RUN   TestA\n=== RUN   TestA/b\npanic: no\n":               {"TestA"},
		"=== RUN   TestA\npanic: test timed out after 5m\n":             {"TestA"},
		"x.go:1: undefined: y\nFAIL example [build failed]":             nil,
	} {
		if got := failures(out); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}
