package plot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/ringway/ringway/internal/cli/printable"
)

// A Chart is lines over a common X axis.
type Chart struct {
	Title          string
	XLabel, YLabel string
	YUnit          string // after the numbers of the Y axis, such as "%"
	FromZero       bool   // the Y axis begins at 0; charts of Inline only
	Lines          []Line
	Marks          []Mark
}

// A Line goes through its points from left to right. X and Y have one length.
type Line struct {
	Name   string // in the legend; none if empty
	X, Y   []float64
	Color  color.Color
	Dashed bool // thin and dashed, for what others are compared with
	Steps  bool // a point's Y holds up to the next point

	pattern []vg.Length // of dashes, by its style
}

// A Mark is a vertical line with a word beside it, to the right.
type Mark struct {
	X    float64
	Text string

	left float64 // pixels to the left instead
}

// Size of a chart: that of half a page.
const (
	width  = 22 * vg.Centimeter
	height = 11 * vg.Centimeter
)

// WriteSVG draws the chart. Words that XML has no characters for, or that are not
// printable otherwise, are quoted. It fails for a chart without points and for values
// that are not finite, and when w fails.
func (c Chart) WriteSVG(w io.Writer) error {
	low, high, err := c.yRange()
	if err != nil {
		return err
	}
	p := newPlot(printable.Text(c.XLabel), printable.Text(c.YLabel), 10, true)
	p.Title.Text = printable.Text(c.Title)
	p.Title.TextStyle.Font.Size = font.Points(13)
	p.Title.Padding = vg.Points(8)
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{unit: printable.Text(c.YUnit)}
	if err := c.addMarks(p, low, high); err != nil {
		return err
	}
	if err := c.addLines(p); err != nil {
		return err
	}
	p.Y.Min, p.Y.Max = low, high
	return drawSVG(p, w)
}

// drawSVG draws the plot with its legend to the right of it, where names hide no
// line.
func drawSVG(p *gonum.Plot, w io.Writer) error {
	canvas := vgsvg.New(width, height)
	whole := draw.New(canvas)
	whole.FillPolygon(color.White, []vg.Point{{X: 0, Y: 0}, {X: width, Y: 0}, {X: width, Y: height}, {X: 0, Y: height}})
	legend := p.Legend
	legend.Padding, legend.ThumbnailWidth = vg.Points(3), vg.Points(24)
	legend.Top, legend.Left = true, true
	// A viewer may have wider letters than those that are measured here.
	legendWidth := legend.Rectangle(whole).Size().X*1.15 + vg.Points(16)
	p.Legend = gonum.NewLegend()
	p.BackgroundColor = nil
	p.Draw(draw.Crop(whole, vg.Points(6), -legendWidth, vg.Points(6), -vg.Points(6)))
	legend.Draw(draw.Crop(whole, width-legendWidth+vg.Points(8), 0, 0, -vg.Points(36)))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// The font that is measured is seldom the reader's: name those like it.
	_, err := w.Write(bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	return err
}

// yRange returns the range of all Y, with some room.
func (c Chart) yRange() (low, high float64, err error) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		if len(l.X) != len(l.Y) {
			return 0, 0, fmt.Errorf("plot: line %q has %d X and %d Y", l.Name, len(l.X), len(l.Y))
		}
		for _, y := range l.Y { // NaN and infinity are refused by NewLine
			low, high = min(low, y), max(high, y)
		}
	}
	if low > high {
		return 0, 0, errors.New("plot: no points")
	}
	room := max((high-low)*0.05, 1e-9)
	return low - room, high + 2*room, nil // above are the words of the marks
}

func (c Chart) addLines(p *gonum.Plot) error {
	for _, l := range c.Lines {
		points := make(plotter.XYs, len(l.X))
		for i := range l.X {
			points[i] = plotter.XY{X: l.X[i], Y: l.Y[i]}
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("plot: line %q: %w", l.Name, err)
		}
		line.Color, line.Width = l.Color, vg.Points(1.8)
		if l.Steps {
			line.StepStyle = plotter.PostStep
		}
		if l.Dashed {
			line.Width = vg.Points(1)
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(2.5)}
		}
		if l.pattern != nil {
			line.Dashes = l.pattern
		}
		p.Add(line)
		if l.Name != "" {
			p.Legend.Add(printable.Text(l.Name), line)
		}
	}
	return nil
}

func (c Chart) addMarks(p *gonum.Plot, low, high float64) error {
	for _, m := range c.Marks {
		line, err := plotter.NewLine(plotter.XYs{{X: m.X, Y: low}, {X: m.X, Y: high}})
		if err != nil {
			return fmt.Errorf("plot: mark %q: %w", m.Text, err)
		}
		line.Color, line.Width = markGrey, vg.Points(0.8)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: m.X, Y: high}}, Labels: []string{printable.Text(m.Text)}})
		if err != nil {
			return fmt.Errorf("plot: mark %q: %w", m.Text, err)
		}
		label.TextStyle[0].Font.Variant = "Sans"
		label.TextStyle[0].Font.Size = font.Points(10)
		label.TextStyle[0].Color = wordGrey
		label.Offset = vg.Point{X: vg.Points(3 - m.left), Y: -vg.Points(11)}
		p.Add(line, label)
	}
	return nil
}

// The greys of what is not the subject.
var gridGrey, markGrey, wordGrey = color.Gray{0xe4}, color.Gray{0x70}, color.Gray{0x50}

func grid(rows bool) *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = gridGrey, gridGrey
	if !rows {
		g.Horizontal.Color = nil
	}
	return g
}

// ticks are at 1, 2 or 5 times a power of ten, about so many of them; 0 means six.
type ticks struct {
	unit  string
	about int
}

func (u ticks) Ticks(low, high float64) []gonum.Tick {
	about := float64(cmp.Or(u.about, 6))
	if !(high > low) {
		return []gonum.Tick{{Value: low, Label: number(low) + u.unit}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/about)))
	for _, factor := range []float64{2, 2.5, 2} {
		if (high-low)/step > about+1 {
			step *= factor
		}
	}
	var out []gonum.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		out = append(out, gonum.Tick{Value: i * step, Label: number(i*step) + u.unit})
	}
	return out
}

// number writes 1234567 as 1,234,567 and keeps at most three decimals.
func number(x float64) string {
	rounded := math.Round(x*1000) / 1000
	whole, fraction := math.Modf(math.Abs(rounded))
	s := fmt.Sprintf("%.0f", whole)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if fraction > 0 {
		s += fmt.Sprintf("%g", math.Round(fraction*1000)/1000)[1:]
	}
	if rounded < 0 {
		s = "-" + s
	}
	return s
}
