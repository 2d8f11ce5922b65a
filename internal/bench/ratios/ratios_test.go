package main

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/bench"
	"github.com/ringway/ringway/internal/bench/rounds"
	"github.com/ringway/ringway/ring"
)

const sample = `goos: linux
cpu: Some CPU
BenchmarkLookup/ring/100  	 4591938	        23.5 ns/op
BenchmarkParallel/ring/100-2 	   44077	        12.5 ns/op
BenchmarkBuild/ring.New/1000x160 	       6	  17654557 ns/op	 7840338 B/op	      32 allocs/op
PASS
`

func TestParse(t *testing.T) {
	got := make(rounds.Round)
	if err := parse(got, sample); err != nil {
		t.Fatal(err)
	}
	want := rounds.Round{"Lookup/ring/100": 23.5, "Parallel/ring/100-2": 12.5, "Build/ring.New/1000x160": 17654557}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"", "PASS\n", "BenchmarkX 1 5 B/op\n", "BenchmarkX 1 x ns/op\n", "BenchmarkX 1 0 ns/op\n"} {
		if err := parse(make(rounds.Round), bad); err == nil {
			t.Errorf("parse(%q): no error", bad)
		}
	}
	if got := field(sample, "cpu: "); got != "Some CPU" {
		t.Errorf("cpu: got %q", got)
	}
}

// TestClaims makes sure that each claim is about benchmarks that there are, so
// that a run of minutes does not end in an error.
func TestClaims(t *testing.T) {
	all := make(rounds.Round)
	for _, n := range bench.Sizes {
		for _, c := range bench.Contenders() {
			all[fmt.Sprintf("Lookup/%s/%d", c.Name, n)] = 1
			all[fmt.Sprintf("Parallel/%s/%d", c.Name, n)] = 2
			all[fmt.Sprintf("Parallel/%s/%d-2", c.Name, n)] = 1
		}
	}
	for _, w := range bench.Builds() {
		all["Build/"+w.Name] = 1e6
	}
	m := measurements{rounds: rounds.Rounds{all}}
	text, err := m.report()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text, "| reached |"); got != len(claims) {
		t.Errorf("%d claims reached, want %d:\n%s", got, len(claims), text)
	}
	if strings.Contains(text, "Caution") {
		t.Error("a caution about a single round")
	}
	m.rounds = append(m.rounds, maps.Clone(all))
	m.rounds[1]["Lookup/modulo/10"] = 1.3
	if text, err = m.report(); err != nil || !strings.Contains(text, "Caution") {
		t.Errorf("modulo at 1 and 1.3 ns: error %v, want a caution in the report\n%s", err, text)
	}
	m.rounds = m.rounds[:1]
	all["Lookup/ring/10"] = 1.51
	if text, err = m.report(); err != nil || strings.Count(text, "**missed**") != 1 {
		t.Errorf("ring at 1.51 times modulo with an aim of 1.5: error %v, report\n%s", err, text)
	}
}

// TestMeasure holds measure to what is known of a ring: who leaves loses its
// share, and nothing else moves.
func TestMeasure(t *testing.T) {
	build := func(nodes []ring.Node) (evenness, error) { return ring.New(nodes, ring.Config{VirtualNodes: 4}) }
	peak, _, leave, err := setup{nodes: 5, mixed: true, build: build}.measure()
	if err != nil {
		t.Fatal(err)
	}
	nodes := bench.Nodes(5) // of weights 1, 2, 4, 1, 2: 10 in all
	wantPeak, wantLeave := 0.0, 0.0
	for i := range nodes {
		nodes[i].Weight = []float64{1, 2, 4, 1, 2}[i]
	}
	p, err := build(nodes)
	if err != nil {
		t.Fatal(err)
	}
	for i, share := range p.Shares() {
		multiple := share / (nodes[i].Weight / 10)
		wantPeak = max(wantPeak, multiple)
		wantLeave += multiple / 5
	}
	if math.Abs(peak-wantPeak) > 1e-9 || math.Abs(leave-wantLeave) > 1e-9 {
		t.Errorf("got peak %v, leave %v; want %v, %v", peak, leave, wantPeak, wantLeave)
	}
}
