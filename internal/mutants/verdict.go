package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// verdict is what is said of a mutant.
type verdict string

const (
	killed  verdict = "killed"     // a test that was named has failed
	lives   verdict = "LIVES"      // all that were named have passed
	nothing verdict = "no verdict" // neither
)

// result is what became of a mutation.
type result struct {
	*trial
	verdict
	failed  []string // tests; set if it was killed
	timeOut bool     // they were still running when their time was up
	skipped bool     // no verdict: tests do not run on this machine
	why     string   // no verdict: the reason
	took    time.Duration
}

func unknown(t *trial, why string, skipped bool) result {
	return result{trial: t, verdict: nothing, why: why, skipped: skipped}
}

// judge says what a run of its tests means for a mutant. Only a test that was named
// can kill: neither a compiler nor a panic before it is one, nor leftovers that are
// found after all have passed.
func judge(t *trial, run testRun) result {
	r := result{trial: t, verdict: nothing}
	if run.err == nil {
		for _, test := range t.names() {
			switch ended(run.out, test) {
			case "PASS":
			case "SKIP":
				r.skipped, r.why = true, test+" was skipped"
				return r
			default:
				r.why = test + " did not run"
				return r
			}
		}
		r.verdict = lives
		return r
	}
	r.failed, r.timeOut = failures(run.out)
	r.failed = slices.DeleteFunc(r.failed, func(test string) bool { return !slices.Contains(t.names(), test) })
	if len(r.failed) > 0 {
		r.verdict = killed
		return r
	}
	r.why = fmt.Sprintf("no test has failed, and yet: %v\n%s", run.err, tail(run.out))
	return r
}

// ended returns how a test ended; "" if it did not.
func ended(out, test string) string {
	for _, found := range endLine.FindAllStringSubmatch(out, -1) {
		if found[2] == test {
			return found[1]
		}
	}
	return ""
}

var (
	timeUp    = regexp.MustCompile(`(?m)^panic: test timed out after .*\n\s+running tests:\n((?:\s+Test.*\n)+)`)
	stillRuns = regexp.MustCompile(`(?m)^\s+(\w+)\S* \(`)
	crash     = regexp.MustCompile(`(?m)^(?:panic|fatal error): `)
	begun     = regexp.MustCompile(`(?m)^=== (?:RUN|CONT|NAME) +(\w+)`)
)

// failures returns the tests that have failed; else those that ran when the time was
// up; else the one that ran when the process crashed: the last that was begun and did
// not pass.
func failures(out string) (tests []string, timeOut bool) {
	add := func(test string) {
		if !slices.Contains(tests, test) {
			tests = append(tests, test)
		}
	}
	for _, found := range endLine.FindAllStringSubmatch(out, -1) {
		if found[1] == "FAIL" {
			add(found[2])
		}
	}
	if len(tests) > 0 {
		return tests, false
	}
	if found := timeUp.FindStringSubmatch(out); found != nil {
		for _, test := range stillRuns.FindAllStringSubmatch(found[1], -1) {
			add(test[1])
		}
		return tests, true
	}
	if at := crash.FindStringIndex(out); at != nil {
		before := begun.FindAllStringSubmatch(out[:at[0]], -1)
		if len(before) > 0 && ended(out, before[len(before)-1][1]) == "" {
			add(before[len(before)-1][1])
		}
	}
	return tests, false
}

// killers says who noticed, or why nothing is said.
func (r result) killers() string {
	switch {
	case r.verdict == lives:
		return "by none of " + strings.ReplaceAll(r.tests, "|", ", ")
	case r.verdict == nothing:
		return r.why
	case r.timeOut:
		return "by " + strings.Join(r.failed, ", ") + ": timed out"
	}
	return "by " + strings.Join(r.failed, ", ")
}
