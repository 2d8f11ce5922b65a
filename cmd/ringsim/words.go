package main

import (
	"fmt"
	"slices"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

// compareVerdict says in words which placement moves least, which most, and which
// keeps the load evenest.
func compareVerdict(report *simulations.CompareReport) string {
	rows := slices.DeleteFunc(slices.Clone(report.Results), func(r simulations.CompareResult) bool {
		return r.Moved == nil || r.MovedUnnecessary == nil || r.PeakToMeanAfter == nil
	})
	if len(rows) == 0 {
		return "No verdict: no placement can do this."
	}
	by := func(figure func(simulations.CompareResult) *float64) (low, high simulations.CompareResult) {
		order := func(a, b simulations.CompareResult) int { return compareFloats(*figure(a), *figure(b)) }
		return slices.MinFunc(rows, order), slices.MaxFunc(rows, order)
	}
	moves := func(r simulations.CompareResult) string {
		if *r.MovedUnnecessary == 0 {
			return percent(*r.Moved) + ", none needlessly"
		}
		return fmt.Sprintf("%s, %s needlessly", percent(*r.Moved), percent(*r.MovedUnnecessary))
	}
	prefix := ""
	if report.Partial {
		prefix = "So far: "
	}
	if len(rows) == 1 {
		r := rows[0]
		return fmt.Sprintf("%s%s moves of the keys %s; its fullest node then carries %s its fair share.", prefix, capital(r.Algorithm), moves(r), times(*r.PeakToMeanAfter))
	}
	least, most := by(func(r simulations.CompareResult) *float64 { return r.Moved })
	even, uneven := by(func(r simulations.CompareResult) *float64 { return r.PeakToMeanAfter })
	return fmt.Sprintf("%s%s moves least (%s), %s most (%s). The fullest node then carries %s its fair share with %s, %s with %s.", prefix,
		capital(least.Algorithm), moves(least), most.Algorithm, moves(most), times(*even.PeakToMeanAfter), even.Algorithm, times(*uneven.PeakToMeanAfter), uneven.Algorithm)
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// replayVerdict says in words what one change of a replay costs, with the placement
// that it costs most and with that which it costs least.
func replayVerdict(report *simulations.ReplayReport, i int, dbMillis float64) string {
	type row struct {
		name  string
		extra int64
	}
	var rows []row
	what := ""
	for _, r := range report.Results {
		if i < len(r.Changes) && r.Changes[i].ExtraLoads != nil {
			rows = append(rows, row{r.Algorithm, *r.Changes[i].ExtraLoads})
			what = fmt.Sprintf("%s after %s", cli.Name(r.Changes[i].Change), counted(r.Changes[i].Request, "request"))
		}
	}
	if len(rows) == 0 {
		return "No verdict: no placement has the figures of this change."
	}
	order := func(a, b row) int { return int(max(-1, min(1, a.extra-b.extra))) }
	least, most := slices.MinFunc(rows, order), slices.MaxFunc(rows, order)
	cost := func(r row) string {
		switch {
		case r.extra > 0:
			return fmt.Sprintf("%s with %s (%s of its time)", counted(r.extra, "extra load"), r.name, seconds(float64(r.extra)*dbMillis/1000))
		case r.extra == 0:
			return "nothing with " + r.name
		}
		return fmt.Sprintf("%s less than without it, with %s", counted(-r.extra, "load"), r.name)
	}
	text := "What " + what + " costs the database: " + cost(most)
	if most.extra != least.extra {
		text += "; " + cost(least)
	} else if len(rows) > 1 {
		text += ", as with all others"
	}
	return text + "."
}
