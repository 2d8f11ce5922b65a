package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

const drainSchema = "ringway.drain/1"

// sharesOf returns which part of all keys goes from a node to each other one, the
// largest first.
func sharesOf(from, to *ring.Ring, id string) ([]movedShare, error) {
	plan, err := rebalance.NewPlan(rebalance.PlanConfig{From: from, To: to})
	if err != nil {
		return nil, err
	}
	var shares []movedShare
	for _, m := range plan.Movements {
		if m.From == id {
			shares = append(shares, movedShare{m.To, m.Fraction})
		}
	}
	slices.SortFunc(shares, func(a, b movedShare) int {
		return cmp.Or(cmp.Compare(b.Fraction, a.Fraction), cmp.Compare(a.To, b.To))
	})
	return shares, nil
}

const shownShares = 8 // receivers that are named, at most

// announcement says what is about to happen.
func (d *drained) announcement() string {
	text := fmt.Sprintf("%s owns %s of all keys", printable.Text(d.id), percent(d.share))
	var parts []string
	for i, s := range d.movements {
		if i == shownShares {
			parts = append(parts, counted(len(d.movements)-i, "other node"))
			break
		}
		parts = append(parts, fmt.Sprintf("%s to %s", percent(s.Fraction), printable.Text(s.To)))
	}
	if len(parts) > 0 {
		text += ", which go: " + strings.Join(parts, ", ")
	}
	var b bytes.Buffer
	cli.WriteText(&b, text+".", "")
	return b.String()
}

func (d *drained) report(noWait bool) cli.Report {
	took := time.Since(d.told).Seconds()
	records := make([]cli.Record, len(d.movements))
	for i, s := range d.movements {
		records[i] = cli.Record{{Name: "to", Value: s.To}, {Name: "fraction", Value: s.Fraction}}
	}
	all := func() cli.Record {
		return cli.Record{
			{Name: "schema", Value: drainSchema},
			{Name: "id", Value: d.id}, {Name: "share", Value: d.share},
			{Name: "state", Value: d.state}, {Name: "complete", Value: d.complete}, {Name: "waited", Value: !noWait},
			{Name: "keys_moved", Value: d.last.KeysMoved}, {Name: "bytes_moved", Value: d.last.BytesMoved},
			{Name: "seconds", Value: took},
			{Name: "movements", Value: records},
		}
	}
	return cli.Report{
		JSON: all,
		CSV:  func() []cli.Record { r := all(); return []cli.Record{r[1 : len(r)-1]} },
		Table: func(b *bytes.Buffer, _ cli.Style) {
			switch {
			case noWait:
				fmt.Fprintf(b, "%s has been told to leave.\n", printable.Text(d.id))
			case d.complete:
				fmt.Fprintf(b, "%s is LEFT after %s: %s, %s moved.\n", printable.Text(d.id), span(took), keysText(d.last.KeysMoved),
					rebalance.ByteText(d.last.BytesMoved))
			}
		},
	}
}
