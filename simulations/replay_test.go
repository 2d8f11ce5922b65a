package simulations

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations/trace"
)

// ormBusy opens the first requests of a trace that is too large for the
// repository.
func ormBusy(t testing.TB, limit int64) *trace.Reader {
	t.Helper()
	const name = "orm-busy.keys.gz"
	path := filepath.Join(os.Getenv("TRACES_DIR"), name)
	if _, err := os.Stat(path); err != nil || os.Getenv("TRACES_DIR") == "" {
		t.Skip("skipped: exact figures on " + name + "; run with TRACES_DIR set to the directory that holds it")
	}
	r, err := trace.Open(path, trace.Config{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func bundledTrace(t testing.TB) *trace.Reader {
	t.Helper()
	r, err := trace.Bundled(trace.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func textTrace(t testing.TB, text string) *trace.Reader {
	t.Helper()
	r, err := trace.NewReader(strings.NewReader(text), "text", trace.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func mustChanges(t testing.TB, text string) []TimedChange {
	t.Helper()
	changes, err := ParseTimedChanges(text)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// Hits of a plain LRU over the first million requests, computed independently.
func TestLRUExact(t *testing.T) {
	report, err := LRU(context.Background(), LRUConfig{
		Trace:      ormBusy(t, 1_000_000),
		Capacities: []Capacity{{Items: 1250}, {Items: 5000}, {Items: 10000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, hits := range []int64{803_141, 865_590, 901_025} {
		if got := report.Results[i]; got.Hits != hits || got.Requests != 1_000_000 || *got.HitRate != float64(hits)/1e6 {
			t.Errorf("capacity %d: %d hits of %d, want %d", got.Capacity, got.Hits, got.Requests, hits)
		}
	}
}

// The figures that were measured on this trace with another hash: 10 → 11 nodes
// of 4000 items after a million requests. Which keys move depends on the hash, and
// the hit rate of 1000 requests on a few of them.
func TestReplayRegion(t *testing.T) {
	report, err := Replay(context.Background(), ReplayConfig{
		Trace:      ormBusy(t, 1_200_000),
		Algorithms: []string{"modulo", "jump", "ring"},
		Nodes:      mustNodes(t, "10"),
		Changes:    mustChanges(t, "+1@1000000"),
		Capacity:   Capacity{Items: 4000},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ moved, next, misses, extra float64 }{
		{10.0 / 11, 0.354, 9776, 14809},
		{1.0 / 11, 0.949, 2301, 1377},
		{1.0 / 11, 0.949, 2301, 1377}, // a ring moves as little
	} {
		got := report.Results[i]
		near := func(name string, got, want, tolerance float64) {
			if math.Abs(got-want) > tolerance {
				t.Errorf("%s: %s = %v, want %v ± %v", report.Results[i].Algorithm, name, got, want, tolerance)
			}
		}
		near("moved", *got.Moved, want.moved, 0.01)
		near("hit_rate_next_1000", *got.HitRateNext1000, want.next, 0.03)
		near("misses_window", float64(*got.MissesWindow), want.misses, 0.03*want.misses)
		near("control_misses_window", float64(*got.ControlMissesWindow), 1475, 0.03*1475)
		near("extra_loads", float64(*got.ExtraLoads), want.extra, 0.05*want.extra)
	}
}

// Every placement replays the bundled trace; twice, whatever the number of cores
// and of chunks, gives the same bytes.
func TestReplayBundled(t *testing.T) {
	run := func(chunk int) *ReplayReport {
		report, err := Replay(context.Background(), ReplayConfig{
			Trace:    bundledTrace(t),
			Nodes:    mustNodes(t, "10"),
			Changes:  mustChanges(t, "+1@50000"),
			Capacity: Capacity{Items: 500},
			Window:   5000,
			chunk:    chunk,
		})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	first := run(0)
	old := runtime.GOMAXPROCS(1)
	second := run(1000)
	runtime.GOMAXPROCS(old)
	if a, b := asJSON(t, first), asJSON(t, second); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
	if first.Trace != (TraceInfo{Source: trace.BundledName, Requests: 95_607, Distinct: 13_756}) || first.Schema != "ringsim.replay/1" {
		t.Errorf("schema %s, trace %+v", first.Schema, first.Trace)
	}
	if len(first.Results) != len(Algorithms()) {
		t.Fatalf("%d results", len(first.Results))
	}
	for _, r := range first.Results {
		least, most := 0.05, 0.15
		if r.Algorithm == "modulo" {
			least, most = 0.9, 0.92
		}
		if r.Moved == nil || *r.Moved < least || *r.Moved > most {
			t.Errorf("%s moved %v", r.Algorithm, r.Moved)
		}
		if want := (95_607 + 499) / 500; len(r.Series) != want || r.Series[1].Request != 500 {
			t.Errorf("%s: %d points, want %d", r.Algorithm, len(r.Series), want)
		}
	}
}

// With migration the moved keys are hits: nothing is lost as long as there is
// room.
func TestMigrateLosesNothing(t *testing.T) {
	for _, change := range []string{"+1@50000", "-1@50000", "+3@30000,-2@60000"} {
		report, err := Replay(context.Background(), ReplayConfig{
			Trace:      bundledTrace(t),
			Algorithms: []string{"ring", "modulo"},
			Nodes:      mustNodes(t, "10"),
			Changes:    mustChanges(t, change),
			Capacity:   Capacity{Items: 20_000},
			Migrate:    true,
			Window:     5000,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Results {
			if *r.ExtraLoadsToEnd != 0 || *r.RecoveryRequests != 0 || *r.Migrated == 0 {
				t.Errorf("%s %s: %d extra loads, recovery after %d, %d migrated", r.Algorithm, change, *r.ExtraLoadsToEnd, *r.RecoveryRequests, *r.Migrated)
			}
		}
	}
}

// A placement that refuses the second change keeps the figures of the first one
// that were complete by then, and no others: the same as without the second.
func TestReplayRefusedLater(t *testing.T) {
	for _, test := range []struct {
		second          string
		window, horizon int64
		next, in, extra bool // which figures there are
	}{
		{"20000", 10_000, 10_000, true, true, true},
		{"20000", 10_001, 10_000, true, false, true},
		{"20000", 10_000, 10_001, true, true, false},
		{"11000", 1000, 1000, true, true, true},
		{"10999", 999, 999, false, true, true},
	} {
		run := func(changes string) ReplayResult {
			report, err := Replay(context.Background(), ReplayConfig{
				Trace: bundledTrace(t), Algorithms: []string{"jump"}, Nodes: mustNodes(t, "5"), Changes: mustChanges(t, changes),
				Capacity: Capacity{Items: 1000}, Window: test.window, Horizon: test.horizon, LoadMillis: 5, Migrate: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			return report.Results[0]
		}
		want := run("+1@10000").ReplayFigures
		want.ExtraLoadsToEnd = nil
		if !test.next {
			want.HitRateNext1000, want.ControlHitRateNext1000 = nil, nil
		}
		if !test.in {
			want.HitRateWindow, want.ControlHitRateWindow, want.MissesWindow, want.ControlMissesWindow = nil, nil, nil, nil
		}
		if !test.extra {
			want.ExtraLoads, want.ExtraDBSeconds = nil, nil
		}
		got := run("+1@10000,-node2@" + test.second)
		if want.RecoveryRequests != nil && got.RecoveryRequests == nil { // it came after the second change
			want.RecoveryRequests = nil
		}
		if asJSON(t, got.Changes[0].ReplayFigures) != asJSON(t, want) || asJSON(t, got.ReplayFigures) != asJSON(t, want) {
			t.Errorf("%+v: got\n%s\nwant\n%s", test, asJSON(t, got.ReplayFigures), asJSON(t, want))
		}
		if got.Changes[1].ReplayFigures != (ReplayFigures{}) || got.HitRate != nil || !strings.HasSuffix(got.Note, "; figures that need requests beyond it are missing") {
			t.Errorf("%+v: %s", test, asJSON(t, got))
		}
	}
}

// A placement that cannot make a change says so, and has no figure.
func TestReplayRefused(t *testing.T) {
	report, err := Replay(context.Background(), ReplayConfig{
		Trace:      bundledTrace(t),
		Algorithms: []string{"jump", "ring"},
		Nodes:      mustNodes(t, "5"),
		Changes:    mustChanges(t, "-node2@200,+1@300"),
		Capacity:   Capacity{Items: 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	jump := report.Results[0]
	if !strings.HasPrefix(jump.Note, "-node2@200: change not supported by this placement") {
		t.Errorf("note %q", jump.Note)
	}
	if jump.ReplayFigures != (ReplayFigures{}) || jump.HitRate != nil || len(jump.Series) != 0 || len(jump.Changes) != 2 || jump.Changes[0].ReplayFigures != (ReplayFigures{}) {
		t.Errorf("figures of a run that ended: %s", asJSON(t, jump))
	}
	if ring := report.Results[1]; ring.Note != "" || ring.Moved == nil {
		t.Errorf("the ring beside it: %s", asJSON(t, ring)[:200])
	}
	// The same at the start: jump has no weights.
	report, err = Replay(context.Background(), ReplayConfig{
		Trace: bundledTrace(t), Algorithms: []string{"jump"}, Nodes: mustNodes(t, "a:2,b:1"), Capacity: Capacity{Items: 100},
	})
	if err != nil || report.Results[0].Note == "" || report.Results[0].HitRate != nil {
		t.Errorf("jump with weights: %s, %v", asJSON(t, report), err)
	}
}

// Sizes that the trace gives as 0, and TTLs without times.
func TestReplaySpecialRows(t *testing.T) {
	// An entry of no bytes at all takes one byte: three do not fit into two.
	const empty = "key,key_size,op,op_count,size\n"
	report, err := LRU(context.Background(), LRUConfig{
		Trace:      textTrace(t, empty+"a,0,GET,1,0\nb,0,GET,1,0\nc,0,GET,1,0\na,0,GET,2,0\n"),
		Capacities: []Capacity{{Bytes: 2}, {Bytes: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := report.Results[0].Hits, report.Results[1].Hits; a != 1 || b != 2 {
		t.Errorf("%d and %d hits, want 1 and 2", a, b)
	}
	// A Get of size 0 loads what was set before: 90 bytes, which drive out b.
	report, err = LRU(context.Background(), LRUConfig{
		Trace:      textTrace(t, "key,op,size\na,set,90\na,delete,\nb,get,50\na,get,0\nb,get,50\n"),
		Capacities: []Capacity{{Bytes: 100}},
	})
	if err != nil || report.Results[0].Hits != 0 {
		t.Errorf("%s, %v", asJSON(t, report), err)
	}
	report, err = LRU(context.Background(), LRUConfig{
		Trace:      textTrace(t, "key,op,ttl\na,set,1\na,get,\n"),
		Capacities: []Capacity{{Items: 1}},
	})
	if err != nil || report.Trace.Note != "TTLs are not applied: the trace has no times" || report.Results[0].Hits != 1 {
		t.Errorf("%s, %v", asJSON(t, report), err)
	}
}

func TestReplayProgress(t *testing.T) {
	var last Progress
	_, err := LRU(context.Background(), LRUConfig{
		Trace: bundledTrace(t), Capacities: []Capacity{{Items: 100}},
		Progress: func(p Progress) {
			if p.Requests <= last.Requests || p.Bytes < last.Bytes {
				t.Errorf("after %+v came %+v", last, p)
			}
			last = p
		},
	})
	if err != nil || last.Requests != 95_607 || last.Bytes != last.TotalBytes || last.Bytes == 0 {
		t.Errorf("last progress %+v, %v", last, err)
	}
}

// BenchmarkReplay runs one placement and its control over orm-busy, the reading
// of the compressed file included.
func BenchmarkReplay(b *testing.B) {
	var requests int64
	for b.Loop() {
		report, err := Replay(context.Background(), ReplayConfig{
			Trace: ormBusy(b, 0), Algorithms: []string{"ring"}, Nodes: mustNodes(b, "10"),
			Changes: mustChanges(b, "+1@1000000"), Capacity: Capacity{Items: 4000},
		})
		if err != nil {
			b.Fatal(err)
		}
		requests += report.Trace.Requests
	}
	b.ReportMetric(float64(requests)/b.Elapsed().Seconds()/1e6, "Mrequests/s")
}
