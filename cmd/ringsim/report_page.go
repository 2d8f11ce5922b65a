package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/report"
	"github.com/ringway/ringway/simulations/trace"
)

// pageMaker makes the page of a run.
type pageMaker struct {
	runReport
	study      *study                     // nil with a scenario
	placements *simulations.CompareReport // all of them over the study's keys; may be nil
	command    []string                   // that gives the page again
	source     string                     // the scenario's text
	assumed    string                     // what was chosen for the reader
	failed     []string                   // assertions
}

// note keeps the flags that were given for the command.
func (p *pageMaker) note(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			p.command = append(p.command, "--"+name, flag.Value.String())
		}
	}
}

func (p *pageMaker) page() report.Page {
	title := p.scenario.Question
	if title == "" {
		title = p.scenario.Name
	}
	page := report.Page{
		Title: printable.Text(title), Lead: p.lead(), Verdict: runVerdict(p.report), Cards: p.cards(), Points: p.points(),
		Footer: fmt.Sprintf("ringsim %s; %s", p.version, p.report.Schema),
	}
	switch {
	case p.report.Partial:
		page.Warning = "Partial: the study was interrupted, and figures are those of the requests until then."
	case len(p.failed) > 0:
		page.Warning = "Not as asserted: " + strings.Join(p.failed, "; ") + "."
	}
	for _, s := range []*report.Section{p.overTime(), p.costs(), p.movements(), p.spread(), p.changes(), p.allPlacements(), p.words(), p.again()} {
		if s != nil {
			page.Sections = append(page.Sections, *s)
		}
	}
	return page
}

// lead says what was studied.
func (p *pageMaker) lead() []string {
	rate := ""
	if p.report.Rate > 0 {
		rate = fmt.Sprintf(", %s a second", commas(int64(math.Round(p.report.Rate))))
	}
	lead := []string{printable.Text(describeTrace(p.report.Workload)) + rate + "."}
	for _, line := range p.timelines() {
		lead = append(lead, line+".")
	}
	if p.study != nil {
		lead = append(lead, p.study.lead()...)
	}
	if p.assumed != "" {
		lead = append(lead, p.assumed)
	}
	return lead
}

// cards are the figures of the row that the changes cost least, beside those of the
// one that they cost most.
func (p *pageMaker) cards() []report.Card {
	rows := p.costed()
	if len(rows) == 0 {
		return p.steadyCards()
	}
	best, worst := extremes(rows)
	card := func(name string, figure func(simulations.RunResult) string) report.Card {
		c := report.Card{Name: name + ", " + best.Name, Value: figure(best)}
		if best.Name != worst.Name {
			c.Note = worst.Name + ": " + figure(worst)
		}
		return c
	}
	return []report.Card{
		card("Extra database loads", func(r simulations.RunResult) string { return show(r.ExtraLoads, brief) }),
		card("Keys that changed owner", func(r simulations.RunResult) string { return show(r.Moved, percent) }),
		card("Lowest hit rate", func(r simulations.RunResult) string { return show(r.HitRateLowest, percent) }),
		card("Back to normal after", func(r simulations.RunResult) string { return show(r.RecoverySeconds, howLong) }),
	}
}

// costed are the rows that have gone through changes.
func (p *pageMaker) costed() []simulations.RunResult {
	return slices.DeleteFunc(slices.Clone(p.report.Results), func(r simulations.RunResult) bool { return r.ExtraLoads == nil })
}

func extremes(rows []simulations.RunResult) (best, worst simulations.RunResult) {
	byLoads := func(a, b simulations.RunResult) int { return int(min(1, max(-1, *a.ExtraLoads-*b.ExtraLoads))) }
	return slices.MinFunc(rows, byLoads), slices.MaxFunc(rows, byLoads)
}

// steadyCards are for a fleet to which nothing happens.
func (p *pageMaker) steadyCards() (cards []report.Card) {
	for _, r := range p.report.Results[:min(4, len(p.report.Results))] {
		if r.HottestTimesFair != nil {
			cards = append(cards, report.Card{Name: "Hottest node by its fair share, " + r.Name, Value: times(*r.HottestTimesFair), Note: "hit rate " + show(r.HitRate, percent)})
		}
	}
	return cards
}

// points say of each row in words what the tables have in figures.
func (p *pageMaker) points() (points []string) {
	for _, r := range p.report.Results {
		if r.Loads == nil {
			points = append(points, r.Name+": no figures: "+r.Note+".")
			continue
		}
		var parts []string
		say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
		if r.ExtraLoads != nil {
			needless := "none of them needlessly"
			if *r.MovedUnnecessary > 0 {
				needless = percent(*r.MovedUnnecessary) + " between nodes that both stay"
			}
			say("%s of the keys change owner, %s", percent(*r.Moved), needless)
			if r.HitRateLowest != nil && r.ControlHitRateLowest != nil && *r.HitRateLowest < *r.ControlHitRateLowest {
				say("the hit rate falls to %s, without the change to %s", percent(*r.HitRateLowest), percent(*r.ControlHitRateLowest))
			}
			say("%s", strings.TrimPrefix(costOf(onlyCost(r), p.report.Partial), r.Name+" "))
		} else {
			say("%s of the reads are answered by the cache", show(r.HitRate, percent))
		}
		if unreached(r) {
			say("its change was not reached")
		}
		if r.HottestTimesFair != nil {
			say("the hottest node carries %s its fair share%s", times(*r.HottestTimesFair), hottestBeside(r))
		}
		if *r.StaleReads > 0 {
			say("%s", counted(*r.StaleReads, "stale answer"))
		}
		if *r.FailedRequests > 0 {
			say("no node up for %s", counted(*r.FailedRequests, "request"))
		}
		points = append(points, r.Name+": "+strings.Join(parts, "; ")+".")
	}
	return points
}

