package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/ringway/ringway/simulations"
)

// runVerdict says in words what a run's figures say, whichever row does better.
func runVerdict(report *simulations.RunReport) string {
	var rows, changed []simulations.RunResult
	var waiting []string
	for _, r := range report.Results {
		if r.Loads == nil {
			continue
		}
		rows = append(rows, r)
		if r.ExtraLoads != nil {
			changed = append(changed, r)
		}
		if unreached(r) {
			waiting = append(waiting, r.Name)
		}
	}
	text := ""
	switch {
	case len(rows) == 0:
		return "No verdict: no placement can do this."
	case len(changed) > 0:
		text = changedVerdict(changed, report.Partial)
		if len(waiting) > 0 {
			text += " Not reached: the changes of " + strings.Join(waiting, ", ") + "."
		}
	case len(waiting) > 0:
		text = "no change was reached: nothing can be said of what it costs."
	default:
		text = steadyVerdict(rows)
	}
	if report.Partial {
		return "So far: " + text
	}
	return text
}

// unreached reports whether a run ended before the first change of a row came.
func unreached(r simulations.RunResult) bool {
	return r.Loads != nil && len(r.Changes) > 0 && r.ExtraLoads == nil
}

// changedVerdict ranks the rows by what the changes cost the database.
func changedVerdict(rows []simulations.RunResult, partial bool) string {
	best, worst := rows[0], rows[0]
	for _, r := range rows[1:] {
		if *r.ExtraLoads < *best.ExtraLoads {
			best = r
		}
		if *r.ExtraLoads > *worst.ExtraLoads {
			worst = r
		}
	}
	parts := []string{costOf(worst, partial)}
	if best.Name != worst.Name {
		parts = append(parts, costOf(best, partial))
	}
	if len(rows) == 1 || *best.ExtraLoads == *worst.ExtraLoads {
		parts = parts[:1]
	}
	text := capital(strings.Join(parts, "; "))
	if *best.ExtraLoads == *worst.ExtraLoads && len(rows) > 1 {
		text += ", as all others do"
	}
	return text + "." + trouble(rows)
}

// costOf tells what the changes cost one row.
func costOf(r simulations.RunResult, partial bool) string {
	var b strings.Builder
	switch extra := *r.ExtraLoads; {
	case extra > 0:
		fmt.Fprintf(&b, "%s costs the database %s", r.Name, counted(extra, "extra load"))
		if r.ExtraDBMillis != nil && *r.ExtraDBMillis > 0 {
			fmt.Fprintf(&b, " (%s of its time)", dbTime(*r.ExtraDBMillis))
		}
	case extra == 0:
		fmt.Fprintf(&b, "%s costs the database nothing", r.Name)
	default:
		fmt.Fprintf(&b, "%s saves the database %s", r.Name, counted(-extra, "load"))
	}
	if r.HitRateLowest != nil && r.ControlHitRateLowest != nil {
		if dip := 100 * (*r.ControlHitRateLowest - *r.HitRateLowest); dip >= 1 {
			fmt.Fprintf(&b, ", its hit rate falls %s lower than without", counted(int64(math.Round(dip)), "point"))
		}
	}
	switch {
	case r.RecoverySeconds == nil && partial:
		b.WriteString(", and it is not back yet")
	case r.RecoverySeconds == nil:
		b.WriteString(", and it is not back by the end")
	case *r.RecoverySeconds > 0:
		fmt.Fprintf(&b, ", and it is back after %s", howLong(*r.RecoverySeconds))
	}
	return b.String()
}

// steadyVerdict compares the hottest nodes of fleets that nothing happens to.
func steadyVerdict(rows []simulations.RunResult) string {
	var cool, hot *simulations.RunResult
	for i := range rows {
		r := &rows[i]
		if r.HottestTimesFair == nil {
			continue
		}
		if cool == nil || *r.HottestTimesFair < *cool.HottestTimesFair {
			cool = r
		}
		if hot == nil || *r.HottestTimesFair > *hot.HottestTimesFair {
			hot = r
		}
	}
	if hot == nil {
		return "No verdict: the workload is shorter than a window."
	}
	text := fmt.Sprintf("The hottest node carries %s its fair share with %s", times(*hot.HottestTimesFair), hot.Name)
	if cool.Name != hot.Name {
		text += fmt.Sprintf(", %s with %s", times(*cool.HottestTimesFair), cool.Name)
		if hot.HitRate != nil && cool.HitRate != nil {
			text += fmt.Sprintf("; their hit rates are %s and %s", percent(*hot.HitRate), percent(*cool.HitRate))
		}
	}
	return text + "." + trouble(rows)
}

// trouble names what no figure of cost shows: stale answers, and none at all.
func trouble(rows []simulations.RunResult) string {
	var stale, failed *simulations.RunResult
	for i := range rows {
		r := &rows[i]
		if *r.StaleReads > 0 && (stale == nil || *r.StaleReads > *stale.StaleReads) {
			stale = r
		}
		if *r.FailedRequests > 0 && (failed == nil || *r.FailedRequests > *failed.FailedRequests) {
			failed = r
		}
	}
	text := ""
	if stale != nil {
		text += fmt.Sprintf(" %s gives %s.", capital(stale.Name), counted(*stale.StaleReads, "stale answer"))
	}
	if failed != nil {
		text += fmt.Sprintf(" %s finds no node up for %s.", capital(failed.Name), counted(*failed.FailedRequests, "request"))
	}
	return text
}
