package simulations

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

// timedOf is a trace of generated keys with these times.
func timedOf(t *testing.T, requests int, at func(i int) string) *trace.Reader {
	t.Helper()
	g := generated(t, workload.Config{Keys: 2000, Requests: int64(requests), Seed: 1, Alpha: 0.8})
	var b strings.Builder
	b.WriteString("time,key,op\n")
	var req trace.Request
	for i := 0; g.Next(&req) == nil; i++ {
		fmt.Fprintf(&b, "%s,%x,get\n", at(i), req.Key)
	}
	r, err := trace.NewReader(strings.NewReader(b.String()), "test", trace.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// A steady rate is the same whether the trace's clock or the config tells it,
// although many steps lie within one of the clock's seconds.
func TestRunOwnClock(t *testing.T) {
	const requests, rate = 40_000, 1000
	v := Variant{Algorithm: "modulo", Nodes: fleetOf(t, "5"), Capacity: Capacity{Items: 300}, Changes: []FleetChange{change(t, 20_300, "+1")}}
	moving := v
	moving.Name, moving.Migration = "moving", 100
	run := func(rate float64, at func(i int) string) *RunReport {
		return mustRun(t, RunConfig{Source: timedOf(t, requests, at), Variants: []Variant{v, moving}, Window: 1000, Rate: rate})
	}
	want := run(rate, func(int) string { return "7" })
	for name, at := range map[string]func(i int) string{
		"whole seconds": func(i int) string { return fmt.Sprint(i / rate) },
		"milliseconds":  func(i int) string { return fmt.Sprintf("%.3f", float64(i)/rate) },
		"an epoch":      func(i int) string { return fmt.Sprintf("1700000%03d.%d", i/rate, i%rate/100) },
	} {
		got := run(0, at)
		for i, w := range want.Results {
			g := got.Results[i]
			for figure, pair := range map[string][2]*float64{
				"loads a second": {g.LoadsPeak, w.LoadsPeak}, "control": {g.ControlLoadsPeak, w.ControlLoadsPeak},
				"hottest a second": {g.HottestPerSecond, w.HottestPerSecond}, "its control": {g.ControlHottestPerSecond, w.ControlHottestPerSecond},
				"recovery": {g.RecoverySeconds, w.RecoverySeconds}, "migration": {g.MigrationSeconds, w.MigrationSeconds},
			} {
				if (pair[0] == nil) != (pair[1] == nil) {
					t.Errorf("%s, %s: %s is %v, at a fixed rate %v", name, g.Name, figure, pair[0], pair[1])
				} else if pair[0] != nil && math.Abs(*pair[0] / *pair[1] - 1) > 1e-3 {
					t.Errorf("%s, %s: %s is %v, at a fixed rate %v", name, g.Name, figure, *pair[0], *pair[1])
				}
			}
		}
	}
}

// The moments of requests: evenly up to the next time, but within one second; and
// of many, in lots that never go back.
func TestSpreader(t *testing.T) {
	for _, test := range []struct {
		times string
		most  int
		want  []float64
	}{
		{"3 3 4 9", 10, []float64{3, 3.5, 4, 9}},
		{"5 5 5 5 20", 10, []float64{5, 5.25, 5.5, 5.75, 20}},
		{"0.5 0.5 0.7 0.75", 10, []float64{0.5, 0.6, 0.7, 0.75}},
		{"8 8 7 9", 10, []float64{8, 8 + 1.0/3, 8 + 2.0/3, 9}},
		{"1 1 1 1 1", 2, []float64{1, 1.25, 1.5, 1.625, 1.75}},
		{"1 1 1.1", 2, []float64{1, 1.25, 1.25}},
		{"4", 10, []float64{4}},
	} {
		rows := strings.Join(strings.Fields(test.times), ",k\n")
		r, err := trace.NewReader(strings.NewReader("time,key\n"+rows+",k\n"), "test", trace.Config{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := newSourceFeed(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.spread = &spreader{most: test.most}
		var got []float64
		var c chunk
		for err = f.next(&c); err == nil; err = f.next(&c) {
			for _, e := range c.events {
				got = append(got, math.Round(e.at*1e9)/1e9)
			}
		}
		for i, w := range test.want {
			test.want[i] = math.Round(w*1e9) / 1e9
		}
		if err != io.EOF || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v (%v), want %v", test.times, got, err, test.want)
		}
		r.Close()
	}
}

// The hottest node is so by its fair share: a large node has more to do. And the
// caches that fill up before a change are no consequence of it.
func TestRunHottest(t *testing.T) {
	w := workload.Config{Keys: 1000, Requests: 40_000, Seed: 1, Popularity: workload.Uniform}
	v := Variant{Algorithm: "ring", Options: Options{VirtualNodes: 1}, Nodes: fleetOf(t, "big:5,s1,s2,s3"), Capacity: Capacity{Items: 5000}}
	r := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{v}, Window: 20_000, Rate: 1000}).Results[0]
	if r.HottestNode == "big" || *r.HottestTimesFair < *r.PeakToMeanRequests || *r.HottestTimesFair > 1.1**r.PeakToMeanRequests {
		t.Errorf("%s is the hottest with %v, the fullest has %v", r.HottestNode, *r.HottestTimesFair, *r.PeakToMeanRequests)
	}
	v.Changes = []FleetChange{change(t, 30_000, "+4")}
	r = mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{v}, Window: 1000, Rate: 1000}).Results[0]
	if cold := *r.Series[0].HitRate; cold > 0.2 || *r.ControlLoadsPeak != 0 || *r.LoadsPeak == 0 || *r.ControlHottestTimesFair <= 1 {
		t.Errorf("peak %v, control %v after a first step of %v", *r.LoadsPeak, *r.ControlLoadsPeak, cold)
	}
}
