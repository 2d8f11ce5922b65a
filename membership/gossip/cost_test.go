package gossip

import (
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/memnet"
)

var largeFleets = flag.String("evidence.large", "5+15", "fleets for TestCost, each as agents+clients")

const (
	largeQuiet = time.Minute // of quiet that is measured

	// restPackets is what a member sends in a second when all that was told has been
	// passed on: a probe, an answer, and now and then something else.
	restPackets = 2.5
	restLook    = 10 // seconds that this must hold
)

// TestCost measures what gossip costs each member of a large fleet: memory, and
// packets when nothing happens and after a crash.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("a large fleet: not with -short")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	for _, text := range strings.Split(*largeFleets, ",") {
		row := largeRow{}
		if _, err := fmt.Sscanf(text, "%d+%d", &row.agents, &row.clients); err != nil || row.agents < 3 || row.clients < 0 {
			t.Fatalf("-evidence.large: got %q, want something like 5+995: at least 3 agents, and clients", text)
		}
		began := time.Now()
		synctest.Test(t, func(t *testing.T) { row.measure(t) })
		row.took = time.Since(began)
		evidence.took += row.took
		evidence.large = append(evidence.large, row)
		evidence.write(t)
	}
	t.Logf("\n%s", largeText(evidence.large))
}

// largeRow is what was measured on one fleet.
type largeRow struct {
	agents, clients int
	memory          uint64        // bytes a member
	quiet           traffic       // a member a second
	evicted         time.Duration // from the crash until all agree
	crash           traffic       // a member a second, meanwhile
	peak            traffic       // a member, in the second that saw most bytes since the crash
	more            traffic       // a member, in all, beyond what it sends in quiet
	took            time.Duration // of real time
}

// traffic is what is sent. Bytes are those of the payload.
type traffic struct{ packets, packetBytes, streamBytes float64 }

func (a traffic) minus(b traffic) traffic {
	return traffic{a.packets - b.packets, a.packetBytes - b.packetBytes, a.streamBytes - b.streamBytes}
}

func (a traffic) times(x float64) traffic {
	return traffic{a.packets * x, a.packetBytes * x, a.streamBytes * x}
}

func (r *largeRow) measure(t *testing.T) {
	before := memory()
	f := newFleetOn(t, memnet.Config{Seed: 1, Delay: time.Millisecond, Jitter: time.Millisecond, Grain: 5 * time.Millisecond})
	defer f.end()
	f.log, _ = newLog(t, slog.LevelWarn)
	owners := r.start(f)
	size := float64(len(f.members))
	sent := func() traffic { // so far, a member
		s := f.network.Total()
		return traffic{float64(s.PacketsSent), float64(s.PacketBytesSent), float64(s.StreamBytesSent)}.times(1 / size)
	}
	untilRest(t, sent, func(traffic) bool { return true })
	r.memory = (memory() - before) / uint64(size)
	from := sent()
	time.Sleep(largeQuiet)
	r.quiet = sent().minus(from).times(1 / largeQuiet.Seconds())

	victim := nodeName(r.agents / 2)
	from = sent()
	f.crash(victim)
	owners = append(owners[:r.agents/2], owners[r.agents/2+1:]...)
	began := time.Now()
	untilRest(t, sent, func(second traffic) bool {
		if second.packetBytes > r.peak.packetBytes {
			r.peak = second
		}
		if r.evicted == 0 && f.difference(owners) == "" {
			r.evicted = time.Since(began)
			r.crash = sent().minus(from).times(1 / r.evicted.Seconds())
		}
		return r.evicted != 0
	})
	r.more = sent().minus(from).minus(r.quiet.times(time.Since(began).Seconds()))
}

// untilRest looks at each second's traffic until enough has been seen, and members
// send little.
func untilRest(t *testing.T, sent func() traffic, enough func(second traffic) bool) {
	t.Helper()
	var quiet int // seconds in a row
	last := sent()
	for began := time.Now(); quiet < restLook; time.Sleep(time.Second) {
		now := sent()
		second := now.minus(last)
		last = now
		if quiet++; !enough(second) || second.packets > restPackets {
			quiet = 0
		}
		if time.Since(began) > 20*time.Minute {
			t.Fatalf("no rest in 20 min: %v in the last second", second)
		}
	}
}

// start has the members join, and returns the nodes.
func (r *largeRow) start(f *fleet) (owners []string) {
	f.node(nodeName(0), bootstrap)
	for i := range r.agents {
		if i > 0 {
			f.node(nodeName(i))
		}
		owners = append(owners, nodeName(i))
		time.Sleep(10 * time.Millisecond)
	}
	f.agree(15*time.Minute, owners...)
	for i := range r.clients {
		f.join(f.largeConfig(i))
		time.Sleep(10 * time.Millisecond)
	}
	f.t.Logf("all have started")
	for began := time.Now(); ; time.Sleep(time.Second) {
		why := f.difference(owners)
		for name, g := range f.members {
			if seen := g.members.Load(); why == "" && int(seen) != len(f.members) {
				why = fmt.Sprintf("%s sees %d members of %d", name, seen, len(f.members))
			}
		}
		if why == "" {
			return owners
		}
		if time.Since(began) > 15*time.Minute {
			f.t.Fatalf("15 min after the last start: %s", why)
		}
	}
}

func (f *fleet) largeConfig(i int) Config {
	return f.configAt(fmt.Sprintf("client-%03d", i), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, 1}), uint16(i+1)))
}

// memory returns the bytes in use: the heap after a collection, and the stacks.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func largeText(rows []largeRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
## What a large fleet costs each member

All members are in one process, on the same network without losses and without compression, which would save a third of the bytes. Bytes are those of the payload: UDP and IP add 28 to each packet. Memory is that of the heap after a collection and of the stacks, the test's network included. Quiet is %v, once all members agree and what was told has been passed on; then one node crashes. "Busiest" is the second after the crash that saw most bytes of packets, and "in all" is what a member has sent more than in quiet until there is quiet again. Streams are exchanges of whole states. Nearly all of what a crash costs is that each member then tells all others which ring it has: one update a member, which all pass on.

| agents | clients | memory | when quiet, a second | crash until all agree | meanwhile, a second | busiest second | in all |
|---|---|---|---|---|---|---|---|
`, largeQuiet)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %d | %d | %.2f MB | %s | %.0f s | %s | %s | %.0f packets, %s |\n",
			r.agents, r.clients, float64(r.memory)/1e6, r.quiet, r.evicted.Seconds(), r.crash, r.peak, r.more.packets, bytesText(r.more.packetBytes))
	}
	return b.String()
}

// String gives packets, their bytes, and the bytes of streams.
func (a traffic) String() string {
	return fmt.Sprintf("%.1f packets, %s; streams %s", a.packets, bytesText(a.packetBytes), bytesText(a.streamBytes))
}

func bytesText(n float64) string {
	if n < 1e4 {
		return fmt.Sprintf("%.0f B", n)
	}
	return fmt.Sprintf("%.0f KB", n/1e3)
}
