package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/ringway/ringway/simulations"
)

func chart() Chart {
	return Chart{
		Title: "Hit rate", XLabel: "request", YLabel: "hit rate", YUnit: "%",
		Lines: []Line{
			{Name: "ring", X: []float64{0, 1000, 2000}, Y: []float64{90, 80, 90}, Color: Color("ring")},
			{Name: "no change", X: []float64{0, 1000, 2000}, Y: []float64{90, 90, 90}, Color: Color("ring"), Dashed: true},
		},
		Marks: []Mark{{X: 500, Text: "+1 & more"}},
	}
}

func TestWriteSVG(t *testing.T) {
	var first, second bytes.Buffer
	if err := chart().WriteSVG(&first); err != nil {
		t.Fatal(err)
	}
	if err := chart().WriteSVG(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("not the same bytes again: %v", err)
	}
	var words []string
	for decoder := xml.NewDecoder(&first); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal("not XML: ", err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, strings.TrimSpace(string(text)))
		}
	}
	all := strings.Join(words, "|")
	for _, want := range []string{"Hit rate", "request", "ring", "no change", "+1 & more", "80%", "90%", "1,000", "2,000"} {
		if !strings.Contains("|"+all+"|", "|"+want+"|") {
			t.Errorf("%q is not in the chart: %s", want, all)
		}
	}
	if svg := second.String(); !strings.Contains(svg, "#0072B2") || !strings.Contains(svg, "sans-serif") {
		t.Error("the ring's colour or the fonts are missing")
	}
}

// Whatever the words, the chart is XML.
func TestWriteSVGQuotes(t *testing.T) {
	for _, word := range []string{"a\x1bb", "a\x00b", "a\u202eb", "a\u0085b", "a\xffb", "a\ufffeb"} {
		want := strconv.Quote(word)
		for place, c := range map[string]Chart{
			"title": {Title: word}, "x": {XLabel: word}, "y": {YLabel: word}, "unit": {YUnit: word},
			"line": {Lines: []Line{{Name: word, X: []float64{0, 1}, Y: []float64{0, 1}}}}, "mark": {Marks: []Mark{{X: 0, Text: word}}},
		} {
			c.Lines = append(c.Lines, Line{X: []float64{0, 1}, Y: []float64{0, 1}})
			var b bytes.Buffer
			if err := c.WriteSVG(&b); err != nil {
				t.Fatal(err)
			}
			var words strings.Builder
			for decoder := xml.NewDecoder(&b); ; {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("%q as %s: not XML: %v", word, place, err)
					break
				}
				if text, ok := token.(xml.CharData); ok {
					words.Write(text)
				}
			}
			if !strings.Contains(words.String(), want) {
				t.Errorf("%q as %s: not in the chart as %s", word, place, want)
			}
		}
	}
}

func TestWriteSVGRefuses(t *testing.T) {
	for name, lines := range map[string][]Line{
		"no lines":  nil,
		"no points": {{Name: "a"}},
		"lengths":   {{X: []float64{1, 2}, Y: []float64{1}}},
		"NaN":       {{X: []float64{1, 2}, Y: []float64{1, math.NaN()}}},
		"infinite":  {{X: []float64{1, math.Inf(1)}, Y: []float64{1, 2}}},
	} {
		var b bytes.Buffer
		if err := (Chart{Lines: lines}).WriteSVG(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
	if err := chart().WriteSVG(failing{}); err == nil {
		t.Error("a writer that fails is not noticed")
	}
	// One point, or a flat line, is a chart.
	if err := (Chart{Lines: []Line{{X: []float64{5}, Y: []float64{5}}}}).WriteSVG(io.Discard); err != nil {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

// Every placement has a colour, and no two the same.
func TestColor(t *testing.T) {
	seen := map[any]string{Color("something else"): "something else"}
	for _, name := range simulations.Algorithms() {
		c := Color(name)
		if other, taken := seen[c]; taken {
			t.Errorf("%s has the colour of %s", name, other)
		}
		seen[c] = name
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1", 0.5: "0.5", 1234567: "1,234,567", 999: "999", 1000: "1,000", -1234.5: "-1,234.5", 0.1 + 0.2: "0.3", 0.9999: "1", -0.0001: "0"} {
		if got := number(x); got != want {
			t.Errorf("%v: got %s, want %s", x, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct{ low, high float64 }{{0, 1}, {0, 100}, {31, 97}, {40_000, 139_000}, {-3, 8}, {99.5, 99.6}, {5, 5}} {
		marks := ticks{}.Ticks(test.low, test.high)
		if len(marks) < 1 || test.low < test.high && (len(marks) < 3 || len(marks) > 8) {
			t.Errorf("%v: %d ticks", test, len(marks))
		}
		for _, m := range marks {
			if m.Value < test.low || m.Value > test.high || m.Label == "" {
				t.Errorf("%v: tick %+v", test, m)
			}
		}
	}
}

func TestHitRates(t *testing.T) {
	rate := func(x float64) *float64 { return &x }
	series := func(dip float64) (out []simulations.ReplayPoint) {
		for i := range int64(10) {
			y := 0.9
			if i == 5 {
				y -= dip
			}
			out = append(out, simulations.ReplayPoint{Request: i * 100, HitRate: rate(y), ControlHitRate: rate(0.9)})
		}
		return out
	}
	changes := []simulations.ReplayChange{{Request: 500, Change: "+1"}}
	report := &simulations.ReplayReport{Results: []simulations.ReplayResult{
		{Algorithm: "modulo", Changes: changes, Series: series(0.5)},
		{Algorithm: "ring", Changes: changes, Series: series(0.1)},
		{Algorithm: "jump", Note: "refused"},
	}}
	var b bytes.Buffer
	if err := HitRates(&b, report, 200, 300); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">modulo<", ">ring<", ">+1<", ">300<", ">800<", "every 100 requests"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in the chart", want)
		}
	}
	for _, not := range []string{">jump<", ">200<", ">900<"} {
		if strings.Contains(b.String(), not) {
			t.Errorf("%s is in the chart", not)
		}
	}
	if got := points(report.Results[0].Series, 300, 800, func(p simulations.ReplayPoint) *float64 { return p.HitRate }); len(got.X) != 6 || got.X[0] != 300 || got.X[5] != 800 || math.Abs(got.Y[2]-40) > 1e-9 {
		t.Errorf("points: %+v", got)
	}
	if err := HitRates(io.Discard, &simulations.ReplayReport{}, 1, 1); err == nil {
		t.Error("a report without changes is drawn")
	}
}
