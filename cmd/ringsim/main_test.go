package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
)

var update = flag.Bool("update", false, "write what the commands print to testdata/golden")

// mains are the programs that the test binary can stand in for.
var mains = map[string]func() int{"1": func() int { return runMain(newRoot(cli.Version())) }}

// TestMain lets the test binary stand in for ringsim: what the tests of signals
// and streams need is a process.
func TestMain(m *testing.M) {
	if stand := mains[os.Getenv("RINGSIM_TEST_MAIN")]; stand != nil {
		os.Exit(stand())
	}
	os.Exit(m.Run())
}

// run runs a command line in this process.
func run(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = cli.Run(context.Background(), newRoot("test"), args, &out, &err)
	return code, out.String(), err.String()
}

// golden cases: a name, which is that of a file, and the arguments. Everything
// that a command prints is compared, so that a change of a figure, a name or a
// column shows in review. To accept one: go test ./cmd/ringsim -update
var golden = []struct {
	name string
	args []string
}{
	{"compare", []string{"compare", "--no-timing"}},
	{"compare-json", []string{"compare", "--no-timing", "--format", "json", "--algorithms", "ring,modulo,bounded"}},
	{"compare-csv", []string{"compare", "--no-timing", "--keys", "uniform:2000", "--format", "csv"}},
	{"compare-reweigh", []string{"compare", "--no-timing", "--algorithms", "ring", "--nodes", "3", "--change", "=node2:2", "--keys", "uniform:1000"}},
	{"compare-several", []string{"compare", "--no-timing", "--algorithms", "ring", "--change", "+2", "--keys", "uniform:1000"}},
	{"compare-leave", []string{"compare", "--no-timing", "--nodes", "10", "--change", "-1", "--keys", "uniform:5000"}},
	{"compare-weights", []string{"compare", "--no-timing", "--nodes", "a,b:2,c:0.5:east", "--change", "+d:3,=a:2", "--keys", "testdata/keys.txt.gz", "--seed", "7"}},
	{"compare-murmur3", []string{"compare", "--no-timing", "--hash", "murmur3", "--hash-seed", "5", "--vnodes", "40", "--algorithms", "ring,balanced", "--keys", "uniform:1000"}},
	{"compare-assert-holds", []string{"compare", "--no-timing", "--algorithms", "ring", "--assert", "ring.moved_unnecessary == 0", "--assert", "ring.restored == 1"}},
	{"compare-assert-fails", []string{"compare", "--no-timing", "--algorithms", "ring,modulo", "--assert", "modulo.moved < 0.1", "--assert", "ring.moved < 0.1", "--assert", "ring.receivers > modulo.receivers"}},
	{"balance", []string{"balance", "--keys", "5000", "--nodes", "10,30", "--runs", "2"}},
	{"balance-json", []string{"balance", "--algorithms", "ring,jump", "--nodes", "10", "--vnodes", "1,160", "--keys", "10000", "--format", "json"}},
	{"balance-csv", []string{"balance", "--algorithms", "ring,jump,balanced", "--nodes", "10", "--keys", "10000", "--format", "csv"}},
	{"balance-assert-fails", []string{"balance", "--algorithms", "ring,modulo", "--nodes", "10,20", "--vnodes", "1,160", "--keys", "10000", "--assert", "ring.peak_to_mean < 1.5 && modulo.cv < 0.1"}},

	{"headline", nil},
	{"headline-csv", []string{"--format", "csv"}},
	{"replay", []string{"replay"}},
	{"replay-json", []string{"replay", "--algorithms", "ring,jump", "--change", "+1@30,-1@60", "--capacity", "5", "--window", "20", "--limit", "100", "--format", "json"}},
	{"replay-csv", []string{"replay", "--algorithms", "ring,jump", "--change", "-1@50000", "--format", "csv"}},
	{"replay-two-changes", []string{"replay", "--algorithms", "ring,modulo,jump,bounded", "--change", "-1@20000,+x:2@40000", "--window", "5000", "--horizon", "20000", "--db-ms", "0.5"}},
	{"replay-migrate", []string{"replay", "--algorithms", "modulo,ring", "--migrate"}},
	{"replay-none", []string{"replay", "--algorithms", "ring,modulo", "--change", "none"}},
	{"replay-refused-later", []string{"replay", "--algorithms", "ring,jump", "--change", "+1@30000,-1@60000", "--horizon", "30000"}},
	{"replay-refused", []string{"replay", "--algorithms", "jump", "--change", "-1@50000"}},
	{"replay-bytes", []string{"replay", "--algorithms", "ring,modulo", "--trace", "testdata/trace.csv", "--columns", "key=url,size=length", "--change", "+1@60", "--capacity", "2kB", "--nodes", "a,b:2", "--window", "30"}},
	{"replay-assert-fails", []string{"replay", "--algorithms", "ring,modulo", "--format", "csv", "--assert", "modulo.extra_loads < ring.extra_loads"}},
	{"lru", []string{"lru"}},
	{"lru-json", []string{"lru", "--capacity", "100,1000", "--format", "json"}},
	{"lru-csv", []string{"lru", "--trace", "testdata/trace.csv", "--columns", "key=url,size=length", "--capacity", "10,2kB", "--format", "csv"}},
	{"lru-assert-fails", []string{"lru", "--capacity", "100,5000", "--assert", "lru.hit_rate > 0.5"}},

	{"help", []string{"--help"}},
	{"help-replay", []string{"replay", "--help"}},
	{"help-lru", []string{"lru", "--help"}},
	{"help-compare", []string{"compare", "--help"}},
	{"help-balance", []string{"help", "balance"}},
	{"version", []string{"--version"}},
	{"complete-algorithms", []string{"__complete", "compare", "--algorithms", "ring,b"}},
	{"complete-format", []string{"__complete", "compare", "--format", ""}},

	{"bad-capacity", []string{"lru", "--capacity", "many"}},
	{"bad-capacity-bytes", []string{"lru", "--capacity", "1MB"}},
	{"bad-trace-missing", []string{"replay", "--trace", "no/such/file", "--change", "+1@5", "--capacity", "5"}},
	{"bad-trace-column", []string{"replay", "--trace", "testdata/trace.csv", "--columns", "key=uri", "--change", "+1@5", "--capacity", "5"}},
	{"bad-trace-number", []string{"lru", "--trace", "testdata/negative.csv"}},
	{"bad-trace-format", []string{"lru", "--trace-format", "xml"}},
	{"bad-columns", []string{"lru", "--columns", "key"}},
	{"bad-limit", []string{"lru", "--limit", "-1"}},
	{"bad-replay-no-change", []string{"replay", "--trace", "testdata/trace.csv"}},
	{"bad-replay-no-capacity", []string{"replay", "--trace", "testdata/trace.csv", "--change", "none"}},
	{"bad-replay-at", []string{"replay", "--change", "+1"}},
	{"bad-replay-part", []string{"replay", "--change", "+1,-1@500"}},
	{"bad-replay-late", []string{"replay", "--algorithms", "ring", "--change", "+1@95607"}},
	{"bad-replay-all", []string{"replay", "--change", "-5@10,-5@20"}},
	{"bad-replay-window", []string{"replay", "--window", "-1"}},
	{"bad-replay-horizon", []string{"replay", "--horizon", "-1"}},
	{"bad-replay-db", []string{"replay", "--db-ms", "nan"}},
	{"bad-replay-assert", []string{"replay", "--algorithms", "jump", "--change", "-1@500", "--assert", "jump.moved < 1"}},
	{"bad-replay-series", []string{"replay", "--assert", "ring.series == nil"}},
	{"bad-plot-name", []string{"replay", "--plot", "hits.png"}},
	{"bad-plot-folder", []string{"replay", "--plot", "no/such/folder/hits.svg"}},
	{"bad-replay-window-0", []string{"replay", "--window", "0"}},
	{"bad-replay-horizon-0", []string{"replay", "--horizon", "0"}},
	{"bad-replay-change-empty", []string{"replay", "--change", ""}},
	{"bad-replay-capacity-empty", []string{"replay", "--capacity", ""}},
	{"bad-trace-empty", []string{"lru", "--trace", ""}},
	{"bad-trace-escape", []string{"lru", "--trace", "no\x1b[31m\u202e/such"}},
	{"bad-plot-empty", []string{"replay", "--plot", ""}},
	{"bad-plot-no-change", []string{"replay", "--change", "none", "--plot", "hits.svg"}},

	{"bad-command", []string{"compere"}},
	{"bad-argument", []string{"compare", "ring"}},
	{"bad-flag", []string{"compare", "--node", "3"}},
	{"bad-format", []string{"compare", "--format", "xml"}},
	{"bad-algorithm", []string{"compare", "--algorithms", "ring,rong"}},
	{"bad-algorithm-twice", []string{"compare", "--algorithms", "ring,ring"}},
	{"bad-nodes", []string{"compare", "--nodes", "a,b,a"}},
	{"bad-nodes-huge", []string{"compare", "--nodes", "1000000000"}},
	{"bad-change", []string{"compare", "--change", "1"}},
	{"bad-change-all", []string{"compare", "--change", "-10"}},
	{"bad-change-unknown", []string{"compare", "--change", "-nodeX"}},
	{"bad-change-escape", []string{"compare", "--change", "+a:1:z\u009b31m"}},
	{"bad-change-before-keys", []string{"compare", "--change", "-nodeX", "--keys", "no/such/file"}},
	{"bad-keys-name", []string{"compare", "--keys", ""}},
	{"bad-nodes-escape", []string{"compare", "--nodes", "a,b\u202ec"}},
	{"bad-change-known", []string{"compare", "--change", "+node3"}},
	{"bad-keys-missing", []string{"compare", "--keys", "testdata/no-such-file"}},
	{"bad-keys-directory", []string{"compare", "--keys", "testdata"}},
	{"bad-keys-empty", []string{"compare", "--keys", "testdata/empty.txt"}},
	{"bad-keys-binary", []string{"compare", "--keys", "testdata/binary.txt"}},
	{"bad-keys-cut", []string{"compare", "--keys", "testdata/cut.txt.gz"}},
	{"bad-keys-uniform", []string{"compare", "--keys", "uniform:0"}},
	{"bad-vnodes", []string{"compare", "--vnodes", "0"}},
	{"bad-maglev-table", []string{"compare", "--maglev-table", "655374"}},
	{"bad-maglev-table-below", []string{"replay", "--maglev-table", "-3"}},
	{"bad-vnodes-word", []string{"compare", "--vnodes", "many"}},
	{"bad-hash", []string{"compare", "--hash", "md5"}},
	{"bad-hash-seed", []string{"compare", "--hash", "murmur3", "--hash-seed", "4294967296"}},
	{"bad-seed", []string{"compare", "--seed", "-1"}},
	{"bad-assert", []string{"compare", "--assert", "ring.moved <"}},
	{"bad-assert-name", []string{"compare", "--algorithms", "ring", "--assert", "jump.moved < 1"}},
	{"bad-assert-figure", []string{"compare", "--assert", "ring.mooved < 1"}},
	{"bad-assert-null", []string{"compare", "--no-timing", "--algorithms", "jump", "--change", "-1", "--assert", "jump.moved < 1"}},
	{"bad-assert-infinite", []string{"compare", "--no-timing", "--algorithms", "ring", "--keys", "uniform:100", "--assert", "ring.moved / 0 > 1"}},
	{"bad-assert-timing", []string{"compare", "--no-timing", "--assert", "ring.lookup_ns < 100"}},
	{"bad-balance-nodes", []string{"balance", "--nodes", "10,x"}},
	{"bad-balance-vnodes", []string{"balance", "--vnodes", "10,10"}},
	{"bad-balance-keys", []string{"balance", "--keys", "0"}},
	{"bad-balance-runs", []string{"balance", "--runs", "-1"}},
	{"bad-balance-nodes-huge", []string{"balance", "--nodes", "1000000"}},
}

