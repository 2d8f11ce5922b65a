package demo

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
)

// elsewhere is what would make a browser ask for something.
var elsewhere = regexp.MustCompile(`(?i)https?:|//[a-z]|\bsrc=|\bhref=|url\(|@import|<link|<script|<iframe|<object|<embed|<img`)

// checkPage holds what is promised of a page: nothing from elsewhere, plots that can
// be drawn.
func checkPage(t *testing.T, page []byte) {
	t.Helper()
	if found := elsewhere.FindAll(page, -1); found != nil {
		t.Errorf("the page refers to something: %q", found)
	}
	plots := regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAll(page, -1)
	if len(plots) < 8 {
		t.Errorf("%d plots", len(plots))
	}
	for _, plot := range plots {
		for d := xml.NewDecoder(bytes.NewReader(plot)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, plot)
			}
		}
		if bytes.Contains(plot, []byte("NaN")) || bytes.Contains(plot, []byte("Inf")) {
			t.Errorf("a place that is none: %s", plot)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", "@media print", `lang="en"`, "max-width: 640px", "computed", "seconds</text>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A page can be made of whatever came of a demo, also of nothing.
func TestPage(t *testing.T) {
	rate := 0.5
	full := &Report{Backend: Redis, Server: "redis-server <7>", Steps: []*Step{
		{Name: "fill", Ended: 0.3}, {Name: "add", Node: "cache-<5>", Began: 2, Ended: 3, Moved: &Moved{Share: 0.2}},
		{Name: "drain", Node: "cache-2", Began: 3.1, Ended: 3.2, complete: true}},
		Promises: []Promise{{Name: "a & b", Kept: false, Detail: `<script>alert("x")</script>`}},
		Series:   []Point{{}, {Second: 1, HitRate: &rate, ModuloHitRate: &rate, P50: &rate, P99: &rate}, {Second: 2}, {Second: 3, Loads: 10}}}
	for name, r := range map[string]*Report{"full": full, "empty": {Backend: Embedded, Server: "embedded server"},
		"one second": {Steps: []*Step{{Name: "fill", Ended: 0.5}}, Series: []Point{{}, {Second: 1}}}} {
		var page bytes.Buffer
		if err := r.WritePage(&page); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkPage(t, page.Bytes())
	}
	var page bytes.Buffer
	if err := full.WritePage(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"redis-server &lt;7&gt;", "cache-&lt;5&gt; joins", "1 of 1 promises were broken"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestChartScale(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name   string
		c      chart
		y0, y1 float64
		ticks  []float64
	}{
		{"from 0", chart{lines: []chartLine{{x: []float64{0, 1, 2}, y: []float64{3, nan, 100}}}}, 0, 105, []float64{0, 50, 100}},
		{"a given top", chart{top: 100, lines: []chartLine{{x: []float64{0, 1}, y: []float64{3, 4}}}}, 0, 100, []float64{0, 20, 40, 60, 80, 100}},
		{"logarithmic", chart{log: true, lines: []chartLine{{x: []float64{0, 1}, y: []float64{0.3, 40}}}}, 0.1, 100, []float64{0.1, 1, 10, 100}},
		{"one value", chart{log: true, lines: []chartLine{{x: []float64{0}, y: []float64{1}}}}, 1, 10, []float64{1, 10}},
		{"nothing", chart{}, 0, 1.05, nil},
		{"only gaps", chart{log: true, lines: []chartLine{{x: []float64{0, 1}, y: []float64{nan, nan}}}}, 1, 10, []float64{1, 10}},
	} {
		v := &canvas{chart: tt.c, right: 100, base: 100}
		v.scale()
		if math.Abs(v.y0-tt.y0) > 1e-9 || math.Abs(v.y1-tt.y1) > 1e-9 {
			t.Errorf("%s: Y from %g to %g, want %g to %g", tt.name, v.y0, v.y1, tt.y0, tt.y1)
		}
		got := v.yTicks()
		if tt.ticks == nil {
			continue
		}
		if len(got) != len(tt.ticks) {
			t.Errorf("%s: ticks %v, want %v", tt.name, got, tt.ticks)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-tt.ticks[i]) > 1e-9 {
				t.Errorf("%s: ticks %v, want %v", tt.name, got, tt.ticks)
			}
		}
	}
}

// A value that is missing breaks the line; it is not drawn as 0.
func TestLineHasGaps(t *testing.T) {
	c := chart{top: 10, lines: []chartLine{{class: "ring", x: []float64{0, 1, 2, 3}, y: []float64{1, math.NaN(), 2, 3}}}}
	svg := string(c.svg(200, 100))
	path := svg[strings.Index(svg, ` d="`)+4:]
	path = path[:strings.IndexByte(path, '"')]
	if strings.Count(path, "M") != 2 || strings.Count(path, "L") != 1 {
		t.Errorf("path %q", path)
	}
}