// hottestBeside says what the hottest node carries where nothing changes.
func hottestBeside(r simulations.RunResult) string {
	switch {
	case r.ExtraLoads == nil || r.ControlHottestTimesFair == nil:
		return ""
	case times(*r.HottestTimesFair) == times(*r.ControlHottestTimesFair):
		return ", as it does without the change"
	}
	return ", without the change " + times(*r.ControlHottestTimesFair)
}

// onlyCost leaves out what the point has said already.
func onlyCost(r simulations.RunResult) simulations.RunResult {
	r.HitRateLowest = nil
	return r
}

// words explain the figures.
func (p *pageMaker) words() *report.Section {
	horizon := "to the end"
	if p.report.Horizon > 0 {
		horizon = "up to " + counted(p.report.Horizon, "request") + " after the last change"
	}
	s := &report.Section{Title: "What the words mean", Facts: []report.Fact{
		{Name: "control", Value: "The same fleet over the same requests, to which nothing happens. A trace's own hit rate swings more than a change does, so that nothing is judged without it."},
		{Name: "moved, needless", Value: "The part of the keys seen so far that a change of the ring gave another owner, summed over all changes. Needless is what moved between two nodes that both stay."},
		{Name: "extra loads", Value: "Loads from the database beyond the control's, from the first change " + horizon + ". Below 0 where the change did more good than harm: a larger fleet is a larger cache."},
		{Name: "lowest hit rate", Value: "Of the worst " + counted(p.report.Step, "request") + " from the first change on."},
		{Name: "back after", Value: "From the first change until a window of " + counted(p.report.Window, "request") + " begins, after the last one, whose hit rate is within one percentage point of the control's."},
		{Name: "hottest", Value: "The most requests of one node in a window of " + counted(p.report.Window, "request") + ", by its fair share of them."},
		{Name: "peaks", Value: "Of the hottest node, and of loads a second: from the first change on, where there is one. What caches do while they fill up is no consequence of it."},
		{Name: "load of the fullest node", Value: "By its fair share: 1.20 is a fifth too much. Before the first change, and after the last."},
		{Name: "stale reads", Value: "Hits on a value that has been written since: of nodes that come back with what they held."},
	}}
	if p.report.Rate > 0 {
		s.Facts = append(s.Facts, report.Fact{Name: "seconds", Value: fmt.Sprintf("%s requests are taken for one second.", commas(int64(math.Round(p.report.Rate))))})
	}
	return s
}

// again says how to get the same page.
func (p *pageMaker) again() *report.Section {
	s := &report.Section{Title: "The same again", Facts: []report.Fact{
		{Name: "Command", Code: shellCommand(p.command)},
		{Name: "Version and seed", Value: p.versionAndSeed()},
		{Name: "Workload", Value: printable.Text(describeTrace(p.report.Workload)) + "."},
	}}
	if p.report.Workload.Source == trace.BundledName {
		s.Facts = append(s.Facts, report.Fact{Name: "Source of the trace", Value: "Product pages of a web shop, CC BY 4.0 by headissue GmbH, Jens Wilke."})
	}
	if p.source != "" {
		s.Summary, s.Folded = "The scenario that was run", escapeLines(p.source)
	}
	return s
}

// versionAndSeed does not promise what nobody can keep: a program of which it is not
// known what it was made of cannot be made again.
func (p *pageMaker) versionAndSeed() string {
	text := fmt.Sprintf("ringsim %s, seed %d. ", p.version, p.seed)
	switch {
	case !cli.CommitKnown(p.version):
		return text + "The same program, input and seed give the same page, byte for byte. Which commit this one was built from was not recorded: go build in a clone records it, and so does go run -buildvcs=true."
	case cli.CommitChanged(p.version):
		return text + "The same program, input and seed give the same page, byte for byte. This one had changes that were not committed."
	}
	return text + "The same version, input and seed give the same page, byte for byte."
}

// shellCommand writes a command so that a shell takes it as it was meant.
func shellCommand(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = printable.Escape(word)
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\$`&|<>*?;()[]{}!#~") {
			out[i] = "'" + strings.ReplaceAll(out[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// escapeLines makes a text of several lines one that can be shown.
func escapeLines(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\t", "    "), "\n")
	for i, line := range lines {
		lines[i] = printable.Escape(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}
