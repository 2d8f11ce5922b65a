package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/internal/servertest"
)

var update = flag.Bool("update", false, "write what the commands print to testdata/golden")

// TestMain lets the test binary stand in for ringway: what the tests of signals
// need is a process.
func TestMain(m *testing.M) {
	if os.Getenv("RINGWAY_TEST_MAIN") != "" {
		os.Unsetenv("RINGWAY_TEST_MAIN") // which looks like a setting
		main()
	}
	goleak.VerifyTestMain(staleGolden{m})
}

// staleGolden fails a run of all tests that leaves a golden file without a case.
type staleGolden struct{ *testing.M }

func (m staleGolden) Run() int {
	code := m.M.Run()
	files, _ := filepath.Glob("testdata/golden/*.txt")
	for _, file := range files {
		if all := flag.Lookup("test.run").Value.String() == ""; code == 0 && all && !goldenUsed[filepath.Base(file)] {
			fmt.Fprintf(os.Stderr, "%s belongs to no case\n", file)
			code = 1
		}
	}
	return code
}

// run runs a command line in this process.
func run(args ...string) (code int, stdout, stderr string) { return runWith("", args...) }

func runWith(stdin string, args ...string) (code int, stdout, stderr string) {
	return runContext(context.Background(), strings.NewReader(stdin), args...)
}

func runContext(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	root := newRoot("test")
	root.SetIn(stdin)
	code = cli.Run(ctx, root, args, &out, &err)
	return code, out.String(), err.String()
}

// checkUsageError holds the promise about bad input: exit code 2, nothing on
// standard output, one line that says what was found and expected.
func checkUsageError(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if code != cli.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "found ") || !strings.Contains(stderr, ", expected ") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// checkWidth holds the promise about tables and help.
func checkWidth(t *testing.T, stdout string) {
	t.Helper()
	for i, line := range strings.Split(stdout, "\n") {
		if width := cli.Width(line); width > cli.MaxWidth || !printable.Is(strings.ReplaceAll(line, "\t", " ")) {
			t.Errorf("line %d is %d wide: %q", i+1, width, line)
		}
	}
}

// compareGolden compares all that a command printed with its file, in which
// URL stands for the address of a fake agent.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	goldenUsed[name+".txt"] = true
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if the change is meant, run go test ./cmd/ringway -update\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// goldenUsed are the files that a test has asked for.
var goldenUsed = make(map[string]bool)

func goldenText(args []string, code int, stdout, stderr string) string {
	return fmt.Sprintf("$ ringway %s\n-- exit %d\n-- stdout\n%s-- stderr\n%s", shellWords(args), code, stdout, stderr)
}

func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = printable.Escape(arg)
		if arg == "" || strings.ContainsAny(arg, " '\"&|<>*;$") {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}

