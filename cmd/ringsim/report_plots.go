package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/plot"
	"github.com/ringway/ringway/simulations/report"
)

// A curve is what is drawn over the requests: of the fleet, and of the control where
// that makes sense. It is given a point and for how many requests that stands.
type curve struct {
	title, text, yLabel, unit string
	fromZero                  bool
	fleet, control            func(x simulations.RunPoint, requests float64) *float64
}

func (p *pageMaker) curves() []curve {
	rate := func(x *float64) *float64 {
		if x == nil {
			return nil
		}
		return new(100 * *x)
	}
	each := func(n int64, requests float64) *float64 { return new(1000 * float64(n) / requests) }
	all := []curve{
		{"Hit rate", "Reads that the cache answers, of every %s.", "hit rate", "%", false,
			func(x simulations.RunPoint, _ float64) *float64 { return rate(x.HitRate) },
			func(x simulations.RunPoint, _ float64) *float64 { return rate(x.ControlHitRate) }},
		{"Database loads", "For every 1,000 requests, over %s each.", "loads per 1,000 requests", "", true,
			func(x simulations.RunPoint, n float64) *float64 { return each(x.Loads, n) },
			func(x simulations.RunPoint, n float64) *float64 { return each(x.ControlLoads, n) }},
	}
	if p.sum(func(x simulations.RunPoint) int64 { return x.StaleReads }) > 0 {
		all = append(all, curve{"Stale reads", "Hits on a value that has been written since, for every 1,000 requests, over %s each.", "stale reads per 1,000 requests", "", true,
			func(x simulations.RunPoint, n float64) *float64 { return each(x.StaleReads, n) }, nil})
	}
	if p.sum(func(x simulations.RunPoint) int64 { return x.FailedRequests }) > 0 {
		all = append(all, curve{"Requests for which no node was up", "For every 1,000 requests, over %s each.", "requests per 1,000", "", true,
			func(x simulations.RunPoint, n float64) *float64 { return each(x.FailedRequests, n) }, nil})
	}
	return all
}

// mostPoints is how many points of a line can be told apart.
const mostPoints = 240

// A stretch is requests that are drawn, so many steps of the series as one point.
type stretch struct {
	from, to int64
	merged   int
}

// overTime draws what can be drawn over the requests. Of a long run it draws the time
// around the changes by itself, where a dip of a few steps can be seen.
func (p *pageMaker) overTime() *report.Section {
	s := &report.Section{Title: "Over time"}
	step, requests := p.pointRequests(), p.report.Workload.Requests
	points := int((requests-p.report.Warmup)/step) + 1
	whole := stretch{p.report.Warmup, requests, (points + mostPoints - 1) / mostPoints}
	marks := p.marks()
	for _, c := range p.curves() {
		title := c.title
		if len(marks) > 0 && whole.merged > 1 {
			first, last := int64(marks[0].X), int64(marks[len(marks)-1].X)
			near := stretch{first - step*mostPoints/4, last + step*mostPoints*3/4, 1}
			near.merged = int(((near.to-near.from)/step + mostPoints - 1) / mostPoints)
			if f := p.overRequests(c, near); f != nil && near.merged < whole.merged {
				f.Title = title + " around the change"
				s.Figures = append(s.Figures, *f)
				title += " of the whole run"
			}
		}
		if f := p.overRequests(c, whole); f != nil {
			f.Title = title
			s.Figures = append(s.Figures, *f)
		}
	}
	if len(s.Figures) == 0 {
		return nil
	}
	return s
}

func (p *pageMaker) sum(of func(simulations.RunPoint) int64) (n int64) {
	for _, r := range p.report.Results {
		for _, x := range r.Series {
			n += of(x)
		}
	}
	return n
}

// pointRequests is how many requests a point of the series stands for.
func (p *pageMaker) pointRequests() int64 {
	for _, r := range p.report.Results {
		if len(r.Series) > 1 {
			return r.Series[1].Request - r.Series[0].Request
		}
	}
	return p.report.Step
}

