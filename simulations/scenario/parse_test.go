package scenario

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenarios"
	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

// good is a scenario that uses every field; tests put mistakes into it.
const good = `name: everything
question: What about it?
seed: 7
workload:
  generate: zipf
  alpha: 0.99
  keys: 1_000
  requests: 20_000
  operations: {get: 0.8, set: 0.1, update: 0.05, delete: 0.05}
  key_size: 30
  value_size: 200
  value_spread: exponential
  ttl: 300s
  rate: 1_000
  warmup: 10%
fleet:
  nodes: [a, "b:2", "c:1:north"]
  zones: [east, west]
  capacity: 64kB
  copies: 2
  reads: spread
  bounded_load: off
  migration: 500
  sweep: true
  evict_after: 2s
  use_zones: true
  vnodes: 100
  hash: murmur3
  hash_seed: 3
placements:
  - ring
  - placement: modulo
    name: other
    copies: 1
    bounded_load: 1.5
    migration: off
    changes:
      - {at: 5_000, fail_zone: east}
      - {at: 50%, return_zone: east, data: kept}
changes:
  - {at: 20%, join: [d, "e:2"]}
  - {at: 5s, leave: 1}
  - {at: 6_000, weight: "b:3"}
  - {at: 7_000, double: true}
  - {at: 8_000, fail: b}
  - {at: 9_000, return: all}
  - {at: 10_000, flap: a, times: 2, down: 100ms, up: 200, data: kept}
  - {at: 15_000, rolling_restart: true, down: 10, up: 10}
window: 1_000
horizon: 5_000
costs: {load_ms: 3, million_loads: 0.2, database_hour: 1.5, currency: EUR}
assert:
  - ring.moved_unnecessary == 0
  - "other.loads > 0"
`

