package simulations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

func generated(t *testing.T, cfg workload.Config) *workload.Generator {
	t.Helper()
	g, err := workload.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func change(t *testing.T, at int64, text string) FleetChange {
	t.Helper()
	c, err := ParseChange(text)
	if err != nil {
		t.Fatal(err)
	}
	return FleetChange{At: Moment{Requests: at}, Change: c}
}

func fleetOf(t *testing.T, text string) []ring.Node {
	t.Helper()
	nodes, err := ParseNodes(text)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

func mustRun(t *testing.T, cfg RunConfig) *RunReport {
	t.Helper()
	report, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// ownedBy returns keys that a node owns.
func ownedBy(t *testing.T, nodes []ring.Node, id string, count int) (keys []string) {
	t.Helper()
	p, err := Build("ring", nodes, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; len(keys) < count; i++ {
		if key := fmt.Sprint("k", i); p.Nodes()[p.OwnerIndex(key)].ID == id {
			keys = append(keys, key)
		}
	}
	return keys
}

func csvOf(t *testing.T, rows ...string) *trace.Reader {
	t.Helper()
	r, err := trace.NewReader(strings.NewReader("key,op\n"+strings.Join(rows, "\n")+"\n"), "test", trace.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// A key is written while its node is cut off. The node comes back with the old
// value and serves it, unless it was purged; a migration does not overwrite what
// it finds there, as ringway's does not.
func TestStaleReturn(t *testing.T) {
	nodes := fleetOf(t, "a,b")
	key := ownedBy(t, nodes, "a", 1)[0]
	for _, test := range []struct {
		name      string
		keep      bool
		migration float64
		stale     int64
		hits      string // of the two reads at the end
	}{
		{"kept", true, 0, 2, "hh"},
		{"purged", false, 0, 0, "mh"},
		{"kept, migrated", true, 1e6, 2, "hh"},
		{"purged, migrated", false, 1e6, 0, "hh"},
	} {
		v := Variant{Algorithm: "ring", Nodes: nodes, Capacity: Capacity{Items: 10}, Migration: test.migration, Changes: []FleetChange{
			{At: Moment{Requests: 1}, Kind: Fail, Node: "a"}, {At: Moment{Requests: 2}, Kind: Return, Node: "a", Keep: test.keep},
		}}
		report := mustRun(t, RunConfig{Source: csvOf(t, key+",get", key+",set", key+",get", key+",get"), Variants: []Variant{v}, Rate: 1, Window: 10})
		r := report.Results[0]
		got := string([]byte{outcomeOf(r.Series[2].HitRate), outcomeOf(r.Series[3].HitRate)})
		if *r.StaleReads != test.stale || got != test.hits || *r.ControlStaleReads != 0 {
			t.Errorf("%s: %d stale reads, outcomes %s", test.name, *r.StaleReads, got)
		}
	}
}

// What moves while nobody migrates is missed; with migration nothing is, however
// slow that is; and it takes as long as its rate says.
func TestRunMigration(t *testing.T) {
	w := workload.Config{Keys: 2000, Requests: 40_000, Seed: 1, Popularity: workload.Uniform}
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "5"), Capacity: Capacity{Items: 10_000}, Changes: []FleetChange{change(t, 30_000, "-2")}}
	cold, slow, fast := v, v, v
	cold.Name, slow.Name, fast.Name = "cold", "slow", "fast"
	slow.Migration, fast.Migration = 10, 1000
	report := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{cold, slow, fast}, Rate: 1000, Window: 1000})
	left := *report.Results[0].Moved * 2000
	if extra := float64(*report.Results[0].ExtraLoads); extra < 0.9*left || extra > left {
		t.Errorf("cold: %v extra loads for %v moved keys", extra, left)
	}
	for _, r := range report.Results[1:] {
		if *r.ExtraLoads != 0 || *r.HitRateLowest != 1 {
			t.Errorf("%s: %d extra loads, lowest %v", r.Name, *r.ExtraLoads, *r.HitRateLowest)
		}
	}
	slowly, quickly := *report.Results[1].MigrationSeconds, *report.Results[2].MigrationSeconds
	if quickly > left/1000+0.1 || slowly < 2*quickly {
		t.Errorf("it took %v s, and %v s at a hundred times the rate, for %v keys", slowly, quickly, left)
	}
}

// Two copies hide a dead node from the reads; one copy does not.
func TestRunCopies(t *testing.T) {
	w := workload.Config{Keys: 1000, Requests: 40_000, Seed: 1, Popularity: workload.Uniform}
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "6"), Capacity: Capacity{Items: 5000}, EvictAfter: Moment{Requests: 5000},
		Changes: []FleetChange{{At: Moment{Requests: 20_000}, Kind: Fail, Count: 1}}}
	one, two, other := v, v, v
	one.Name, two.Name, other.Name = "one", "two", "rendezvous"
	two.Copies, other.Copies, other.Algorithm = 2, 2, "rendezvous"
	report := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{one, two, other}, Window: 1000})
	if r := report.Results[0]; *r.FailedRequests == 0 || *r.ExtraLoads <= 0 || *r.RecoveryRequests < 5000 || *r.RecoveryRequests > 9000 {
		t.Errorf("one copy: %d failed, %d extra loads, back after %d", *r.FailedRequests, *r.ExtraLoads, *r.RecoveryRequests)
	}
	if r := report.Results[1]; *r.FailedRequests != 0 || *r.ExtraLoads != 0 || *r.RecoveryRequests != 5000 {
		t.Errorf("two copies: %d failed, %d extra loads, back after %d", *r.FailedRequests, *r.ExtraLoads, *r.RecoveryRequests)
	}
	if r := report.Results[2]; *r.FailedRequests != 0 {
		t.Errorf("rendezvous: %d failed", *r.FailedRequests)
	}
}

