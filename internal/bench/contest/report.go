package contest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/internal/bench/rounds"
)

// report is all that the page is made of.
type report struct {
	program Program
	options options
	rounds  rounds.Rounds
	machine machine
}

// Page returns the page of rounds that ran all groups, for tests of the claims.
func (p Program) Page(all rounds.Rounds) (string, error) {
	return report{program: p, options: options{groups: p.Groups}, rounds: all}.page()
}

func (r report) page() (string, error) {
	p := r.program
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nThis page is the output of\n\n    %s\n\n", p.Title, p.command(r.options))
	fmt.Fprintf(&b, "on %s, %s, with %s. `make %s` prints it for your machine.\n\n", r.machine.cpu, r.machine.goVersion, r.machine.versions, p.Target)
	fmt.Fprintf(&b, "Each figure is the median over %d rounds, each ratio and difference taken within a round. %s\n", len(r.rounds), p.Setting)
	b.WriteString(yardstick.Caution(r.rounds, "the ratios are rough"))
	if err := r.writeClaims(&b); err != nil {
		return "", err
	}
	if err := r.writeFigures(&b); err != nil {
		return "", err
	}
	if p.Behind != "" {
		b.WriteString("\n" + p.Behind)
	}
	return b.String(), nil
}

// writeClaims leaves out what -only left out.
func (r report) writeClaims(b *strings.Builder) error {
	measured := r.program.Claims
	if r.options.only != "" {
		measured = slices.DeleteFunc(slices.Clone(measured), func(c rounds.Claim) bool { return !r.rounds.Measured(c) })
	}
	if len(measured) == 0 {
		return nil
	}
	table, err := r.rounds.Table(measured)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\n## In short\n\n%s\n\n%s", r.program.AboutClaims, table)
	return nil
}

func (r report) writeFigures(b *strings.Builder) error {
	fmt.Fprintf(b, "\n## Figures\n\n%s\n\n", r.program.AboutFigures)
	b.WriteString("| operation | client | µs | least – most | µs of the processors | allocations | |\n|---|---|---|---|---|---|---|\n")
	for _, g := range r.options.groups {
		for _, c := range g.Contenders {
			name := g.NameOf(c)
			time, err := r.rounds.Figure(rounds.Value(name, 1e3))
			if err != nil {
				return err
			}
			used, err := r.rounds.Figure(rounds.Value(Processors(name), 1e3))
			if err != nil {
				return err
			}
			allocs, err := r.rounds.Figure(rounds.Value(Allocations(name), 1))
			if err != nil {
				return err
			}
			note := c.Note
			if g.Counted != "" {
				if note, err = r.counted(g, c); err != nil {
					return err
				}
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s – %s | %s | %.2f | %s |\n", g.Title, c.Name,
				digits(time.Median), digits(time.Least), digits(time.Most), digits(used.Median), allocs.Median, note)
		}
	}
	return nil
}

// counted is the note of a contender, and what it counted.
func (r report) counted(g Group, c Contender) (string, error) {
	f, err := r.rounds.Figure(rounds.Value(Counted(g.NameOf(c)), 1))
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s: %.3g (%.3g – %.3g)", g.Counted, f.Median, f.Least, f.Most)
	if c.Note != "" {
		text += "; " + c.Note
	}
	return text, nil
}

// digits writes a time with the digits that mean something.
func digits(value float64) string {
	switch {
	case value < 1:
		return fmt.Sprintf("%.3f", value)
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}
