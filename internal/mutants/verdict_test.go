package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	failed := errors.New("exit status 2")
	const timedOut = "panic: test timed out after 1m0s\n\trunning tests:\n\t\tTestA (59s)\n\t\tTestA/b (58s)\n\t\tTestOther (1s)\n\ngoroutine 1"
	for name, tt := range map[string]struct {
		out  string
		err  error
		want verdict
		by   []string
		says string // part of what the line says
	}{
		"passes":          {"--- PASS: TestA (0.00s)\n--- PASS: TestB (0.00s)\n", nil, lives, nil, "by none of TestA, TestB"},
		"one fails":       {"--- FAIL: TestA (0.00s)\n", failed, killed, []string{"TestA"}, "by TestA"},
		"both fail":       {"--- FAIL: TestA (1.00s)\n--- PASS: TestC (0.00s)\n--- FAIL: TestB (1.00s)\n", failed, killed, []string{"TestA", "TestB"}, "by TestA, TestB"},
		"a subtest only":  {"    --- FAIL: TestA/b (0.00s)\n", failed, nothing, nil, "no test has failed"},
		"another fails":   {"--- FAIL: TestC (0.00s)\n", failed, nothing, nil, "no test has failed"},
		"skipped":         {"--- PASS: TestA (0.00s)\n--- SKIP: TestB (0.00s)\n", nil, nothing, nil, "TestB was skipped"},
		"did not run":     {"--- PASS: TestA (0.00s)\nPASS\n", nil, nothing, nil, "TestB did not run"},
		"crashes":         {"=== RUN   TestA\n=== RUN   TestA/b\npanic: no\n", failed, killed, []string{"TestA"}, "by TestA"},
		"fatal":           {"=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\nfatal error: stack overflow\n", failed, killed, []string{"TestB"}, "by TestB"},
		"crashes in init": {"panic: no\n", failed, nothing, nil, "exit status 2"},
		"crashes after":   {"=== RUN   TestA\n--- PASS: TestA (0.00s)\npanic: no\n", failed, nothing, nil, "exit status 2"},
		"leaves behind":   {"=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\ngoleak: Errors on successful test run", failed, nothing, nil, "goleak"},
		"time is up":      {"=== RUN   TestA\n" + timedOut, failed, killed, []string{"TestA"}, "by TestA: timed out"},
		"time of another": {"=== RUN   TestC\n" + strings.ReplaceAll(timedOut, "TestA", "TestC"), failed, nothing, nil, "exit status 2"},
		"nothing":         {"", failed, nothing, nil, "exit status 2"},
	} {
		r := judge(&trial{mutation: mutation{tests: "TestA|TestB"}}, testRun{out: tt.out, err: tt.err})
		if r.verdict != tt.want || !slices.Equal(r.failed, tt.by) || !strings.Contains(r.killers(), tt.says) {
			t.Errorf("%s: %s %q, want %s %q that says %q", name, r.verdict, r.killers(), tt.want, tt.by, tt.says)
		}
		if r.timeOut != (name == "time is up") && r.verdict == killed || r.skipped != (name == "skipped") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestBaseline(t *testing.T) {
	out := "--- PASS: TestA (1.50s)\n--- SKIP: TestB (0.00s)\n"
	b, err := readBaseline(testRun{out: out}, []string{"TestA", "TestB"})
	if err != nil || b.limit([]string{"TestA", "TestB"}) != 75*time.Second || !slices.Equal(b.skipped, []string{"TestB"}) {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := readBaseline(testRun{out: out}, []string{"TestA", "TestC"}); err == nil || !strings.Contains(err.Error(), "TestC did not run") {
		t.Errorf("a test that did not run: %v", err)
	}
	if _, err := readBaseline(testRun{out: "--- FAIL: TestA (1.50s)\n", err: errors.New("exit status 1")}, nil); err == nil || !strings.Contains(err.Error(), "FAIL: TestA") {
		t.Errorf("a test that fails: %v", err)
	}
}

func TestComplaint(t *testing.T) {
	of := func(v verdict, skipped bool) result { return result{verdict: v, skipped: skipped} }
	for _, tt := range []struct {
		results []result
		want    string
	}{
		{[]result{of(killed, false), of(nothing, true)}, ""},
		{[]result{of(killed, false), of(lives, false)}, "1 of 2 mutants live"},
		{[]result{of(nothing, false)}, "1 of 1 mutants have no verdict"},
	} {
		got := ""
		if err := complaint(tt.results); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.results, got, tt.want)
		}
	}
}
