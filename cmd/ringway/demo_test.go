package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoGolden(t *testing.T) {
	clearVariables(t)
	for _, test := range []struct {
		name string
		args []string
	}{
		{"help-demo", []string{"demo", "--help"}},
		{"complete-backend", []string{"__complete", "demo", "--backend", ""}},
		{"bad-demo-argument", []string{"demo", "now"}},
		{"bad-demo-backend", []string{"demo", "--backend", "valkey"}},
		{"bad-demo-calm", []string{"demo", "--calm", "0s"}},
		{"bad-demo-html", []string{"demo", "--html", "no/such/folder/demo.html"}},
		{"bad-demo-html-name", []string{"demo", "--html", filepath.Join("testdata", strings.Repeat("x", 300))}},
		{"bad-demo-html-folder", []string{"demo", "--html", "testdata"}},
		{"bad-demo-keys", []string{"demo", "--keys", "10"}},
		{"bad-demo-nodes", []string{"demo", "--nodes", "2"}},
		{"bad-demo-rate", []string{"demo", "--rate", "fast"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := run(test.args...)
			if strings.HasPrefix(test.name, "bad-") {
				checkUsageError(t, code, stdout, stderr)
			}
			checkWidth(t, stdout)
			compareGolden(t, test.name, goldenText(test.args, code, stdout, stderr))
		})
	}
}

// A server program that is not installed is bad usage, and said before anything is
// started.
func TestDemoNotInstalled(t *testing.T) {
	clearVariables(t)
	t.Setenv("PATH", filepath.Join(t.TempDir(), "none"))
	for _, backend := range []string{"redis", "memcached"} {
		code, stdout, stderr := run("demo", "--backend", backend)
		checkUsageError(t, code, stdout, stderr)
	}
}

// The embedded server ends with its standard input, and is not shown.
func TestDemoServer(t *testing.T) {
	code, stdout, stderr := run("demo-server")
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "listening on 127.0.0.1:") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	if _, help, _ := run("--help"); strings.Contains(help, "demo-server") {
		t.Error("demo-server is shown")
	}
}
