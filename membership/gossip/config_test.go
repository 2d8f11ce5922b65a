package gossip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/ring"
)

func goodNode() *NodeConfig { return &NodeConfig{Address: "10.0.0.1:6379", Server: newServer()} }

func TestConfigErrors(t *testing.T) {
	seeds := []string{"10.0.0.1"}
	tests := []struct {
		name string
		cfg  Config
		want string // all of these words, apart by "…"
	}{
		{"no seeds", Config{}, "Config.Seeds: got none…at least one member"},
		{"node without seeds or bootstrap", Config{Name: "a", Node: goodNode()}, "Config.Seeds: got none…Node.Bootstrap"},
		{"bad seed", Config{Seeds: []string{"10.0.0.1:x"}}, `Config.Seeds: got "10.0.0.1:x", want host:port`},
		{"seed without host", Config{Seeds: []string{":7946"}}, `got ":7946"`},
		{"network", Config{Seeds: seeds, Network: 7}, "Config.Network: got Network(7)"},
		{"long cluster", Config{Seeds: seeds, Cluster: strings.Repeat("x", 65)}, "Config.Cluster: got 65 bytes, want at most 64"},
		{"node without ID", Config{Seeds: seeds, Node: goodNode()}, "Config.Name: got nothing…ID"},
		{"long name", Config{Seeds: seeds, Name: strings.Repeat("x", 256)}, "Config.Name: got 256 bytes"},
		{"node without server", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Address: "h:1"}}, "Config.Node.Server: got nil"},
		{"node without address", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Server: newServer()}}, "Config.Node…address"},
		{"node with a bad address", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Address: "nowhere", Server: newServer()}}, "Config.Node…host:port"},
		{"node of weight below 0", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Address: "h:1", Weight: -1, Server: newServer()}}, "Config.Node…weight: got -1"},
		{"router as a node", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Kind: "router", Address: "h:1", Server: newServer()}}, "Config.Node…kind: got router"},
		{"copies", Config{Seeds: seeds, Name: "a", Node: &NodeConfig{Address: "h:1", Copies: -1, Server: newServer()}}, "Copies: got -1"},
		{"own address not allowed", Config{Seeds: seeds, Name: "a", Node: goodNode(), AllowServerNames: []string{"x"}}, `Config.Node.Address: got "10.0.0.1:6379"`},
		{"bind to a name", Config{Seeds: seeds, Bind: "localhost:7946"}, `Config.Bind: got "localhost:7946", want an IP address`},
		{"advertise everything", Config{Seeds: seeds, Advertise: "0.0.0.0:7946"}, "Config.Advertise: got…others can reach"},
		{"all IPv6 addresses", Config{Seeds: seeds, Bind: "[::]:7946"}, "Config.Advertise: got nothing"},
		{"short key", Config{Seeds: seeds, Keys: [][]byte{make([]byte, 16), make([]byte, 15)}}, "Config.Keys[1]: key: got 15 bytes, want 16, 24 or 32"},
		{"long label", Config{Seeds: seeds, Label: strings.Repeat("x", 256)}, "Config.Label: got 256 bytes"},
		{"invalid network", Config{Seeds: seeds, AllowGossip: make([]netip.Prefix, 1)}, "invalid network"},
		{"placement", Config{Seeds: seeds, Placement: ring.Config{VirtualNodes: -1}}, "Config.Placement"},
		{"time below 0", Config{Seeds: seeds, Timing: Timing{EvictAfter: -1}}, "Config.Timing.EvictAfter: got -1ns"},
		{"probes below 0", Config{Seeds: seeds, Timing: Timing{ProbeFailures: -1}}, "ProbeFailures: got -1"},
		{"dwell within the window", Config{Seeds: seeds, Timing: Timing{Dwell: time.Second}}, "Config.Timing.Dwell: got 1s, want above the BatchWindow, 2s"},
		{"dwell above its limit", Config{Seeds: seeds, Timing: Timing{Dwell: time.Hour}}, "Config.Timing.MaxDwell: got 15s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := Join(t.Context(), tt.cfg)
			if err == nil {
				_ = g.Close()
				t.Fatal("joined")
			}
			for _, words := range strings.Split(tt.want, "…") {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("got %q, want %q in it", err, words)
				}
			}
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	s, err := Config{Seeds: []string{"10.0.0.1", "cache.example:1", "fe80::1", "[::1]:2"}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if s.Cluster != "ringway" || !strings.HasPrefix(s.Name, "router-") || s.bind.String() != "0.0.0.0:0" || s.Timing.EvictAfter != 30*time.Second {
		t.Errorf("client: got cluster %q, name %q, bind %v, timing %+v", s.Cluster, s.Name, s.bind, s.Timing)
	}
	var got []string
	for _, seed := range s.seeds {
		got = append(got, seed.String())
	}
	if all := strings.Join(got, " "); all != "10.0.0.1:7946 cache.example:1 [fe80::1]:7946 [::1]:2" {
		t.Errorf("seeds: got %s", all)
	}

	other, _ := Config{Seeds: []string{"h"}}.complete()
	if other.Name == s.Name {
		t.Errorf("two clients were both named %s", s.Name)
	}

	key := bytes.Repeat([]byte{1}, 32)
	cfg := Config{Name: "a", Network: Local, Seeds: []string{"h"}, Node: goodNode(), Keys: [][]byte{key}, Timing: Timing{EvictAfter: time.Hour}}
	if s, err = cfg.complete(); err != nil {
		t.Fatal(err)
	}
	if s.bind.String() != "127.0.0.1:7946" || s.Node.Kind != "redis" || s.Timing.EvictAfter != time.Hour || s.Timing.Dwell != time.Second {
		t.Errorf("node: got bind %v, kind %q, timing %+v", s.bind, s.Node.Kind, s.Timing)
	}
	key[0], cfg.Node.Address = 2, "elsewhere:1"
	if s.Keys[0][0] != 1 || s.Node.Address != "10.0.0.1:6379" {
		t.Error("a later change of the caller's Config reached the member")
	}
}

