package simulations

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/simulations/trace"
)

// drawTrace makes a small trace in one of the ways that change what a replay
// does: keys alone; or a table with operations, sizes and TTLs, some left out.
func drawTrace(t *rapid.T, byBytes bool) (text string, requests int) {
	requests = rapid.IntRange(30, 250).Draw(t, "requests")
	keys := rapid.IntRange(1, 60).Draw(t, "keys")
	key := func() string { return fmt.Sprint("k", rapid.IntRange(1, keys).Draw(t, "key")) }
	var b strings.Builder
	if !byBytes && rapid.Bool().Draw(t, "keys alone") {
		for range requests {
			b.WriteString(key() + "\n")
		}
		return b.String(), requests
	}
	timed := rapid.Bool().Draw(t, "timed")
	b.WriteString("key,op,size,ttl")
	if timed {
		b.WriteString(",time")
	}
	for range requests {
		op := rapid.SampledFrom([]string{"get", "get", "get", "set", "incr", "delete"}).Draw(t, "op")
		ttl := rapid.SampledFrom([]int{0, 0, 3, 10, 40}).Draw(t, "ttl")
		fmt.Fprintf(&b, "\n%s,%s,%d,%d", key(), op, rapid.IntRange(0, 60).Draw(t, "size"), ttl)
		if timed {
			fmt.Fprintf(&b, ",%d", rapid.IntRange(0, 50).Draw(t, "time"))
		}
	}
	return b.String(), requests
}

func openText(t *rapid.T, text string) *trace.Reader {
	format := trace.CSV
	if !strings.HasPrefix(text, "key,") {
		format = trace.Keys
	}
	r, err := trace.NewReader(strings.NewReader(text), "drawn", trace.Config{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// drawChanges draws up to three changes that every placement can make.
func drawChanges(t *rapid.T, requests int, weighted bool) []TimedChange {
	parts := []string{"+1", "+2", "+1,+extra"}
	if weighted {
		parts = append(parts, "-1", "-1,+3", "=node1:2.5", "=node2:0.5,+1")
	}
	var text []string
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		at := rapid.IntRange(1, requests-1).Draw(t, "at")
		for part := range strings.SplitSeq(rapid.SampledFrom(parts).Draw(t, "change"), ",") {
			text = append(text, fmt.Sprintf("%s@%d", part, at))
		}
	}
	if len(text) == 0 {
		return nil
	}
	changes, err := ParseTimedChanges(strings.Join(text, ","))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// TestReplayAgainstOracle holds every figure of small random replays against the
// oracle's.
func TestReplayAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"ring", "ring", "modulo", "jump", "bounded"}).Draw(t, "algorithm")
		cfg := ReplayConfig{
			Algorithms: []string{name},
			Options:    Options{VirtualNodes: 8},
			Window:     rapid.Int64Range(1, 60).Draw(t, "window"),
			Horizon:    rapid.SampledFrom([]int64{1, 50, 1000}).Draw(t, "horizon"),
			Migrate:    rapid.Bool().Draw(t, "migrate"),
			LoadMillis: rapid.SampledFrom([]float64{0, 2.5}).Draw(t, "db-ms"),
			inFlight:   rapid.SampledFrom([]int{2, 10, requestsInFlight}).Draw(t, "in flight"),
			chunk:      rapid.SampledFrom([]int{1, 7, chunkEvents}).Draw(t, "chunk"),
		}
		var err error
		if cfg.Nodes, err = ParseNodes(fmt.Sprint(rapid.IntRange(3, 6).Draw(t, "nodes"))); err != nil {
			t.Fatal(err)
		}
		byBytes := rapid.Bool().Draw(t, "by bytes")
		if cfg.Capacity.Items = rapid.Int64Range(1, 20).Draw(t, "items"); byBytes {
			cfg.Capacity = Capacity{Bytes: rapid.Int64Range(1, 500).Draw(t, "bytes")}
		}
		text, requests := drawTrace(t, byBytes)
		cfg.Changes = drawChanges(t, requests, name == "ring" || name == "bounded")
		// Later changes may want what earlier ones took; that is not ours.
		nodes := cfg.Nodes
		for _, c := range cfg.Changes {
			if nodes, err = c.Change.Apply(nodes); err != nil {
				t.Skip()
			}
		}
		want := naiveReplay(t, cfg, naiveRequests(t, text, byBytes), name)

		cfg.Trace = openText(t, text)
		defer cfg.Trace.Close()
		got, err := Replay(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := asJSON(t, got.Results[0]), asJSON(t, want); a != b {
			t.Fatalf("\n got %s\nwant %s", a, b)
		}
		if got.Trace.Requests != int64(requests) {
			t.Fatalf("%d requests, want %d", got.Trace.Requests, requests)
		}
	})
}

func asJSON(t interface{ Fatal(...any) }, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLRUAgainstOracle runs several capacities at once against one naive cache
// each.
func TestLRUAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byBytes := rapid.Bool().Draw(t, "by bytes")
		text, _ := drawTrace(t, byBytes)
		cfg := LRUConfig{Trace: openText(t, text), Capacities: []Capacity{{Items: 1}, {Items: 10}, {Items: 1000}}}
		if byBytes {
			cfg.Capacities = append(cfg.Capacities, Capacity{Bytes: 50}, Capacity{Bytes: 900})
		}
		defer cfg.Trace.Close()
		got, err := LRU(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		requests := naiveRequests(t, text, byBytes)
		for i, capacity := range cfg.Capacities {
			c := &naiveCache{capacity: capacity, order: list.New()}
			var outcomes []byte
			for j, r := range requests {
				outcomes = append(outcomes, c.serve(r, j+1))
			}
			s := naiveScore(outcomes, 0, int64(len(requests)))
			want := LRUResult{capacity.number(), capacity.unit(), s.gets(), s.hits, s.rate()}
			if a, b := asJSON(t, got.Results[i]), asJSON(t, want); a != b {
				t.Fatalf("\n got %s\nwant %s", a, b)
			}
		}
		if slices.ContainsFunc(got.Results, func(r LRUResult) bool { return r.Hits > r.Requests }) {
			t.Fatal("more hits than requests")
		}
	})
}
