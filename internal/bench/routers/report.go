package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/internal/bench/rounds"
)

// report is all that the page is made of.
type report struct {
	options options
	rounds  rounds.Rounds
	machine machine
}

func (p report) page() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance of the router\n\nThis page is the output of\n\n    %s\n\n", p.options.command())
	fmt.Fprintf(&b, "on %s, %s, with %s. `make bench-router` prints it for your machine.\n\n", p.machine.cpu, p.machine.goVersion, p.machine.versions)
	fmt.Fprintf(&b, "Each figure is the median over %d rounds, each ratio and difference taken within a round. ", len(p.rounds))
	fmt.Fprintf(&b, "%d servers of each kind and all clients share the machine, over loopback. ", shardCount)
	fmt.Fprintf(&b, "Every client reads the same %d keys in the same order, with values of %d bytes, and looks at what it got. ", keyCount, valueSize)
	fmt.Fprintf(&b, "Pools are large enough for %d goroutines.\n", many)
	b.WriteString(yardstick.Caution(p.rounds, "the ratios are rough"))
	if err := p.writeClaims(&b); err != nil {
		return "", err
	}
	if err := p.writeFigures(&b); err != nil {
		return "", err
	}
	return b.String(), nil
}

// writeClaims leaves out what -only left out.
func (p report) writeClaims(b *strings.Builder) error {
	measured := claims
	if p.options.only != "" {
		measured = slices.DeleteFunc(slices.Clone(claims), func(c rounds.Claim) bool { return !p.rounds.Measured(c) })
	}
	if len(measured) == 0 {
		return nil
	}
	table, err := p.rounds.Table(measured)
	if err != nil {
		return err
	}
	b.WriteString("\n## In short\n\nThroughput is in operations a second; \"by hand\" is with a client for each server, chosen by our ring.\n\n" + table)
	return nil
}

func (p report) writeFigures(b *strings.Builder) error {
	b.WriteString("\n## Figures\n\nMicroseconds an operation: the time in which all goroutines together finish one more. Allocations are those of the whole program.\n\n")
	b.WriteString("| operation | client | µs | least – most | allocations | |\n|---|---|---|---|---|---|\n")
	for _, g := range p.options.groups {
		for _, c := range g.contenders {
			time, err := p.rounds.Figure(rounds.Value(g.nameOf(c), 1e3))
			if err != nil {
				return err
			}
			allocs, err := p.rounds.Figure(rounds.Value(allocations(g.nameOf(c)), 1))
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s – %s | %.2f | %s |\n", g.title, c.name,
				digits(time.Median), digits(time.Least), digits(time.Most), allocs.Median, c.note)
		}
	}
	return nil
}

// digits writes a time with the digits that mean something.
func digits(value float64) string {
	switch {
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}