// TestGeneration: it grows with the clock, and readers of JSON that have floating
// point only lose nothing of it.
func TestGeneration(t *testing.T) {
	const exact = 1 << 53
	last := uint64(0)
	for _, at := range []time.Time{time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1e9, 0), time.Unix(1e9, 1000),
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2255, 1, 1, 0, 0, 0, 0, time.UTC)} {
		g := generationAt(at)
		if g <= last || g+1000 > exact { // each return adds one
			t.Errorf("%v: got %d after %d, want more, and at most 2^53", at, g, last)
		}
		last = g
	}
	g, _ := unopened(t, Config{Name: "b", Node: goodNode()})
	if got := g.loop.node.record.Generation; got < generationAt(time.Now().Add(-time.Hour)) || got > generationAt(time.Now()) {
		t.Errorf("a node that starts now has generation %d", got)
	}
}

// TestPresets makes sure that what depends on each other fits, for each network.
func TestPresets(t *testing.T) {
	for _, n := range []Network{LAN, Local, WAN} {
		timing, pace, list := n.timing(), n.pace(), n.gossip()
		if err := timing.validate(); err != nil {
			t.Errorf("%v: %v", n, err)
		}
		for _, f := range timing.fields() {
			if *f.value == 0 {
				t.Errorf("%v: no %s", n, f.name)
			}
		}
		// A crash is seen after a probe and the suspicion; in between the node may
		// be back at another address.
		seen := list.ProbeInterval + time.Duration(list.SuspicionMult)*list.ProbeInterval
		if timing.ConflictAfter < 2*seen+pace.reclaim {
			t.Errorf("%v: ConflictAfter %v, although a crash is seen after %v", n, timing.ConflictAfter, seen)
		}
		if timing.Dwell-timing.BatchWindow < 3*list.GossipInterval {
			t.Errorf("%v: Dwell %v, BatchWindow %v, although gossip takes %v a hop", n, timing.Dwell, timing.BatchWindow, list.GossipInterval)
		}
		if pace.tell > 200*time.Millisecond {
			t.Errorf("%v: a router tells its epoch after %v", n, pace.tell)
		}
		if pace.tick == 0 || pace.settle == 0 || pace.quiet == 0 || pace.spread == 0 || pace.lag == 0 || pace.retry == 0 || pace.slowest < pace.retry || pace.reclaim == 0 {
			t.Errorf("%v: pace %+v", n, pace)
		}
	}
}

func TestAllowList(t *testing.T) {
	l := newAllowList(
		[]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")},
		[]string{"Cache.example.com", ".pods.local", "unix:///run/redis.sock"},
	)
	tests := map[string]bool{
		"10.1.2.3:6379":            true,
		"[::ffff:10.1.2.3]:6379":   true,
		"10.2.0.1:6379":            false,
		"[fd00::1]:6379":           true,
		"[fe80::1%eth0]:6379":      false,
		"cache.example.com:6379":   true,
		"CACHE.example.com.:6379":  true,
		"xcache.example.com:6379":  false,
		"a.b.pods.local:1":         true,
		"pods.local:1":             false,
		"evilpods.local:1":         false,
		"unix:///run/redis.sock":   true,
		"unix:///run/other.sock":   false,
		"10.1.2.3":                 false, // no port
		"":                         false,
		"cache.example.com@evil:1": false,
	}
	for address, want := range tests {
		if got := l.allows(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
	if l := newAllowList(nil, nil); !l.allows("anything") {
		t.Error("an empty list refuses")
	}
	if l := newAllowList(nil, []string{"h"}); l.allows("10.1.2.3:1") {
		t.Error("a list of names allows an address")
	}
}