// A bound keeps a hot key from its node's neck.
func TestRunBounded(t *testing.T) {
	w := workload.Config{Keys: 1000, Requests: 60_000, Seed: 1, Popularity: workload.Hot, HotKeys: 1, HotShare: 0.4}
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "5"), Capacity: Capacity{Items: 5000}}
	free, bound, named := v, v, v
	free.Name, bound.Name, named.Name = "free", "bound", "named"
	bound.Bounded, named.Algorithm = 1.25, "bounded"
	report := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{free, bound, named}, Window: 20_000, Warmup: 20_000})
	if hot := *report.Results[0].HottestTimesFair; hot < 2 {
		t.Errorf("free: %v", hot)
	}
	for _, r := range report.Results[1:] {
		if hot := *r.HottestTimesFair; hot > 1.27 || hot < 1.2 {
			t.Errorf("%s: %v", r.Name, hot)
		}
	}
}

// The control is what a run without the changes is, whatever they are.
func TestRunControl(t *testing.T) {
	w := workload.Config{Keys: 200, Requests: 5000, Alpha: 0.9, Ops: workload.Ops{Get: 0.9, Set: 0.1}}
	for _, v := range []Variant{{Algorithm: "ring"}, {Algorithm: "bounded"}, {Algorithm: "rendezvous", Copies: 2}, {Algorithm: "modulo", Bounded: 1.1}} {
		v.Nodes, v.Capacity, v.EvictAfter = fleetOf(t, "5"), Capacity{Items: 20}, Moment{Requests: 300}
		quiet := v
		v.Changes = []FleetChange{{At: Moment{Requests: 1000}, Kind: Fail, Node: "node3"}, change(t, 2000, "+2"), {At: Moment{Requests: 3000}, Kind: Return}}
		cfg := RunConfig{Source: generated(t, w), Variants: []Variant{v}, Window: 100, inFlight: 10}
		got := mustRun(t, cfg).Results[0]
		cfg.Source, cfg.Variants = generated(t, w), []Variant{quiet}
		want := mustRun(t, cfg).Results[0]
		if *got.ControlLoads != *want.Loads || *got.ControlStaleReads != *want.StaleReads || *got.Loads == *want.Loads {
			t.Errorf("%s: control %d loads, %d stale; without changes %d, %d", v.Algorithm, *got.ControlLoads, *got.ControlStaleReads, *want.Loads, *want.StaleReads)
		}
		for i, p := range got.Series {
			if fmt.Sprint(*p.ControlHitRate) != fmt.Sprint(*want.Series[i].HitRate) {
				t.Fatalf("%s: step %d: control %v, without changes %v", v.Algorithm, i, *p.ControlHitRate, *want.Series[i].HitRate)
			}
		}
	}
}

