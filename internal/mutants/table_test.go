package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var here = &workingCopy{dir: filepath.Join("..", "..")} // only read

// TestTable: what the mutations replace is there, and so are the tests.
func TestTable(t *testing.T) {
	var all []*trial
	for _, m := range mutations {
		all = append(all, &trial{mutation: m})
	}
	if err := here.findAll(all); err != nil {
		t.Error(err)
	}
	names := make(map[string]bool)
	sources := make(map[string]string) // of tests, by package
	for _, m := range mutations {
		if names[m.name] || m.what == "" || m.old == m.new {
			t.Errorf("%+v: it has no name of its own, says nothing, or changes nothing", m)
		}
		names[m.name] = true
		if sources[m.pkg] == "" {
			sources[m.pkg] = testSources(t, m.pkg)
		}
		for _, test := range strings.Split(m.tests, "|") {
			if !strings.Contains(sources[m.pkg], "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("%s: %s has no test %q", m.name, m.pkg, test)
			}
		}
	}
}

func testSources(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(here.path(pkg + "/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestFindRefuses(t *testing.T) {
	for _, m := range []mutation{
		{name: "no file", file: "none.go", old: "x"},
		{name: "no text", file: "go.mod", old: "no such text"},
		{name: "twice", file: "go.mod", old: "github.com"},
	} {
		if err := here.findAll([]*trial{{mutation: m}}); err == nil || !strings.Contains(err.Error(), m.name) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
