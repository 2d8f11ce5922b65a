package plot

import (
	"math"
	"strings"
	"testing"
)

func lines() Chart {
	return Chart{Title: "a <b>", XLabel: "requests", YLabel: "hit rate", YUnit: "%",
		Lines: []Line{
			{X: []float64{0, 50, 100}, Y: []float64{50, 80, 90}, Color: Style(0)},
			{X: []float64{0, 50, 100}, Y: []float64{55, 80, 90}, Color: Style(1)},
			{X: []float64{0, 50, 100}, Y: []float64{60, 80, 90}, Color: Style(1), Dashed: true}}}
}

func TestInline(t *testing.T) {
	svg, err := lines().Inline(340, 250)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<svg viewBox="0 0 340 250" width="340" height="250" role="img" aria-label="a &lt;b&gt;">`, "stroke:var(--line0)", "stroke:var(--line1)",
		"stroke-dasharray:7,3", "stroke-dasharray:1.5,3", "var(--ink)", "var(--rule)", ">80%<", ">50<", ">hit rate<", "</svg>"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
	for _, not := range []string{"#", "font-family", "<?xml", ">0%<", "<!--"} {
		if strings.Contains(svg, not) {
			t.Errorf("%q is in the chart", not)
		}
	}
	c := lines()
	c.FromZero = true
	if svg, _ := c.Inline(340, 250); !strings.Contains(svg, ">0%<") {
		t.Error("the axis does not begin at 0")
	}
}

// The first styles are told apart by their dashes alone, and all by dashes and
// colour together.
func TestStyles(t *testing.T) {
	plain, all := make(map[string]bool), make(map[string]bool)
	for i := range Styles {
		sample := Sample(i, false)
		all[sample] = true
		if i < len(dashes) {
			_, pattern, _ := strings.Cut(sample, "stroke-dasharray:")
			plain[pattern] = true
		}
	}
	if len(plain) != len(dashes) || len(all) != Styles {
		t.Errorf("%d patterns, %d styles", len(plain), len(all))
	}
	if Sample(0, true) == Sample(0, false) || Style(Styles) != Style(0) {
		t.Error("a control looks like its line, or styles do not begin again")
	}
}

func TestPlacedMarks(t *testing.T) {
	c := Chart{Lines: []Line{{X: []float64{0, 1000}, Y: []float64{1, 1}}}, Marks: []Mark{{X: 100, Text: "first"}, {X: 101, Text: "second"}, {X: 600, Text: "third"}, {X: 990, Text: "at the edge"}}}
	got := c.placed(860)
	if got[0].Text != "first" || got[1].Text != "" || got[2].Text != "third" || got[3].Text != "at the edge" {
		t.Errorf("%+v", got)
	}
	if got[0].left != 0 || got[3].left == 0 {
		t.Errorf("the side of the line: %+v", got)
	}
	if c.Marks[1].Text != "second" {
		t.Error("the chart's own marks were changed")
	}
}

func TestBars(t *testing.T) {
	b := Bars{Title: "loads", XLabel: "loads", Rows: []Bar{{Name: "ring", Value: -2, Label: "-2"}, {Name: "modulo", Value: 10, Second: 4, Label: "10 & more"}}}
	svg, err := b.Inline(340)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fill:var(--bar)", "fill:var(--bar2)", ">ring<", ">modulo<", ">10 &amp; more<", `height="108"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("the bars lack %q", want)
		}
	}
	if strings.Contains(svg, "#") {
		t.Error("colours that are not the page's")
	}
	if _, err := (Bars{Rows: []Bar{{Name: "none"}}}).Inline(340); err != nil {
		t.Errorf("nothing but 0: %v", err)
	}
	for name, rows := range map[string][]Bar{
		"none": nil, "NaN": {{Value: math.NaN()}}, "infinite": {{Value: math.Inf(1)}}, "longer": {{Value: 1, Second: 2}}, "below 0": {{Value: 3, Second: -1}},
	} {
		if _, err := (Bars{Rows: rows}).Inline(340); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}