func TestParse(t *testing.T) {
	s, err := Parse("dir/x.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := s.Config(20_000)
	if err != nil {
		t.Fatal(err)
	}
	w := s.Workload.Generated
	if s.Name != "everything" || s.Seed != 7 || w.Alpha != 0.99 || w.Keys != 1000 || w.Ops != (workload.Ops{Get: 0.8, Set: 0.1, Update: 0.05, Delete: 0.05}) ||
		w.KeySize != 30 || !w.Exponential || w.TTLs[0].Seconds != 300 {
		t.Errorf("workload %+v", w)
	}
	if cfg.Rate != 1000 || cfg.Warmup != 2000 || cfg.Window != 1000 || cfg.Horizon != 5000 || cfg.Costs.PerDatabaseHour != 1.5 || cfg.Costs.LoadMillis != 3 {
		t.Errorf("config %+v", cfg)
	}
	a, b := cfg.Variants[0], cfg.Variants[1]
	if a.Name != "ring" || a.Copies != 2 || !a.SpreadReads || a.Bounded != 0 || a.Migration != 500 || !a.Sweep || a.EvictAfter.Seconds != 2 ||
		a.Options.VirtualNodes != 100 || a.Options.Hasher.Seed != 3 || a.Capacity.Bytes != 64_000 || len(a.Changes) != 8 {
		t.Errorf("first row %+v", a)
	}
	if b.Name != "other" || b.Algorithm != "modulo" || b.Copies != 1 || b.Bounded != 1.5 || b.Migration != 0 || len(b.Changes) != 2 || b.Changes[1].At.Requests != 10_000 || !b.Changes[1].Keep {
		t.Errorf("second row %+v", b)
	}
	for i, want := range []string{"a 1 east", "b 2 west", "c 1 north"} {
		if n := a.Nodes[i]; strings.TrimSpace(n.ID+" "+string(rune('0'+int(n.Weight)))+" "+n.Zone) != want {
			t.Errorf("node %d: %+v, want %s", i, n, want)
		}
	}
	if c := a.Changes[0]; c.At.Requests != 4000 || c.Change.String() != "+d,+e:2" {
		t.Errorf("%+v", c)
	}
	if c := a.Changes[6]; c.Kind != simulations.Flap || c.Node != "a" || c.Times != 2 || c.Down.Seconds != 0.1 || c.Up.Requests != 200 || !c.Keep {
		t.Errorf("%+v", c)
	}
	if at := s.Assertions[1]; at.Text != "other.loads > 0" || at.Line != 54 || at.Column != 5 {
		t.Errorf("%+v", at)
	}
}

// Every mistake is told with its place, what was found, and what was expected.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"capacity: 64kB", "capasity: 64kB", `19:3: fleet: found the unknown field "capasity", expected capacity`},
		{"vnodes: 100", "vnode_count: 100", `27:3: fleet: found the unknown field "vnode_count", expected one of nodes, zones, capacity, copies, reads, bounded_load, migration, sweep, evict_after, use_zones, vnodes, hash, hash_seed`},
		{"window: 1_000", "windwo: 1_000", `49:1: found the unknown field "windwo", expected window`},
		{"alpha: 0.99", "alhpa: 0.99", `6:3: workload: found the unknown field "alhpa", expected alpha`},
		{"alpha: 0.99", "alpha: steep", `6:10: workload.alpha: found "steep", expected a number from 0 to 10`},
		{"alpha: 0.99", "alpha: 11", `6:10: workload.alpha: found "11", expected a number from 0 to 10`},
		{"alpha: 0.99", "hot_keys: 3", `6:13: workload.hot_keys: found a field of hot with zipf, expected none`},
		{"alpha: 0.99", "format: keys", `6:11: workload.format: found a field that a generated workload does not have, expected none`},
		{"  alpha: 0.99\n", "", `5:3: workload.alpha: found nothing, expected how steep popularity is, such as 0.9`},
		{"generate: zipf", "generate: zifp", `5:13: workload.generate: found "zifp", expected zipf`},
		{"generate: zipf", "generate: cluster55", `5:13: workload.generate: found "cluster55", expected cluster5`},
		{"generate: zipf", "generate: gauss", `5:13: workload.generate: found "gauss", expected zipf, uniform, hot, or cluster1 to cluster54`},
		{"generate: zipf", "trace: a\n  generate: zipf", `5:3: workload: found both trace and generate, expected one of the two`},
		{"keys: 1_000", "keys: 1_000.5", `7:9: workload.keys: found "1_000.5", expected a whole number from 1 to 16777216`},
		{"keys: 1_000", "keys: [1]", `7:9: workload.keys: found a list, expected a whole number from 1 to 16777216`},
		{"keys: 1_000", "keys: 0x10", `7:9: workload.keys: found "0x10", expected a whole number from 1 to 16777216`},
		{"get: 0.8", "get: 0.9", `9:16: workload.operations: found parts of 1.1 in all, expected parts that add up to 1`},
		{"get: 0.8", "gte: 0.8", `9:16: workload.operations: found the unknown field "gte", expected get`},
		{"ttl: 300s", "ttl: 300", `13:8: workload.ttl: found "300", expected a time of a second or more, such as 300s`},
		{"ttl: 300s", "ttl: soon", `13:8: workload.ttl: found "soon", expected a number of requests, a time such as 20s or 500ms, or a part of the requests such as 50%`},
		{"warmup: 10%", "warmup: 110%", `15:11: workload.warmup: found "110%", expected 0% to 100%`},
		{"nodes: [a,", "nodes: [a, a,", `17:10: fleet.nodes: found node ID given twice "a", expected every ID once`},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: five", "17:10: fleet.nodes: found \"five\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: 3.5", "17:10: fleet.nodes: found \"3.5\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: [3]", "17:11: fleet.nodes: found \"3\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: [a, 1.5]", "17:14: fleet.nodes: found \"1.5\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: []", "17:10: fleet.nodes: found a list, expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"nodes: [a, \"b:2\", \"c:1:north\"]", "nodes: \"4\"", "17:10: fleet.nodes: found \"4\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"zones: [east, west]", "zones: 3", "18:10: fleet.zones: found \"3\", expected a list of names of zones, which the nodes get in turn"},
		{"zones: [east, west]", "zones: maybe", "18:10: fleet.zones: found \"maybe\", expected a list of names of zones, which the nodes get in turn"},
		{"zones: [east, west]", "zones: 3.5", "18:10: fleet.zones: found \"3.5\", expected a list of names of zones, which the nodes get in turn"},
		{"zones: [east, west]", "zones: [east, 3]", "18:17: fleet.zones: found \"3\", expected a list of names of zones, which the nodes get in turn"},
		{"zones: [east, west]", "zones: true", "18:10: fleet.zones: found "},
		{"join: [d, \"e:2\"]", "join: one", "41:21: changes[1].join: found \"one\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"join: [d, \"e:2\"]", "join: 1.5", "41:21: changes[1].join: found \"1.5\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"join: [d, \"e:2\"]", "join: [d, 2.5]", "41:25: changes[1].join: found \"2.5\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{"join: [d, \"e:2\"]", "join: [d, 2]", "41:25: changes[1].join: found \"2\", expected a number of nodes, or a list of id, id:weight or id:weight:zone"},
		{`join: [d, "e:2"]`, `join: ["2"]`, `41:22: changes[1].join: found "2", expected a number of nodes, or a list`},
		{"leave: 1}", "leave: 1.5}", `42:21: changes[2].leave: found "1.5", expected a number of nodes, an ID, or a list of them`},
		{"leave: 1}", "leave: one}", `42:6: changes[2]: found "-one", expected the ID of a node in the fleet`},
		{`weight: "b:3"`, "weight: 3", `43:25: changes[3].weight: found "3", expected id:weight, or a list of them`},
		{"capacity: 64kB", "capacity: 64 apples", `19:13: fleet.capacity: found "64 apples", expected a number of items such as 4000, or of bytes such as 64MB or 64MiB`},
		{"copies: 2", "copies: 0", `20:11: fleet.copies: found "0", expected a whole number from 1 to 16`},
		{"reads: spread", "reads: spraed", `21:10: fleet.reads: found "spraed", expected spread`},
		{"copies: 2", "copies: 4", `20:11: fleet.copies: found 4 copies on 3 nodes, expected at most a copy a node`},
		{"sweep: true", "sweep: 1", `24:10: fleet.sweep: found "1", expected true or false`},
		{"hash: murmur3", "hash: murmur", `28:9: fleet.hash: found "murmur", expected murmur3`},
		{"  - ring\n", "  - rign\n", `31:5: placements[1]: found "rign", expected ring`},
		{"  - ring\n", "  - ring\n  - ring\n", `32:5: placements[2]: found the name "ring" a second time, expected a name for each`},
		{"name: other", "name: two words", `33:11: placements[2].name: found "two words", expected letters, digits and '_', beginning with a letter, 15 at most: assertions use it`},
		{"    copies: 1\n", "", `20:11: fleet.copies: found 2 with a bounded load, expected one of the two`},
		{"bounded_load: 1.5", "bounded_load: 1", `35:19: placements[2].bounded_load: found "1", expected a number from 1.000001 to 1e+06`},
		{"fail_zone: east", "fail_zone: south", `38:10: placements[2].changes[1]: found "fail zone south", expected a zone of the fleet`},
		{"return_zone: east, data: kept", "return_zone: west", `39:10: placements[2].changes[2]: found "return zone west", expected a node that is down by then`},
		{"at: 20%, join:", "at: 20%, jion:", `41:15: changes[1]: found the unknown field "jion", expected join`},
		{"leave: 1}", "leave: 1, join: 2}", `42:21: changes[2].leave: found leave beside join, expected one change an entry`},
		{"leave: 1}", "data: kept}", `42:6: changes[2]: found no change, expected one of join, leave, weight, double, fail, fail_zone, return, return_zone, flap, rolling_restart`},
		{"leave: 1}", "leave: 1, data: kept}", `42:30: changes[2].data: found the field with leave, expected it with return, return_zone, flap or rolling_restart`},
		{"leave: 1}", "leave: nobody}", `42:6: changes[2]: found "-nobody", expected the ID of a node in the fleet`},
		{"at: 5s, leave", "leave", `42:6: changes[2].at: found nothing, expected a number of requests, a time`},
		{`weight: "b:3"`, `weight: "b"`, `43:25: changes[3].weight: found "b", expected id:weight`},
		{"double: true", "double: false", `44:25: changes[4].double: found false, expected true`},
		{"fail: b", "fail: 100", `45:6: changes[5]: found fail 100 nodes of 8, expected at least one node left`},
		{"times: 2, ", "", `47:6: changes[7].times: found nothing, expected how many times the node fails`},
		{"at: 15_000", "at: 20_000", `48:10: changes[8].at: found "20_000", expected a time before the end of the workload, which has 20000 requests`},
		{"at: 15_000", "at: 20s", `48:10: changes[8].at: found "20s", expected a time before the end of the workload, which has 20000 requests`},
		{"window: 1_000", "window: 5", `49:9: window: found 5, expected 10 to 1073741824 requests, or 0 for 50000`},
		{"currency: EUR", "load_ms: 4", `51:61: found mapping key "load_ms" already defined at [51:9], expected YAML`},
		{", currency: EUR", "", `51:9: costs.currency: found nothing, expected the currency of the prices, such as EUR`},
		{"  - ring.moved_unnecessary == 0", "  - {a: 1}", `53:6: assert[1]: found fields, expected a condition such as`},
		{"seed: 7", "seed: &x 7", `found an anchor or alias, expected a whole number`},
		{"seed: 7", "seed: -1", `3:7: seed: found "-1", expected a whole number from 0 to 18446744073709551615`},
		{"seed: 7", "seed: 7\nseed: 8", `found`},
		{"seed: 7", "seed: [", `found`},
		{"seed: 7", "seed: \x01", `3:7: found the control character U+0001, expected a text`},
		{"seed: 7", "seed: \xff", `3:1: found bytes that are not UTF-8, expected a text`},
		{"seed: 7", strings.Repeat(" ", 60) + "seed: 7", `3:61: found an indentation of 60, expected at most 40`},
		{good, "", `1:1: found an empty file, expected a scenario`},
		{good, "- a", `found a list, expected the fields name, question`},
		{good, "seed: 1", `1:1: workload: found nothing, expected the requests to serve`},
		{good, good + "---\nseed: 1\n", `found a second document, expected one`},
		{good, strings.Repeat("#", maxFile+1), `1:1: found a file of 65537 bytes, expected at most 65536`},
		{good, strings.Repeat("[", 2000), `1:1: found more than 1000 opening brackets, expected less to nest`},
	} {
		content := strings.Replace(good, test.old, test.new, 1)
		if content == good {
			t.Errorf("%q is not in the scenario", test.old)
		}
		_, err := Parse("x.yaml", []byte(content))
		var at *Error
		if !errors.As(err, &at) || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "scenario: x.yaml:") {
			t.Errorf("%.40q for %q:\n got %v\nwant %s", test.new, test.old, err, test.want)
		}
		if err != nil && !printable.Is(err.Error()) {
			t.Errorf("not printable: %q", err)
		}
		if again := errorOf(content); err != nil && again != err.Error() {
			t.Errorf("%q, and the next time %q", err, again)
		}
	}
}

func errorOf(content string) string {
	if _, err := Parse("x.yaml", []byte(content)); err != nil {
		return err.Error()
	}
	return ""
}

// A trace lies beside its scenario, and is counted only where that is needed.
func TestTrace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.yaml")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("keys.txt", strings.Repeat("a\nb\n", 500))
	for _, test := range []struct {
		at, window string
		requests   int64
		want       int64
	}{{"50%", "", 1000, 500}, {"50%", "window: 100", 1000, 500}, {"40", "", 1000, 40}, {"40", "window: 100", 0, 40}, {"20ms", "window: 100", 0, 0}} {
		write("x.yaml", "workload: {trace: keys.txt, rate: 1_000}\nfleet: {nodes: 3, capacity: 10}\nplacements: [ring]\nchanges: [{at: "+test.at+", join: 1}]\n"+test.window+"\n")
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		source, requests, err := s.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := s.Config(requests)
		source.Close()
		if err != nil || requests != test.requests || cfg.Variants[0].Changes[0].At.Requests != test.want {
			t.Errorf("%+v: %d requests, %+v, %v", test, requests, cfg.Variants, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	s, err := Parse("x.yaml", []byte("workload: {trace: none.txt}\nfleet: {nodes: 3, capacity: 10}\nplacements: [ring]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var missing *trace.Error
	if _, _, err := s.Open(context.Background()); !errors.As(err, &missing) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, name := range scenarios.Names() {
		content, _ := scenarios.Read(name)
		f.Add(content)
	}
	f.Add([]byte("workload: {generate: hot, hot_keys: 1, hot_share: .5, keys: 2, requests: 3}\nfleet: {nodes: 1, capacity: 1}\nplacements: ring\nchanges: {at: 1, fail: 1}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := Parse("x.yaml", content)
		var at *Error
		switch {
		case err == nil:
			if len(s.Rows()) == 0 {
				t.Error("no rows")
			}
		case !errors.As(err, &at) || at.Found == "" || at.Want == "" || strings.Contains(err.Error(), "\n"):
			t.Errorf("%q", err)
		}
	})
}
