package simulations

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

func drawRun(t *rapid.T) (RunConfig, [][2]string) {
	ids := []string{"a", "b", "c", "d", "e"}
	var nodes []ring.Node
	for _, id := range ids[:rapid.IntRange(2, 4).Draw(t, "nodes")] {
		nodes = append(nodes, ring.Node{ID: id, Weight: float64(rapid.IntRange(1, 2).Draw(t, "weight")), Zone: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "zone")})
	}
	v := Variant{
		Algorithm: rapid.SampledFrom([]string{"ring", "rendezvous", "balanced"}).Draw(t, "algorithm"), Nodes: nodes,
		Options:     Options{VirtualNodes: 20},
		Capacity:    Capacity{Items: int64(rapid.IntRange(1, 8).Draw(t, "capacity"))},
		Copies:      rapid.IntRange(1, 3).Draw(t, "copies"),
		Sweep:       rapid.Bool().Draw(t, "sweep"),
		SpreadReads: rapid.Bool().Draw(t, "spread"),
		Migration:   float64(rapid.SampledFrom([]int{0, 5, 40, 1000}).Draw(t, "migration")),
		EvictAfter:  Moment{Requests: int64(rapid.IntRange(0, 15).Draw(t, "evict after"))},
	}
	cfg := RunConfig{Variants: []Variant{v}, Rate: 100, Window: 10, chunk: rapid.IntRange(1, 30).Draw(t, "chunk")}
	keys := rapid.IntRange(3, 30).Draw(t, "keys")
	ops := []string{"get", "get", "get", "get", "set", "update", "delete"}
	requests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]string {
		return [2]string{fmt.Sprint("k", rapid.IntRange(0, keys).Draw(t, "key")), rapid.SampledFrom(ops).Draw(t, "op")}
	}), 40, 150).Draw(t, "requests")
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		c := FleetChange{
			At: Moment{Requests: int64(rapid.IntRange(1, len(requests)-1).Draw(t, "at"))}, Node: rapid.SampledFrom(ids).Draw(t, "node"),
			Kind: rapid.SampledFrom([]ChangeKind{Reshape, Fail, Return, Flap, Flap}).Draw(t, "kind"), Keep: rapid.Bool().Draw(t, "keep"),
			Times: 3, Down: Moment{Requests: int64(rapid.IntRange(1, 20).Draw(t, "down"))}, Up: Moment{Requests: 3},
		}
		if c.Kind == Reshape {
			text := rapid.SampledFrom([]string{"+" + c.Node, "-" + c.Node, "=" + c.Node + ":2", "+2"}).Draw(t, "change")
			c.Change, _ = ParseChange(text)
		}
		try := cfg
		try.Variants = []Variant{v}
		try.Variants[0].Changes = append(slices.Clone(v.Changes), c)
		if try.Check() == nil {
			v = try.Variants[0]
			cfg = try
		}
	}
	return cfg, requests
}

func TestRunMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, requests := drawRun(t)
		var text strings.Builder
		text.WriteString("key,op\n")
		for _, r := range requests {
			text.WriteString(r[0] + "," + r[1] + "\n")
		}
		reader := openText(t, text.String())
		defer reader.Close()
		cfg.Source = reader
		report, err := Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.Variants[0].prepare(); err != nil {
			t.Fatal(err)
		}
		got := report.Results[0]
		want := dumbRun(&cfg, &cfg.Variants[0], cfg.Variants[0].Changes, requests)
		control := dumbRun(&cfg, &cfg.Variants[0], nil, requests)
		for i, p := range got.Series {
			if o := outcomeOf(p.HitRate); o != want.outcomes[i] {
				t.Fatalf("request %d (%v): fleet %c, want %c", i, requests[i], o, want.outcomes[i])
			}
			if o := outcomeOf(p.ControlHitRate); o != control.outcomes[i] {
				t.Fatalf("request %d: control %c, want %c", i, o, control.outcomes[i])
			}
		}
		for name, pair := range map[string][2]float64{
			"stale": {float64(*got.StaleReads), float64(want.stale)}, "control stale": {float64(*got.ControlStaleReads), float64(control.stale)},
			"failed": {float64(*got.FailedRequests), float64(want.failed)}, "moved": {*got.Moved, want.moved}, "needless": {*got.MovedUnnecessary, want.unnecessary},
			"loads": {float64(*got.Loads), float64(strings.Count(string(want.outcomes), "m"))},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Fatalf("%s: %v, want %v", name, pair[0], pair[1])
			}
		}
		if got.Migrated != nil && *got.Migrated != want.migrated {
			t.Fatalf("migrated %d, want %d", *got.Migrated, want.migrated)
		}
	})
}

func outcomeOf(rate *float64) byte {
	switch {
	case rate == nil:
		return '-'
	case *rate == 1:
		return 'h'
	}
	return 'm'
}
