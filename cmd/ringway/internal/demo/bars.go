package demo

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// barGroup is bars with a word above them.
type barGroup struct {
	text string
	bars []barOf
}

// barOf is a part of the whole.
type barOf struct {
	class string // "ring", "ideal", "modulo"
	text  string
	part  float64 // from 0 to 1
}

// barsSVG draws groups of bars from 0 to 100%, one below the other, so many pixels
// wide.
func barsSVG(name string, width float64, groups []barGroup) template.HTML {
	const rowHeight, left, right = 22.0, 92.0, 62.0
	var b strings.Builder
	y := 4.0
	for _, g := range groups {
		fmt.Fprintf(&b, `<text class="group" x="2" y="%.1f">%s</text>`, y+13, html.EscapeString(g.text))
		y += rowHeight
		for _, bar := range g.bars {
			length := bar.part * (width - left - right)
			fmt.Fprintf(&b, `<text class="end" x="%.1f" y="%.1f">%s</text>`, left-8, y+13, html.EscapeString(bar.text))
			fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="14"/>`, bar.class, left, y+2, max(length, 1))
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`, left+length+6, y+13, percent(bar.part))
			y += rowHeight
		}
		y += 8
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">%s</svg>`,
		width, y, width, y, html.EscapeString(name), b.String()))
}
