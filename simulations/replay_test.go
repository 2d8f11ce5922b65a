package simulations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/lru"
	"github.com/ringway/ringway/simulations/trace"
)

// ormBusy opens the first requests of a trace that is too large for the
// repository.
func ormBusy(t testing.TB, limit int64) *trace.Reader {
	t.Helper()
	const name = "orm-busy.keys.gz"
	dir := os.Getenv("TRACES_DIR")
	if dir == "" {
		t.Skip("skipped: exact figures on " + name + "; run with TRACES_DIR set to the directory that holds it")
	}
	r, err := trace.Open(filepath.Join(dir, name), trace.Config{Limit: limit})
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

// A placement that cannot make a change says so, and has no figure.
func TestReplayRefused(t *testing.T) {
	report, err := Replay(context.Background(), ReplayConfig{
		Trace:      bundledTrace(t),
		Algorithms: []string{"jump", "ring"},
		Nodes:      mustNodes(t, "5"),
		Changes:    mustChanges(t, "+1@100,-node2@200"),
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

func TestReplayErrors(t *testing.T) {
	good := func() ReplayConfig {
		return ReplayConfig{
			Trace: textTrace(t, "a\nb\n"), Algorithms: []string{"ring"}, Nodes: mustNodes(t, "3"),
			Capacity: Capacity{Items: 10}, Changes: mustChanges(t, "+1@1"),
		}
	}
	if _, err := Replay(context.Background(), good()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spoil func(*ReplayConfig)
		want  string
	}{
		{func(c *ReplayConfig) { c.Trace = nil }, "simulations: trace: found none, expected a trace"},
		{func(c *ReplayConfig) { c.Algorithms = []string{"rung"} }, `simulations: algorithms: found "rung", expected one of `},
		{func(c *ReplayConfig) { c.Nodes = nil }, "simulations: nodes: found "},
		{func(c *ReplayConfig) { c.Options.VirtualNodes = -1 }, "simulations: vnodes: found -1, expected "},
		{func(c *ReplayConfig) { c.Capacity = Capacity{} }, "simulations: capacity: found 0 items and 0 bytes, expected a number of items"},
		{func(c *ReplayConfig) { c.Capacity = Capacity{1, 1} }, "simulations: capacity: found 1 items and 1 bytes, expected "},
		{func(c *ReplayConfig) { c.Capacity = Capacity{Bytes: 10} }, "simulations: capacity: found bytes for the trace text, which has no sizes, expected "},
		{func(c *ReplayConfig) { c.Window = -1 }, "simulations: window: found -1, expected 1 to 1073741824 requests, or 0 for 50000"},
		{func(c *ReplayConfig) { c.Window = MaxWindow + 1 }, "simulations: window: found 1073741825, expected "},
		{func(c *ReplayConfig) { c.Horizon = -5 }, "simulations: horizon: found -5, expected "},
		{func(c *ReplayConfig) { c.LoadMillis = math.NaN() }, "simulations: db-ms: found NaN, expected "},
		{func(c *ReplayConfig) { c.LoadMillis = -1 }, "simulations: db-ms: found -1, expected "},
		{func(c *ReplayConfig) { c.LoadMillis = math.Inf(1) }, "simulations: db-ms: found +Inf, expected "},
		{func(c *ReplayConfig) { c.Changes[0].At = 0 }, "simulations: change: found +1@0, expected a number of requests of at least 1"},
		{func(c *ReplayConfig) { c.Changes = mustChanges(t, "+1@2") }, "simulations: change: found +1@2, expected a request before the end of the trace, which has 2"},
		{func(c *ReplayConfig) { c.Changes = mustChanges(t, "-node7@1") }, `simulations: change: found "-node7", expected `},
		{func(c *ReplayConfig) { c.Trace = textTrace(t, "a\nb\x00\n") }, "trace: text: line 2: found the control character 0x00"},
		{func(c *ReplayConfig) {
			c.Trace, c.Capacity = textTrace(t, "key,size\na,1\nb,\n"), Capacity{Bytes: 10}
		}, `trace: text: line 3: size: found none so far for the key "b", expected a size, since capacities are in bytes`},
	} {
		cfg := good()
		c.spoil(&cfg)
		report, err := Replay(context.Background(), cfg)
		if err == nil || report != nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, %v\nwant %s", report, err, c.want)
		}
	}
	for _, cfg := range []LRUConfig{
		{Trace: textTrace(t, "a\n")},
		{Trace: textTrace(t, "a\n"), Capacities: []Capacity{{Items: 1}, {}}},
		{Trace: textTrace(t, "a\n"), Capacities: []Capacity{{Bytes: 1}}},
		{Capacities: []Capacity{{Items: 1}}},
	} {
		if report, err := LRU(context.Background(), cfg); err == nil || report != nil {
			t.Errorf("LRU(%+v) = %v, %v", cfg, report, err)
		} else if own := (*InputError)(nil); !errors.As(err, &own) {
			t.Errorf("%T, want *InputError", err)
		}
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

func TestReplayCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := Replay(ctx, ReplayConfig{
		Trace: bundledTrace(t), Nodes: mustNodes(t, "10"), Capacity: Capacity{Items: 100}, chunk: 1000,
		Progress: func(p Progress) {
			if calls++; p.Requests > 5000 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if calls > 10 {
		t.Errorf("%d chunks were done", calls)
	}
}

// A pipe through which nothing comes any more does not hold a cancelled run up.
func TestCancelledOnPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	path := fmt.Sprintf("/dev/fd/%d", in.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip("skipped: cancelling while a pipe is silent; there is no ", path)
	}
	// The trace's first 256 KiB are 16 chunks; what the pipe holds of the next
	// 256 KiB is waited for in vain.
	go out.Write(bytes.Repeat([]byte("a\n"), 200_000))
	r, err := trace.OpenContext(context.Background(), path, trace.Config{})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	_, err = LRU(ctx, LRUConfig{Trace: r, Capacities: []Capacity{{Items: 1}}, Progress: func(p Progress) {
		if p.Requests == 15*chunkEvents {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A change over many keys stops too.
func TestOwnersCancelled(t *testing.T) {
	p, err := Build("ring", mustNodes(t, "3"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var n interner
	if _, err := n.id([]byte("a")); err != nil {
		t.Fatal(err)
	}
	f := newCacheFleet(p, &ReplayConfig{Capacity: Capacity{Items: 1}})
	ctx, cancel := context.WithCancel(context.Background())
	if owners, err := f.ownersOf(ctx, n.keyView, 1); err != nil || len(owners) != 1 {
		t.Errorf("%v, %v", owners, err)
	}
	cancel()
	if _, err := f.ownersOf(ctx, n.keyView, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A node's capacity is in proportion to its weight, and never nothing.
func TestCapacityTimes(t *testing.T) {
	for _, c := range []struct {
		capacity Capacity
		weight   float64
		want     Capacity
	}{
		{Capacity{Items: 4000}, 1, Capacity{Items: 4000}},
		{Capacity{Items: 4000}, 2.5, Capacity{Items: 10_000}},
		{Capacity{Items: 1}, 0.001, Capacity{Items: 1}},
		{Capacity{Bytes: 5}, 0.3, Capacity{Bytes: 2}},
		{Capacity{Bytes: 1}, 0.1, Capacity{Bytes: 1}},
		{Capacity{Bytes: MaxBytes}, ring.MaxWeight, Capacity{Bytes: MaxBytes}},
		{Capacity{Items: lru.MaxItems}, 2, Capacity{Items: lru.MaxItems}},
	} {
		if got := c.capacity.times(c.weight); got != c.want {
			t.Errorf("%+v times %v = %+v, want %+v", c.capacity, c.weight, got, c.want)
		}
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

func TestSeriesHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		outcomes := rapid.SliceOfN(rapid.SampledFrom([]byte{uncounted, hit, hit, miss}), 1, 5*maxSeries).Draw(t, "outcomes")
		s := series{step: rapid.Int64Range(1, 3).Draw(t, "step")}
		step := s.step
		for rest := outcomes; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(1, 3000).Draw(t, "chunk"))
			s.add(rest[:n], rest[:n])
			rest = rest[n:]
		}
		points := int64(len(outcomes)) / step
		for step*maxSeries <= int64(len(outcomes)) {
			step *= 2
		}
		got := s.all()
		for i, p := range got {
			from := int64(i) * step
			want := naiveScore(outcomes, from, from+step).rate()
			if p.Request != from || asJSON(t, p.HitRate) != asJSON(t, want) || asJSON(t, p.ControlHitRate) != asJSON(t, want) {
				t.Fatalf("point %d of %d (step %d, %d at first): %s, want %s", i, len(got), step, points, asJSON(t, p), asJSON(t, want))
			}
		}
		if want := (int64(len(outcomes)) + step - 1) / step; int64(len(got)) != want || want > maxSeries {
			t.Fatalf("%d points, want %d", len(got), want)
		}
	})
}

func TestInterner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n interner
		ids := map[string]uint32{}
		var views []keyView
		for range rapid.IntRange(1, 3000).Draw(t, "keys") {
			key := fmt.Sprint(rapid.Uint16().Draw(t, "key"))
			if len(ids)%100 == 7 {
				key += strings.Repeat("x", trace.MaxLine-len(key)) // fills blocks
			}
			id, err := n.id([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			want, known := ids[key]
			if !known {
				want = uint32(len(ids))
				ids[key] = want
				views = append(views, n.keyView)
			}
			if id != want {
				t.Fatalf("key %.20q has number %d, want %d", key, id, want)
			}
		}
		for key, id := range ids {
			// The view that was taken when the key came still knows it.
			if got := views[id].key(int(id)); got != key || views[id].len() != int(id)+1 {
				t.Fatalf("number %d is %.20q, want %.20q", id, got, key)
			}
		}
	})
}

// A key costs its length and 19 to 30 bytes, beside a block that is begun.
func TestInternerMemory(t *testing.T) {
	var n interner
	const keys = 200_000
	for i := range keys { // some of which agree in 32 bits of their hash
		if id, err := n.id(fmt.Appendf(nil, "key:%09d", i)); err != nil || id != uint32(i) {
			t.Fatalf("key %d has number %d, %v", i, id, err)
		}
	}
	bytes := len(n.arena)*arenaBlock + 8*cap(n.refs) + 8*len(n.table)
	if most := keys*(13+32) + arenaBlock; bytes > most {
		t.Errorf("%d bytes, want at most %d", bytes, most)
	}
}

func TestParseCapacity(t *testing.T) {
	for text, want := range map[string]Capacity{
		"1": {Items: 1}, "4000": {Items: 4000}, "64MB": {Bytes: 64_000_000}, "64mib": {Bytes: 64 << 20},
		"7B": {Bytes: 7}, "2kB": {Bytes: 2000}, "2KiB": {Bytes: 2048}, "1TiB": {Bytes: 1 << 40}, "3GB": {Bytes: 3e9},
	} {
		got, err := ParseCapacity(text)
		if err != nil || got != want {
			t.Errorf("ParseCapacity(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := ParseCapacity(got.String()); err != nil || again != got {
			t.Errorf("%q comes back as %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "MB", "1.5GB", "64 MB", "64XB", "1e3", "0MB", "99999999999", "99999999TB", "9223372036854775808", "1,2"} {
		if got, err := ParseCapacity(text); err == nil || got != (Capacity{}) {
			t.Errorf("ParseCapacity(%q) = %+v, %v", text, got, err)
		}
	}
	if got, err := ParseCapacities("1000,5kB"); err != nil || len(got) != 2 || got[1].Bytes != 5000 {
		t.Errorf("ParseCapacities = %v, %v", got, err)
	}
	if got, err := ParseCapacities("1000,"); err == nil || got != nil {
		t.Errorf("ParseCapacities = %v, %v", got, err)
	}
}

func FuzzParseCapacity(f *testing.F) {
	for _, text := range []string{"4000", "64MB", "1TiB", "-1", "b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseCapacity(text)
		if err != nil {
			return
		}
		if err := got.validate(); err != nil {
			t.Fatal(err)
		}
		if again, err := ParseCapacity(got.String()); err != nil || again != got {
			t.Fatalf("%q is %+v, which comes back as %+v, %v", text, got, again, err)
		}
	})
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
