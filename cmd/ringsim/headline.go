package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

// The settings of the headline. Ten nodes of 1000 items hold three quarters of
// the trace's 13,756 keys, and the change comes in the middle: at other points,
// and with half or twice the capacity, the figures differ and the story does not.
const (
	headlineNodes      = "10"
	headlineChange     = "+1@50000"
	headlineCapacity   = "1000"
	headlineWindow     = 10_000
	headlineAlgorithms = "modulo,ring"
)

// newHeadline makes the root command print the headline.
func newHeadline(root *cobra.Command) {
	root.Short = "Predict what a resize of a cache fleet moves and costs"
	root.Long = `Ringsim tells what a resize of a cache fleet moves and what it costs, on real keys
and real traffic, for each placement: consistent hashing and its alternatives.

Alone it shows the headline: a fleet of ten caches gains one, in the middle of the
bundled trace, with keys placed by modulo and on a ring.`
	root.Example = `  ringsim
  ringsim compare --nodes 10 --change +1
  ringsim replay --trace orm-busy.keys.gz --change +1@1000000 --capacity 4000`
	format := cli.FormatFlag(root)
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		f := replayFlags{
			placementFlags: placementFlags{algorithms: headlineAlgorithms, hash: "xxhash64", seed: 1, vnodes: 160},
			traceFlags:     traceFlags{file: trace.BundledName, format: "auto"},
			nodes:          headlineNodes, dbMillis: 5, format: format,
		}
		cfg, err := f.config()
		if err != nil {
			return err
		}
		report, err := f.replay(cmd, cfg)
		if err != nil {
			return err
		}
		table := func(b *bytes.Buffer, s cli.Style) { headline(b, s, report, f.dbMillis) }
		return finish(cmd, replayReport(cmd, report, f.seed, table), *format, nil)
	}
}

// headline tells the story in a few lines. All figures come from the report.
func headline(b *bytes.Buffer, s cli.Style, report *simulations.ReplayReport, dbMillis float64) {
	change := report.Results[0].Changes[0]
	cli.WriteText(b, s.Bold(fmt.Sprintf("What does one more cache node cost? %d → %d nodes, on real traffic", change.NodesBefore, change.NodesAfter)), "")
	cli.WriteText(b, describeTrace(report.Trace)+"; an LRU of "+capacityText(headlineCapacity)+" on each node; the node joins after "+commas(change.Request)+" requests.", "")
	b.WriteByte('\n')
	var rows [][]string
	for _, r := range report.Results {
		rows = append(rows, []string{
			r.Algorithm, show(r.Moved, percent), show(r.HitRateBefore, percent), show(r.HitRateNext1000, percent), show(r.ControlHitRateNext1000, percent),
			show(r.MissesWindow, compact), show(r.ControlMissesWindow, compact), show(r.ExtraLoads, compact),
		})
	}
	cli.WriteTable(b, s, []cli.Column{
		{Title: "placement", Left: true}, {Title: "keys moved"}, {Title: "hit rate before"}, {Title: "next 1,000"}, {Title: "(no change)"},
		{Title: "db loads"}, {Title: "(no change)"}, {Title: "extra"},
	}, rows)
	b.WriteByte('\n')
	cli.WriteText(b, fmt.Sprintf("hit rate before: over %s requests. db loads: over the %s that follow. extra: beyond the same fleet without the change, over the %s that follow.",
		commas(report.Window), commas(report.Window), commas(min(report.Horizon, report.Trace.Requests-change.Request))), "")
	b.WriteByte('\n')
	cli.WriteText(b, s.Bold(verdict(report.Results[0].Algorithm, report.Results[0].ReplayFigures, report.Results[1].Algorithm, report.Results[1].ReplayFigures, dbMillis)), "")
	b.WriteByte('\n')
	b.WriteString("The same, in full:\n  " + headlineCommand(" \\\n    ") + "\n")
}

// headlineCommand is the command line that gives the headline's figures, with
// this between its two halves.
func headlineCommand(middle string) string {
	return fmt.Sprintf("ringsim replay --trace %s --algorithms %s --nodes %s%s--change %s --capacity %s --window %d",
		trace.BundledName, headlineAlgorithms, headlineNodes, middle, headlineChange, headlineCapacity, headlineWindow)
}

// verdict says in words what the figures of two placements say, whichever of
// them does better.
func verdict(first string, a simulations.ReplayFigures, second string, b simulations.ReplayFigures, dbMillis float64) string {
	if a.ExtraLoads == nil || b.ExtraLoads == nil {
		return "No verdict: a figure is missing."
	}
	worse, better := first, second
	if *a.ExtraLoads < *b.ExtraLoads {
		worse, better, a, b = second, first, b, a
	}
	more, less := *a.ExtraLoads, *b.ExtraLoads
	if more <= 0 {
		return fmt.Sprintf("The new node costs the database nothing with either: %s saves it %s, %s %s.",
			better, counted(-less, "load"), worse, counted(-more, "load"))
	}
	var text strings.Builder
	bill := seconds(float64(more) * dbMillis / 1000)
	switch {
	case more == less:
		fmt.Fprintf(&text, "%s and %s cost the database the same: %s each, %s of its time at %g ms", worse, better, counted(more, "extra load"), bill, dbMillis)
	case less <= 0:
		fmt.Fprintf(&text, "%s costs the database %s, %s of its time at %g ms; %s none", worse, counted(more, "extra load"), bill, dbMillis, better)
	default:
		fmt.Fprintf(&text, "%s costs the database %s, %s of its time at %g ms; %s %s, %s",
			worse, counted(more, "extra load"), bill, dbMillis, better, commas(less), fewer(float64(more)/float64(less)))
	}
	if dip, otherDip := dipOf(a), dipOf(b); dip != nil && otherDip != nil {
		fmt.Fprintf(&text, ". Over the next 1,000 requests the hit rate loses %.1f points with %s, %.1f with %s", *dip, worse, *otherDip, better)
	}
	return capital(text.String() + ".")
}

// capital begins a sentence with a capital, placements' names being lower case.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// fewer says how much less a cost is, given how many times as much the other is.
func fewer(times float64) string {
	names := map[int]string{2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 7: "a seventh", 8: "an eighth", 9: "a ninth", 10: "a tenth"}
	n := int(times + 0.5)
	switch name, ok := names[n]; {
	case times < 1.75:
		return fmt.Sprintf("%.0f%% less", 100*(1-1/times))
	case ok:
		return "about " + name + " of that"
	default:
		return fmt.Sprintf("1/%d of that", n)
	}
}

// dipOf returns by how many points the hit rate over the next 1,000 requests is
// below that without the change.
func dipOf(f simulations.ReplayFigures) *float64 {
	if f.HitRateNext1000 == nil || f.ControlHitRateNext1000 == nil {
		return nil
	}
	return new(100 * (*f.ControlHitRateNext1000 - *f.HitRateNext1000))
}