// What happens before the end of the warm-up counts for nothing but the series.
func TestRunWarmup(t *testing.T) {
	nodes := fleetOf(t, "a,b")
	keys := append(ownedBy(t, nodes, "a", 2), ownedBy(t, nodes, "b", 2)...)
	var rows []string
	for i := range 200 {
		key := keys[i%4] // one after the other, after a hundred requests for one
		if i < 100 {
			key = keys[0]
		}
		rows = append(rows, key+",get")
	}
	v := Variant{Algorithm: "ring", Nodes: nodes, Capacity: Capacity{Items: 10}}
	r := mustRun(t, RunConfig{Source: csvOf(t, rows...), Variants: []Variant{v}, Window: 100, Warmup: 100, Rate: 10}).Results[0]
	if *r.HottestTimesFair != 1 || *r.PeakToMeanRequests != 1 || *r.Loads != 3 || len(r.Series) != 20 || *r.HottestPerSecond > 5.1 {
		t.Errorf("%v times fair, peak %v, %d loads, %d points", *r.HottestTimesFair, *r.PeakToMeanRequests, *r.Loads, len(r.Series))
	}
}

// The rate is the clock of TTLs and of the series.
func TestRunRate(t *testing.T) {
	w := workload.Config{Keys: 1, Requests: 14, TTLs: []workload.TTL{{Seconds: 3, Share: 1}}}
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "2"), Capacity: Capacity{Items: 10}}
	r := mustRun(t, RunConfig{Source: generated(t, w), Variants: []Variant{v}, Window: 10, Rate: 2}).Results[0]
	var got strings.Builder
	for _, p := range r.Series {
		got.WriteByte(outcomeOf(p.HitRate))
	}
	if got.String() != "mhhhhhmhhhhhmh" || r.Series[13].Seconds != 6.5 {
		t.Errorf("%s, the last at %v s", &got, r.Series[13].Seconds)
	}
}

