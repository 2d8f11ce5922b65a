package main

import (
	"fmt"
	"strings"

	"github.com/ringway/ringway/internal/bench"
)

// A claim is a figure that we set ourselves as a limit.
type claim struct {
	text       string
	name, unit string // the ratio of these; without a unit, the time in ms
	limit      float64
	atLeast    bool // the limit is a lower one
}

var claims = []claim{
	{"`ring.Owner` to `modulo.Owner`, 10 nodes", "Lookup/ring/10", "Lookup/modulo/10", 1.5, false},
	{"`ring.Owner` to `modulo.Owner`, 100 nodes", "Lookup/ring/100", "Lookup/modulo/100", 2, false},
	{"`ring.Owner` to `modulo.Owner`, 1000 nodes", "Lookup/ring/1000", "Lookup/modulo/1000", 3, false},
	{"`balanced.Owner` to `modulo.Owner`, 10 nodes", "Lookup/balanced/10", "Lookup/modulo/10", 1.3, false},
	{"`balanced.Owner` to `modulo.Owner`, 100 nodes", "Lookup/balanced/100", "Lookup/modulo/100", 1.3, false},
	{"`balanced.Owner` to `modulo.Owner`, 1000 nodes", "Lookup/balanced/1000", "Lookup/modulo/1000", 1.3, false},
	{"`ring`, throughput of 2 goroutines to 1, 10 nodes", "Parallel/ring/10", "Parallel/ring/10-2", 1.8, true},
	{"`ring`, throughput of 2 goroutines to 1, 100 nodes", "Parallel/ring/100", "Parallel/ring/100-2", 1.8, true},
	{"`ring`, throughput of 2 goroutines to 1, 1000 nodes", "Parallel/ring/1000", "Parallel/ring/1000-2", 1.8, true},
	{"`ring.New`, 1000 nodes × 160, ms", "Build/ring.New/1000x160", "", 25, false},
	{"`ring.With` one more, 1000 nodes × 160, ms", "Build/ring.With/1000x160+1", "", 4, false},
	{"`balanced.New`, 100 nodes, 2^16 slots, ms", "Build/balanced.New/100x2^16", "", 60, false},
	{"`balanced.Update`, one more, to `balanced.New`", "Build/balanced.Update/100x2^16+1", "Build/balanced.New/100x2^16", 1, false},
}

// report writes all about time, or fails if a claim was not measured.
func (m *measurements) report() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nThis page is the output of\n\n    %s\n\n", m.command)
	fmt.Fprintf(&b, "on %s, %s. `make bench` prints it for your machine.\n\n", m.cpu, m.goVersion)
	fmt.Fprintf(&b, "Each figure is the median over %d rounds, each ratio of times within a round. ", len(m.rounds))
	fmt.Fprintf(&b, "Lookups go through %d distinct keys of 20 bytes in random order, on one processor unless said otherwise; ", bench.KeyCount)
	b.WriteString("no lookup of a placement of ringway allocates, which tests assert. Times are those of one lookup among many, which overlap; the ratio is what carries over to another machine.\n")
	if f, found := m.unsteady(); found {
		fmt.Fprintf(&b, "\n**Caution: the machine had other work to do during this run** (a lookup by modulo took %.0f to %.0f ns), so that the ratios are rough and what is said of two goroutines means nothing.\n", f.least, f.most)
	}
	if err := m.writeClaims(&b); err != nil {
		return "", err
	}
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

func (m *measurements) writeClaims(b *strings.Builder) error {
	b.WriteString("\n## In short\n\n| what | median | least – most | aim | |\n|---|---|---|---|---|\n")
	for _, c := range claims {
		f, found := m.ratio(c.name, c.unit)
		if c.unit == "" {
			f, found = m.time(c.name)
			f = figure{f.median / 1e6, f.least / 1e6, f.most / 1e6}
		}
		if !found {
			return fmt.Errorf("%s: no benchmark %s or %s", c.text, c.name, c.unit)
		}
		sign, held := "≤", f.median <= c.limit
		if c.atLeast {
			sign, held = "≥", f.median >= c.limit
		}
		fmt.Fprintf(b, "| %s | %.2f | %.2f – %.2f | %s %g | %s |\n", c.text, f.median, f.least, f.most, sign, c.limit, verdict(held))
	}
	return nil
}

func verdict(held bool) string {
	if held {
		return "reached"
	}
	return "**missed**"
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
			fmt.Fprintf(b, " %.3g (%s) |", ns.median, times3(ratio.median))
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
			fmt.Fprintf(b, " %s |", times3(f.median))
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
				fmt.Fprintf(b, " %.2f |", f.median)
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
			fmt.Fprintf(b, "| %s | %.3g |\n", w.Name, f.median/1e6)
		} else {
			fmt.Fprintf(b, "| %s | not run |\n", w.Name)
		}
	}
}
