package plot

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"strings"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/ringway/ringway/internal/cli/printable"
)

// Styles is how many styles of lines a page has: Style(i) for i from 0.
const Styles = 24

// Style returns the colour of the line with this number in charts drawn by
// Inline, which is also its pattern of dashes: the first lines are told apart by
// either alone, so that a chart can be read in grey and by the colour-blind. The
// colour is a placeholder for the page's own, --line0 to --line7.
func Style(i int) color.Color { return placeholder(i % Styles) }

// placeholder is a colour that no chart has otherwise.
func placeholder(i int) color.RGBA { return color.RGBA{R: 1, G: 0xfe, B: uint8(i), A: 0xff} }

// dashes of lines, in pixels: drawn, left out, and so on.
var dashes = [][]vg.Length{nil, {7, 3}, {12, 3, 3, 3}, {4, 2}, {16, 5}, {9, 3, 3, 3, 3, 3}}

// Sample draws a short piece of the line of a style, for a legend in HTML.
func Sample(i int, dashed bool) string {
	pattern, width := dashes[i%Styles%len(dashes)], 2.2
	if dashed {
		pattern, width = controlDashes, 1.2
	}
	var list []string
	for _, d := range pattern {
		list = append(list, fmt.Sprintf("%g", float64(d)))
	}
	return fmt.Sprintf(`<svg class="sample" viewBox="0 0 34 10" width="34" height="10" aria-hidden="true"><path d="M1 5L33 5" style="fill:none;stroke:%s;stroke-width:%g;stroke-dasharray:%s" /></svg>`,
		variable(i%Styles), width, strings.Join(append(list, "none")[:max(1, len(list))], " "))
}

// controlDashes are those of lines that others are compared with.
var controlDashes = []vg.Length{1.5, 3}

// variable is the page's colour of a style.
func variable(i int) string { return fmt.Sprintf("var(--line%d)", i%8) }

// Inline draws the chart as an element for an HTML page, so many pixels wide and
// tall. Title and legend are left to the page, which says them in HTML, and so are
// the colours: the CSS variables --ink, --faint and --rule, and those of Style. Text
// is 12 pixels high at any width. It fails as WriteSVG does.
func (c Chart) Inline(width, height float64) (string, error) {
	low, high, err := c.yRange()
	if err != nil {
		return "", err
	}
	if c.FromZero {
		low = 0
	}
	p := newPlot(printable.Text(c.XLabel), printable.Text(c.YLabel), 12, true)
	p.X.Tick.Marker = ticks{about: max(3, int(width/110))}
	p.Y.Tick.Marker = ticks{unit: printable.Text(c.YUnit), about: 5}
	c.Marks = c.placed(width)
	if err := c.addMarks(p, low, high); err != nil {
		return "", err
	}
	c.Lines = styled(c.Lines)
	if err := c.addLines(p); err != nil {
		return "", err
	}
	p.Legend = gonum.NewLegend()
	p.Y.Min, p.Y.Max = low, high
	return inline(p, width, height, c.Title)
}

// placed keeps the words of marks apart, and within a chart so many pixels wide: one
// at the right edge goes to the left of its line, one that has no room is left out.
func (c Chart) placed(width float64) []Mark {
	first, last := math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		for _, x := range l.X {
			first, last = min(first, x), max(last, x)
		}
	}
	const letter, axis = 6.0, 60.0 // pixels, about
	scale := (width - axis) / max(last-first, 1e-9)
	out := append([]Mark{}, c.Marks...)
	end := math.Inf(-1)
	for i := range out {
		m := &out[i]
		length := letter * float64(len([]rune(m.Text)))
		at := (m.X - first) * scale
		if at+length > width-axis {
			m.left = length + 6
			at -= m.left
		}
		if at < max(end, 0) {
			m.Text, m.left = "", 0
			continue
		}
		end = at + length + 6
	}
	return out
}

// styled gives lines the dashes of their style.
func styled(lines []Line) []Line {
	out := append([]Line{}, lines...)
	for i := range out {
		for style := range Styles {
			if out[i].Color == Style(style) {
				out[i].pattern = dashes[style%len(dashes)]
			}
		}
		if out[i].Dashed {
			out[i].pattern = controlDashes
		}
	}
	return out
}

// newPlot returns a plot without title, with a grid; over bars there are no rows.
func newPlot(x, y string, size float64, rows bool) *gonum.Plot {
	p := gonum.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
		style.Font.Size = font.Points(size)
	}
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(grid(rows))
	return p
}

var (
	svgHead   = regexp.MustCompile(`(?s)^.*?<svg [^>]*>`)
	svgColour = regexp.MustCompile(`#[0-9A-F]{6}`)
	svgFont   = regexp.MustCompile(`font-family:[^;]*;font-variant:normal;font-weight:normal;font-style:normal;`)
)

// inline draws the plot, and puts the page's colours in the place of its own.
func inline(p *gonum.Plot, width, height float64, label string) (string, error) {
	canvas := vgsvg.New(vg.Length(width), vg.Length(height))
	p.BackgroundColor = nil
	p.Draw(draw.Crop(draw.New(canvas), 0, -2, 0, -2))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	colours := map[string]string{hex(color.Black): "var(--ink)", hex(gridGrey): "var(--rule)", hex(markGrey): "var(--faint)", hex(wordGrey): "var(--faint)",
		hex(barColour): "var(--bar)", hex(secondColour): "var(--bar2)"}
	for i := range Styles {
		colours[hex(placeholder(i))] = variable(i)
	}
	svg := svgHead.ReplaceAllLiteralString(b.String(), "")
	svg = svgFont.ReplaceAllLiteralString(svg, "")
	svg = svgColour.ReplaceAllStringFunc(svg, func(c string) string {
		if known, ok := colours[c]; ok {
			return known
		}
		return c
	})
	return fmt.Sprintf(`<svg viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">`,
		width, height, width, height, html.EscapeString(printable.Text(label))) + strings.ReplaceAll(svg, "\n", " "), nil
}

// hex writes a colour as the canvas does.
func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}
