package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

func TestPlanHelp(t *testing.T) {
	clearVariables(t)
	for name, args := range map[string][]string{"help-plan": {"plan", "--help"}, "complete-plan-kind": {"__complete", "plan", "--kind", "m"}} {
		code, stdout, stderr := run(args...)
		checkWidth(t, stdout)
		compareGolden(t, name, goldenText(args, code, stdout, stderr))
	}
}

// What follows from the rings alone.
func TestPlanShow(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	golden(t, "plan", url, "plan", "--add", "cache-d:2:eu-1", "--no-sample")
	golden(t, "plan-json", url, "plan", "--add", "cache-d@10.0.0.4:6379", "--remove", "cache-a", "--no-sample", "--seed", "1", "--format", "json")
	golden(t, "plan-csv", url, "plan", "--remove", "cache-b", "--no-sample", "--format", "csv")
	golden(t, "plan-weight", url, "plan", "--weight", "cache-a=1.5", "--no-sample", "--copies", "2")
	golden(t, "plan-same", url, "plan", "--weight", "cache-a=1", "--no-sample")
	golden(t, "plan-none-new", url, "plan", "--add", "cache-d", "--add", "cache-e,cache-f", "--no-sample", "--memory", "cache-d=8GB,cache-a=1MiB")
}

// While keys move, a plan without a change is the one that is under way; with one
// it begins where that ends, and a node that waits is known already.
func TestPlanDuringTransition(t *testing.T) {
	members := append(moving(), node("cache-i", func(m *membership.Member) { m.State, m.Weight, m.Zone = membership.Joining, 3, "us-1" }))
	_, url := newAgentOf(t, ring.Config{}, 42, members...)
	golden(t, "plan-under-way", url, "plan", "--kind", "redis", "--no-sample")
	golden(t, "plan-after-it", url, "plan", "--kind", "redis", "--add", "cache-i", "--no-sample", "--format", "json", "--seed", "1")
	golden(t, "bad-plan-both-kinds", url, "plan", "--add", "cache-i", "--no-sample")
	golden(t, "bad-plan-leaving", url, "plan", "--kind", "redis", "--remove", "cache-d", "--no-sample")
}

func TestPlanBadInput(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	for name, args := range map[string][]string{
		"nothing":       {},
		"empty":         {"--add", ""},
		"weight":        {"--add", "cache-d:heavy"},
		"weight-zero":   {"--add", "cache-d:0"},
		"weight-nan":    {"--weight", "cache-a=NaN"},
		"parts":         {"--add", "cache-d:1:eu:1"},
		"address":       {"--add", "cache-d@nowhere"},
		"known":         {"--add", "cache-a"},
		"unknown":       {"--remove", "cache-z"},
		"twice":         {"--remove", "cache-a,cache-a"},
		"added-twice":   {"--add", "cache-d,cache-d:2"},
		"weighed-twice": {"--weight", "cache-a=2,cache-a=3"},
		"removed-too":   {"--remove", "cache-a", "--weight", "cache-a=2"},
		"last":          {"--remove", "cache-a,cache-b,cache-c"},
		"pair":          {"--weight", "cache-a"},
		"weigh-unknown": {"--weight", "cache-z=2"},
		"memory":        {"--add", "cache-d", "--memory", "cache-d=8"},
		"memory-pair":   {"--add", "cache-d", "--memory", "8GB"},
		"memory-twice":  {"--add", "cache-d", "--memory", "cache-d=8GB,cache-d=9GB"},
		"copies":        {"--add", "cache-d", "--copies", "0"},
		"headroom":      {"--add", "cache-d", "--headroom", "1"},
		"rate":          {"--add", "cache-d", "--keys-per-second", "-1"},
		"bytes":         {"--add", "cache-d", "--bytes-per-second", "fast"},
		"sample":        {"--add", "cache-d", "--sample", "0"},
		"time":          {"--add", "cache-d", "--sample-time", "0s"},
		"kind":          {"--add", "cache-d", "--kind", "router"},
		"server":        {"--add", "cache-d", "--server", "redis://:secret@host:port"},
		"server-kind":   {"--add", "cache-d", "--server", "memcached://any"},
		"tls":           {"--add", "cache-d", "--server-tls-ca", "ca.pem"},
		"tokens":        {"--add", "cache-d:1000000", "--no-sample"},
		"token":         {"--add", "cache-d:0.0001", "--no-sample"},
		"argument":      {"cache-d"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"plan"}, args...)
			code, stdout, stderr := run(append(args, "--agent", url)...)
			checkUsageError(t, code, stdout, stderr)
			if strings.Contains(stderr, "secret") {
				t.Error("a password is shown")
			}
			golden(t, "bad-plan-"+name, url, args...)
		})
	}
	golden(t, "plan-no-kind", url, "plan", "--add", "cache-d", "--kind", "memcached")
}

