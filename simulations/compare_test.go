package simulations

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringway/ringway/ring"
)

// naive is Compare written too simply to be wrong: maps of IDs, one pass for
// each figure.
type naive struct {
	moved, unnecessary, restored, peak, peakAfter, cv, ideal float64
	receivers                                                int
}

func compareNaively(t testing.TB, name string, nodes, changed []ring.Node, keys []string, o Options) (n naive) {
	t.Helper()
	first, err := Build(name, nodes, o)
	if err != nil {
		t.Fatal(err)
	}
	update := func(p ring.Placement, nodes []ring.Node) ring.Placement {
		next, err := p.Update(nodes)
		if name == "bounded" {
			next, err = Build(name, nodes, o) // which shares no counts
		}
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	second := update(first, changed)
	third := update(second, nodes)
	ownerIn := func(p ring.Placement) map[string]string {
		owners := make(map[string]string)
		for _, key := range keys {
			if counting, ok := p.(acquirer); ok {
				owners[key] = p.Nodes()[counting.Acquire(key)].ID
			} else {
				owners[key] = p.Nodes()[p.OwnerIndex(key)].ID
			}
		}
		return owners
	}
	was, is, again := ownerIn(first), ownerIn(second), ownerIn(third)
	weight := func(list []ring.Node) map[string]float64 {
		out := make(map[string]float64)
		for _, node := range list {
			out[node.ID] = node.Weight
		}
		return out
	}
	before, after := weight(nodes), weight(changed)
	stays := func(id string) bool { return before[id] > 0 && before[id] == after[id] }
	receivers := make(map[string]bool)
	each := 1 / float64(len(keys))
	for _, key := range keys {
		if was[key] != is[key] {
			n.moved += each
			receivers[is[key]] = true
			if stays(was[key]) && stays(is[key]) {
				n.unnecessary += each
			}
		}
		if was[key] == again[key] {
			n.restored += each
		}
	}
	n.receivers = len(receivers)
	judge := func(list []ring.Node, owners map[string]string) (peak, cv float64) {
		total := 0.0
		for _, node := range list {
			total += node.Weight
		}
		for _, node := range list {
			load := 0.0
			for _, key := range keys {
				if owners[key] == node.ID {
					load++
				}
			}
			relative := load / (float64(len(keys)) * node.Weight / total)
			peak = math.Max(peak, relative)
			cv += (relative - 1) * (relative - 1) / float64(len(list))
		}
		return peak, math.Sqrt(cv)
	}
	n.peak, n.cv = judge(nodes, was)
	n.peakAfter, _ = judge(changed, is)
	totalBefore, totalAfter := totalWeight(nodes), totalWeight(changed)
	for id, w := range after {
		n.ideal += math.Max(0, w/totalAfter-before[id]/totalBefore)
	}
	return n
}

func near(a *float64, b float64) bool { return a != nil && math.Abs(*a-b) < 1e-9 }

func TestCompareAgainstNaive(t *testing.T) {
	keys := UniformKeys(2000, 7)
	for _, name := range Algorithms() {
		for _, test := range []struct{ nodes, change string }{
			{"5", "+1"}, {"5", "-node5"}, {"5", "+2,-node5"}, {"3", "-1"}, {"4", "-node4,+b"}, {"a:2,b:2,c:4", "+d:2"}, {"a:1,b:2", "=a:3"}, {"6", "=node2:3"},
		} {
			nodes := mustNodes(t, test.nodes)
			change := mustChange(t, test.change)
			changed, err := change.Apply(nodes)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Compare(context.Background(), CompareConfig{Algorithms: []string{name}, Nodes: nodes, Change: change, Keys: keys, NoTiming: true})
			if err != nil {
				t.Fatal(err)
			}
			r := report.Results[0]
			if r.Moved == nil && r.Note != "" {
				continue // TestCompareNotes knows which of these there are
			}
			want := compareNaively(t, name, nodes, changed, keys, Options{})
			if !near(r.Moved, want.moved) || !near(r.MovedUnnecessary, want.unnecessary) || !near(r.Restored, want.restored) ||
				!near(r.PeakToMean, want.peak) || !near(r.PeakToMeanAfter, want.peakAfter) || !near(r.CV, want.cv) ||
				!near(r.Ideal, want.ideal) || *r.Receivers != want.receivers {
				t.Errorf("%s, %s %s: got moved %v unnecessary %v restored %v peak %v %v cv %v ideal %v receivers %v, want %+v", name, test.nodes, test.change,
					*r.Moved, *r.MovedUnnecessary, *r.Restored, *r.PeakToMean, *r.PeakToMeanAfter, *r.CV, *r.Ideal, *r.Receivers, want)
			}
		}
	}
}

// The facts about movement that are in the books: modulo keeps
// min(N,M)/lcm(N,M); a ring moves 1/(N+1) on average and nothing between nodes
// that stay. Both are judged within five standard deviations: of sampling K keys,
// and for the ring of the newcomer's share, Beta(V, VN).
func TestCompareMovement(t *testing.T) {
	const keyCount = 40_000
	keys := UniformKeys(keyCount, 3)
	for _, test := range []struct {
		nodes        int
		change       string
		modulo, ring float64
	}{
		{10, "+1", 10.0 / 11, 1.0 / 11},
		{10, "+2", 5.0 / 6, 2.0 / 12},
		{10, "+10", 1.0 / 2, 10.0 / 20},
		{10, "-node10", 9.0 / 10, 1.0 / 10},
		{4, "-node4", 3.0 / 4, 1.0 / 4},
	} {
		report, err := Compare(context.Background(), CompareConfig{
			Algorithms: []string{"modulo", "ring"}, Nodes: mustNodes(t, fmt.Sprint(test.nodes)), Change: mustChange(t, test.change), Keys: keys, NoTiming: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		sampling := func(p float64) float64 { return p * (1 - p) / keyCount }
		modulo, onRing := report.Results[0], report.Results[1]
		if bound := 5 * math.Sqrt(sampling(test.modulo)); math.Abs(*modulo.Moved-test.modulo) > bound {
			t.Errorf("modulo %d %s: moved %.4f, want %.4f ± %.4f", test.nodes, test.change, *modulo.Moved, test.modulo, bound)
		}
		// The share of the nodes that join or leave is Beta of the tokens that
		// they have and those that the others have.
		share := test.ring
		tokens := share * float64(max(report.NodesBefore, report.NodesAfter)) * ring.DefaultVirtualNodes
		all := tokens / share
		if bound := 5 * math.Sqrt(share*(1-share)/(all+1)+sampling(share)); math.Abs(*onRing.Moved-share) > bound {
			t.Errorf("ring %d %s: moved %.4f, want %.4f ± %.4f", test.nodes, test.change, *onRing.Moved, share, bound)
		}
		if bound := 5 * math.Sqrt(sampling(*onRing.MovedExact)); math.Abs(*onRing.Moved-*onRing.MovedExact) > bound {
			t.Errorf("ring %d %s: moved %.4f of the keys, but %.4f ± %.4f of the space", test.nodes, test.change, *onRing.Moved, *onRing.MovedExact, bound)
		}
		if *onRing.MovedUnnecessary != 0 || *onRing.Restored != 1 {
			t.Errorf("ring %d %s: unnecessary %v, restored %v", test.nodes, test.change, *onRing.MovedUnnecessary, *onRing.Restored)
		}
		if math.Abs(*onRing.Ideal-share) > 1e-12 {
			t.Errorf("ring %d %s: ideal %v, want %v", test.nodes, test.change, *onRing.Ideal, share)
		}
	}
}

// The number of nodes that receive keys when one of N leaves a ring is
// (N-1)(1-(1-1/(N-1))^V) on average. Each of the N-1 receives or not; taking
// those for independent overstates the deviation.
func TestCompareReceivers(t *testing.T) {
	report, err := Compare(context.Background(), CompareConfig{
		Algorithms: []string{"ring"}, Nodes: mustNodes(t, "100"), Change: mustChange(t, "-1"), Keys: UniformKeys(400_000, 1), NoTiming: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	miss := math.Pow(1-1.0/99, 160)
	mean, deviation := 99*(1-miss), math.Sqrt(99*miss*(1-miss))
	if got := float64(*report.Results[0].Receivers); math.Abs(got-mean) > 5*deviation {
		t.Errorf("%v nodes receive keys, want %.1f ± %.1f", got, mean, 5*deviation)
	}
}

// Every placement has its figures or says why not, whatever the change.
func TestCompareNotes(t *testing.T) {
	for _, test := range []struct{ nodes, change, missing string }{
		{"1", "+1", ""},
		{"7", "-1", "jump"},
		{"7", "-node7", ""},
		{"7", "+1,-1", "jump"},
		{"2", "+1,-1", ""}, // the one from the middle was the last before
		{"2", "+x:2", "jump"},
		{"a:1,b:2", "+3", "jump"},
		{"a:0.5,b:0.5", "+x:0.25", "modulo jump multiprobe ketama"},
		{"a:0.0001,b:1", "+1", "ring modulo jump multiprobe ketama bounded"},
	} {
		report, err := Compare(context.Background(), CompareConfig{
			Nodes: mustNodes(t, test.nodes), Change: mustChange(t, test.change), Keys: UniformKeys(50, 1), NoTiming: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, r := range report.Results {
			if r.Moved == nil || r.Restored == nil || r.PeakToMean == nil {
				missing = append(missing, r.Algorithm)
				if r.Note == "" {
					t.Errorf("%+v: %s: a figure is missing without a note", test, r.Algorithm)
				}
			}
			if r.Moved == nil && (r.MovedExact != nil || r.Ideal != nil || r.Receivers != nil || r.PeakToMeanAfter != nil) {
				t.Errorf("%+v: %s: figures of a change that was not made: %+v", test, r.Algorithm, r)
			}
			if r.LookupNS != nil || r.BuildMS != nil {
				t.Errorf("%+v: %s: timed", test, r.Algorithm)
			}
		}
		if got := strings.Join(missing, " "); got != test.missing {
			t.Errorf("%+v: no figures of %s", test, got)
		}
	}
}

func TestCompareIsDeterministic(t *testing.T) {
	cfg := CompareConfig{Nodes: mustNodes(t, "9"), Change: mustChange(t, "+1,-1"), Keys: UniformKeys(batch+1, 1), NoTiming: true}
	first, err := Compare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Compare(context.Background(), cfg)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("another run: %v", err)
	}
}

// A placement that counts load must see the keys in their order, however many
// cores there are. With few tokens a node is full often, and the order shows.
func TestCompareCountsInOrder(t *testing.T) {
	keys := UniformKeys(2*batch+100, 4)
	nodes, change, o := mustNodes(t, "6"), mustChange(t, "+1"), Options{VirtualNodes: 3}
	changed, err := change.Apply(nodes)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Compare(context.Background(), CompareConfig{Algorithms: []string{"bounded"}, Nodes: nodes, Change: change, Keys: keys, Options: o, NoTiming: true})
	if err != nil {
		t.Fatal(err)
	}
	want := compareNaively(t, "bounded", nodes, changed, keys, o)
	if r := report.Results[0]; !near(r.Moved, want.moved) || !near(r.PeakToMean, want.peak) || !near(r.Restored, want.restored) {
		t.Errorf("moved %v, peak %v, restored %v; want %+v", *r.Moved, *r.PeakToMean, *r.Restored, want)
	}
}

func TestCompareTimes(t *testing.T) {
	report, err := Compare(context.Background(), CompareConfig{Nodes: mustNodes(t, "3"), Change: mustChange(t, "+1"), Keys: UniformKeys(10, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.LookupNS == nil || r.BuildMS == nil || *r.LookupNS <= 0 || *r.BuildMS <= 0 {
			t.Errorf("%s: lookup %v, build %v", r.Algorithm, r.LookupNS, r.BuildMS)
		}
	}
}

// heldPlacement counts load; it notes how much was held at its first lookup.
type heldPlacement struct {
	ring.Placement
	held, heldAtLookup int
	asked              bool
}

func (p *heldPlacement) Acquire(key string) int {
	p.held++
	return p.Placement.OwnerIndex(key)
}

func (p *heldPlacement) OwnerIndex(key string) int {
	if !p.asked {
		p.asked, p.heldAtLookup = true, p.held
	}
	return p.Placement.OwnerIndex(key)
}

// Lookups of a placement that counts load are timed on a fleet that has some.
func TestCompareTimesUnderLoad(t *testing.T) {
	nodes := mustNodes(t, "3")
	below, err := Build("ring", nodes, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &heldPlacement{Placement: below}
	f := newFleets(nodes, nodes)
	counted := &trial{name: "held", fleets: f, phases: [3]phase{phaseBefore: f.phase(p)}}
	cfg := CompareConfig{Nodes: nodes, Keys: UniformKeys(100, 1)}
	report, err := compare(context.Background(), &cfg, []*trial{counted}, 3)
	if err != nil || report.Results[0].LookupNS == nil || p.heldAtLookup != 100 || p.held != 100 {
		t.Errorf("%v: %d of %d keys were held", err, p.heldAtLookup, p.held)
	}
}

// The exact peak is that of the shares, by weight, and far more keys than usual
// come close to it.
func TestComparePeakExact(t *testing.T) {
	report, err := Compare(context.Background(), CompareConfig{
		Nodes: mustNodes(t, "b:2,a:1,c:1"), Change: mustChange(t, "+b2:2"), Keys: UniformKeys(200_000, 1), NoTiming: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range report.Results {
		if r.PeakToMeanExact == nil {
			continue
		}
		have = append(have, r.Algorithm)
		// Five standard deviations of the smallest node's count.
		if bound := 5 * math.Sqrt(4.0/200_000); math.Abs(*r.PeakToMean-*r.PeakToMeanExact) > bound {
			t.Errorf("%s: %.4f of the keys, %.4f ± %.4f of the space", r.Algorithm, *r.PeakToMean, *r.PeakToMeanExact, bound)
		}
		if r.Algorithm == "balanced" && *r.PeakToMeanExact > 1.0101 {
			t.Errorf("balanced: %v", *r.PeakToMeanExact)
		}
	}
	if got := strings.Join(have, " "); got != "ring balanced" {
		t.Errorf("exact peaks of %s", got)
	}
}

func TestCompareRefuses(t *testing.T) {
	good := func() CompareConfig {
		return CompareConfig{Nodes: mustNodes(t, "3"), Change: mustChange(t, "+1"), Keys: []string{"k"}, NoTiming: true}
	}
	for what, spoil := range map[string]func(*CompareConfig){
		"nodes":      func(c *CompareConfig) { c.Nodes = nil },
		"keys":       func(c *CompareConfig) { c.Keys = nil },
		"algorithms": func(c *CompareConfig) { c.Algorithms = []string{"hope"} },
		"vnodes":     func(c *CompareConfig) { c.Options.VirtualNodes = -1 },
		"hash":       func(c *CompareConfig) { c.Options.Hasher.Function = 99 },
		"change":     func(c *CompareConfig) { c.Change = mustChange(t, "-x") },
	} {
		cfg := good()
		spoil(&cfg)
		var bad *InputError
		if report, err := Compare(context.Background(), cfg); report != nil || !errors.As(err, &bad) || bad.What != what {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := Compare(context.Background(), good()); err != nil {
		t.Error(err)
	}
}

func TestCompareStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := CompareConfig{Nodes: mustNodes(t, "3"), Change: mustChange(t, "+1"), Keys: UniformKeys(20*batch, 1), NoTiming: true}
	var batches atomic.Int64
	cfg.Progress = func(done, total int64) {
		if done > total || done <= 0 {
			t.Errorf("%d of %d", done, total)
		}
		batches.Add(1)
		cancel()
	}
	report, err := Compare(ctx, cfg)
	if report == nil || !report.Partial || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, %v", report, err)
	}
	placed := 0
	for _, r := range report.Results {
		if r.Moved != nil {
			placed++
		}
		if !strings.Contains(r.Note, "interrupted after ") || (r.Moved == nil) != strings.Contains(r.Note, "interrupted after 0 of ") {
			t.Errorf("%s: %+v", r.Algorithm, r)
		}
	}
	if placed == 0 {
		t.Error("the report has nothing")
	}
	// Each goroutine may be in the middle of a batch.
	if n := batches.Load(); n > int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("placed %d batches after the first", n-1)
	}
}

// A placement that does not come back as it was is found out, although one that says
// it does is not asked for each key.
func TestCompareNotRestored(t *testing.T) {
	nodes := mustNodes(t, "4")
	f := newFleets(nodes, nodes)
	var tr trial
	for _, vnodes := range []int{160, 40} {
		tr = trial{name: "ring", fleets: f}
		for phase, v := range []int{160, 160, vnodes} {
			p, err := Build("ring", nodes, Options{VirtualNodes: v})
			if err != nil {
				t.Fatal(err)
			}
			tr.phases[phase] = f.phase(p)
		}
		tr.back = tr.isBack()
		report, err := compare(context.Background(), &CompareConfig{Nodes: nodes, Keys: UniformKeys(2000, 1), NoTiming: true}, []*trial{&tr}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if same := vnodes == 160; tr.back != same || (*report.Results[0].Restored == 1) != same {
			t.Errorf("%d virtual nodes: back %v, restored %v", vnodes, tr.back, *report.Results[0].Restored)
		}
	}
}

// What is placed until the end counts, and nothing else.
func TestComparePartial(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := CompareConfig{Algorithms: []string{"ring"}, Nodes: mustNodes(t, "7"), Change: mustChange(t, "+1"), Uniform: 300 * batch, Seed: 3}
	cfg.Progress = func(done, _ int64) {
		if done > 5*batch {
			cancel()
		}
	}
	report, err := Compare(ctx, cfg)
	if !errors.Is(err, context.Canceled) || report == nil || !report.Partial || report.Keys != 300*batch {
		t.Fatalf("%+v, %v", report, err)
	}
	r := report.Results[0]
	// A fraction of more keys than were placed would be small: 1 of 8 nodes gains.
	if *r.Moved < 0.1 || *r.Moved > 0.16 || *r.Restored != 1 || r.LookupNS != nil || *r.PeakToMean < 1 || *r.PeakToMean > 1.5 {
		t.Errorf("%+v", r)
	}
	cancelled, stop := context.WithCancel(context.Background())
	stop()
	if report, err := Compare(cancelled, cfg); report != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("before the first key: %v, %v", report, err)
	}
}

// Keys that are made as they are needed are those of UniformKeys.
func TestCompareUniform(t *testing.T) {
	const count = 2*batch + 77
	cfg := CompareConfig{Nodes: mustNodes(t, "6"), Change: mustChange(t, "+2"), Options: Options{VirtualNodes: 3}, NoTiming: true, Keys: UniformKeys(count, 9)}
	list, err := Compare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Keys, cfg.Uniform, cfg.Seed = nil, count, 9
	made, err := Compare(context.Background(), cfg)
	if err != nil || !reflect.DeepEqual(list, made) {
		t.Errorf("%+v instead of %+v, %v", made, list, err)
	}
}

func TestProgressIsComplete(t *testing.T) {
	var calls []int64
	var last int64
	cfg := CompareConfig{Algorithms: []string{"ring"}, Nodes: mustNodes(t, "3"), Change: mustChange(t, "+1"), Keys: UniformKeys(batch, 1), NoTiming: true}
	cfg.Progress = func(done, total int64) { calls, last = append(calls, done), total }
	if _, err := Compare(context.Background(), cfg); err != nil || !slices.Contains(calls, last) {
		t.Errorf("%v, reported %v of %d", err, calls, last)
	}
}
