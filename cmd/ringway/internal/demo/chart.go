package demo

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// A chart is lines over seconds. It is drawn without colours: those are the page's,
// by the classes of its lines, so that they suit light, dark and paper.
type chart struct {
	name   string // for those who cannot see it
	unit   string // behind the numbers of the Y axis
	yLabel string
	top    float64 // of the Y axis; 0: the largest value
	log    bool    // the Y axis is logarithmic
	lines  []chartLine
	marks  []chartMark
}

type chartLine struct {
	class string    // "ring", "modulo", "p50", "p99"
	x, y  []float64 // NaN: a gap
}

// chartMark is a stretch of the X axis with a word above it.
type chartMark struct {
	from, to float64
	text     string
}

// canvas is a chart at one size.
type canvas struct {
	chart
	b                        strings.Builder
	width, height            float64
	left, right, above, base float64 // the edges of the plot
	x0, x1, y0, y1           float64 // what they stand for
}

// svg draws the chart so many pixels wide: text has the same size at each width.
func (c chart) svg(width, height float64) template.HTML {
	v := &canvas{chart: c, width: width, height: height, left: 52, right: width - 8, above: 54, base: height - 36}
	v.scale()
	fmt.Fprintf(&v.b, `<svg viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">`, width, height, width, height, html.EscapeString(c.name))
	v.stretches()
	v.axes()
	for _, l := range c.lines {
		v.line(l)
	}
	v.b.WriteString("</svg>")
	return template.HTML(v.b.String())
}

func (v *canvas) scale() {
	v.x0, v.x1, v.y0, v.y1 = math.Inf(1), math.Inf(-1), 0, v.top
	low := math.Inf(1)
	for _, l := range v.lines {
		for i := range l.x {
			v.x0, v.x1 = min(v.x0, l.x[i]), max(v.x1, l.x[i])
			if y := l.y[i]; !math.IsNaN(y) {
				if v.top == 0 {
					v.y1 = max(v.y1, y)
				}
				if y > 0 {
					low = min(low, y)
				}
			}
		}
	}
	if !(v.x1 > v.x0) {
		v.x0, v.x1 = 0, 1
	}
	if !(v.y1 > 0) {
		v.y1 = 1
	}
	if v.log {
		v.y0 = math.Pow(10, math.Floor(math.Log10(min(low, v.y1))))
		v.y1 = math.Pow(10, math.Ceil(math.Log10(v.y1)))
		if v.y1 <= v.y0 {
			v.y1 = v.y0 * 10
		}
	} else if v.top == 0 {
		v.y1 *= 1.05
	}
}

func (v *canvas) px(x float64) float64 {
	return v.left + (x-v.x0)/(v.x1-v.x0)*(v.right-v.left)
}

func (v *canvas) py(y float64) float64 {
	part := (y - v.y0) / (v.y1 - v.y0)
	if v.log {
		part = (math.Log(max(y, v.y0)) - math.Log(v.y0)) / (math.Log(v.y1) - math.Log(v.y0))
	}
	return v.base - min(part, 1)*(v.base-v.above)
}

// stretches draws when something was done, with words that keep out of each other's
// way in two rows.
func (v *canvas) stretches() {
	const letter = 6.4 // pixels, about
	ends := [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, m := range v.marks {
		from, to := max(v.px(m.from), v.left), min(v.px(m.to), v.right)
		fmt.Fprintf(&v.b, `<rect class="stretch" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, from, v.above, max(to-from, 1), v.base-v.above)
		length := letter * float64(len(m.text))
		at := min(from, v.right-length)
		row := 0
		if at < ends[0] {
			row = 1
		}
		ends[row] = at + length + 6
		fmt.Fprintf(&v.b, `<text x="%.1f" y="%.1f">%s</text>`, at, v.above-22+15*float64(row), html.EscapeString(m.text))
	}
}

func (v *canvas) axes() {
	for _, y := range v.yTicks() {
		at := v.py(y)
		fmt.Fprintf(&v.b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, v.left, v.right, at, at)
		fmt.Fprintf(&v.b, `<text class="end" x="%.1f" y="%.1f">%s%s</text>`, v.left-6, at+4, number(y), v.unit)
	}
	step := tickStep(v.x1-v.x0, (v.right-v.left)/70)
	for x := math.Ceil(v.x0/step) * step; x <= v.x1; x += step {
		fmt.Fprintf(&v.b, `<text class="middle" x="%.1f" y="%.1f">%s</text>`, v.px(x), v.base+16, number(x))
	}
	fmt.Fprintf(&v.b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, v.left, v.right, v.base, v.base)
	fmt.Fprintf(&v.b, `<text class="end" x="%.1f" y="%.1f">seconds</text>`, v.right, v.base+32)
	fmt.Fprintf(&v.b, `<text x="2" y="12">%s</text>`, html.EscapeString(v.yLabel))
}

func (v *canvas) yTicks() (ticks []float64) {
	if v.log {
		for y := v.y0; y <= v.y1*1.001; y *= 10 {
			ticks = append(ticks, y)
		}
		return ticks
	}
	step := tickStep(v.y1-v.y0, 5)
	for y := v.y0; y <= v.y1*1.001; y += step {
		ticks = append(ticks, y)
	}
	return ticks
}

// tickStep is 1, 2 or 5 times a power of ten, so that there are about so many ticks.
func tickStep(span, about float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(span/about)))
	for _, factor := range []float64{2, 2.5, 2} {
		if span/step > about {
			step *= factor
		}
	}
	return step
}

// line draws a line; where a value is missing it is broken.
func (v *canvas) line(l chartLine) {
	var path strings.Builder
	pen := "M"
	for i := range l.x {
		if math.IsNaN(l.y[i]) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, v.px(l.x[i]), v.py(l.y[i]))
		pen = "L"
	}
	fmt.Fprintf(&v.b, `<path class="%s" d="%s"/>`, l.class, path.String())
}

// number writes 12345 as 12,345 and keeps three decimals at most.
func number(x float64) string {
	if x == math.Trunc(x) {
		return thousands(int(x))
	}
	return strings.TrimRight(fmt.Sprintf("%.3f", x), "0")
}
