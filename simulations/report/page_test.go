package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations/plot"
)

// whole has something in every part of a page, and text that must be escaped.
func whole() Page {
	lines := &plot.Chart{XLabel: "requests", YLabel: "hit rate", YUnit: "%", Marks: []plot.Mark{{X: 5, Text: "+1 <&>"}}, Lines: []plot.Line{
		{X: []float64{0, 5, 10}, Y: []float64{90, 40, 90}, Color: plot.Style(0)},
		{X: []float64{0, 5, 10}, Y: []float64{90, 91, 90}, Color: plot.Style(0), Dashed: true}}}
	bars := &plot.Bars{XLabel: "loads", Rows: []plot.Bar{{Name: "ring", Value: -256, Label: "-256"}, {Name: "modulo", Value: 100, Second: 80, Label: "100"}}}
	return Page{
		Title: "What does <one> cost?", Lead: []string{"a & b"}, Warning: "Partial.", Verdict: "It costs \"nothing\".", Footer: "devel",
		Cards:  []Card{{"Extra loads", "-256", "modulo: 3,228"}},
		Points: []string{"<script>alert(1)</script>"},
		Sections: []Section{{
			Title: "Over time", Text: "text", Points: []string{"point"}, Summary: "The scenario", Folded: "a: <b>\n",
			Figures: []Figure{
				{Title: "Hit rate", Text: "of reads", Lines: lines, Legend: []Entry{{Text: "ring", Style: 0}, {Text: "control", Control: true}}},
				{Title: "Loads", Bars: bars, Legend: []Entry{{Text: "needless", Bar: 2}}}},
			Tables: []Table{{Caption: "Loads", Columns: []Column{{"placement", true}, {"extra", false}}, Notes: []string{"a note"},
				Rows: [][]Cell{{Word("ring"), Number("-256", new(-256.0))}, {Word("modulo"), Number("3,228", new(3228.0))}, {Word("jump"), Number("–", nil)}}}},
			Facts: []Fact{{Name: "Command", Code: "ringsim report -o 'a b.html'"}, {Name: "Seed", Value: "1"}},
		}},
	}
}

func written(t *testing.T, p Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// elsewhere is what would make a browser ask for something.
var elsewhere = regexp.MustCompile(`(?i)https?:|//[a-z]|\bsrc=|\bhref=|url\(|@import|<link|<iframe|<object|<embed|<img`)

func TestPage(t *testing.T) {
	page := written(t, whole())
	if again := written(t, whole()); again != page {
		t.Error("not the same bytes again")
	}
	if found := elsewhere.FindAllString(page, -1); found != nil {
		t.Errorf("the page refers to something: %q", found)
	}
	for _, want := range []string{
		`lang="en"`, "prefers-color-scheme: dark", "@media print", "max-width: 640px", "default-src 'none'", `name="viewport"`,
		"What does &lt;one&gt; cost?", "a &amp; b", "&lt;script&gt;alert(1)", "a: &lt;b&gt;", `data-key="-256"`, `data-key="3228"`, `data-key=""`,
		`tabindex="0" role="region" aria-label="Loads"`, `aria-label="Hit rate"`, "+1 &lt;&amp;&gt;", "aria-sort", "Partial.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

var svgs = regexp.MustCompile(`(?s)<svg .*?</svg>`)

// Plots are XML, in the page's own colours, once for a desk and once for a phone.
func TestPlots(t *testing.T) {
	found := svgs.FindAllString(written(t, whole()), -1)
	if len(found) != 2*2+3 { // and three samples of legends
		t.Errorf("%d plots", len(found))
	}
	for _, svg := range found {
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
		if colour := regexp.MustCompile(`#[0-9A-Fa-f]{6}`).FindString(svg); colour != "" {
			t.Errorf("the colour %s is not the page's: %s", colour, svg)
		}
		if strings.Contains(svg, "font-family") {
			t.Errorf("a font of its own: %s", svg)
		}
	}
}

func TestEmptyPage(t *testing.T) {
	if page := written(t, Page{Title: "empty"}); strings.Contains(page, "<section>") || strings.Contains(page, "<dl") || !strings.Contains(page, "<h1>empty</h1>") {
		t.Error(page)
	}
}

func TestWriteFails(t *testing.T) {
	for name, f := range map[string]Figure{
		"nothing": {}, "no lines": {Lines: &plot.Chart{}}, "no bars": {Bars: &plot.Bars{}},
		"NaN": {Bars: &plot.Bars{Rows: []plot.Bar{{Value: math.NaN()}}}},
	} {
		if err := (Page{Sections: []Section{{Figures: []Figure{f}}}}).Write(io.Discard); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
	if err := whole().Write(failing{}); !errors.Is(err, errFull) {
		t.Errorf("a writer that fails: %v", err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestKey(t *testing.T) {
	for want, c := range map[string]Cell{"0.25": Number("25%", new(0.25)), "-3": Number("-3", new(-3.0)), "": Word("a")} {
		if got := c.Key(); got != want {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
	if got := Number("–", new(math.NaN())).Key(); got != "" {
		t.Errorf("NaN: %q", got)
	}
}
