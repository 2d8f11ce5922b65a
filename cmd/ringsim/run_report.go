package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenario"
)

// runReport is a finished run, in all the forms in which it is shown.
type runReport struct {
	scenario *scenario.Scenario
	report   *simulations.RunReport
	seed     uint64
	version  string
}

func (o *runReport) cli() cli.Report {
	return cli.Report{JSON: o.json, CSV: o.summary, Table: o.table}
}

func (o *runReport) json() cli.Record {
	r := o.report
	return cli.Record{
		{Name: "schema", Value: r.Schema},
		{Name: "seed", Value: o.seed},
		{Name: "version", Value: o.version},
		{Name: "scenario", Value: cli.Record{
			{Name: "name", Value: o.scenario.Name},
			{Name: "question", Value: o.scenario.Question},
			{Name: "file", Value: o.scenario.File()},
			{Name: "currency", Value: o.scenario.Currency()},
		}},
		{Name: "partial", Value: r.Partial},
		{Name: "verdict", Value: runVerdict(r)},
		{Name: "workload", Value: cli.RecordOf(r.Workload)},
		{Name: "rate", Value: r.Rate},
		{Name: "seconds", Value: r.Seconds},
		{Name: "warmup", Value: r.Warmup},
		{Name: "window", Value: r.Window},
		{Name: "step", Value: r.Step},
		{Name: "horizon", Value: r.Horizon},
		{Name: "results", Value: o.summary()},
	}
}

// summary is one record a row.
func (o *runReport) summary() []cli.Record {
	var records []cli.Record
	for _, r := range o.report.Results {
		records = append(records, cli.RecordOf(r))
	}
	return records
}

// series is one record for each row and step.
func (o *runReport) series() []cli.Record {
	var records []cli.Record
	for _, r := range o.report.Results {
		for _, p := range r.Series {
			records = append(records, append(cli.Record{{Name: "name", Value: r.Name}}, cli.RecordOf(p)...))
		}
	}
	return records
}

func (o *runReport) table(b *bytes.Buffer, s cli.Style) {
	title := o.scenario.Question
	if title == "" {
		title = o.scenario.Name
	}
	cli.WriteText(b, s.Bold(title), "")
	rate := ""
	if o.report.Rate > 0 {
		rate = fmt.Sprintf(", %s a second", commas(int64(math.Round(o.report.Rate))))
	}
	cli.WriteText(b, fmt.Sprintf("%s%s; seed %d", describeTrace(o.report.Workload), rate, o.seed), "")
	if o.report.Partial {
		cli.WriteText(b, s.Bold("PARTIAL: interrupted; figures are those of the requests above."), "")
	}
	for _, line := range o.timelines() {
		cli.WriteText(b, line, "  ")
	}
	b.WriteByte('\n')
	if o.changed() {
		o.changedTable(b, s)
	} else {
		o.steadyTable(b, s)
	}
	o.sparks(b, s)
	b.WriteByte('\n')
	for _, r := range o.report.Results {
		if r.Migrated != nil {
			how := ", and has not come to an end"
			if r.MigrationSeconds != nil {
				how = " in " + howLong(*r.MigrationSeconds)
			}
			cli.WriteText(b, r.Name+": entries brought over: "+commas(*r.Migrated)+how+".", "  ")
		}
		if r.Note != "" {
			cli.WriteText(b, r.Name+": "+r.Note+".", "  ")
		}
	}
	o.legend(b)
	b.WriteByte('\n')
	cli.WriteText(b, s.Bold(runVerdict(o.report)), "")
}

func (o *runReport) changed() bool {
	for _, r := range o.report.Results {
		if len(r.Changes) > 0 {
			return true
		}
	}
	return false
}

// timelines tell what happened, once where it was the same with every row.
func (o *runReport) timelines() (lines []string) {
	var last string
	for _, r := range o.report.Results {
		var text strings.Builder
		for _, c := range r.Changes {
			fmt.Fprintf(&text, "%s after %s", cli.Name(c.Change), counted(c.Request, "request"))
			if c.Until > c.Request {
				fmt.Fprintf(&text, " until %s", commas(c.Until))
			}
			fmt.Fprintf(&text, " (%d → %d nodes); ", c.NodesBefore, c.NodesAfter)
		}
		line := strings.TrimSuffix(text.String(), "; ")
		switch {
		case line == "" || line == last:
		case o.sameTimeline():
			return []string{line}
		default:
			last = line
			lines = append(lines, r.Name+": "+line)
		}
	}
	return lines
}

func (o *runReport) sameTimeline() bool {
	var first []simulations.RunChange
	for _, r := range o.report.Results {
		if len(r.Changes) == 0 {
			continue
		}
		if first == nil {
			first = r.Changes
		}
		for i, c := range r.Changes {
			if i >= len(first) || c.NodesBefore != first[i].NodesBefore || c.NodesAfter != first[i].NodesAfter || c.Until != first[i].Until {
				return false
			}
		}
	}
	return true
}

