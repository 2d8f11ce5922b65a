package gossip

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// evidencePage is what the tests that measure have measured so far.
type evidencePage struct {
	rows  []evidenceRow
	large []largeRow
	took  time.Duration // of real time
}

var evidence evidencePage

type evidenceRow struct {
	size  int
	event string
	times []time.Duration
}

// note adds what one run has measured.
func (p *evidencePage) note(size int, event string, took time.Duration) {
	for i := range p.rows {
		if r := &p.rows[i]; r.size == size && r.event == event {
			r.times = append(r.times, took)
			return
		}
	}
	p.rows = append(p.rows, evidenceRow{size, event, []time.Duration{took}})
}

// write writes the page, if there is to be one. Each test that measures calls it:
// the last one has all.
func (p *evidencePage) write(t *testing.T) {
	t.Helper()
	if *evidenceFile == "" {
		return
	}
	if err := os.WriteFile(*evidenceFile, []byte(p.text()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *evidencePage) text() string {
	var b strings.Builder
	network := evidenceNetwork(0)
	fmt.Fprintf(&b, `# How long a fleet takes to agree

This page is written by

    make evidence

which runs real memberlist members in virtual time, by %s on %s, and took %.0f minutes of real time.

The network is in memory. It delays packets by 1 to 2 ms, and then until the next multiple of %v, and loses %g%% of them. Times are those of the preset LAN; three clients are beside the nodes. Each run of a size has a seed of its own.

Each figure is the time from an event until every member, clients included, has the same epoch, the same ring and no transition under way. It contains the waits that the protocol prescribes: 5 s of a server that answers before a node is announced, 5 s of dwell before keys move (more while others still join), and 30 s before a node that is dead or unhealthy is evicted; see [protocol.md](../protocol.md). Every view of every member is looked at, none left out: epochs never go back, equal rings have equal fingerprints, a minority that is cut off evicts nobody, and a node that was evicted is in no ring again before its server was purged.

| nodes | runs | what happens | median | worst |
|---|---|---|---|---|
`, runtime.Version(), processor(), p.took.Minutes(), network.Grain, 100*network.Loss)
	for _, r := range p.rows {
		slices.SortFunc(r.times, cmp.Compare[time.Duration])
		fmt.Fprintf(&b, "| %d | %d | %s | %.1f s | %.1f s |\n", r.size, len(r.times), r.event, median(r.times).Seconds(), r.times[len(r.times)-1].Seconds())
	}
	if len(p.large) > 0 {
		b.WriteString(largeText(p.large))
	}
	return b.String()
}

// median is the middle one of sorted times, or the mean of the two in the middle.
func median(sorted []time.Duration) time.Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// processor names the machine's processor, as Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere there is none
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return fmt.Sprintf("%d processors of %s", runtime.NumCPU(), strings.TrimSpace(value))
		}
	}
	return fmt.Sprintf("%d processors of %s", runtime.NumCPU(), runtime.GOARCH)
}