// The settings of an agent's file serve plan too; the node's own weight is not
// taken for a change.
func TestPlanWithAgentFile(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	t.Setenv("RINGWAY_WEIGHT", "2")
	code, stdout, stderr := run("plan", "--add", "cache-d", "--no-sample", "--agent", url, "--config", "testdata/agent.yaml")
	if code != 0 || !strings.Contains(stdout, "Adding 1 node moves") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// The JSON has what the contract says, and its fractions are those of ring.Diff.
func TestPlanContract(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	_, stdout, _ := run("plan", "--add", "cache-d", "--no-sample", "--format", "json", "--agent", url)
	var plan struct {
		Schema         string
		Epoch          uint64
		Moved, Ideal   float64
		KeysEstimated  *float64 `json:"keys_estimated"`
		BytesEstimated *float64 `json:"bytes_estimated"`
		Movements      []struct {
			From, To       string
			Fraction       float64
			KeysEstimated  *float64 `json:"keys_estimated"`
			BytesEstimated *float64 `json:"bytes_estimated"`
		}
		Refused []string
	}
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil {
		t.Fatal(err)
	}
	nodes := []ring.Node{{ID: "cache-a", Weight: 1}, {ID: "cache-b", Weight: 1, Zone: "eu-1"}, {ID: "cache-c", Weight: 2}}
	from, errFrom := ring.New(nodes, ring.Config{})
	to, errTo := ring.New(append(nodes, ring.Node{ID: "cache-d", Weight: 1}), ring.Config{})
	if errFrom != nil || errTo != nil {
		t.Fatal(errFrom, errTo)
	}
	moved, err := from.Moved(to)
	if err != nil || plan.Schema != "ringway.plan/1" || plan.Epoch != 7 || plan.Moved != moved || math.Abs(plan.Ideal-0.2) > 1e-12 || plan.Refused == nil || len(plan.Movements) != 3 {
		t.Errorf("%v, %v: %+v", moved, err, plan)
	}
	movements, err := ring.Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]float64)
	for _, m := range movements {
		want[m.From+m.To] += m.Range.Fraction()
	}
	for _, m := range plan.Movements {
		if math.Abs(m.Fraction-want[m.From+m.To]) > 1e-12 || m.KeysEstimated != nil || m.BytesEstimated != nil {
			t.Errorf("%+v, want %v", m, want[m.From+m.To])
		}
	}
	for _, name := range []string{"keys_estimated", "bytes_estimated", "seconds"} {
		if !strings.Contains(stdout, `"`+name+`": null`) {
			t.Errorf("no null %s in\n%s", name, stdout)
		}
	}
}

// examplePlan is a plan in which everything is known.
func examplePlan() *planResult {
	amount := func(keys, keysError, bytes, bytesError int64) PlanAmount {
		return PlanAmount{&keys, &keysError, &bytes, &bytesError}
	}
	return &planResult{
		Agent: "URL", Epoch: 7, Kind: membership.Redis, Change: planChange{Add: []ring.Node{{ID: "cache-d", Weight: 2}}, Remove: []string{"cache-a"}},
		Copies: 1, NodesBefore: 3, NodesAfter: 3, Moved: 0.4567, Ideal: 0.4, Copied: 0.4567, Modulo: ref(0.8), Total: amount(9_134_000, 21_000, 4_010_000_000, 52_000_000),
		Seconds: ref(228.35), Limits: rebalance.Limits{Keys: 20_000}, Headroom: 0.1, Seed: 1, Sampled: true,
		Movements: []planMovement{
			{"cache-a", "cache-b", 0.1, amount(2_000_000, 11_000, 900_000_000, 30_000_000)},
			{"cache-a", "cache-d", 0.3567, amount(7_134_000, 18_000, 3_110_000_000, 42_000_000)},
		},
		Receivers: []planReceiver{
			{ID: "cache-b", PlanAmount: amount(2_000_000, 11_000, 900_000_000, 30_000_000), Needs: ref[int64](1_089_400_000), Used: ref[int64](7_000_000_000), Limit: ref[int64](8_000_000_000),
				From: ref("server"), Policy: ref("noeviction"), Free: ref[int64](200_000_000), Fits: ref(false), Reason: "it needs 1.09 GB and has 200 MB free of 8.00 GB; once full it refuses writes (noeviction)"},
			{ID: "cache-d", PlanAmount: amount(7_134_000, 18_000, 3_110_000_000, 42_000_000), Needs: ref[int64](3_652_880_000), Limit: ref[int64](8_000_000_000), From: ref("told"), Free: ref[int64](7_200_000_000), Fits: ref(true)},
		},
		Samples: []planSample{{ID: "cache-a", Population: ref[int64](20_000_000), Seen: ref[int64](20_010), Kept: ref[int64](20_010), Wanted: ref(20_010)}},
		Refused: []string{"cache-b: it needs 1.09 GB and has 200 MB free of 8.00 GB; once full it refuses writes (noeviction)"},
		Notes:   []string{"a note"},
	}
}

