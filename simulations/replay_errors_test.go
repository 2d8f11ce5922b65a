package simulations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations/trace"
)

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