func TestGolden(t *testing.T) {
	for _, test := range golden {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := run(test.args...)
			if strings.HasPrefix(test.name, "bad-") {
				checkUsageError(t, code, stdout, stderr)
			}
			for i, line := range strings.Split(stdout, "\n") {
				if width := cli.Width(line); width > cli.MaxWidth && (strings.Contains(stdout, "─") || strings.Contains(stdout, "Usage:")) {
					t.Errorf("line %d is %d wide: %s", i+1, width, line)
				}
			}
			got := fmt.Sprintf("$ ringsim %s\n-- exit %d\n-- stdout\n%s-- stderr\n%s", shellWords(test.args), code, stdout, stderr)
			compareGolden(t, filepath.Join("testdata", "golden", test.name+".txt"), got)
		})
	}
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

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
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
		t.Errorf("%s differs; if the change is meant, run go test ./cmd/ringsim -update\ngot:\n%s\nwant:\n%s", file, got, want)
	}
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

// Every golden file has its case.
func TestNoStaleGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, test := range golden {
		known[test.name+".txt"] = true
	}
	for _, file := range files {
		if !known[filepath.Base(file)] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// Every command has an example, and each flag of it says what it does.
func TestEveryCommandHasAnExample(t *testing.T) {
	for _, cmd := range newRoot("test").Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		if !strings.Contains(cmd.Example, "ringsim "+cmd.Name()) || cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s: example %q", cmd.Name(), cmd.Example)
		}
	}
}