func TestPlanTexts(t *testing.T) {
	for _, format := range []cli.Format{cli.Table, cli.JSON, cli.CSV} {
		var b strings.Builder
		if err := examplePlan().report().Print(&b, format); err != nil {
			t.Fatal(err)
		}
		if format == cli.Table {
			checkWidth(t, b.String())
		}
		compareGolden(t, "plan-example-"+string(format), b.String())
	}
}

// The table keeps its width, and the verdict its words, whatever the numbers.
func TestPlanIsNeverTooWide(t *testing.T) {
	r := examplePlan()
	long := strings.Repeat("日", 60) + "\x1b[31m"
	huge := PlanAmount{ref[int64](math.MaxInt64), ref[int64](math.MaxInt64), ref[int64](math.MaxInt64), ref[int64](math.MaxInt64)}
	r.Movements, r.Receivers, r.Refused = nil, nil, nil
	for i := range 60 {
		r.Movements = append(r.Movements, planMovement{From: long, To: long, Fraction: 1 / float64(i+2), PlanAmount: huge})
		r.Receivers = append(r.Receivers, planReceiver{ID: long, Needs: huge.Keys, Used: huge.Keys, Limit: huge.Keys, Free: ref[int64](-1), Policy: ref(long), Fits: ref(false)})
		r.Refused = append(r.Refused, shownName(long)+": it has no room")
	}
	r.Change.Remove, r.Change.Add, r.Notes = slices.Repeat([]string{long}, 99), nil, []string{strings.Repeat("word ", 100)}
	r.Total, r.Moved, r.Modulo, r.Seconds = PlanAmount{ref[int64](98_765_432_100), huge.Keys, ref[int64](999_000_000_000), huge.Keys}, 0.98765, ref(0.99944), ref(86400*999.)
	var b strings.Builder
	if err := r.report().Print(&b, cli.Table); err != nil {
		t.Fatal(err)
	}
	checkWidth(t, b.String())
	if v := r.verdict(); strings.Contains(v, "…") || !strings.HasSuffix(v, "REFUSED.") {
		t.Errorf("verdict %q", v)
	}
	if !strings.Contains(b.String(), "20 movements that are smaller") {
		t.Errorf("60 movements:\n%s", b.String())
	}
}

func TestPlanSmallTexts(t *testing.T) {
	for got, want := range map[string]string{
		span(0): "1 s", span(1.4): "1 s", span(99): "99 s", span(100): "2 min", span(5999): "100 min", span(6000): "2 h", span(86400 * 3): "3 d", span(86400 * 999): "999 d", span(1e300): "years",
		countText(0): "0", countText(999): "999", countText(1000): "1,000", countText(1234567): "1,234,567", countText(9_999_999): "9,999,999",
		countText(12_345_678): "12.3 million", countText(98_765_432_100): "98.8 billion",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if v := (&planResult{Change: planChange{Weigh: map[string]float64{"a": 1}}}).verdict(); v != "Changing 1 weight moves nothing." {
		t.Error(v)
	}
	if text := fmt.Sprint(examplePlan().Change.list()); text != "+ cache-d (weight 2), − cache-a" {
		t.Error(text)
	}
}
