package main

import (
	"fmt"
	"strings"

	"github.com/ringway/ringway/internal/bench"
	"github.com/ringway/ringway/internal/bench/rounds"
)

var claims = []rounds.Claim{
	toModulo("ring", 10, 1.5),
	toModulo("ring", 100, 2),
	toModulo("ring", 1000, 3),
	toModulo("balanced", 10, 1.3),
	toModulo("balanced", 100, 1.3),
	toModulo("balanced", 1000, 1.3),
	twoGoroutines(10),
	twoGoroutines(100),
	twoGoroutines(1000),
	inMilliseconds("`ring.New`, 1000 nodes × 160, ms", "Build/ring.New/1000x160", 25),
	inMilliseconds("`ring.With` one more, 1000 nodes × 160, ms", "Build/ring.With/1000x160+1", 4),
	inMilliseconds("`balanced.New`, 100 nodes, 2^16 slots, ms", "Build/balanced.New/100x2^16", 60),
	{Text: "`balanced.Update`, one more, to `balanced.New`", Bound: rounds.AtMost, Limit: 1,
		Measure: rounds.Ratio("Build/balanced.Update/100x2^16+1", "Build/balanced.New/100x2^16")},
}

func toModulo(placement string, nodes int, limit float64) rounds.Claim {
	return rounds.Claim{
		Text:    fmt.Sprintf("`%s.Owner` to `modulo.Owner`, %d nodes", placement, nodes),
		Measure: rounds.Ratio(fmt.Sprintf("Lookup/%s/%d", placement, nodes), fmt.Sprintf("Lookup/modulo/%d", nodes)),
		Bound:   rounds.AtMost, Limit: limit,
	}
}

func twoGoroutines(nodes int) rounds.Claim {
	name := fmt.Sprintf("Parallel/ring/%d", nodes)
	return rounds.Claim{
		Text:    fmt.Sprintf("`ring`, throughput of 2 goroutines to 1, %d nodes", nodes),
		Measure: rounds.Ratio(name, name+"-2"),
		Bound:   rounds.AtLeast, Limit: 1.8,
	}
}

func inMilliseconds(text, name string, limit float64) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Value(name, 1e6), Bound: rounds.AtMost, Limit: limit}
}

// elsewhere closes the page, by where the rest is measured.
const elsewhere = `
## Gossip

What membership by gossip costs, and how long a fleet takes to agree, is measured in virtual time: [evidence/membership.md](evidence/membership.md), by ` + "`make evidence`" + `. It has the times for 10, 50 and 200 nodes, and for a fleet of 1000 members the memory and traffic of each, in quiet and after a crash; ` + "`make bench-gossip`" + ` prints the latter alone.

## Clients and caches

What the router costs beside other clients is on a page of its own, [performance-router.md](performance-router.md), by ` + "`make bench-router`" + `; what package cache costs beside other caches on another, [performance-cache.md](performance-cache.md), by ` + "`make bench-cache`" + `.
`

// report writes all about time, or fails if a claim was not measured.
func (m *measurements) report() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nThis page is the output of\n\n    %s\n\n", m.command)
	fmt.Fprintf(&b, "on %s, %s. `make bench` prints it for your machine.\n\n", m.cpu, m.goVersion)
	fmt.Fprintf(&b, "Each figure is the median over %d rounds, each ratio of times within a round. ", len(m.rounds))
	fmt.Fprintf(&b, "Lookups go through %d distinct keys of 20 bytes in random order, on one processor unless said otherwise; ", bench.KeyCount)
	b.WriteString("no lookup of a placement of ringway allocates, which tests assert. Times are those of one lookup among many, which overlap; the ratio is what carries over to another machine.\n")
	b.WriteString(unit.Caution(m.rounds, "the ratios are rough and what is said of two goroutines means nothing"))
	table, err := m.rounds.Table(claims)
	if err != nil {
		return "", err
	}
	b.WriteString("\n## In short\n\n" + table)
	b.WriteString("\n## From a key to a node\n\nNanoseconds a lookup and, in brackets, the ratio to modulo over the same hash (XXH64).\n\n")
	m.writeLookups(&b, "Lookup", bench.Contenders())
	b.WriteString("\n## Other libraries\n\nHow many times as long as `ring.Owner` they take.\n\n")
	m.writePeers(&b)
	b.WriteString("\n## From a key to a position\n\nThe same by `OwnerIndex`, the method of the `Placement` interface, which saves the read of the node. \"bare\" is modulo written out in place.\n\n")
	m.writeLookups(&b, "Position", bench.Positions())
	m.writeParallel(&b)
	m.writeBuilds(&b)
	return b.String(), nil
}

