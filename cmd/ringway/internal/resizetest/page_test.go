package resizetest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// evidencePage is what TestHitRate has measured.
type evidencePage struct {
	requests requests
	control  *phase
	runs     []*run
}

func (p evidencePage) write(t testing.TB, file string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(p.text()), 0o644))
}

func (p evidencePage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What a resize costs the database

This page is written by

    make evidence

which replays a trace at full speed through real redis-servers on one machine, by %s on %s: %s, %d requests for %d keys. (That of %s is used if TRACES_DIR names a folder that has it, else the bundled one.) One client of %d goroutines reads each key, and loads it from a database that counts when it misses, and stores it; nothing expires and nothing is evicted. After a third of the trace a ninth node joins, and after another third, or when that is over, it leaves. Then the trace goes on for a third more at least; where a change takes longer it is gone through again.

The control is the same trace without a change: %d loads, one of each key. *Extra* is what was loaded beyond that. *Moved* are the keys in the cache at that moment whose owner is another one after the change; the movers' own count is beside it (some keys are brought over by the client's reads instead, and count there too when the mover removes the old copy). *Old values* are reads that found what the client itself had replaced since: on the way back, servers still have what they held before, where nobody has removed it.

| | change | keys moved | by movers | extra loads | of the moved | old values | errors |
|---|---|---|---|---|---|---|---|
`, runtime.Version(), processor(), p.requests.name, len(p.requests.order), len(p.requests.keys), busyTrace, workers, p.control.loads.Load())
	for _, r := range p.runs {
		for _, row := range []struct {
			change string
			p      *phase
		}{{"8 → 9", r.added}, {"9 → 8", r.drained}} {
			movers := "–"
			if row.p.movers > 0 {
				movers = fmt.Sprint(row.p.movers)
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %d | %.2f%% | %d | %d |\n", r.name, row.change, row.p.moved, movers,
				row.p.again.Load(), 100*float64(row.p.again.Load())/float64(row.p.moved), row.p.old.Load(), row.p.errors.Load())
		}
	}
	fmt.Fprintf(&b, "\nThe aim is at most %.1f%% of the moved keys. `make test` replays %d requests of the bundled trace in the same way, and fails above that.\n", 100*mostExtra, smallTrace)
	return b.String()
}

// processor names the machine's processor, as Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
