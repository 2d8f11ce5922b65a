package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
)

// Tables stay within their width whatever the figures.
func TestTablesAreNeverTooWide(t *testing.T) {
	whole, wide, huge := 1.0, 123.456, 98765.4321
	nodes, tokens, memory := simulations.MaxNodes, ring.MaxTokens, math.MaxInt32
	hours, requests := -1e7, int64(-2_999_999_999)
	names := simulations.Algorithms()
	var compare simulations.CompareReport
	var balance simulations.BalanceReport
	var replay simulations.ReplayReport
	figures := simulations.ReplayFigures{
		Moved: &whole, HitRateBefore: &whole, HitRateNext1000: &whole, ControlHitRateNext1000: &whole,
		MissesWindow: &requests, ControlMissesWindow: &requests, ExtraLoads: &requests, ExtraDBSeconds: &hours, RecoveryRequests: &requests,
	}
	for _, name := range names {
		compare.Results = append(compare.Results, simulations.CompareResult{
			Algorithm: name, Moved: &whole, MovedUnnecessary: &whole, Ideal: &whole, Receivers: &nodes, Restored: &whole,
			PeakToMean: &wide, PeakToMeanAfter: &wide, CV: &wide, LookupNS: &huge, BuildMS: &huge, MemoryBytes: &memory,
			Note: strings.Repeat("why not ", 40),
		})
		balance.Results = append(balance.Results, simulations.BalanceResult{
			Algorithm: name, Nodes: nodes, VNodes: &tokens, CV: &wide, CVTheory: &wide, PeakToMean: &wide, PeakToMeanTheory: &wide, MinToMean: &whole,
		})
		replay.Results = append(replay.Results, simulations.ReplayResult{
			Algorithm: name, Changes: []simulations.ReplayChange{{Request: 1e12, Change: "+1", NodesBefore: nodes, NodesAfter: nodes, ReplayFigures: figures}},
		})
	}
	replay.Results[0].ReplayFigures = figures
	var b bytes.Buffer
	(&compareFlags{keys: "a/file", change: "+1"}).table(&b, cli.Style{}, &compare)
	(&balanceFlags{}).table(&b, cli.Style{}, &balance)
	(&replayFlags{}).table(&b, cli.Style{}, &replay)
	headline(&b, cli.Style{}, &replay, 5)
	lruTable(&b, cli.Style{}, &simulations.LRUReport{Results: []simulations.LRUResult{{Capacity: math.MaxInt64, Unit: "bytes", Requests: math.MaxInt64, Hits: math.MaxInt64, HitRate: &whole}}})
	for line := range strings.SplitSeq(b.String(), "\n") {
		if n := cli.Width(line); n > cli.MaxWidth {
			t.Errorf("%d wide: %s", n, line)
		}
	}
}

// Nor are lines too wide, or hold what a terminal must not see, whatever the names
// of files and nodes.
func TestNamesAreClippedAndQuoted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	long, wide, nasty := strings.Repeat("x", 250), strings.Repeat("日", 80), "k\x1b[31m\u202e\u009b"
	for _, name := range []string{long, wide, nasty} {
		if err := os.WriteFile(name, []byte("a\nb\na\nc\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{long, wide} {
			for _, args := range [][]string{
				{"compare", "--no-timing", "--algorithms", "ring,jump,bounded", "--keys", name, "--nodes", node + ",b", "--change", "-" + node},
				{"compare", "--no-timing", "--algorithms", "ring,jump,bounded", "--keys", name, "--nodes", "3", "--change", "+" + node + ":1:" + wide},
				{"replay", "--algorithms", "ring,jump", "--trace", name, "--nodes", node + ",b", "--change", "-" + node + "@2", "--capacity", "5", "--plot", "p.svg"},
				{"lru", "--trace", name},
			} {
				code, stdout, stderr := run(args...)
				if code != 0 || stdout == "" {
					t.Fatalf("%q: exit %d, %s", args, code, stderr)
				}
				for line := range strings.Lines(stdout) {
					line = strings.TrimSuffix(line, "\n")
					if cli.Width(line) > cli.MaxWidth || !printable.Is(line) {
						t.Errorf("%q: %d wide: %q", args, cli.Width(line), line)
					}
				}
				_, stdout, _ = run(append(args, "--format", "json")...)
				if !json.Valid([]byte(stdout)) || !printable.Is(strings.ReplaceAll(stdout, "\n", "")) {
					t.Errorf("%q: JSON %q", args, stdout)
				}
			}
		}
	}
}

func TestScaled(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{nanoseconds(0.5), "0.50 ns"}, {nanoseconds(9.994), "9.99 ns"}, {nanoseconds(9.996), "10.0 ns"}, {nanoseconds(999.4), "999 ns"},
		{nanoseconds(999.6), "1.00 µs"}, {nanoseconds(12_345), "12.3 µs"}, {milliseconds(0.25), "250 µs"}, {milliseconds(61_000), "61.0 s"},
		{bytesOf(0), "0 B"}, {bytesOf(999), "999 B"}, {bytesOf(1023), "1023 B"}, {bytesOf(1 << 20), "1.00 MiB"},
		{seconds(-0.54), "-540 ms"}, {seconds(1234), "1,234 s"},
		{commas(0), "0"}, {commas(-1000), "-1,000"}, {commas(-100), "-100"}, {commas(1234567), "1,234,567"},
		{compact(9_999_999), "9,999,999"}, {compact(10_000_000), "10.0M"}, {compact(-25e9), "-25.0G"},
		{percent(1), "100.00%"}, {percent(1.5), "150.0%"}, {percent(12), "1200%"},
		{ratio3(1.234), "1.23"}, {ratio3(12.34), "12.3"}, {ratio3(123.4), "123"},
		{counted(1, "node"), "1 node"}, {counted(0, "node"), "0 nodes"},
		{spreadBar(1, 1), "········┃········"}, {spreadBar(0.75, 1.25), "····━━━━┃━━━━····"}, {spreadBar(0.5, 1.5), "━━━━━━━━┃━━━━━━━━"}, {spreadBar(0, 9), "◂━━━━━━━┃━━━━━━━▸"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	if cli.Width(spreadScale) != cli.Width(spreadBar(1, 1)) {
		t.Error("the scale and the bars differ in length")
	}
}
