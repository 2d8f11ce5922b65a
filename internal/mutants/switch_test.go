package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// kinds changes one function of each kind, so that TestKinds complains of it alone.
var kinds = []struct{ name, old, new string }{
	{"init", `	begun += ", twice"`, `	begun += ", once"`},
	{"variable", `return "called"`, `return "not called"`},
	{"plain", "n + 1", "n + 2"},
	{"pointer", "\tc.n += n\n\treturn c.n", "\tc.n += n\n\treturn -c.n"},
	{"Value", "c.n * 2", "c.n"},
	{"unnamedReceiver", `return "unnamed"`, `return "mutant"`},
	{"blankReceiver", `return "blank"`, `return "mutant"`},
	{"unnamed", `return "parameters"`, `return "none"`},
	{"blank", "{ return s }", `{ return "not " + s }`},
	{"variadic", "first + len(more)", "first"},
	{"noResults", "*n += limit", ""},
	{"severalResults", "strings.ToUpper(s), nil", "s, nil"}, // no other use of the import
	{"namedResults", `errors.New("negative")`, "nil"},
	{"recovers", "fmt.Sprint(recover())", `fmt.Sprint(recover(), "!")`},
	{"generic", "return 0", "return 2"},
	{"genericMethod", "{ return p.value }", "{\n\tvar none V\n\treturn none\n}"},
	{"blankType", `"is "`, `"was "`},
}

// small returns a copy of testdata/small, and kinds.
func small(t *testing.T) (*workingCopy, []*trial) {
	t.Helper()
	root := t.TempDir()
	if err := copyFolder(filepath.Join("testdata", "small"), root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/small\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := newCopy(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.remove)
	var all []*trial
	for _, k := range kinds {
		all = append(all, smallTrial(k.name, k.old, k.new, "TestKinds", len(all)+1))
	}
	return c, all
}

func smallTrial(name, before, after, tests string, number int) *trial {
	return &trial{mutation: mutation{name, name, "kinds.go", before, after, "./", tests}, number: number}
}

// TestSwitches: of one binary, the chosen mutant does what its text says, and all
// other functions what they did.
func TestSwitches(t *testing.T) {
	c, all := small(t)
	refused := smallTrial("refused", "func notReached() int { return 1 }", "func notReached() int { return one }", "TestKinds", len(all)+1)
	all = append(all, refused)
	if err := c.findAll(all); err != nil {
		t.Fatal(err)
	}
	binary, err := c.buildSwitched(t.Context(), "./", all)
	if err != nil {
		t.Fatal(err)
	}
	complaint := regexp.MustCompile(`(?m)_test\.go:\d+: (\w+): `)
	for _, m := range append([]*trial{{}}, all...) { // first none
		run, err := c.test(t.Context(), binary, "./", []string{"TestKinds"}, m.number, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, found := range complaint.FindAllStringSubmatch(run.out, -1) {
			got = append(got, found[1])
		}
		if m.number > 0 && m != refused {
			want = []string{m.name}
		}
		if !slices.Equal(got, want) || run.reached != (want != nil) || (run.err != nil) != (want != nil) || (m.alone != "") != (m == refused) {
			t.Errorf("%q: complaints of %q, want %q; reached: %t; alone: %q; %v", m.name, got, want, run.reached, m.alone, run.err)
		}
	}
}

// TestAlone: what cannot be behind a switch, and why.
func TestAlone(t *testing.T) {
	for _, tt := range []struct{ source, old, new, want string }{
		{"const n = 1", "1", "2", "not within a function"},
		{"var n = func() int { return 1 }", "1", "2", "not within a function"},
		{"type t struct{ N int `a:\"1\"` }", "1", "2", "not within a function"},
		{"func f(n int) {}", "n int", "n int64", "not within a function"},
		{"func f() {\n}\n\nfunc g() {\n}", "}\n\nfunc g() {\n", "", "not within a function"},
		{"func f() {\n\tg()\n}", "g()", "g() }; func h() { i()", "more than one function"},
		{"func f() {\n\tg()\n}", "g()", "g(", "the mutant does not parse"},
		{"func f() {\n\t_ = recover()\n}", "()\n", "() != nil\n", "it calls recover"},
		{"func f() {\n\tg()\n}", "g()", "recover()", "it calls recover"},
		{"func f() {\n\tdefer func() { recover() }()\n\tg()\n}", "\tg()", "\th()", ""},
		{"import \"runtime\"\n\nfunc f() {\n\tdefer func() { runtime.Callers(1, nil) }()\n}", "(1,", "(2,", "it looks at its callers"},
		{"//go:noinline\nfunc f() {\n\tg()\n}", "g()", "h()", "it has a directive"},
		{"func f[_ any]() {\n\tg()\n}", "g()", "h()", "a type parameter without a name"},
		{"// f does.\nfunc f() {\n\tg()\n}", "f() {\n\tg()", "f() {\n\th()", ""},
	} {
		c := &workingCopy{dir: t.TempDir()}
		if err := os.WriteFile(c.path("x.go"), []byte("package x\n\n"+tt.source+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		m := &trial{mutation: mutation{file: "x.go", old: tt.old, new: tt.new}, number: 1}
		if err := c.find(m); err != nil {
			t.Fatal(err)
		}
		s, err := addSwitches(m.before, []*trial{m})
		if err != nil || m.alone != tt.want || (len(s.spans) == 1) != (tt.want == "") {
			t.Errorf("%q: alone: %q, want %q; %d mutants; %v", tt.source, m.alone, tt.want, len(s.spans), err)
		}
	}
}