func (m *measurements) writeLookups(b *strings.Builder, benchmark string, contenders []bench.Contender) {
	b.WriteString("| placement | 10 nodes | 100 nodes | 1000 nodes | |\n|---|---|---|---|---|\n")
	for _, c := range contenders {
		fmt.Fprintf(b, "| %s |", c.Name)
		for _, n := range bench.Sizes {
			name := fmt.Sprintf("%s/%s/%d", benchmark, c.Name, n)
			ns, found := m.time(name)
			ratio, _ := m.ratio(name, fmt.Sprintf("%s/modulo/%d", benchmark, n))
			if !found {
				b.WriteString(" not run |")
				continue
			}
			fmt.Fprintf(b, " %.3g (%s) |", ns.Median, times3(ratio.Median))
		}
		fmt.Fprintf(b, " %s |\n", c.Note)
	}
}

func (m *measurements) writePeers(b *strings.Builder) {
	b.WriteString("| library | 10 nodes | 100 nodes | 1000 nodes |\n|---|---|---|---|\n")
	for _, c := range bench.Peers() {
		fmt.Fprintf(b, "| %s |", c.Name)
		for _, n := range bench.Sizes {
			f, _ := m.ratio(fmt.Sprintf("Lookup/%s/%d", c.Name, n), fmt.Sprintf("Lookup/ring/%d", n))
			fmt.Fprintf(b, " %s |", times3(f.Median))
		}
		b.WriteString("\n")
	}
}

// times3 writes a ratio with the digits that mean something.
func times3(ratio float64) string {
	if ratio < 10 {
		return fmt.Sprintf("%.2f", ratio)
	}
	return fmt.Sprintf("%.0f", ratio)
}

func (m *measurements) writeParallel(b *strings.Builder) {
	b.WriteString("\n## Two goroutines\n\nThroughput of two goroutines on two processors as a multiple of one on one. What keeps modulo, which shares nothing at all, from 2 is the machine: a cloud's two processors are often the two threads of one core.\n\n")
	b.WriteString("| placement | 10 nodes | 100 nodes | 1000 nodes |\n|---|---|---|---|\n")
	for _, placement := range []string{"modulo", "ring", "balanced"} {
		fmt.Fprintf(b, "| %s |", placement)
		for _, n := range bench.Sizes {
			name := fmt.Sprintf("Parallel/%s/%d", placement, n)
			if f, found := m.ratio(name, name+"-2"); found {
				fmt.Fprintf(b, " %.2f |", f.Median)
			} else {
				b.WriteString(" not run |")
			}
		}
		b.WriteString("\n")
	}
}

func (m *measurements) writeBuilds(b *strings.Builder) {
	b.WriteString("\n## Builds and changes\n\nMilliseconds on one processor. \"+1\" and \"-1\": one node joins or leaves.\n\n| what | ms |\n|---|---|\n")
	for _, w := range bench.Builds() {
		if f, found := m.time("Build/" + w.Name); found {
			fmt.Fprintf(b, "| %s | %.3g |\n", w.Name, f.Median/1e6)
		} else {
			fmt.Fprintf(b, "| %s | not run |\n", w.Name)
		}
	}
}
