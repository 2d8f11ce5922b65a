package plot

import (
	"errors"
	"fmt"
	"io"

	"github.com/ringway/ringway/simulations"
)

// HitRates draws the hit rate of each placement around the changes of a replay,
// as percentages of each step of the series, with the control runs as dashed
// lines. before and after are the requests that are shown before the first
// change and after the last. It fails for a report without changes or points.
func HitRates(w io.Writer, report *simulations.ReplayReport, before, after int64) error {
	c := Chart{XLabel: "request", YLabel: "hit rate", YUnit: "%"}
	var changes []simulations.ReplayChange
	for _, r := range report.Results {
		if len(r.Changes) > len(changes) {
			changes = r.Changes
		}
	}
	if len(changes) == 0 {
		return errors.New("plot: a replay without changes")
	}
	first, last := changes[0].Request-before, changes[len(changes)-1].Request+after
	for _, change := range changes {
		c.Marks = append(c.Marks, Mark{X: float64(change.Request), Text: change.Change})
	}
	// The controls lie below, and mostly on top of each other.
	for _, r := range report.Results {
		control := points(r.Series, first, last, func(p simulations.ReplayPoint) *float64 { return p.ControlHitRate })
		control.Color, control.Dashed = Color(r.Algorithm), true
		c.Lines = append(c.Lines, control)
	}
	step := int64(0)
	for _, r := range report.Results {
		line := points(r.Series, first, last, func(p simulations.ReplayPoint) *float64 { return p.HitRate })
		line.Name, line.Color = r.Algorithm, Color(r.Algorithm)
		if len(r.Series) > 1 {
			step = r.Series[1].Request - r.Series[0].Request
		}
		c.Lines = append(c.Lines, line)
	}
	c.Title = fmt.Sprintf("Hit rate of every %s requests (dashed: without the change)", number(float64(step)))
	return c.WriteSVG(w)
}

// points takes one rate of a series, from one request to another.
func points(series []simulations.ReplayPoint, first, last int64, rate func(simulations.ReplayPoint) *float64) Line {
	l := Line{Steps: true} // so that a fall begins where the change is
	step := 0.0
	for _, p := range series {
		if y := rate(p); y != nil && p.Request >= first && p.Request < last {
			if n := len(l.X); n > 0 {
				step = float64(p.Request) - l.X[n-1]
			}
			l.X = append(l.X, float64(p.Request))
			l.Y = append(l.Y, 100**y)
		}
	}
	if n := len(l.X); n > 0 { // the last step has its width too
		l.X, l.Y = append(l.X, l.X[n-1]+step), append(l.Y, l.Y[n-1])
	}
	return l
}