// What needs no agent: help, completion, and wrong usage.
func TestGolden(t *testing.T) {
	clearVariables(t)
	for _, test := range []struct {
		name string
		args []string
	}{
		{"help", []string{"--help"}},
		{"help-agent", []string{"agent", "--help"}},
		{"help-members", []string{"members", "--help"}},
		{"help-ring", []string{"help", "ring"}},
		{"help-locate", []string{"locate", "--help"}},
		{"help-rebalance", []string{"rebalance", "--help"}},
		{"help-drain", []string{"drain", "--help"}},
		{"help-cache", []string{"cache", "--help"}},
		{"help-cache-verify", []string{"cache", "verify", "--help"}},
		{"help-cache-tags", []string{"cache", "tags", "--help"}},
		{"help-cache-hot", []string{"cache", "hot", "--help"}},
		{"help-cache-bypass", []string{"cache", "bypass", "--help"}},
		{"help-cache-journal", []string{"cache", "journal", "--help"}},
		{"version", []string{"--version"}},
		{"complete-network", []string{"__complete", "agent", "--network", ""}},
		{"complete-format", []string{"__complete", "ring", "--format", ""}},
		{"complete-kind", []string{"__complete", "locate", "--kind", "m"}},
		{"complete-key", []string{"__complete", "locate", ""}},

		{"bad-command", []string{"membres"}},
		{"bad-argument", []string{"members", "x"}},
		{"bad-flag", []string{"ring", "--agnet", "x"}},
		{"bad-format", []string{"members", "--format", "xml"}},
		{"bad-agent", []string{"members", "--agent", "127.0.0.1:8946"}},
		{"bad-agent-user", []string{"members", "--agent", "http://user:secret@127.0.0.1"}},
		{"bad-agent-none", []string{"members", "--agent", ""}},
		{"bad-token-file", []string{"ring", "--token-file", "no/such/file"}},
		{"bad-token-short", []string{"ring", "--token-file", "testdata/short.token"}},
		{"bad-config", []string{"locate", "--config", "testdata/wrong.yaml", "k"}},
		{"bad-locate-none", []string{"locate"}},
		{"bad-locate-kind", []string{"locate", "--kind", "router", "k"}},
		{"bad-locate-successors", []string{"locate", "--successors", "-1", "k"}},
		{"bad-locate-twice", []string{"locate", "-", "-"}},
		{"bad-seed", []string{"locate", "--hash-seed-file", "testdata/no.seed", "k"}},

		{"bad-rebalance-both", []string{"rebalance", "--pause", "--resume"}},
		{"bad-rebalance-abort", []string{"rebalance", "--abort", "--pause"}},
		{"bad-rebalance-keys", []string{"rebalance", "--keys-per-second", "-1"}},
		{"bad-rebalance-bytes", []string{"rebalance", "--bytes-per-second", "fast"}},
		{"bad-rebalance-kind", []string{"rebalance", "--kind", "router"}},
		{"bad-drain-none", []string{"drain"}},
		{"bad-drain-two", []string{"drain", "a", "b"}},

		{"bad-agent-server", []string{"agent", "--id", "a", "--bootstrap"}},
		{"bad-agent-url", []string{"agent", "--id", "a", "--bootstrap", "--server", "redis://:secret@host:port"}},
		{"bad-agent-id", []string{"agent", "--server", "redis://h", "--bootstrap"}},
		{"bad-agent-join", []string{"agent", "--server", "redis://h", "--id", "a"}},
		{"bad-agent-seed", []string{"agent", "--server", "redis://h", "--id", "a", "--join", "h:p"}},
		{"bad-agent-both", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--purge"}},
		{"bad-agent-weight", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--weight", "-1"}},
		{"bad-agent-weight-nan", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--weight", "nan"}},
		{"bad-agent-bind", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--bind", "localhost:7946"}},
		{"bad-agent-address", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--server-address", "10.0.0.1"}},
		{"bad-agent-network", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--network", "lam"}},
		{"bad-agent-gossip", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--allow-gossip", "10.0.0.0/8,10.0.0.0/33"}},
		{"bad-agent-servers", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--allow-servers", "10.0.0.0/33"}},
		{"bad-agent-own-server", []string{"agent", "--server", "redis://10.1.0.1", "--id", "a", "--bootstrap", "--allow-servers", "10.0.0.0/16,.internal"}},
		{"bad-agent-own-address", []string{"agent", "--server", "redis://10.0.0.1", "--server-address", "10.1.0.1:6379", "--id", "a", "--bootstrap", "--allow-servers", "10.0.0.0/16"}},
		{"bad-agent-keys", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--encrypt-key-file", "testdata/short.keys"}},
		{"bad-agent-http", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--http", "8946"}},
		{"bad-agent-advertise", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--http-advertise", "h"}},
		{"bad-agent-move-keys", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--move-keys", "-1"}},
		{"bad-agent-move-bytes", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--move-bytes", "50"}},
		{"bad-agent-move-user", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--move-user", "mover"}},
		{"bad-agent-tls", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--http-tls-cert", "x"}},
		{"bad-agent-leave", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--leave-timeout", "-1s"}},
		{"bad-agent-duration", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--leave-timeout", "soon"}},
		{"bad-agent-hash", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--hash", "md5"}},
		{"bad-agent-vnodes", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--virtual-nodes", "0"}},
		{"bad-agent-seed-large", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--hash", "murmur3", "--hash-seed-file", "testdata/large.seed"}},
		{"bad-agent-zone", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--zone", strings.Repeat("z", 65)}},
		{"bad-agent-log", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--log-level", "loud"}},
		{"bad-agent-log-format", []string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--log-format", "xml"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := run(test.args...)
			if strings.HasPrefix(test.name, "bad-") {
				checkUsageError(t, code, stdout, stderr)
				if strings.Contains(stderr, "secret") {
					t.Error("a password is shown")
				}
			}
			checkWidth(t, stdout)
			compareGolden(t, test.name, goldenText(test.args, code, stdout, stderr))
		})
	}
}

// clearVariables keeps the settings of whoever runs the tests out of them.
func clearVariables(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "RINGWAY_") && name != servertest.RequireVariable {
			t.Setenv(name, "")
		}
	}
}

// Every command has an example, and says what it does.
func TestEveryCommandHasAnExample(t *testing.T) {
	for _, cmd := range newRoot("test").Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		if !strings.Contains(cmd.Example, "ringway "+cmd.Name()) || cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s: example %q", cmd.Name(), cmd.Example)
		}
	}
}