// The same seed and input give the same bytes; another seed does not.
func TestSeed(t *testing.T) {
	args := []string{"compare", "--no-timing", "--keys", "uniform:1000", "--algorithms", "ring,modulo,bounded", "--format", "json"}
	_, first, _ := run(args...)
	_, again, _ := run(args...)
	_, other, _ := run(append(args, "--seed", "2")...)
	_, secret, _ := run(append(args, "--hash-seed", "2")...)
	if first == "" || first != again || first == other || first == secret || other == secret {
		t.Errorf("first %d bytes, again %d, other seed %d, other hash seed %d", len(first), len(again), len(other), len(secret))
	}
}

// With timings on there are timings, and tables stay within their width.
func TestTimings(t *testing.T) {
	code, stdout, _ := run("compare", "--keys", "uniform:100", "--algorithms", "ring,modulo,jump,rendezvous,maglev,multiprobe,ketama,bounded")
	if code != 0 || !strings.Contains(stdout, " ns") || !strings.Contains(stdout, "lookup") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	for line := range strings.SplitSeq(stdout, "\n") {
		if cli.Width(line) > cli.MaxWidth {
			t.Errorf("too wide: %s", line)
		}
	}
}

// The plot is a file of its own beside the report, complete and readable by all.
func TestPlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hits.svg")
	for range 2 { // the second time over the first
		code, stdout, stderr := run("replay", "--algorithms", "modulo,ring,jump", "--change", "-1@50000", "--plot", file)
		svg, err := os.ReadFile(file)
		if code != 0 || stderr != "" || stdout == "" || err != nil {
			t.Fatalf("exit %d, stderr %q, %v", code, stderr, err)
		}
		for _, want := range []string{"</svg>", ">modulo<", ">ring<", ">-1<", "hit rate"} {
			if !bytes.Contains(svg, []byte(want)) {
				t.Errorf("%s is not in the plot", want)
			}
		}
		if bytes.Contains(svg, []byte(">jump<")) {
			t.Error("jump is in the legend, though it refused the change")
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(file)); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The command that the headline prints gives the headline's figures.
func TestHeadlineCommand(t *testing.T) {
	_, headline, _ := run("--format", "json")
	_, explicit, _ := run(append(strings.Fields(headlineCommand(" "))[1:], "--format", "json")...)
	_, plain, _ := run("replay", "--algorithms", headlineAlgorithms, "--format", "json")
	if headline == "" || headline != explicit || headline != plain {
		t.Errorf("headline\n%s\n%s\n%s", headline, explicit, plain)
	}
	if _, table, _ := run(); !strings.HasSuffix(strings.ReplaceAll(table, "\\\n    ", ""), "\n  "+headlineCommand(" ")+"\n") {
		t.Errorf("the headline does not name %s", headlineCommand(" "))
	}
}

func TestVerdict(t *testing.T) {
	figures := func(extra int64, next, control float64) simulations.ReplayFigures {
		return simulations.ReplayFigures{ExtraLoads: &extra, HitRateNext1000: &next, ControlHitRateNext1000: &control}
	}
	for _, test := range []struct {
		a, b simulations.ReplayFigures
		want string
	}{
		{figures(1000, 0.5, 0.9), figures(100, 0.85, 0.9), "A costs the database 1,000 extra loads, 5.00 s of its time at 5 ms; b 100, about a tenth of that. Over the next 1,000 requests the hit rate loses 40.0 points with a, 5.0 with b."},
		{figures(100, 0.85, 0.9), figures(1000, 0.5, 0.9), "B costs the database 1,000 extra loads, 5.00 s of its time at 5 ms; a 100, about a tenth of that. Over the next 1,000 requests the hit rate loses 40.0 points with b, 5.0 with a."},
		{figures(130, 0.9, 0.9), figures(100, 0.9, 0.9), "A costs the database 130 extra loads, 650 ms of its time at 5 ms; b 100, 23% less. Over the next 1,000 requests the hit rate loses 0.0 points with a, 0.0 with b."},
		{figures(1300, 0.9, 0.9), figures(100, 0.9, 0.9), "A costs the database 1,300 extra loads, 6.50 s of its time at 5 ms; b 100, 1/13 of that. Over the next 1,000 requests the hit rate loses 0.0 points with a, 0.0 with b."},
		{figures(50, 0.8, 0.9), figures(-7, 0.91, 0.9), "A costs the database 50 extra loads, 250 ms of its time at 5 ms; b none. Over the next 1,000 requests the hit rate loses 10.0 points with a, -1.0 with b."},
		{figures(5, 0.8, 0.9), figures(5, 0.8, 0.9), "A and b cost the database the same: 5 extra loads each, 25.0 ms of its time at 5 ms. Over the next 1,000 requests the hit rate loses 10.0 points with a, 10.0 with b."},
		{figures(-1, 0.9, 0.9), figures(-2000, 0.9, 0.9), "The new node costs the database nothing with either: b saves it 2,000 loads, a 1 load."},
		{figures(1, 0.9, 0.9), simulations.ReplayFigures{}, "No verdict: a figure is missing."},
	} {
		if got := verdict("a", test.a, "b", test.b, 5); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
