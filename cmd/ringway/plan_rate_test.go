package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// plannedRate is what a plan says of its rate.
type plannedRate struct {
	Keys    *int64 `json:"keys_estimated"`
	Seconds *float64
	Rate    int    `json:"keys_per_second"`
	Bytes   int64  `json:"bytes_per_second"`
	From    string `json:"rate_from"`
	Notes   []string
}

// The time follows from the limits that the agents of the sources have now, the least
// of them, unless flags give a rate.
func TestPlanRate(t *testing.T) {
	server := servertest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	pipe := client.Pipeline()
	for i := range 2000 {
		pipe.Set(t.Context(), fmt.Sprint("key:", i), "value", 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	limited := func(id string, keys int, bytes int64) agentapi.Rebalance {
		r := ended(id)
		r.Limits = agentapi.MoveLimits{KeysPerSecond: keys, BytesPerSecond: bytes}
		return r
	}
	none := ended("b")
	none.State = "none"
	for _, test := range []struct {
		name  string
		says  []agentapi.Rebalance
		flags []string
		rate  int
		bytes int64
		from  string
		text  string // of the table
	}{
		{"the least", []agentapi.Rebalance{limited("b", 400, 0), limited("a", 1000, 50_000_000)}, nil, 400, 50_000_000, "agents",
			"400 keys/s a node · 50.0 MB/s a node · the least of the agents' limits"},
		{"the same", []agentapi.Rebalance{limited("b", 400, 0), limited("a", 400, 0)}, nil, 400, 0, "agents", "400 keys/s a node · the agents' limit"},
		{"no limit", []agentapi.Rebalance{limited("b", 0, 0), limited("a", 0, 0)}, nil, 0, 0, "agents", "the agents have no limit, so no time"},
		{"flags go before", []agentapi.Rebalance{limited("b", 400, 0), limited("a", 1000, 0)}, []string{"--keys-per-second", "5000"}, 5000, 0, "flags", "5,000 keys/s a node · keys"},
		{"also to say that there is none", []agentapi.Rebalance{limited("b", 400, 0), limited("a", 1000, 0)}, []string{"--keys-per-second", "0"}, 0, 0, "flags", "no rate given, so no time"},
		{"one tells none", []agentapi.Rebalance{none, limited("a", 1000, 0)}, nil, 1000, 0, "agents", "agents of b did not tell their limits"},
		{"none does", []agentapi.Rebalance{none}, nil, 0, 0, "", "no agent told its limit, so no time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// Both are on one server: a plan counts each key where it is told to look.
			_, url := newMovers(t, []membership.Member{{ID: "a", Address: server.Addr()}, {ID: "b", Address: server.Addr()}}, test.says...)
			args := append([]string{"plan", "--add", "c", "--agent", url}, test.flags...)
			code, stdout, stderr := run(append(args, "--format", "json")...)
			var p plannedRate
			if err := json.Unmarshal([]byte(stdout), &p); code != 0 || err != nil {
				t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
			}
			if p.Rate != test.rate || p.Bytes != test.bytes || p.From != test.from || p.Keys == nil {
				t.Errorf("got %+v", p)
			}
			limited := test.rate > 0 || test.bytes > 0
			if known := p.Seconds != nil; known != limited {
				t.Errorf("a time: %v, want %v", known, limited)
			}
			if limited && *p.Seconds < float64(*p.Keys)/2/float64(test.rate)-1e-6 || limited && math.IsInf(*p.Seconds, 0) {
				t.Errorf("%v s for %d keys", *p.Seconds, *p.Keys)
			}
			_, stdout, _ = run(args...)
			checkWidth(t, stdout)
			if !strings.Contains(stdout, test.text) {
				t.Errorf("%q is not in\n%s", test.text, stdout)
			}
		})
	}
}
