package gossip

import (
	"flag"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/memnet"
)

var (
	evidenceFile  = flag.String("evidence", "", "write what TestConvergence measures to this file, as Markdown")
	evidenceSizes = flag.String("evidence.sizes", "10x1", "numbers of nodes for TestConvergence, each with how many seeds")
)

// evidenceNetwork is what the fleets are on. The grain makes 200 nodes affordable:
// see memnet.
func evidenceNetwork(seed int) memnet.Config {
	return memnet.Config{
		Seed: uint64(seed), Delay: time.Millisecond, Jitter: time.Millisecond, Grain: 5 * time.Millisecond,
		Loss: 0.01, // of all packets
	}
}

// TestConvergence takes fleets through what happens to fleets, on a network that
// loses packets. After each event it measures the time until every member, the
// clients included, has the same stable view; and all the while it looks that
// what must never happen does not.
func TestConvergence(t *testing.T) {
	// Decoding leaves much garbage and little that lives.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	for _, text := range strings.Split(*evidenceSizes, ",") {
		var size, seeds int
		if _, err := fmt.Sscanf(text, "%dx%d", &size, &seeds); err != nil || size < 10 || seeds < 1 {
			t.Fatalf("-evidence.sizes: got %q, want something like 10x5: at least 10 nodes, at least one seed", text)
		}
		for seed := range seeds {
			began := time.Now()
			t.Logf("%d nodes, seed %d", size, seed)
			synctest.Test(t, func(t *testing.T) {
				f := newFleetOn(t, evidenceNetwork(seed))
				defer f.end()
				e := &experiment{fleet: f, size: size, watch: newWatch(f)}
				e.run()
				t.Logf("%d views looked at", e.watch.views)
			})
			evidence.took += time.Since(began)
			evidence.write(t) // runs take long: one that is interrupted leaves what it has
		}
	}
}

// TestConvergenceOf50 is the part of it that a larger fleet has time for in each run
// of the tests: with the race detector a second of its life takes 0.15 s. The rest
// is for make evidence.
func TestConvergenceOf50(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOn(t, evidenceNetwork(0))
		defer f.end()
		e := &experiment{fleet: f, size: 50, watch: newWatch(f)}
		e.begin()
		e.leave(nodeName(1))
		e.lose(nodeName(25))
		t.Logf("%d views looked at", e.watch.views)
	})
}

// experiment is one fleet's life.
type experiment struct {
	*fleet
	size  int
	watch *watch
	names []string // the nodes that are to own keys
}

func nodeName(i int) string { return fmt.Sprintf("node-%03d", i) }

func (e *experiment) run() {
	e.begin()
	e.node(nodeName(e.size))
	e.names = append(e.names, nodeName(e.size))
	e.settled("one more joins")

	lost := nodeName(e.size / 2)
	e.lose(lost)
	e.node(lost)
	e.names = append(e.names, lost)
	e.settled("it returns: purged, and joins")
	e.leave(nodeName(1))

	for i := range 3 {
		e.crash(nodeName(2 + i))
		e.without(nodeName(2 + i))
	}
	e.settled("three crash at once: until they are evicted")
	e.partition()
	e.flap()
}

func (e *experiment) begin() {
	e.node(nodeName(0), bootstrap)
	e.names = []string{nodeName(0)}
	for i := range 3 {
		e.join(e.config(fmt.Sprint("client-", i)))
	}
	e.settled("first node")
	for i := 1; i < e.size; i++ {
		e.node(nodeName(i))
		e.names = append(e.names, nodeName(i))
	}
	e.settled("all others join at once")
}

func (e *experiment) lose(name string) {
	e.crash(name)
	e.without(name)
	e.settled("one crashes: until it is evicted")
}

func (e *experiment) leave(name string) {
	leaver := e.members[name]
	delete(e.members, name)
	e.without(name)
	began := time.Now()
	if err := leaver.Leave(e.t.Context()); err != nil {
		e.t.Errorf("leave: %v", err)
	}
	e.settledSince(began, "one leaves")
}

// partition cuts 3 of 10 nodes off for 90 s.
func (e *experiment) partition() {
	minority := e.names[:len(e.names)*3/10]
	var cut []netip.AddrPort
	evicted, had := make(map[string]uint64), make(map[string]int)
	for _, name := range minority {
		cut = append(cut, e.members[name].Status().Gossip)
		evicted[name], had[name] = e.members[name].Stats().Evictions, len(e.names)
		e.servers[name].set(func() { e.servers[name].keys["old"] = true })
	}
	if err := e.network.Partition(cut); err != nil {
		e.t.Fatal(err)
	}
	e.watch.isolate(had)
	e.pause(90 * time.Second)
	e.watch.isolate(nil)
	for _, name := range minority {
		if n := e.members[name].Stats().Evictions - evicted[name]; n != 0 {
			e.t.Fatalf("%s was cut off with a minority, and has evicted %d nodes", name, n)
		}
	}
	e.network.Heal()
	e.settled("a cut of 90 s through 3 of 10 nodes ends: until those are purged and back")
	for _, name := range minority {
		if e.servers[name].held() != 0 {
			e.t.Errorf("%s came back with what it held", name)
		}
	}
}

// flap has a server fail for 40 s and answer for 20 s, three times.
func (e *experiment) flap() {
	s := e.servers[nodeName(e.size)]
	for range 3 {
		s.set(func() { s.down = true })
		e.pause(40 * time.Second)
		s.set(func() { s.down = false })
		e.pause(20 * time.Second)
	}
	e.settled("a server has flapped for 3 min: until it is back")
}

func (e *experiment) pause(d time.Duration) {
	time.Sleep(d)
	e.watch.check()
}

func (e *experiment) without(name string) {
	e.names = slices.DeleteFunc(e.names, func(n string) bool { return n == name })
}

func (e *experiment) settled(event string) { e.settledSince(time.Now(), event) }

func (e *experiment) settledSince(began time.Time, event string) {
	e.t.Helper()
	slices.Sort(e.names)
	for {
		e.watch.check()
		why := e.difference(e.names)
		if why == "" {
			break
		}
		if time.Since(began) > 10*time.Minute {
			e.t.Fatalf("%s: after 10 min: %s", event, why)
		}
		time.Sleep(250 * time.Millisecond)
	}
	took := time.Since(began)
	evidence.note(e.size, event, took)
	e.t.Logf("%s: %v", event, took.Round(100*time.Millisecond))
}
