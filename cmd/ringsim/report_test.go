package main

import (
	"encoding/json"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

func init() {
	small := "testdata/scenarios/small.yaml"
	for name, args := range map[string][]string{
		"help-report":           {"report", "--help"},
		"bad-report-none":       {"report"},
		"bad-report-stdout":     {"report", "-o", "-"},
		"bad-report-twice":      {"report", "-o", "x", "--json", "x"},
		"bad-report-folder":     {"report", "-o", "no/such/folder/report.html"},
		"bad-report-directory":  {"report", "-o", "testdata"},
		"bad-report-name":       {"report", "double-at-peek", "-o", "report.html"},
		"bad-report-two":        {"report", small, small, "-o", "report.html"},
		"bad-report-nodes":      {"report", "--nodes", "0", "-o", "report.html"},
		"bad-report-change":     {"report", "--change", "1", "-o", "report.html"},
		"bad-report-change-at":  {"report", "--change", "+1@x", "-o", "report.html"},
		"bad-report-late":       {"report", "--change", "+1@95607", "-o", "report.html"},
		"bad-report-all":        {"report", "--change", "-10", "-o", "report.html"},
		"bad-report-flag":       {"report", small, "--nodes", "5", "-o", "report.html"},
		"bad-report-trace":      {"report", "--trace", "no/such/file", "-o", "report.html"},
		"bad-report-capacity":   {"report", "--capacity", "lots", "-o", "report.html"},
		"bad-report-bytes":      {"report", "--capacity", "1MB", "-o", "report.html"},
		"bad-report-assert":     {"report", "--assert", "jump.moved < 1", "-o", "report.html"},
		"bad-report-no-format":  {"report", "--trace", "testdata/keys.txt.gz", "--trace-format", "xml", "-o", "report.html"},
		"bad-report-trace-tiny": {"report", "--trace", "testdata/empty.txt", "-o", "report.html"},
	} {
		golden = append(golden, struct {
			name string
			args []string
		}{name, args})
	}
}

// pageOf writes a page and returns it.
func pageOf(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	code, stdout, stderr := run(append([]string{"report", "-o", file}, args...)...)
	if code != cli.ExitDone || stderr != "" || !strings.Contains(stdout, "The report is in") {
		t.Fatalf("%v: exit %d, %s%s", args, code, stdout, stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	return string(page)
}

// The page of the headline study has the headline's own figures.
func TestReportIsTheHeadline(t *testing.T) {
	var study struct{ Results []simulations.RunResult }
	var headline struct{ Results []simulations.ReplayResult }
	_, out, _ := run("report", "-o", filepath.Join(t.TempDir(), "report.html"), "--format", "json")
	if err := json.Unmarshal([]byte(out), &study); err != nil {
		t.Fatal(err)
	}
	_, out, _ = run("--format", "json")
	if err := json.Unmarshal([]byte(out), &headline); err != nil {
		t.Fatal(err)
	}
	if len(study.Results) != 3 || len(headline.Results) != 2 {
		t.Fatalf("%d and %d results", len(study.Results), len(headline.Results))
	}
	page := pageOf(t)
	for i, want := range headline.Results {
		got := study.Results[i]
		if got.Algorithm != want.Algorithm || *got.ExtraLoads != *want.ExtraLoads || *got.Moved != *want.Moved ||
			*got.Changes[0].HitRateNext1000 != *want.HitRateNext1000 || *got.Changes[0].HitRateBefore != *want.HitRateBefore {
			t.Errorf("%s: the study and the headline differ", want.Algorithm)
		}
		if !strings.Contains(page, ">"+commas(*want.ExtraLoads)+"<") || !strings.Contains(page, percent(*want.HitRateNext1000)) {
			t.Errorf("%s: its figures are not on the page", want.Algorithm)
		}
	}
	for _, name := range simulations.Algorithms() {
		if !strings.Contains(page, ">"+name+"</td>") {
			t.Errorf("%s is not on the page", name)
		}
	}
}

// The command that a page names gives the same page, byte for byte.
func TestReportAgain(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"testdata/scenarios/small.yaml"},
		{"testdata/scenarios/steady.yaml", "--seed", "7"},
		{"more-nodes-slowly", "--trace", "testdata/keys.txt.gz", "--capacity", "5"},
		{"--trace", "testdata/keys.txt.gz"},
		{"--trace", "testdata/trace.csv", "--columns", "key=url", "--nodes", "a:1,b:2:z,c", "--change", "-b,+d:2@3", "--capacity", "3", "--assert", "ring.moved >= 0"},
	} {
		page := pageOf(t, args...)
		_, rest, _ := strings.Cut(page, "<pre>ringsim report ")
		command, _, _ := strings.Cut(rest, "</pre>")
		command = html.UnescapeString(strings.TrimSuffix(command, " -o report.html"))
		var words []string
		for i, part := range strings.Split(command, "'") { // quoted parts are the odd ones
			if i%2 == 1 {
				words = append(words, part)
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		if again := pageOf(t, words...); again != page {
			t.Errorf("%v: another page from %q", args, words)
		}
	}
}

// A newcomer's trace needs nothing else: what was assumed is on the page.
func TestReportOfAnyTrace(t *testing.T) {
	page := pageOf(t, "--trace", "testdata/keys.txt.gz")
	for _, want := range []string{"No capacity was given", "testdata/keys.txt.gz", "All placements over the same keys", "as ringway&#39;s agents do"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if given := pageOf(t, "--trace", "testdata/keys.txt.gz", "--capacity", "5"); strings.Contains(given, "No capacity was given") {
		t.Error("a capacity was given")
	}
}

// A change that no placement of the study can do, and assertions, are told.
func TestReportTells(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	code, _, stderr := run("report", "testdata/scenarios/small.yaml", "-o", file, "--assert", "ring.extra_loads < 0")
	page, err := os.ReadFile(file)
	if code != cli.ExitFailed || err != nil || !strings.Contains(stderr, "assertion failed") || !strings.Contains(string(page), "Not as asserted: ") {
		t.Errorf("exit %d, %v, %s", code, err, stderr)
	}
	page2 := pageOf(t, "--nodes", "a:0.5,b:0.5", "--change", "+x:0.25", "--capacity", "500")
	if !strings.Contains(page2, "modulo: no figures: ") {
		t.Error("why modulo has no figures is not on the page")
	}
}

// What was there stays as it is when a report cannot be made.
func TestReportIsAllOrNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte("the old one"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--change", "+1@95607"}, {"--trace", "testdata/binary.txt"}, {"testdata/scenarios/bad-late.yaml"}} {
		code, stdout, _ := run(append([]string{"report", "-o", file}, args...)...)
		if kept, _ := os.ReadFile(file); code != cli.ExitUsage || stdout != "" || string(kept) != "the old one" {
			t.Errorf("%v: exit %d, %d bytes are there", args, code, len(kept))
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	// A new page takes the old one's place at once: whoever reads it goes on with it.
	reader, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if code, _, stderr := run("report", "-o", file); code != 0 {
		t.Fatal(stderr)
	}
	if kept, err := io.ReadAll(reader); err != nil || string(kept) != "the old one" {
		t.Errorf("the old page was written over: %.40q, %v", kept, err)
	}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		full.Close()
		if code, stdout, stderr := run("report", "-o", "/dev/full"); code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "was not written") {
			t.Errorf("a full disk: exit %d, %s", code, stderr)
		}
	}
}

// What the page says of the program is no promise that nobody can keep.
func TestVersionToReproduce(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                      "ringsim v1.2.3, seed 7. The same version, input and seed give the same page, byte for byte.",
		"devel-8b3384e01234+dirty":    "This one had changes that were not committed.",
		"devel (commit not recorded)": "was not recorded: go build in a clone records it, and so does go run -buildvcs=true.",
	} {
		got := (&pageMaker{runReport: runReport{version: version, seed: 7}}).versionAndSeed()
		if !strings.HasSuffix(got, want) || strings.Contains(got, "same version") != (version == "v1.2.3") {
			t.Errorf("%s: %q, want it to end with %q", version, got, want)
		}
	}
}

func TestShellCommand(t *testing.T) {
	for want, words := range map[string][]string{
		"a b":             {"a", "b"},
		"a 'b c' ''":      {"a", "b c", ""},
		`'it'\''s' 'x>y'`: {"it's", "x>y"},
		`a\x1bb`:          {"a\x1bb"},
	} {
		if got := shellCommand(words); got != want {
			t.Errorf("%q: got %s, want %s", words, got, want)
		}
	}
}
