package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
)

// missing stands in a table for what is not known.
const missing = "–"

// A column of a table. One with a Least may be cut to that width where the table
// would be too wide; below Fair only once that does not do for the others.
type column struct {
	cli.Column
	Least, Fair int
}

func words(title string) column  { return column{cli.Column{Title: title, Left: true}, 0, 0} }
func number(title string) column { return column{cli.Column{Title: title}, 0, 0} }
func name(title string, least int) column {
	return column{cli.Column{Title: title, Left: true}, least, 0}
}

// address is a column of addresses: half of one helps nobody, so that those with four
// numbers and a port are left whole if there is any other way.
func address() column {
	return column{cli.Column{Title: "address", Left: true}, 12, len("255.255.255.255:65535")}
}

// writeTable writes a table of at most cli.MaxWidth: where it would be wider, the
// widest columns of names are cut first.
func writeTable(b *bytes.Buffer, s cli.Style, columns []column, rows [][]string) {
	const gap = 2
	total := -gap
	widths := make([]int, len(columns))
	plain := make([]cli.Column, len(columns))
	for i, c := range columns {
		plain[i] = c.Column
		widths[i] = cli.Width(c.Title)
		for _, row := range rows {
			widths[i] = max(widths[i], cli.Width(row[i]))
		}
		total += widths[i] + gap
	}
	total = narrow(columns, widths, total, func(c column) int { return max(c.Least, c.Fair) })
	narrow(columns, widths, total, func(c column) int { return c.Least })
	cut := make([][]string, len(rows))
	for r, row := range rows {
		cut[r] = make([]string, len(row))
		for i, cell := range row {
			cut[r][i] = cli.Clip(cell, widths[i])
		}
	}
	cli.WriteTable(b, s, plain, cut)
}

// narrow cuts the widest columns first, none below its least, until the table fits,
// and returns how wide it is then.
func narrow(columns []column, widths []int, total int, least func(column) int) int {
	for ; total > cli.MaxWidth; total-- {
		widest := -1
		for i, c := range columns {
			if c.Least > 0 && widths[i] > least(c) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return total
}

// shown is a text from outside, or a dash for none.
func shown(text string) string {
	if text == "" {
		return missing
	}
	return printable.Text(text)
}

// percent writes a part of the whole in at most six characters.
func percent(x float64) string {
	if x >= 0.9995 {
		return "100%"
	}
	return fmt.Sprintf("%.2f%%", 100*x)
}

func weightText(w float64) string {
	if w >= 1000 {
		return strconv.FormatFloat(w, 'f', 0, 64)
	}
	return strconv.FormatFloat(w, 'g', 4, 64)
}

// age writes how long ago something was, in at most four characters.
func age(since, now time.Time) string {
	if since.IsZero() {
		return missing
	}
	d := now.Sub(since)
	switch {
	case d < time.Second: // or the clocks differ
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// counted writes a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// shareBar draws a share on a scale where full fills the width: "█" for what
// stays, "░" for what will come, "▒" for what will go.
func shareBar(share, next, full float64, width int) string {
	cells := func(x float64) int {
		if full <= 0 || x <= 0 {
			return 0
		}
		return min(width, max(1, int(math.Round(x/full*float64(width)))))
	}
	now, then := cells(share), cells(next)
	change := strings.Repeat("░", max(0, then-now)) + strings.Repeat("▒", max(0, now-then))
	return strings.Repeat("█", min(now, then)) + change
}

// short is the start of a fingerprint.
func short(fingerprint string) string {
	if fingerprint == "" {
		return missing
	}
	return fingerprint[:min(16, len(fingerprint))]
}

// nodeKinds are the kinds that own keys, in the order in which they are shown.
var nodeKinds = []membership.Kind{membership.Redis, membership.Memcached}

// kindOrder puts routers behind nodes.
func kindOrder(k membership.Kind) int {
	if i := slices.Index(nodeKinds, k); i >= 0 {
		return i
	}
	return len(nodeKinds)
}

// disagreement says who has another ring; empty when all agree.
func disagreement(names []string) string {
	if len(names) == 0 {
		return ""
	}
	shownNames := make([]string, len(names))
	for i, n := range names {
		shownNames[i] = printable.Text(n)
	}
	verb := "have"
	if len(names) == 1 {
		verb = "has"
	}
	return fmt.Sprintf("%s %s had another ring for longer than convergence takes", strings.Join(shownNames, ", "), verb)
}

// verdict says in two words whether all agree.
func verdict(s cli.Style, disagree []string) string {
	switch len(disagree) {
	case 0:
		return "all agree"
	case 1:
		return s.Bold("1 member disagrees")
	}
	return s.Bold(fmt.Sprintf("%d members disagree", len(disagree)))
}

// agreement is the error of --assert-agree.
func agreement(names []string) error {
	if text := disagreement(names); text != "" {
		return &cli.FailedError{Lines: []string{"assertion failed: all agree (" + text + ")"}}
	}
	return nil
}
