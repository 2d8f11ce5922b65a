package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

// sparks draws the hit rates over time, all on one scale.
func (o *runReport) sparks(b *bytes.Buffer, s cli.Style) {
	low, high := 1.0, 0.0
	for _, r := range o.report.Results {
		for _, p := range r.Series {
			if p.HitRate != nil && p.Request >= o.report.Warmup {
				low, high = min(low, *p.HitRate), max(high, *p.HitRate)
			}
		}
	}
	if high < low {
		return
	}
	b.WriteString("\n" + s.Bold(fmt.Sprintf("hit rate after the warm-up, ▁ %s to █ %s", percent(low), percent(high))) + "\n\n")
	var rows [][]string
	for _, r := range o.report.Results {
		rows = append(rows, []string{r.Name, spark(r.Series, o.report.Warmup, low, high)})
	}
	width := 0
	for _, row := range rows {
		width = max(width, cli.Width(row[0]))
	}
	for _, row := range rows {
		b.WriteString(row[0] + strings.Repeat(" ", width-cli.Width(row[0])+2) + row[1] + "\n")
	}
}

const sparkWidth = 72

// spark draws the worst hit rate of each stretch of a series.
func spark(series []simulations.RunPoint, from int64, low, high float64) string {
	for len(series) > 0 && series[0].Request < from {
		series = series[1:]
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	cells := min(sparkWidth, len(series))
	for i := range cells {
		worst := math.Inf(1)
		for _, p := range series[i*len(series)/cells : (i+1)*len(series)/cells] {
			if p.HitRate != nil {
				worst = min(worst, *p.HitRate)
			}
		}
		switch {
		case math.IsInf(worst, 1):
			b.WriteByte(' ')
		case high == low:
			b.WriteRune(levels[len(levels)-1])
		default:
			level := int((worst - low) / (high - low) * float64(len(levels)-1))
			b.WriteRune(levels[max(0, min(level, len(levels)-1))])
		}
	}
	return strings.TrimRight(b.String(), " ")
}
