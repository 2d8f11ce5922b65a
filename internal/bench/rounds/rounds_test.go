package rounds

import (
	"strings"
	"testing"
)

func TestMedianOfRatios(t *testing.T) {
	// The second round ran on a machine half as fast, in the third one side was
	// disturbed. The medians of the times, 20 and 10, would hide what they say.
	r := Rounds{{"a": 15, "b": 10}, {"a": 30, "b": 20}, {"a": 80, "b": 10}}
	for name, c := range map[string]struct {
		measure Measure
		want    Figure
	}{
		"ratio":      {Ratio("a", "b"), Figure{1.5, 1.5, 8}},
		"difference": {Difference("a", "b"), Figure{10, 5, 70}},
		"value":      {Value("a", 10), Figure{3, 1.5, 8}},
	} {
		if got, err := r.Figure(c.measure); err != nil || got != c.want {
			t.Errorf("%s: got %v, error %v; want median, least, most %v", name, got, err, c.want)
		}
	}
	if got := Summarise([]float64{4, 1, 3, 2}); got != (Figure{2.5, 1, 4}) {
		t.Errorf("four values: got %v, want 2.5, 1, 4", got)
	}
	r = append(r, Round{"a": 1})
	if _, err := r.Figure(Ratio("a", "b")); err == nil || err.Error() != "no benchmark b" {
		t.Errorf("a ratio to what one round did not measure: error %v", err)
	}
	if _, err := (Rounds{}).Figure(Value("a", 1)); err == nil {
		t.Error("a figure of no rounds: no error")
	}
}

func TestTable(t *testing.T) {
	r := Rounds{{"a": 15, "b": 10}}
	ratio := Ratio("a", "b")
	for _, c := range []struct {
		bound Bound
		limit float64
		held  bool
	}{
		{AtMost, 1.5, true}, {AtMost, 1.4, false},
		{AtLeast, 1.5, true}, {AtLeast, 1.6, false},
		{Below, 1.6, true}, {Below, 1.5, false},
	} {
		claim := Claim{"a to b", ratio, c.bound, c.limit}
		got, err := r.Table([]Claim{claim})
		verdict := "| reached |\n"
		if !c.held {
			verdict = "| **missed** |\n"
		}
		if err != nil || !strings.HasSuffix(got, verdict) {
			t.Errorf("1.5 %s %g: error %v, got\n%swant a last row that ends in %s", c.bound, c.limit, err, got, verdict)
		}
	}
	got, err := r.Table([]Claim{{"a to b", ratio, AtMost, 2.5}})
	want := "| what | median | least – most | aim | |\n|---|---|---|---|---|\n| a to b | 1.50 | 1.50 – 1.50 | ≤ 2.5 | reached |\n"
	if err != nil || got != want {
		t.Errorf("error %v, got\n%swant\n%s", err, got, want)
	}
	unknown := Claim{Text: "c to b", Measure: Ratio("c", "b")}
	if _, err := r.Table([]Claim{unknown}); err == nil || err.Error() != "c to b: no benchmark c" {
		t.Errorf("a claim about what was not measured: error %v", err)
	}
	if r.Measured(unknown) || !r.Measured(Claim{Measure: ratio}) {
		t.Error("Measured: want true for what every round ran, and for nothing else")
	}
}

func TestYardstick(t *testing.T) {
	y := Yardstick{Name: "unit", Text: "a step"}
	for _, c := range []struct {
		name   string
		rounds Rounds
		busy   bool
	}{
		{"one round", Rounds{{"unit": 10}}, false},
		{"a quarter more", Rounds{{"unit": 10}, {"unit": 12.5}}, false},
		{"more than that", Rounds{{"unit": 10}, {"unit": 12.6}, {"unit": 11}}, true},
		{"not measured", Rounds{{"other": 10}, {"other": 20}}, false},
	} {
		caution, warning := y.Caution(c.rounds, "no figure counts"), y.Warning(c.rounds)
		if !c.busy && (caution != "" || warning != "") {
			t.Errorf("%s: got %q, %q; want neither", c.name, caution, warning)
		}
		if c.busy && (!strings.Contains(caution, "(a step took 10 to 13 ns), so that no figure counts.") || !strings.HasPrefix(warning, "warning: a step took 10 to 13 ns:")) {
			t.Errorf("%s: got %q, %q", c.name, caution, warning)
		}
	}
}
