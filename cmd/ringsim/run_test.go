package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenario"
	"github.com/ringway/ringway/simulations/scenarios"
)

func init() {
	small := "testdata/scenarios/small.yaml"
	for name, args := range map[string][]string{
		"run":                 {"run", small},
		"run-json":            {"run", small, "--format", "json"},
		"run-csv":             {"run", small, "--format", "csv"},
		"run-steady":          {"run", "testdata/scenarios/steady.yaml"},
		"run-seed":            {"run", small, "--seed", "2"},
		"run-trace":           {"run", "more-nodes-slowly", "--trace", "testdata/keys.txt.gz", "--capacity", "5"},
		"run-bytes":           {"run", "testdata/scenarios/bytes.yaml"},
		"run-assert-fails":    {"run", small, "--assert", "ring.extra_loads < 0"},
		"run-list":            {"run", "--list"},
		"help-run":            {"run", "--help"},
		"bad-run-none":        {"run"},
		"bad-run-name":        {"run", "double-at-peek"},
		"bad-run-two":         {"run", small, small},
		"bad-run-list":        {"run", "--list", small},
		"bad-run-missing":     {"run", "no/such.yaml"},
		"bad-run-field":       {"run", "testdata/scenarios/bad-field.yaml"},
		"bad-run-late":        {"run", "testdata/scenarios/bad-late.yaml"},
		"bad-run-assert-file": {"run", "testdata/scenarios/bad-assert.yaml"},
		"bad-run-assert":      {"run", small, "--assert", "rong.loads > 1"},
		"bad-run-capacity":    {"run", small, "--capacity", "lots"},
		"bad-run-time":        {"run", small, "--trace", "testdata/keys.txt.gz"},
		"bad-run-bytes":       {"run", small, "--capacity", "1MB"},
		"bad-run-trace":       {"run", small, "--trace", "no/such/file"},
		"bad-run-columns":     {"run", small, "--columns", "key=a"},
		"bad-run-json":        {"run", small, "--json", "no/such/folder/x.json"},
		"bad-run-series":      {"run", small, "--series", ""},
		"bad-run-stdout":      {"run", small, "--json", "-"},
		"bad-run-twice":       {"run", small, "--json", "out.x", "--series", "./out.x"},
	} {
		golden = append(golden, struct {
			name string
			args []string
		}{name, args})
	}
}

