package plot

import (
	"errors"
	"fmt"
	"image/color"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ringway/ringway/internal/cli/printable"
)

// Bars is a chart of horizontal bars, the first at the top, each with its name to
// the left and its figure in words to the right.
type Bars struct {
	Title  string
	XLabel string
	XUnit  string // after the numbers of the X axis, such as "%"
	Rows   []Bar
}

// A Bar is Value long, to the left where that is below 0. Of it, Second is told
// apart, at its end.
type Bar struct {
	Name          string
	Value, Second float64
	Label         string
}

// The colours of bars, in the place of the page's --bar and --bar2.
var barColour, secondColour = rgb(0x0067a9), rgb(0xc44e01)

// Heights in pixels.
const (
	barHeight = 15
	rowHeight = 29
	axis      = 50
)

// Inline draws the bars as Chart.Inline does, as tall as they need. It fails for no
// bars, for a value that is not finite, and for a second part that is not within
// its bar.
func (b Bars) Inline(width float64) (string, error) {
	if len(b.Rows) == 0 {
		return "", errors.New("plot: no bars")
	}
	p := newPlot(printable.Text(b.XLabel), "", 12, false)
	names := make([]string, len(b.Rows))
	low, high := 0.0, 0.0
	words, widest := plotter.XYLabels{}, 0
	for i, r := range b.Rows {
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) || !(r.Second == 0 || r.Second > 0 && r.Second <= r.Value) {
			return "", fmt.Errorf("plot: bar %q of %v with %v apart", r.Name, r.Value, r.Second)
		}
		at := b.place(i)
		names[at] = printable.Text(r.Name)
		low, high = min(low, r.Value), max(high, r.Value)
		words.XYs = append(words.XYs, plotter.XY{X: max(r.Value, 0), Y: float64(at)})
		words.Labels = append(words.Labels, printable.Text(r.Label))
		widest = max(widest, len([]rune(r.Label)))
	}
	if high == low {
		high = 1
	}
	labels, err := barLabels(words)
	if err != nil {
		return "", err
	}
	p.Add(b, labels)
	p.NominalY(names...)
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	p.X.Tick.Marker = ticks{unit: printable.Text(b.XUnit), about: max(2, int(width/170))}
	// Room for the words, whose letters are about 7 pixels wide.
	room := min(0.6, 9*float64(widest)/width+0.03)
	p.X.Min, p.X.Max = low, low+(high-low)/(1-room)
	p.Y.Min, p.Y.Max = -0.6, float64(len(b.Rows))-0.4
	return inline(p, width, float64(len(b.Rows)*rowHeight+axis), b.Title)
}

// place is where a row is on the Y axis, which counts from below.
func (b Bars) place(i int) int { return len(b.Rows) - 1 - i }

// Plot draws the bars on gonum's canvas.
func (b Bars) Plot(c draw.Canvas, p *gonum.Plot) {
	x, y := p.Transforms(&c)
	for i, r := range b.Rows {
		middle := y(float64(b.place(i)))
		fill := func(from, to float64, colour color.Color) {
			if from != to {
				c.FillPolygon(colour, []vg.Point{{X: x(from), Y: middle - barHeight/2}, {X: x(to), Y: middle - barHeight/2},
					{X: x(to), Y: middle + barHeight/2}, {X: x(from), Y: middle + barHeight/2}})
			}
		}
		fill(0, r.Value-r.Second, barColour)
		fill(r.Value-r.Second, r.Value, secondColour)
	}
}

func barLabels(words plotter.XYLabels) (*plotter.Labels, error) {
	labels, err := plotter.NewLabels(words)
	if err != nil {
		return nil, fmt.Errorf("plot: labels of bars: %w", err)
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font.Variant = "Sans"
		labels.TextStyle[i].Font.Size = font.Points(12)
		labels.TextStyle[i].Color = color.Black
		labels.TextStyle[i].YAlign = -0.45
	}
	labels.Offset = vg.Point{X: 5}
	return labels, nil
}
