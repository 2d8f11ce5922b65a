package demo

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"thousands": thousands, "percent": percent, "dash": dash,
	"seconds":   func(x float64) string { return fmt.Sprintf("%.1f s", x) },
	"twoDigits": func(x float64) string { return fmt.Sprintf("%.2f", x) },
}).Parse(pageSource))

// page is what the template is given.
type page struct {
	*Report
	Broken    int
	Change    changeFigures
	Figures   []figure
	Tolerance string
	LoadCost  string
	Evict     string
}

// changeFigures are over the steps in which nodes joined and left.
type changeFigures struct {
	Loads, ModuloLoads, Lost, Checked, Errors int
	Done                                      bool
}

// figure is a plot with its words, for wide and for narrow windows.
type figure struct {
	Title, Text  string
	Legend       []legend
	Wide, Narrow template.HTML
}

type legend struct {
	Class, Text string
	Bar         bool // not a line
}

// The widths of plots, in pixels.
const (
	wide, narrow = 840, 350
	tall         = 260
)

// WritePage writes the report as an HTML page that needs nothing from elsewhere.
func (r *Report) WritePage(w io.Writer) error {
	p := page{Report: r, Broken: len(r.Broken()), Tolerance: words(r.Backend.tolerance()), LoadCost: words(loadCost), Evict: words(evictAfter)}
	for _, s := range r.Steps {
		if s.Name == "add" || s.Name == "drain" {
			c := &p.Change
			c.Loads, c.ModuloLoads = c.Loads+s.Loads, c.ModuloLoads+s.ModuloLoads
			c.Lost, c.Checked, c.Errors = c.Lost+s.Verified.Missing, max(c.Checked, s.Verified.Checked), c.Errors+s.Finding.Errors
			c.Done = s.Name == "drain" && s.complete
		}
	}
	p.Figures = r.figures()
	return pageTemplate.Execute(w, p)
}

func (r *Report) figures() []figure {
	both := []legend{{Class: "ring", Text: "this fleet, measured"}, {Class: "modulo", Text: "modulo, computed for the same requests"}}
	return []figure{
		r.movedFigure(),
		r.lineFigure("Hit rate, second by second", "Reads that were answered from the cache, in per cent. What is missing had expired, or went down with the killed node.",
			both, chart{yLabel: "% of reads", unit: "%", top: 100}, map[string]func(Point) float64{
				"ring":   func(p Point) float64 { return 100 * orNaN(p.HitRate) },
				"modulo": func(p Point) float64 { return 100 * orNaN(p.ModuloHitRate) },
			}),
		r.lineFigure("Database loads, second by second", "Reads that had to go to the database behind the cache, a second.",
			both, chart{yLabel: "loads a second"}, map[string]func(Point) float64{
				"ring":   func(p Point) float64 { return float64(p.Loads) },
				"modulo": func(p Point) float64 { return float64(p.ModuloLoads) },
			}),
		r.lineFigure("Latency, second by second", "From the moment that a request is sent until the cache has answered, in milliseconds on a logarithmic axis. The time of the database is not in it; what else this machine did is.",
			[]legend{{Class: "p50", Text: "half of the requests are faster (p50)"}, {Class: "p99", Text: "99 of 100 are faster (p99)"}},
			chart{yLabel: "milliseconds", log: true}, map[string]func(Point) float64{
				"p50": func(p Point) float64 { return orNaN(p.P50) },
				"p99": func(p Point) float64 { return orNaN(p.P99) },
			}),
	}
}

// lineFigure draws lines over the seconds after those in which the cache was filled.
func (r *Report) lineFigure(title, text string, legends []legend, c chart, lines map[string]func(Point) float64) figure {
	c.name = title
	points := r.filled()
	for i := len(legends) - 1; i >= 0; i-- { // the first on top
		l := chartLine{class: legends[i].Class}
		for _, p := range points {
			l.x, l.y = append(l.x, float64(p.Second)+0.5), append(l.y, lines[legends[i].Class](p))
		}
		c.lines = append(c.lines, l)
	}
	for _, s := range r.Steps {
		if s.Node != "" {
			c.marks = append(c.marks, chartMark{s.Began, max(s.Began, s.Ended), s.Node + " " + verbs[s.Name]})
		}
	}
	return figure{Title: title, Text: text, Legend: legends, Wide: c.svg(wide, tall), Narrow: c.svg(narrow, tall)}
}

// filled are the seconds after those in which the cache was filled.
func (r *Report) filled() []Point {
	first := 0
	for _, s := range r.Steps {
		if s.Name == "fill" {
			first = int(s.Ended) + 1
		}
	}
	return r.Series[min(first, len(r.Series)):]
}

func (r *Report) movedFigure() figure {
	f := figure{Title: "Keys that changed their node, of all keys",
		Text:   "In per cent of the keys that were there. As little as possible is best; the least is what the node that comes or goes is due.",
		Legend: []legend{{"ring", "this fleet, counted on the servers", true}, {"ideal", "1/N, the node's fair share", true}, {"modulo", "modulo, computed over the same keys", true}}}
	var groups []barGroup
	for _, s := range r.Steps {
		if s.Moved != nil {
			groups = append(groups, barGroup{s.Node + " " + verbs[s.Name], []barOf{
				{"ring", "this fleet", s.Moved.Share}, {"ideal", "1/N", s.Moved.Ideal}, {"modulo", "modulo", s.Moved.Modulo}}})
		}
	}
	f.Wide, f.Narrow = barsSVG(f.Title, wide, groups), barsSVG(f.Title, narrow, groups)
	return f
}

// verbs say what happens to the node in a step.
var verbs = map[string]string{"add": "joins", "drain": "is drained", "kill": "is killed"}

func orNaN(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}