// Every scenario that ships is in the guide, with what ringsim prints for it, to
// the character; its assertions hold. To accept a change: go test ./cmd/ringsim
// -run TestScenarios -update
func TestScenarios(t *testing.T) {
	proctest.Computes(t)
	const guide = "../../docs/guide/scenarios.md"
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	names := scenarios.Names()
	if len(names) < 10 {
		t.Errorf("only %d scenarios", len(names))
	}
	for _, name := range names {
		code, stdout, stderr := run("run", name)
		if code != cli.ExitDone || stderr != "" {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
		for line := range strings.Lines(stdout) {
			if width := cli.Width(strings.TrimSuffix(line, "\n")); width > cli.MaxWidth {
				t.Errorf("%s: %d wide: %s", name, width, line)
			}
		}
		start := "    $ go run ./cmd/ringsim run " + name + "\n"
		_, rest, found := strings.Cut(page, start)
		if !found {
			t.Errorf("the guide has no %q", start)
			continue
		}
		shown := indented(rest)
		want := "    " + strings.ReplaceAll(strings.TrimSpace(stdout), "\n", "\n    ") + "\n"
		want = strings.ReplaceAll(want, "\n    \n", "\n\n")
		if *update {
			page = strings.Replace(page, start+shown, start+want, 1)
		} else if shown != want {
			t.Errorf("%s: the guide shows\n%s\nringsim prints\n%s", name, shown, want)
		}
	}
	if *update {
		if err := os.WriteFile(guide, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// indented returns the lines at the start of a text that are indented or empty,
// without empty ones at the end.
func indented(text string) string {
	var out, pending strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "    "):
			out.WriteString(pending.String() + line)
			pending.Reset()
		case strings.TrimSpace(line) == "":
			pending.WriteString(line)
		default:
			return out.String()
		}
	}
	return out.String()
}

// The files of a scenario's package are all read by it, under their own name.
func TestScenarioNames(t *testing.T) {
	for _, name := range scenarios.Names() {
		content, _ := scenarios.Read(name)
		s, err := scenario.Parse(name+".yaml", content)
		if err != nil || s.Name != name || s.Question == "" || len(s.Assertions) == 0 {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
}

// What is written into files is what is printed, and the series has a row for
// every step.
func TestRunFiles(t *testing.T) {
	dir := t.TempDir()
	asJSON, series := filepath.Join(dir, "run.json"), filepath.Join(dir, "series.csv")
	code, stdout, stderr := run("run", "testdata/scenarios/small.yaml", "--format", "json", "--json", asJSON, "--series", series)
	if code != 0 {
		t.Fatal(stderr)
	}
	if text, err := os.ReadFile(asJSON); err != nil || string(text) != stdout {
		t.Errorf("%v: the file and standard output differ", err)
	}
	var report struct {
		Schema  string
		Partial bool
		Verdict string
		Results []simulations.RunResult
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Schema != "ringsim.run/1" || report.Partial || report.Verdict == "" {
		t.Fatalf("%v: %.300s", err, stdout)
	}
	file, err := os.Open(series)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	want := 1
	for _, r := range report.Results {
		want += len(r.Series)
	}
	if err != nil || len(rows) != want || rows[0][0] != "name" || rows[1][0] != report.Results[0].Name {
		t.Errorf("%v: %d rows, want %d", err, len(rows), want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("left over: %v", left)
	}
}

// The same seed gives the same bytes, another one does not; so with as many
// goroutines as there are variants.
func TestRunSeed(t *testing.T) {
	args := []string{"run", "testdata/scenarios/small.yaml", "--format", "json"}
	_, first, _ := run(args...)
	_, again, _ := run(args...)
	_, other, _ := run(append(args, "--seed", "3")...)
	if first == "" || first != again || first == other {
		t.Errorf("%d, %d and %d bytes", len(first), len(again), len(other))
	}
}

// Tables of runs stay within their width whatever the figures and names.
func TestRunTablesAreNeverTooWide(t *testing.T) {
	whole, wide, huge, many := 1.0, 12_345.678, -1e13, int64(-8_888_888_888_888)
	s, err := scenario.Load("testdata/scenarios/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	report := &simulations.RunReport{Partial: true, Workload: simulations.TraceInfo{Source: strings.Repeat("日", 80), Requests: 1 << 60}, Rate: 1e12}
	for _, name := range []string{"a23456789012345", "b"} {
		report.Results = append(report.Results, simulations.RunResult{
			Name: name, Moved: &wide, MovedUnnecessary: &wide, HitRateLowest: &whole, ControlHitRateLowest: &whole, ExtraLoads: &many, Loads: &many,
			ExtraDBMillis: &huge, DBMillis: &huge, RecoverySeconds: &huge, HottestTimesFair: &wide, HottestPerSecond: &huge, StaleReads: &many, FailedRequests: &many,
			HitRate: &whole, PeakToMeanKeys: &wide, PeakToMeanRequests: &wide, PeakToMeanBytes: &wide, Migrated: &many, Note: strings.Repeat("why not ", 40),
			Changes: []simulations.RunChange{{Change: "-" + strings.Repeat("日", 90) + "\x1b", NodesBefore: len(name)}},
			Series:  []simulations.RunPoint{{HitRate: &whole}, {}, {HitRate: &huge}},
		})
	}
	for _, changes := range []bool{true, false} {
		if !changes {
			for i := range report.Results {
				report.Results[i].Changes, report.Results[i].ExtraLoads = nil, nil
			}
		}
		_, table := new(strings.Builder), new(strings.Builder)
		out := runReport{scenario: s, report: report}
		if err := out.cli().Print(table, cli.Table); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(table.String(), "\n") {
			if cli.Width(line) > cli.MaxWidth || !printable.Is(line) {
				t.Errorf("%d wide: %q", cli.Width(line), line)
			}
		}
	}
}

func TestRunVerdict(t *testing.T) {
	row := func(name string, extra, stale, failed int64, dip float64, back *float64) simulations.RunResult {
		return simulations.RunResult{Name: name, Loads: new(int64(1)), ExtraLoads: &extra, ExtraDBMillis: new(5 * float64(extra)), StaleReads: &stale, FailedRequests: &failed,
			HitRateLowest: new(0.9 - dip), ControlHitRateLowest: new(0.9), RecoverySeconds: back}
	}
	steady := func(name string, hot float64) simulations.RunResult {
		return simulations.RunResult{Name: name, Loads: new(int64(1)), StaleReads: new(int64(0)), FailedRequests: new(int64(0)), HottestTimesFair: &hot, HitRate: new(0.5)}
	}
	for _, test := range []struct {
		rows []simulations.RunResult
		want string
	}{
		{[]simulations.RunResult{row("a", 1000, 0, 0, 0.2, nil), row("b", 100, 0, 0, 0, new(2.0))},
			"A costs the database 1,000 extra loads (5.00 s of its time), its hit rate falls 20 points lower than without, and it is not back by the end; b costs the database 100 extra loads (500 ms of its time), and it is back after 2.00 s."},
		{[]simulations.RunResult{row("a", 0, 3, 1, 0, new(0.0)), row("b", -7, 2, 9, 0, new(0.0))},
			"A costs the database nothing; b saves the database 7 loads. A gives 3 stale answers. B finds no node up for 9 requests."},
		{[]simulations.RunResult{row("a", 5, 0, 0, 0, new(0.0)), row("b", 5, 0, 0, 0, new(0.0))}, "A costs the database 5 extra loads (25.0 ms of its time), as all others do."},
		{[]simulations.RunResult{row("a", 5, 0, 0, 0, new(0.0)), steady("b", 9)}, "A costs the database 5 extra loads (25.0 ms of its time)."},
		{[]simulations.RunResult{steady("a", 4), steady("b", 1.5)}, "The hottest node carries 4.00× its fair share with a, 1.50× with b; their hit rates are 50.00% and 50.00%."},
		{[]simulations.RunResult{{Name: "jump", Note: "no"}}, "No verdict: no placement can do this."},
	} {
		if got := runVerdict(&simulations.RunReport{Results: test.rows}); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	waiting := row("c", 0, 0, 0, 0, nil)
	waiting.ExtraLoads, waiting.Changes = nil, []simulations.RunChange{{}}
	for _, test := range []struct {
		rows []simulations.RunResult
		want string
	}{
		{[]simulations.RunResult{waiting}, "So far: no change was reached: nothing can be said of what it costs."},
		{[]simulations.RunResult{row("a", 5, 0, 0, 0, nil), waiting}, "So far: A costs the database 5 extra loads (25.0 ms of its time), and it is not back yet. Not reached: the changes of c."},
	} {
		if got := runVerdict(&simulations.RunReport{Partial: true, Results: test.rows}); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	if got := runVerdict(&simulations.RunReport{Partial: true, Results: []simulations.RunResult{steady("a", 4)}}); !strings.HasPrefix(got, "So far: ") {
		t.Error(got)
	}
}