// Copies of placements that know no order of nodes lie on other nodes, and in
// other zones while there are any.
func TestHomesBeyondTheRing(t *testing.T) {
	p, err := Build("rendezvous", fleetOf(t, "a:1:x,b:1:x,c:1:x,d:1:y,e"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	finder := newHomeFinder(p, nil, 3)
	nodes := p.Nodes()
	for i := range 500 {
		homes := finder.appendHomes(nil, fmt.Sprint("k", i))
		zones := map[string]bool{}
		for _, home := range homes {
			zone := nodes[home].Zone
			if zone == "" {
				zone = nodes[home].ID
			}
			zones[zone] = true
		}
		if len(homes) != 3 || len(zones) != 3 || int(homes[0]) != p.OwnerIndex(fmt.Sprint("k", i)) {
			t.Fatalf("k%d: homes %v in zones %v", i, homes, zones)
		}
	}
}

// Nothing depends on how the requests are cut into chunks, nor on what else runs.
func TestRunIsDeterministic(t *testing.T) {
	w := workload.Config{Keys: 300, Requests: 6000, Seed: 9, Alpha: 0.8, Ops: workload.Ops{Get: 0.9, Set: 0.1}, ValueSize: 100, Exponential: true,
		TTLs: []workload.TTL{{Seconds: 2, Share: 1}}}
	v := Variant{Nodes: fleetOf(t, "a:1:x,b:2:y,c:1:x"), Capacity: Capacity{Bytes: 4000}, Migration: 20, EvictAfter: Moment{Requests: 100}, Changes: []FleetChange{
		change(t, 1500, "+d"), {At: Moment{Seconds: 2}, Kind: Flap, Node: "b", Times: 3, Down: Moment{Requests: 150}, Up: Moment{Requests: 50}, Keep: true},
		{At: Moment{Requests: 4000}, Kind: Double}, {At: Moment{Requests: 4500}, Kind: RollingRestart, Down: Moment{Requests: 20}},
	}}
	var variants []Variant
	for _, name := range []string{"ring", "modulo", "rendezvous", "balanced", "maglev"} {
		v.Algorithm = name
		variants = append(variants, v)
	}
	bounded := v
	bounded.Algorithm, bounded.Migration = "bounded", 0
	spread := v
	spread.Name, spread.Algorithm, spread.Copies, spread.SpreadReads = "spread", "ring", 2, true
	variants = append(variants, bounded, spread)
	text := func(chunk int, variants ...Variant) string {
		report := mustRun(t, RunConfig{Source: generated(t, w), Variants: variants, Rate: 1000, Window: 500, chunk: chunk, inFlight: 20})
		out, err := json.Marshal(report.Results)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first := text(0, variants...)
	if again := text(7, variants...); again != first {
		t.Error("chunks of 7 give another report")
	}
	if alone := strings.Trim(text(0, variants[2]), "[]"); !strings.Contains(first, alone) {
		t.Error("a variant alone gives another result")
	}
}

// A placement that refuses a change has no figures and says why; the others go on.
func TestRunRefused(t *testing.T) {
	v := Variant{Nodes: fleetOf(t, "4"), Capacity: Capacity{Items: 10}, Changes: []FleetChange{change(t, 50, "-1")}}
	jump, ring := v, v
	jump.Algorithm, ring.Algorithm = "jump", "ring"
	report := mustRun(t, RunConfig{Source: generated(t, workload.Config{Keys: 50, Requests: 100}), Variants: []Variant{jump, ring}, Window: 10})
	if r := report.Results[0]; !strings.Contains(r.Note, "-1 at request 50") || r.Loads != nil || len(r.Series) != 0 {
		t.Errorf("jump: %+v", r)
	}
	if r := report.Results[1]; r.Note != "" || r.Loads == nil || *r.ControlLoads == 0 {
		t.Errorf("ring: %+v", r)
	}
}

// cancelling gives requests until a moment, and then cancels the run.
type cancelling struct {
	*workload.Generator
	at     int64
	cancel context.CancelFunc
}

func (c *cancelling) Next(req *trace.Request) error {
	if c.Generator.BytesRead() == c.at {
		c.cancel()
	}
	return c.Generator.Next(req)
}

func TestRunCancelled(t *testing.T) {
	v := Variant{Algorithm: "ring", Nodes: fleetOf(t, "4"), Capacity: Capacity{Items: 100}, Changes: []FleetChange{change(t, 5000, "+1"), change(t, 90_000, "+1")}}
	for _, at := range []int64{0, 20_000} {
		ctx, cancel := context.WithCancel(context.Background())
		source := &cancelling{generated(t, workload.Config{Keys: 500, Requests: 100_000}), at, cancel}
		report, err := Run(ctx, RunConfig{Source: source, Variants: []Variant{v}, Window: 1000})
		if !errors.Is(err, context.Canceled) || report == nil || !report.Partial {
			t.Fatalf("at %d: %v, %+v", at, err, report)
		}
		done, r := report.Workload.Requests, report.Results[0]
		if at == 0 && (r.ExtraLoads != nil || r.Changes[0].Moved != nil || r.Loads == nil) {
			t.Errorf("stopped before the first change: %+v", r)
		}
		if done > at+2*runChunk || at > 0 && done < at-2*runChunk {
			t.Errorf("at %d: %d requests done", at, done)
		}
		if at > 0 && (r.Changes[0].Moved == nil || *r.Changes[0].Moved == 0 || r.Changes[1].Moved != nil || *r.ExtraLoads == 0) {
			t.Errorf("changes %+v", r.Changes)
		}
		cancel()
	}
}

func TestRunErrors(t *testing.T) {
	good := func() RunConfig {
		return RunConfig{Source: generated(t, workload.Config{Keys: 50, Requests: 100}),
			Variants: []Variant{{Algorithm: "ring", Nodes: fleetOf(t, "4"), Capacity: Capacity{Items: 10}, EvictAfter: Moment{Requests: 5}}}, Window: 10}
	}
	at := func(kind ChangeKind, at int64) FleetChange { return FleetChange{Kind: kind, At: Moment{Requests: at}} }
	for _, test := range []struct {
		change func(cfg *RunConfig, v *Variant)
		want   string
	}{
		{func(c *RunConfig, _ *Variant) { c.Source = nil }, "workload: found none"},
		{func(c *RunConfig, _ *Variant) { c.Variants = nil }, "placements: found 0"},
		{func(c *RunConfig, v *Variant) { c.Variants = append(c.Variants, *v) }, `found "ring" twice`},
		{func(_ *RunConfig, v *Variant) { v.Algorithm = "rong" }, `algorithms: found "rong"`},
		{func(_ *RunConfig, v *Variant) { v.Capacity = Capacity{} }, "capacity: found 0 items"},
		{func(_ *RunConfig, v *Variant) { v.Capacity = Capacity{Bytes: 10} }, "found bytes for the trace"},
		{func(_ *RunConfig, v *Variant) { v.Copies = 17 }, "copies: found 17"},
		{func(_ *RunConfig, v *Variant) { v.Copies, v.Bounded = 2, 1.2 }, "copies: found 2 with a bounded load"},
		{func(_ *RunConfig, v *Variant) { v.Bounded = 0.5 }, "bounded_load: found 0.5"},
		{func(_ *RunConfig, v *Variant) { v.Migration = -1 }, "migration: found -1"},
		{func(c *RunConfig, _ *Variant) { c.Window = 3 }, "window: found 3"},
		{func(c *RunConfig, _ *Variant) { c.Rate = -1 }, "rate: found -1"},
		{func(c *RunConfig, _ *Variant) { c.Costs.LoadMillis = -1 }, "costs: found a price below 0"},
		{func(c *RunConfig, _ *Variant) { c.Warmup = 100 }, "warmup: found 100"},
		{func(c *RunConfig, v *Variant) { c.Warmup, v.Changes = 60, []FleetChange{at(Double, 50)} }, "warmup: found 60, expected at most 50"},
		{func(_ *RunConfig, v *Variant) { v.Changes = []FleetChange{at(Double, 0)} }, "expected a time after the first request"},
		{func(_ *RunConfig, v *Variant) { v.Changes = []FleetChange{at(Double, 100)} }, "expected a request before the end of the workload, which has 100"},
		{func(_ *RunConfig, v *Variant) { v.Changes = []FleetChange{at(Return, 10)} }, "expected a node that is down by then"},
		{func(_ *RunConfig, v *Variant) {
			v.Changes = []FleetChange{{At: Moment{Requests: 9}, Kind: Fail, Node: "x"}}
		}, "expected the ID of a node in the fleet"},
		{func(_ *RunConfig, v *Variant) {
			v.Changes = []FleetChange{{At: Moment{Requests: 9}, Kind: Fail, Zone: "x"}}
		}, "expected a zone of the fleet"},
		{func(_ *RunConfig, v *Variant) {
			v.Changes = []FleetChange{{At: Moment{Requests: 9}, Kind: Fail, Count: 4}}
		}, "expected at least one node left"},
		{func(_ *RunConfig, v *Variant) {
			two := FleetChange{At: Moment{Requests: 9}, Kind: Fail, Node: "node1"}
			v.Changes = []FleetChange{two, two}
		}, "expected a node that is up; node1 is down"},
		{func(_ *RunConfig, v *Variant) {
			v.Changes = []FleetChange{{At: Moment{Requests: 9}, Kind: Flap, Node: "node1"}}
		}, "flap: found 0 times"},
		{func(_ *RunConfig, v *Variant) {
			for _, id := range []string{"node1", "node2", "node3", "node4"} {
				v.Changes = append(v.Changes, FleetChange{At: Moment{Requests: 9}, Kind: Fail, Node: id})
			}
		}, "expected at least one node left"},
		{func(_ *RunConfig, v *Variant) {
			v.Nodes = fleetOf(t, "100000")
			v.Changes = []FleetChange{{At: Moment{Requests: 9}, Kind: RollingRestart, Down: Moment{Requests: 9}}}
		}, "more than 100000 steps"},
	} {
		cfg := good()
		test.change(&cfg, func() *Variant {
			if len(cfg.Variants) > 0 {
				return &cfg.Variants[0]
			}
			return nil
		}())
		_, err := Run(context.Background(), cfg)
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
