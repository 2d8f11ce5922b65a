package main

import (
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations"
)

// longRun is a run of so many steps of 100 requests with a change in the middle, after
// which one step has half of the hits.
func longRun(steps int64) *pageMaker {
	rate := func(x float64) *float64 { return &x }
	result := simulations.RunResult{Name: "ring", Changes: []simulations.RunChange{{Request: steps / 2 * 100, Change: "+1"}}}
	for i := range steps {
		x := simulations.RunPoint{Request: 100 * i, HitRate: rate(0.9), ControlHitRate: rate(0.9), Loads: 10, ControlLoads: 10}
		if i == steps/2 {
			x.HitRate, x.Loads = rate(0.4), 60
		}
		result.Series = append(result.Series, x)
	}
	report := &simulations.RunReport{Step: 100, Workload: simulations.TraceInfo{Requests: 100 * steps}, Results: []simulations.RunResult{result}}
	return &pageMaker{runReport: runReport{report: report}}
}

// Of a long run the time around the change is drawn by itself, step by step, and the
// whole with steps merged; of a short one the whole alone.
func TestOverTime(t *testing.T) {
	for _, test := range []struct {
		steps  int64
		titles string
		lowest float64 // of the first figure
	}{
		{200, "Hit rate, Database loads", 40},
		{2000, "Hit rate around the change, Hit rate of the whole run, Database loads around the change, Database loads of the whole run", 40},
	} {
		s := longRun(test.steps).overTime()
		var titles []string
		for i, f := range s.Figures {
			titles = append(titles, f.Title)
			line := f.Lines.Lines[0]
			if len(line.X) > mostPoints || len(line.X) < 100 {
				t.Errorf("%d steps: %s: %d points", test.steps, f.Title, len(line.X))
			}
			low := line.Y[0]
			for _, y := range line.Y {
				low = min(low, y)
			}
			if i == 0 && low != test.lowest {
				t.Errorf("%d steps: %s: lowest %v", test.steps, f.Title, low)
			}
			for j, x := range f.Lines.Lines[1].X { // the control
				if x < float64(test.steps/2*100) || j > mostPoints {
					t.Errorf("%d steps: %s: the control is drawn at %v", test.steps, f.Title, x)
				}
			}
		}
		if got := strings.Join(titles, ", "); got != test.titles {
			t.Errorf("%d steps: %s", test.steps, got)
		}
	}
}

// Steps that are merged have their mean, and the last one counts only if it is whole.
func TestLine(t *testing.T) {
	p := longRun(10)
	all := func(x simulations.RunPoint, requests float64) *float64 { return new(float64(x.Loads) + requests/1000) }
	l := p.line(p.report.Results[0].Series, stretch{200, 1000, 4}, all)
	if len(l.X) != 2 || l.X[0] != 200 || l.X[1] != 600 || l.Y[0] != (10+10+10+60)/4.0+0.1 || l.Y[1] != 10.1 {
		t.Errorf("%+v", l)
	}
	p.report.Workload.Requests -= 50
	p.report.Warmup = 400
	if l := p.line(p.report.Results[0].Series, stretch{0, 1000, 1}, all); len(l.X) != 5 || l.X[0] != 400 || l.X[4] != 800 {
		t.Errorf("%+v", l)
	}
}

// A study of another trace has windows of its own; those of the headline are for the
// headline.
func TestStudyWindow(t *testing.T) {
	f := study{nodes: "10", parts: []studyChange{{"+1", 5}, {"-a", 7}, {"=b:2", 9}}}
	if text := f.yaml("other", "5", false); strings.Contains(text, "window") || !strings.Contains(text, `{at: 7, leave: "a"}`) || !strings.Contains(text, `{at: 9, weight: "b:2"}`) {
		t.Error(text)
	}
	if text := f.yaml("bundled:web12", "5", true); !strings.Contains(text, "window: 10000") {
		t.Error(text)
	}
}
