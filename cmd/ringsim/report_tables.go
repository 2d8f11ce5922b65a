package main

import (
	"fmt"
	"slices"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/plot"
	"github.com/ringway/ringway/simulations/report"
)

// cell shows a figure, and sorts by it.
func cell[T int | int64 | float64](v *T, format func(T) string) report.Cell {
	if v == nil {
		return report.Number(missing, nil)
	}
	return report.Number(format(*v), new(float64(*v)))
}

// table makes a table of the rows: the name, and those of these columns in which
// there is something.
func (p *pageMaker) table(caption string, columns ...column) report.Table {
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return !slices.ContainsFunc(p.report.Results, func(r result) bool { return c.cell(r).Text != missing })
	})
	t := report.Table{Caption: caption, Columns: []report.Column{{Title: "placement", Left: true}}}
	for _, c := range columns {
		t.Columns = append(t.Columns, report.Column{Title: c.title})
	}
	for _, r := range p.report.Results {
		row := []report.Cell{report.Word(r.Name)}
		for _, c := range columns {
			row = append(row, c.cell(r))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

type column struct {
	title string
	cell  func(simulations.RunResult) report.Cell
}

// counts, parts, ratios … are columns of one kind of figure.
func counts(title string, of func(simulations.RunResult) *int64) column {
	return column{title, func(r simulations.RunResult) report.Cell { return cell(of(r), commas[int64]) }}
}

func floats(title string, format func(float64) string, of func(simulations.RunResult) *float64) column {
	return column{title, func(r simulations.RunResult) report.Cell { return cell(of(r), format) }}
}

type result = simulations.RunResult

// costs is what the database had to do.
func (p *pageMaker) costs() *report.Section {
	s := &report.Section{Title: "What it costs the database"}
	s.Figures = drawn(p.bars("Extra loads", "Beyond those of the same fleet without the change.", "database loads", "", func(r result) (*float64, *float64, string) {
		if r.ExtraLoads == nil {
			return nil, nil, ""
		}
		return new(float64(*r.ExtraLoads)), nil, commas(*r.ExtraLoads)
	}))
	s.Tables = []report.Table{
		p.table("Hit rates",
			floats("hit rate", percent, func(r result) *float64 { return r.HitRate }),
			floats("control", percent, func(r result) *float64 { return r.ControlHitRate }),
			floats("before", percent, func(r result) *float64 { return r.HitRateBefore }),
			floats("lowest", percent, func(r result) *float64 { return r.HitRateLowest }),
			floats("control's lowest", percent, func(r result) *float64 { return r.ControlHitRateLowest }),
			counts("back after, requests", func(r result) *int64 { return r.RecoveryRequests }),
			floats("back after", howLong, func(r result) *float64 { return r.RecoverySeconds }),
			counts("stale reads", func(r result) *int64 { return r.StaleReads }),
			counts("no node up", func(r result) *int64 { return r.FailedRequests })),
		p.bill(),
	}
	for _, r := range p.report.Results {
		if r.Note != "" {
			s.Tables[0].Notes = append(s.Tables[0].Notes, r.Name+": "+r.Note+".")
		}
	}
	return s
}

// bill is the database's time, and money where there are prices.
func (p *pageMaker) bill() report.Table {
	columns := []column{
		counts("loads", func(r result) *int64 { return r.Loads }),
		counts("control", func(r result) *int64 { return r.ControlLoads }),
		counts("extra", func(r result) *int64 { return r.ExtraLoads }),
		floats("peak a second", perSecond, func(r result) *float64 { return r.LoadsPeak }),
		floats("control", perSecond, func(r result) *float64 { return r.ControlLoadsPeak }),
		floats("database time", dbTime, func(r result) *float64 { return r.DBMillis }),
		floats("extra time", dbTime, func(r result) *float64 { return r.ExtraDBMillis }),
	}
	if currency := p.scenario.Currency(); currency != "" {
		money := func(x float64) string { return fmt.Sprintf("%.4g", x) }
		columns = append(columns, floats("bill, "+cli.Name(currency), money, func(r result) *float64 { return r.Bill }),
			floats("extra, "+cli.Name(currency), money, func(r result) *float64 { return r.ExtraBill }))
	}
	return p.table("Database loads and the bill", columns...)
}

// movements is what changed owner.
func (p *pageMaker) movements() *report.Section {
	if len(p.costed()) == 0 {
		return nil
	}
	s := &report.Section{Title: "What moves"}
	f := p.bars("Keys that changed owner", "Of all keys seen until then, in per cent.", "% of the keys", "%", func(r result) (*float64, *float64, string) {
		if r.Moved == nil {
			return nil, nil, ""
		}
		return new(100 * *r.Moved), new(100 * *r.MovedUnnecessary), percent(*r.Moved)
	})
	if f != nil {
		f.Legend = []report.Entry{{Text: "to or from a node that changed", Bar: 1}, {Text: "needless: between nodes that both stay", Bar: 2}}
	}
	s.Figures = drawn(f)
	s.Tables = []report.Table{p.table("Keys and entries",
		floats("moved", percent, func(r result) *float64 { return r.Moved }),
		floats("necessary", percent, func(r result) *float64 { return r.MovedNecessary }),
		floats("needless", percent, func(r result) *float64 { return r.MovedUnnecessary }),
		counts("entries brought over", func(r result) *int64 { return r.Migrated }),
		floats("took", howLong, func(r result) *float64 { return r.MigrationSeconds }),
		column{"nodes before", func(r result) report.Cell { return cell(&r.NodesBefore, commas[int]) }},
		column{"nodes after", func(r result) report.Cell { return cell(&r.NodesAfter, commas[int]) }},
	)}
	return s
}

// spread is how evenly load lies.
func (p *pageMaker) spread() *report.Section {
	s := &report.Section{Title: "How evenly load lies"}
	s.Figures = drawn(p.bars("Hottest node", "The most load of one node in a window, by its fair share of the requests; with changes, from the first one on.", "times its fair share", "", func(r result) (*float64, *float64, string) {
		return r.HottestTimesFair, nil, show(r.HottestTimesFair, times)
	}))
	s.Tables = []report.Table{p.table("Load of the fullest node by its fair share, before the changes and after",
		floats("keys", ratio3, func(r result) *float64 { return r.PeakToMeanKeys }),
		floats("after", ratio3, func(r result) *float64 { return r.PeakToMeanKeysAfter }),
		floats("requests", ratio3, func(r result) *float64 { return r.PeakToMeanRequests }),
		floats("after", ratio3, func(r result) *float64 { return r.PeakToMeanRequestsAfter }),
		floats("bytes", ratio3, func(r result) *float64 { return r.PeakToMeanBytes }),
		floats("after", ratio3, func(r result) *float64 { return r.PeakToMeanBytesAfter }),
		floats("spread of requests (cv)", percent, func(r result) *float64 { return r.CVRequests }),
		column{"hottest node", func(r result) report.Cell { return report.Word(cli.Name(r.HottestNode)) }},
		floats("by its fair share", times, func(r result) *float64 { return r.HottestTimesFair }),
		floats("control", times, func(r result) *float64 { return r.ControlHottestTimesFair }),
		floats("most requests a second of a node", perSecond, func(r result) *float64 { return r.HottestPerSecond }),
		floats("control", perSecond, func(r result) *float64 { return r.ControlHottestPerSecond }),
	)}
	return s
}

// changes is a row for each entry of the time line.
func (p *pageMaker) changes() *report.Section {
	t := report.Table{Caption: "Each change by itself", Columns: []report.Column{{Title: "placement", Left: true}, {Title: "change", Left: true}, {Title: "after requests"},
		{Title: "nodes"}, {Title: "moved"}, {Title: "hit rate before"}, {Title: "next 1,000"}, {Title: "control"}, {Title: "lowest"}, {Title: "extra loads"}, {Title: "back after"}}}
	for _, r := range p.report.Results {
		for _, c := range r.Changes {
			t.Rows = append(t.Rows, []report.Cell{
				report.Word(r.Name), report.Word(cli.Name(c.Change)), cell(&c.Request, commas[int64]),
				report.Number(fmt.Sprintf("%d → %d", c.NodesBefore, c.NodesAfter), new(float64(c.NodesAfter))), cell(c.Moved, percent),
				cell(c.HitRateBefore, percent), cell(c.HitRateNext1000, percent), cell(c.ControlHitRateNext1000, percent), cell(c.HitRateLowest, percent),
				cell(c.ExtraLoads, commas[int64]), cell(c.RecoverySeconds, howLong),
			})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return &report.Section{Title: "Change by change", Tables: []report.Table{t}}
}

// allPlacements is the study's change with each placement there is.
func (p *pageMaker) allPlacements() *report.Section {
	if p.placements == nil {
		return nil
	}
	s := &report.Section{Title: "All placements over the same keys", Text: fmt.Sprintf("%s of the workload, placed before the change, after it, and after it has been undone.", counted(p.placements.Keys, "key"))}
	t := report.Table{Caption: "Placements", Columns: []report.Column{{Title: "placement", Left: true}, {Title: "moved"}, {Title: "fair share"}, {Title: "needless"}, {Title: "receivers"},
		{Title: "restored"}, {Title: "fullest node"}, {Title: "after"}, {Title: "spread (cv)"}, {Title: "memory"}}}
	b := &plot.Bars{XLabel: "% of the keys", XUnit: "%"}
	for _, r := range p.placements.Results {
		t.Rows = append(t.Rows, []report.Cell{report.Word(r.Algorithm), cell(r.Moved, percent), cell(r.Ideal, percent), cell(r.MovedUnnecessary, percent), cell(r.Receivers, commas[int]),
			cell(r.Restored, percent), cell(r.PeakToMean, ratio3), cell(r.PeakToMeanAfter, ratio3), cell(r.CV, percent), cell(r.MemoryBytes, bytesOf)})
		if r.Note != "" {
			t.Notes = append(t.Notes, r.Algorithm+": "+r.Note+".")
		}
		if r.Moved != nil {
			b.Rows = append(b.Rows, plot.Bar{Name: r.Algorithm, Value: 100 * *r.Moved, Second: 100 * *r.MovedUnnecessary, Label: percent(*r.Moved)})
		}
	}
	if len(b.Rows) > 0 {
		s.Figures = []report.Figure{{Title: "Keys that changed owner", Text: "In per cent of the keys.", Bars: b,
			Legend: []report.Entry{{Text: "to or from a node that changed", Bar: 1}, {Text: "needless: between nodes that both stay", Bar: 2}}}}
	}
	s.Tables = []report.Table{t}
	return s
}