// overRequests draws a line for each row, and a dotted one for its control where
// something happens to it. It returns nil if there is nothing to draw.
func (p *pageMaker) overRequests(c curve, where stretch) *report.Figure {
	chart := &plot.Chart{XLabel: "requests", YLabel: c.yLabel, YUnit: c.unit, FromZero: c.fromZero, Marks: p.marks()}
	f := &report.Figure{Lines: chart, Text: fmt.Sprintf(c.text, counted(p.pointRequests()*int64(where.merged), "request"))}
	var controls, lines []plot.Line
	for i, r := range p.report.Results {
		if line := p.line(r.Series, where, c.fleet); len(line.X) > 0 {
			line.Color = plot.Style(i)
			lines = append(lines, line)
			f.Legend = append(f.Legend, report.Entry{Text: r.Name, Style: i})
		}
		if c.control == nil || len(r.Changes) == 0 {
			continue
		}
		after := where // before the first change the two are one
		after.from = max(after.from, r.Changes[0].Request)
		if line := p.line(r.Series, after, c.control); len(line.X) > 0 {
			line.Color, line.Dashed = plot.Style(i), true
			controls = append(controls, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Reverse(lines)                    // the first row on top
	chart.Lines = append(lines, controls...) // which are thin
	if len(controls) > 0 {
		f.Legend = append(f.Legend, report.Entry{Text: "without the change", Style: 4, Control: true})
	}
	return f
}

// line takes one figure of a series, the mean where steps are merged. The last step is
// left out unless it is whole.
func (p *pageMaker) line(series []simulations.RunPoint, where stretch, of func(simulations.RunPoint, float64) *float64) plot.Line {
	l := plot.Line{Steps: true}
	step := p.pointRequests()
	merged, sum := 0, 0.0
	for i, x := range series {
		length := float64(step)
		if i+1 < len(series) {
			length = float64(series[i+1].Request - x.Request)
		} else if p.report.Workload.Requests-x.Request < step {
			break
		}
		y := of(x, length)
		if y == nil || x.Request < max(where.from, p.report.Warmup) || x.Request >= where.to {
			continue
		}
		if merged == 0 {
			l.X, l.Y = append(l.X, float64(x.Request)), append(l.Y, 0)
		}
		merged, sum = merged+1, sum+*y
		l.Y[len(l.Y)-1] = sum / float64(merged)
		if merged == where.merged {
			merged, sum = 0, 0
		}
	}
	return l
}

// marks are the changes, each once, in the order of time.
func (p *pageMaker) marks() (marks []plot.Mark) {
	for _, r := range p.report.Results {
		for _, c := range r.Changes {
			m := plot.Mark{X: float64(c.Request), Text: cli.Name(c.Change)}
			if !slices.ContainsFunc(marks, func(other plot.Mark) bool { return other.X == m.X }) {
				marks = append(marks, m)
			}
		}
	}
	slices.SortFunc(marks, func(a, b plot.Mark) int { return cmp.Compare(a.X, b.X) })
	return marks
}

// bars draws a figure of each row that has it.
func (p *pageMaker) bars(title, text, xLabel, unit string, of func(simulations.RunResult) (value, second *float64, label string)) *report.Figure {
	b := &plot.Bars{XLabel: xLabel, XUnit: unit}
	for _, r := range p.report.Results {
		if value, second, label := of(r); value != nil {
			bar := plot.Bar{Name: r.Name, Value: *value, Label: label}
			if second != nil {
				bar.Second = min(max(0, *second), max(0, *value))
			}
			b.Rows = append(b.Rows, bar)
		}
	}
	if len(b.Rows) == 0 {
		return nil
	}
	return &report.Figure{Title: title, Text: text, Bars: b}
}

// drawn are the figures that there are.
func drawn(figures ...*report.Figure) (out []report.Figure) {
	for _, f := range figures {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}