func (o *runReport) changedTable(b *bytes.Buffer, s cli.Style) {
	var rows [][]string
	for _, r := range o.report.Results {
		rows = append(rows, []string{
			r.Name, show(r.Moved, percent), show(r.MovedUnnecessary, percent), show(r.HitRateLowest, percent), show(r.ControlHitRateLowest, percent),
			show(r.ExtraLoads, brief), o.cost(r), show(r.RecoverySeconds, howLong), show(r.HottestTimesFair, times), show(r.StaleReads, brief),
		})
	}
	o.writeRows(b, s, []cli.Column{
		{Title: "placement", Left: true}, {Title: "moved"}, {Title: "needless"}, {Title: "lowest"}, {Title: "control"},
		{Title: "extra"}, {Title: o.costTitle()}, {Title: "back in"}, {Title: "hottest"}, {Title: "stale"},
	}, rows)
}

func (o *runReport) steadyTable(b *bytes.Buffer, s cli.Style) {
	var rows [][]string
	for _, r := range o.report.Results {
		rows = append(rows, []string{
			r.Name, show(r.HitRate, percent), show(r.Loads, brief), show(r.DBMillis, dbTime), show(r.PeakToMeanKeys, ratio3),
			show(r.PeakToMeanRequests, ratio3), show(r.PeakToMeanBytes, ratio3), show(r.HottestPerSecond, perSecond), show(r.HottestTimesFair, times), show(r.StaleReads, brief),
		})
	}
	o.writeRows(b, s, []cli.Column{
		{Title: "placement", Left: true}, {Title: "hit rate"}, {Title: "loads"}, {Title: "db time"}, {Title: "keys"},
		{Title: "requests"}, {Title: "bytes"}, {Title: "peak/s"}, {Title: "hottest"}, {Title: "stale"},
	}, rows)
}

// writeRows writes a table, with a column for requests that no node was up for
// where there were any.
func (o *runReport) writeRows(b *bytes.Buffer, s cli.Style, columns []cli.Column, rows [][]string) {
	if o.anyFailed() {
		columns = append(columns, cli.Column{Title: "no node"})
		for i, r := range o.report.Results {
			rows[i] = append(rows[i], show(r.FailedRequests, brief))
		}
	}
	cli.WriteTable(b, s, columns, rows)
}

func (o *runReport) anyFailed() bool {
	return slices.ContainsFunc(o.report.Results, func(r simulations.RunResult) bool { return r.FailedRequests != nil && *r.FailedRequests > 0 })
}

// noNode explains that column.
func (o *runReport) noNode() string {
	if o.anyFailed() {
		return " no node: requests that no node was up for."
	}
	return ""
}

// cost is the bill of the extra loads: money where there are prices, else time.
func (o *runReport) cost(r simulations.RunResult) string {
	if r.ExtraBill != nil {
		return fmt.Sprintf("%.4g", *r.ExtraBill)
	}
	return show(r.ExtraDBMillis, dbTime)
}

func (o *runReport) costTitle() string {
	if currency := o.scenario.Currency(); currency != "" {
		return cli.Clip(cli.Name(currency), 8)
	}
	return "db time"
}

func dbTime(ms float64) string { return howLong(ms / 1000) }

// brief writes a count in at most eight characters.
func brief(n int64) string {
	if n < 1_000_000 && n > -1_000_000 {
		return commas(n)
	}
	return strings.TrimSpace(strings.ReplaceAll(scaledSigned(float64(n)), " ", ""))
}

func scaledSigned(x float64) string {
	if x < 0 {
		return "-" + scaledSigned(-x)
	}
	return scaled(x, 1000, "", "k", "M", "G", "T", "P", "E")
}

// howLong writes seconds in at most eight characters, and 0 without a unit.
func howLong(x float64) string {
	switch {
	case x < 0:
		return "-" + howLong(-x)
	case x == 0:
		return "0"
	case x < 600:
		return nanoseconds(x * 1e9)
	case x < 36_000:
		return fmt.Sprintf("%.0f min", x/60)
	case x < 864_000:
		return fmt.Sprintf("%.0f h", x/3600)
	case x < 86_400e4:
		return fmt.Sprintf("%.0f d", x/86_400)
	}
	return fmt.Sprintf("%.0e d", x/86_400)
}

func times(x float64) string { return ratio3(x) + "×" }

func perSecond(x float64) string { return brief(int64(math.Round(x))) }

func (o *runReport) legend(b *bytes.Buffer) {
	r := o.report
	if !o.changed() {
		cli.WriteText(b, fmt.Sprintf("keys, requests, bytes: load of the fullest node by its fair share. peak/s: most requests a second of one node, "+
			"in a window of %s; hottest: by its fair share. stale: reads of a value that was written since.", commas(r.Window))+o.noNode(), "")
		return
	}
	horizon := "to the end"
	if r.Horizon > 0 {
		horizon = "up to " + counted(r.Horizon, "request") + " after the last change"
	}
	cli.WriteText(b, fmt.Sprintf("moved: keys that changed owner; needless: between nodes that both stay. lowest: worst hit rate of %s after the first change; "+
		"control: the same without changes. extra: database loads beyond the control's, %s. back in: from the first change until a window of %s is within one point of the control. "+
		"hottest: most load of one node in a window from the first change on, by its fair share. stale: reads of a value that was written since."+o.noNode(),
		counted(r.Step, "request"), horizon, commas(r.Window)), "")
}
