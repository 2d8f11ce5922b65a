package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/proofs"
)

const root = "../../.."

var (
	recorded = regexp.MustCompile(`proofs\.Row\{Proof: "([^"]+)"`)
	declared = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// sources is the text of all tests of a package.
func sources(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d tests in %s, %v", len(files), pkg, err)
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

// Each proof of the table has its test and is recorded, and nothing is recorded that
// the table does not have.
func TestTable(t *testing.T) {
	said, tests := make(map[string]map[string]bool), make(map[string]map[string]bool)
	wanted := make(map[string]map[string]bool)
	seen := make(map[string]bool)
	eachProof(func(p proof) {
		if said[p.pkg] == nil {
			text := sources(t, p.pkg)
			said[p.pkg], tests[p.pkg], wanted[p.pkg] = make(map[string]bool), make(map[string]bool), make(map[string]bool)
			for _, m := range recorded.FindAllStringSubmatch(text, -1) {
				said[p.pkg][m[1]] = true
			}
			for _, m := range declared.FindAllStringSubmatch(text, -1) {
				tests[p.pkg][m[1]] = true
			}
		}
		wanted[p.pkg][p.name] = true
		if !tests[p.pkg][p.test] {
			t.Errorf("%s: no test %s in %s", p.name, p.test, p.pkg)
		}
		if !said[p.pkg][p.name] {
			t.Errorf("%s: no test in %s records it", p.name, p.pkg)
		}
		if what := p.pkg + p.test + p.name; p.must == "" || seen[what] {
			t.Errorf("%+v: twice, or without what it must show", p)
		} else {
			seen[what] = true
		}
	})
	for pkg, names := range said {
		for name := range names {
			if !wanted[pkg][name] {
				t.Errorf("%s records %q, which the table does not have", pkg, name)
			}
		}
	}
}

// events are those of a test binary: what happened, the test, and for attr the proof
// and the figure.
func events(lines ...string) io.Reader {
	var b strings.Builder
	for _, line := range lines {
		f := strings.SplitN(line, " ", 4)
		fmt.Fprintf(&b, `{"Action":%q,"Package":"%scache","Test":%q`, f[0], module, f[1])
		if f[0] == "attr" {
			fmt.Fprintf(&b, `,"Key":%q,"Value":%q`, proofs.Attribute, fmt.Sprintf(`{"Proof":%q,"Got":%q,"Full":true}`, f[2], f[3]))
		}
		b.WriteString("}\n")
	}
	return strings.NewReader(b.String())
}

// A figure is shown as measured only if its test, and what that is a part of, passed.
func TestVerdicts(t *testing.T) {
	const name = "jitter"
	for _, c := range []struct {
		what   string
		events []string
		want   string
		good   bool
	}{
		{"nothing", nil, "| not run |", false},
		{"passed", []string{"run TestJitter", "attr TestJitter jitter 14/s", "pass TestJitter"}, "| 14/s |", true},
		{"failed", []string{"run TestJitter", "attr TestJitter jitter 14/s", "fail TestJitter"}, "**failed**: 14/s", false},
		{"failed at once", []string{"run TestJitter", "fail TestJitter"}, "| **failed** |", false},
		{"skipped", []string{"run TestJitter", "skip TestJitter"}, "not run (skipped)", false},
		{"says nothing", []string{"run TestJitter", "pass TestJitter"}, "says nothing", false},
		{"cut off", []string{"run TestJitter", "attr TestJitter jitter 14/s"}, "**did not end**: 14/s", false},
		{"its subtest failed", []string{"run TestJitter", "run TestJitter/a", "attr TestJitter/a jitter 14/s", "fail TestJitter/a", "fail TestJitter"}, "**failed**: 14/s", false},
		{"another subtest failed", []string{"run TestJitter", "run TestJitter/a", "attr TestJitter/a jitter 14/s", "pass TestJitter/a", "fail TestJitter"}, "**failed**: 14/s", false},
		{"its subtest is skipped", []string{"run TestJitter", "run TestJitter/a", "attr TestJitter/a jitter 14/s", "skip TestJitter/a", "pass TestJitter"}, "**did not end**: 14/s", false},
		{"a subtest passed", []string{"run TestJitter", "run TestJitter/a_b", "attr TestJitter/a_b jitter 14/s", "pass TestJitter/a_b", "pass TestJitter"}, "| a b | 14/s |", true},
		{"another test says it", []string{"run TestXFetch", "attr TestXFetch jitter 14/s", "pass TestXFetch"}, "| not run |", false},
		{"run again", []string{"run TestJitter", "attr TestJitter jitter 14/s", "pass TestJitter", "run TestJitter", "fail TestJitter"}, "| **failed** |", false},
		{"run again, better", []string{"run TestJitter", "attr TestJitter jitter 14/s", "fail TestJitter", "run TestJitter", "attr TestJitter jitter 15/s", "pass TestJitter"}, "| 15/s |", true},
	} {
		o := newOutcomes()
		if err := o.read(events(c.events...), io.Discard); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		var b strings.Builder
		good := false
		eachProof(func(p proof) {
			if p.name == name {
				good = o.table(&b, p)
			}
		})
		if good != c.good || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s: %v, %q; want %v, %q", c.what, good, b.String(), c.good, c.want)
		}
	}
}

// What is no event is passed on; an event that cannot be understood is an error.
func TestBadEvents(t *testing.T) {
	var passedOn strings.Builder
	o := newOutcomes()
	if err := o.read(strings.NewReader("# cache\n./x.go:1: undefined: y\n"), &passedOn); err != nil || !strings.Contains(passedOn.String(), "undefined") {
		t.Errorf("%q, %v", passedOn.String(), err)
	}
	bad := `{"Action":"attr","Package":"p","Test":"TestX","Key":"` + proofs.Attribute + `","Value":"{"}`
	if err := o.read(strings.NewReader(bad), io.Discard); err == nil || !strings.Contains(err.Error(), "TestX") {
		t.Errorf("half a row: %v", err)
	}
	if !strings.Contains(o.text(), "0 have passed") {
		t.Error("something has passed without an event")
	}
}
