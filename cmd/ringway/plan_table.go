package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/rebalance"
)

// shownMovements is how many rows the table has at most: the largest ones.
const shownMovements = 40

func (r *planResult) table(b *bytes.Buffer, s cli.Style) {
	header := fmt.Sprintf("epoch %d · %s · %d → %s", r.Epoch, r.Kind, r.NodesBefore, counted(r.NodesAfter, "node"))
	if r.Copies > 1 {
		header += fmt.Sprintf(" · %d copies", r.Copies)
	}
	b.WriteString(cli.Clip(header+" · "+r.Change.list(), cli.MaxWidth) + "\n")
	b.WriteString(s.Bold(r.verdict()) + "\n")
	if len(r.Movements) > 0 {
		b.WriteString(s.Dim(cli.Clip(r.terms(), cli.MaxWidth)) + "\n\n")
		r.movementTable(b, s)
	}
	if slices.ContainsFunc(r.Receivers, planReceiver.known) {
		b.WriteByte('\n')
		r.receiverTable(b, s)
	}
	for i, text := range slices.Concat(r.refusals(), r.Notes) {
		if i == 0 {
			b.WriteByte('\n')
		}
		cli.WriteText(b, "· "+text+".", "  ")
	}
}

func (r *planResult) refusals() []string {
	var lines []string
	for _, text := range r.Refused {
		lines = append(lines, "no room: "+text)
	}
	return lines
}

func (r *planResult) movementTable(b *bytes.Buffer, s cli.Style) {
	columns := []column{name("from", 8), name("to", 8), number("of all keys")}
	estimated := r.Total.Keys != nil || slices.ContainsFunc(r.Movements, func(m planMovement) bool { return m.Keys != nil })
	if estimated {
		columns = append(columns, number("keys"), number("± s.e."), number("bytes"), number("± s.e."))
	}
	row := func(from, to string, fraction float64, a PlanAmount) []string {
		cells := []string{from, to, percent(fraction)}
		if estimated {
			cells = append(cells, a.cells()...)
		}
		return cells
	}
	largest := slices.SortedStableFunc(slices.Values(r.Movements), func(a, b planMovement) int {
		switch {
		case a.Fraction > b.Fraction:
			return -1
		case a.Fraction < b.Fraction:
			return 1
		}
		return 0
	})
	rows := [][]string{}
	for _, m := range r.Movements {
		if len(r.Movements) > shownMovements && m.Fraction < largest[shownMovements-1].Fraction {
			continue
		}
		rows = append(rows, row(shown(m.From), shown(m.To), m.Fraction, m.PlanAmount))
	}
	more := len(r.Movements) - len(rows)
	if len(r.Movements) > 1 {
		rows = append(rows, row("all", "", r.Copied, r.Total))
	}
	writeTable(b, s, columns, rows)
	if more > 0 {
		fmt.Fprintf(b, "\n%s that are smaller are left out: --format json lists them.\n", counted(more, "movement"))
	}
}

// known reports whether there is anything to say of a receiver.
func (x planReceiver) known() bool { return x.Needs != nil || x.From != nil }

// cells are keys and bytes, each with its standard error.
func (a PlanAmount) cells() []string {
	cells := []string{missing, missing, missing, missing}
	if a.Keys != nil {
		cells[0], cells[1] = countText(*a.Keys), countText(*a.KeysError)
	}
	if a.Bytes != nil {
		cells[2], cells[3] = rebalance.ByteText(*a.Bytes), rebalance.ByteText(*a.BytesError)
	}
	return cells
}

func (r *planResult) receiverTable(b *bytes.Buffer, s cli.Style) {
	columns := []column{name("receiver", 8), number("needs"), number("free"), number("used"), number("limit"), words("when full"), words("room")}
	var rows [][]string
	for _, x := range r.Receivers {
		room := missing
		switch {
		case x.Fits != nil && *x.Fits:
			room = "fits"
		case x.Fits != nil:
			room = "NO"
		}
		policy := ""
		if x.Policy != nil {
			policy = cli.Clip(*x.Policy, 16)
		}
		rows = append(rows, []string{shown(x.ID), sizeCell(x.Needs), sizeCell(x.Free), sizeCell(x.Used), sizeCell(x.Limit), shown(policy), room})
	}
	writeTable(b, s, columns, rows)
}

func sizeCell(n *int64) string {
	switch {
	case n == nil:
		return missing
	case *n < 0:
		return "none"
	}
	return rebalance.ByteText(*n)
}
