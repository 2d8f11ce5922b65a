package gossip

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
)

var (
	evidenceFile  = flag.String("evidence", "", "write what TestConvergence measures to this file, as Markdown")
	evidenceSizes = flag.String("evidence.sizes", "10x1", "numbers of nodes for TestConvergence, each with how many seeds")
)

const evidenceLoss = 0.01 // of all packets

// TestConvergence takes fleets through what happens to fleets, on a network that
// loses packets. After each event it measures the time until every member, the
// clients included, has the same stable view; and all the while it looks that
// what must never happen does not.
func TestConvergence(t *testing.T) {
	var rows []evidenceRow
	for _, text := range strings.Split(*evidenceSizes, ",") {
		var size, seeds int
		if _, err := fmt.Sscanf(text, "%dx%d", &size, &seeds); err != nil || size < 10 || seeds < 1 {
			t.Fatalf("-evidence.sizes: got %q, want something like 10x5: at least 10 nodes, at least one seed", text)
		}
		times := make(map[string][]time.Duration)
		var order []string
		for seed := range seeds {
			t.Logf("%d nodes, seed %d", size, seed)
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, uint64(seed))
				defer f.end()
				if err := f.network.SetLoss(evidenceLoss); err != nil {
					t.Fatal(err)
				}
				e := &experiment{fleet: f, size: size, watch: newWatch(f), took: func(event string, d time.Duration) {
					if !slices.Contains(order, event) {
						order = append(order, event)
					}
					times[event] = append(times[event], d)
					t.Logf("%s: %v", event, d.Round(100*time.Millisecond))
				}}
				e.run()
			})
		}
		for _, event := range order {
			rows = append(rows, evidenceRow{size, event, times[event]})
		}
	}
	if *evidenceFile != "" {
		if err := os.WriteFile(*evidenceFile, []byte(evidencePage(rows)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// experiment is one fleet's life.
type experiment struct {
	*fleet
	size  int
	watch *watch
	names []string // the nodes that are to own keys
	took  func(event string, d time.Duration)
}

func nodeName(i int) string { return fmt.Sprintf("node-%03d", i) }

func (e *experiment) run() {
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
	e.node(nodeName(e.size))
	e.names = append(e.names, nodeName(e.size))
	e.settled("one more joins")

	lost := nodeName(e.size / 2)
	e.crash(lost)
	e.without(lost)
	e.settled("one crashes: until it is evicted")
	e.node(lost)
	e.names = append(e.names, lost)
	e.settled("it returns: purged, and joins")

	leaver := e.members[nodeName(1)]
	delete(e.members, nodeName(1))
	e.without(nodeName(1))
	began := time.Now()
	if err := leaver.Leave(e.t.Context()); err != nil {
		e.t.Errorf("leave: %v", err)
	}
	e.settledSince(began, "one leaves")

	for i := range 3 {
		e.crash(nodeName(2 + i))
		e.without(nodeName(2 + i))
	}
	e.settled("three crash at once: until they are evicted")
	e.partition()
	e.flap()
}

// partition cuts 3 of 10 nodes off for 90 s.
func (e *experiment) partition() {
	minority := e.names[:len(e.names)*3/10]
	var cut []netip.AddrPort
	evicted := make(map[string]uint64)
	for _, name := range minority {
		cut = append(cut, e.members[name].Status().Gossip)
		evicted[name] = e.members[name].Stats().Evictions
		e.servers[name].set(func() { e.servers[name].keys["old"] = true })
	}
	before := len(e.names)
	if err := e.network.Partition(cut); err != nil {
		e.t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 90*time.Second; time.Sleep(500 * time.Millisecond) {
		e.watch.look()
		for _, name := range minority {
			if owns := owners(e.view(e.members[name])); len(owns) != before || e.members[name].Stats().Evictions != evicted[name] {
				e.t.Fatalf("%s is cut off with a minority, and has evicted: %d nodes of %d", name, len(owns), before)
			}
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
	for began := time.Now(); time.Since(began) < d; time.Sleep(500 * time.Millisecond) {
		e.watch.look()
	}
}

func (e *experiment) without(name string) {
	e.names = slices.DeleteFunc(e.names, func(n string) bool { return n == name })
}

func (e *experiment) settled(event string) { e.settledSince(time.Now(), event) }

func (e *experiment) settledSince(began time.Time, event string) {
	e.t.Helper()
	slices.Sort(e.names)
	for {
		e.watch.look()
		why := e.difference(e.names)
		if why == "" {
			break
		}
		if time.Since(began) > 10*time.Minute {
			e.t.Fatalf("%s: after 10 min: %s", event, why)
		}
		time.Sleep(250 * time.Millisecond)
	}
	e.took(event, time.Since(began))
}

// watch looks at all members' views for what must never be seen.
type watch struct {
	*fleet
	epochs map[*Gossip]uint64
	before map[*Gossip]membership.View
	gone   map[*Gossip]map[string]int // how often a member saw a node go by an eviction
}

func newWatch(f *fleet) *watch {
	return &watch{fleet: f, epochs: make(map[*Gossip]uint64), before: make(map[*Gossip]membership.View), gone: make(map[*Gossip]map[string]int)}
}

func (w *watch) look() {
	w.t.Helper()
	rings := make(map[string]string) // fingerprint by members with weights
	for name, g := range w.members {
		v := w.view(g)
		if v.Version == w.before[g].Version {
			continue
		}
		if v.Epoch < w.epochs[g] {
			w.t.Fatalf("%s went back from epoch %d to %d", name, w.epochs[g], v.Epoch)
		}
		w.epochs[g] = v.Epoch
		ring := fmt.Sprint(v.Current(membership.Redis))
		print := v.Fingerprints[membership.Redis].String()
		if known, has := rings[ring]; has && known != print {
			w.t.Fatalf("%s has the nodes of another member and the fingerprint %s, not %s", name, print, known)
		}
		rings[ring] = print
		w.readmissions(name, g, v)
		w.before[g] = v
	}
}

// readmissions holds that a node which was evicted is in no ring again before its
// server was purged: as often as any member has seen it go. What is in no view
// any more was evicted.
func (w *watch) readmissions(name string, g *Gossip, v membership.View) {
	w.t.Helper()
	if w.gone[g] == nil {
		w.gone[g] = make(map[string]int)
	}
	for _, m := range w.before[g].Members {
		if _, still := v.Member(m.ID); !still {
			w.gone[g][m.ID]++
		}
	}
	for _, m := range v.Members {
		if m.State == membership.Joining || m.State == membership.Left {
			continue
		}
		if evictions, purges := w.gone[g][m.ID], w.purgesOf(m.ID); purges < evictions {
			w.t.Fatalf("%s has %s as %s: evicted %d times, purged %d times", name, m.ID, m.State, evictions, purges)
		}
	}
}

func (w *watch) purgesOf(id string) int {
	s := w.servers[id]
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purges
}

type evidenceRow struct {
	size  int
	event string
	times []time.Duration
}

func evidencePage(rows []evidenceRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# How long a fleet takes to agree

This page is written by

    make evidence

which runs real memberlist members in virtual time over a network in memory that delays packets by 1 to 2 ms and loses %g%% of them; with the times of the preset LAN, three clients beside the nodes, by %s. Each run of a size has a seed of its own.

Each figure is the time from an event until every member, clients included, has the same epoch, the same ring and no transition under way. It contains the waits that the protocol prescribes: 5 s of a server that answers before a node is announced, 5 s of dwell before keys move (more while others still join), and 30 s before a node that is dead or unhealthy is evicted; see [protocol.md](../protocol.md). All the while each member's views are looked at: epochs never go back, equal rings have equal fingerprints, a minority evicts nobody, and a node that was evicted is in no ring again before its server was purged.

| nodes | runs | what happens | median | worst |
|---|---|---|---|---|
`, 100*evidenceLoss, runtime.Version())
	for _, r := range rows {
		slices.SortFunc(r.times, cmp.Compare[time.Duration])
		fmt.Fprintf(&b, "| %d | %d | %s | %.1f s | %.1f s |\n", r.size, len(r.times), r.event, r.times[len(r.times)/2].Seconds(), r.times[len(r.times)-1].Seconds())
	}
	return b.String()
}
