package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
)

// shownMovements is how many pairs of nodes a table has; JSON and CSV have all.
const shownMovements = 20

// shareOf is what a node owns before and after.
type shareOf struct {
	ID     string   `json:"id"`
	Before *float64 `json:"before"` // nil where it is not in the ring
	After  *float64 `json:"after"`
}

// shares returns what each node owns, those of before first.
func (w *whatif) shares() []shareOf {
	var list []shareOf
	for _, n := range w.fleet.ring.Nodes() {
		s := shareOf{ID: n.ID, Before: new(w.fleet.ring.Share(n.ID))}
		if _, stays := w.after.Node(n.ID); stays {
			s.After = new(w.after.Share(n.ID))
		}
		list = append(list, s)
	}
	for _, n := range w.after.Nodes() {
		if _, known := w.fleet.ring.Node(n.ID); !known {
			list = append(list, shareOf{ID: n.ID, After: new(w.after.Share(n.ID))})
		}
	}
	return list
}

func (f *whatifFlags) report(cmd *cobra.Command, w *whatif) cli.Report {
	var results, movements, shares, replayed []cli.Record
	for _, r := range w.compared.Results {
		results = append(results, cli.RecordOf(r, "lookup_ns", "build_ms"))
	}
	for _, m := range w.movements {
		movements = append(movements, cli.RecordOf(m))
	}
	for _, s := range w.shares() {
		shares = append(shares, cli.RecordOf(s))
	}
	if w.replayed != nil {
		for _, r := range w.replayed.Results {
			replayed = append(replayed, cli.RecordOf(r))
		}
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringsim.whatif/1"},
				{Name: "seed", Value: f.seed},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "agent", Value: w.fleet.agent},
				{Name: "kind", Value: string(w.fleet.kind)},
				{Name: "epoch", Value: w.fleet.epoch},
				{Name: "fingerprint", Value: w.fleet.ring.Fingerprint().String()},
				{Name: "in_transition", Value: w.fleet.moving},
				{Name: "change", Value: f.change},
				{Name: "nodes_before", Value: w.fleet.ring.Len()},
				{Name: "nodes_after", Value: w.after.Len()},
				{Name: "moved", Value: w.moved},
				{Name: "movements", Value: movements},
				{Name: "shares", Value: shares},
				{Name: "keys", Value: cli.Record{{Name: "source", Value: f.keys}, {Name: "count", Value: w.compared.Keys}}},
				{Name: "results", Value: results},
				{Name: "replay", Value: replayed},
			}
		},
		CSV:   func() []cli.Record { return movements },
		Table: func(b *bytes.Buffer, s cli.Style) { f.table(b, s, w) },
	}
}

func (f *whatifFlags) table(b *bytes.Buffer, s cli.Style, w *whatif) {
	cli.WriteText(b, s.Bold(fmt.Sprintf("What would %s do to the fleet that is running? %d → %s", cli.Name(f.change), w.fleet.ring.Len(), counted(w.after.Len(), "node"))), "")
	cli.WriteText(b, fmt.Sprintf("%s nodes at epoch %d, ring %s, as %s says", w.fleet.kind, w.fleet.epoch, w.fleet.ring.Fingerprint().Short(), cli.Name(w.fleet.agent)), "")
	if w.fleet.moving {
		cli.WriteText(b, s.Bold("Keys are moving now: this is about the ring that is in use, not the one to come."), "")
	}
	b.WriteByte('\n')
	w.movementTable(b, s)
	b.WriteByte('\n')
	w.shareTable(b, s)
	b.WriteByte('\n')
	compare := compareFlags{change: f.change, keys: f.keys, noTiming: true}
	compare.table(b, s, w.compared)
	if w.replayed != nil {
		b.WriteByte('\n')
		cli.WriteText(b, fmt.Sprintf("%s, LRU of %s a node", describeTrace(w.replayed.Trace), capacityText(f.capacity)), "")
		replayTable(b, s, w.replayed, 0)
		b.WriteByte('\n')
		legend := replayFlags{dbMillis: 5}
		legend.legend(b, w.replayed)
	}
	b.WriteByte('\n')
	cli.WriteText(b, s.Bold(fmt.Sprintf("%s of the hash space would change owner, between %s of nodes.", percent(w.moved), counted(len(w.movements), "pair"))), "")
}

func (w *whatif) movementTable(b *bytes.Buffer, s cli.Style) {
	var rows [][]string
	for _, m := range w.movements[:min(shownMovements, len(w.movements))] {
		rows = append(rows, []string{cli.Name(m.From), cli.Name(m.To), percent(m.Fraction)})
	}
	cli.WriteTable(b, s, []cli.Column{{Title: "from", Left: true}, {Title: "to", Left: true}, {Title: "of the hash space"}}, rows)
	if more := len(w.movements) - shownMovements; more > 0 {
		cli.WriteText(b, "… and "+counted(more, "smaller one")+".", "")
	}
}

func (w *whatif) shareTable(b *bytes.Buffer, s cli.Style) {
	shares := w.shares()
	var rows [][]string
	for _, n := range shares[:min(shownMovements, len(shares))] {
		rows = append(rows, []string{cli.Name(n.ID), show(n.Before, percent), show(n.After, percent)})
	}
	cli.WriteTable(b, s, []cli.Column{{Title: "node", Left: true}, {Title: "owns"}, {Title: "would own"}}, rows)
	if more := len(shares) - shownMovements; more > 0 {
		cli.WriteText(b, "… and "+counted(more, "further node")+".", "")
	}
}
