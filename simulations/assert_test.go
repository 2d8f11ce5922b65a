package simulations

import (
	"errors"
	"math"
	"strings"
	"testing"
)

var figures = map[string]map[string]any{
	"ring":    {"moved": 0.09, "moved_unnecessary": 0.0, "receivers": 1, "note": ""},
	"jump":    {"moved": nil, "moved_unnecessary": nil, "receivers": nil, "note": "cannot do that"},
	"endless": {"moved": math.Inf(1), "moved_unnecessary": 0.0, "receivers": math.NaN(), "note": ""},
	"modulo":  {"moved": 0.9, "moved_unnecessary": 0.8, "receivers": 11, "note": ""},
}

var (
	rowNames   = []string{"ring", "jump", "modulo", "endless"}
	fieldNames = []string{"moved", "moved_unnecessary", "receivers", "note"}
)

func TestAssertion(t *testing.T) {
	for _, test := range []struct {
		text   string
		ok     bool
		actual string
	}{
		{"ring.moved_unnecessary == 0", true, "ring.moved_unnecessary = 0"},
		{"ring.moved < 0.05", false, "ring.moved = 0.09"},
		{"ring.moved * 5 < modulo.moved && modulo.receivers == 11", true, "ring.moved = 0.09, modulo.moved = 0.9, modulo.receivers = 11"},
		{`ring["moved"] < 0.1`, true, "ring.moved = 0.09"},
		{"max(ring.moved, modulo.moved) == modulo.moved", true, "ring.moved = 0.09, modulo.moved = 0.9"},
		{"let limit = 0.1; ring.moved < limit", true, "ring.moved = 0.09"},
		{"ring.note == ''", true, "ring.note = "},
		{"ring.note + 'x' == 'x'", true, "ring.note = "},
		{"all([1, 2], # > ring.moved) && any([1], # > 2 * ring.moved)", true, "ring.moved = 0.09"},
		{"modulo.receivers % 4 == 3 and 2 ** ring.receivers == 2", true, "modulo.receivers = 11, ring.receivers = 1"},
		{"sum(map([1, 2], # * ring.receivers)) == 3", true, "ring.receivers = 1"},
		{"(ring.moved < 1 ? 1 : 0) == 1", true, "ring.moved = 0.09"},
	} {
		a, err := ParseAssertion(test.text, rowNames, fieldNames)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if ok, actual, err := a.Check(figures); ok != test.ok || actual != test.actual || err != nil {
			t.Errorf("%s: got %v, %q, %v; want %v, %q", test.text, ok, actual, err, test.ok, test.actual)
		}
	}
}

func TestAssertionRefused(t *testing.T) {
	for _, test := range []struct{ text, found, want string }{
		{"", `""`, "an expression"},
		{"ring.moved <", `"ring.moved <"`, "an expression"},
		{"rong.moved == 0", `unknown name "rong"`, "ring, jump, modulo"},
		{"ring.mooved == 0", `unknown figure "ring.mooved"`, "moved, moved_unnecessary"},
		{"moved == 0", `unknown name "moved"`, "ring, jump, modulo"},
		{"ring == nil", `"ring" without a figure`, "ring.FIGURE"},
		{"frob(ring.moved)", `unknown name "frob"`, "ring"},
		{"true", `"true"`, "a condition on a figure"},
		{"1 < 2", `"1 < 2"`, "a condition on a figure"},
		{"ring.moved + 1", `"ring.moved + 1"`, "a condition"},
	} {
		a, err := ParseAssertion(test.text, rowNames, fieldNames)
		if err == nil {
			// Types of figures are known only when they are.
			_, _, err = a.Check(figures)
		}
		checkRefusal(t, test.text, err, test.found, test.want)
	}
	for _, test := range []struct{ text, found, want string }{
		{"jump.moved < 1", "jump.moved, which is null", "a figure that jump has"},
		{"ring.moved < 1 || jump.moved < 1", "jump.moved, which is null", "a figure that jump has"},
		{"ring.note < 1", `"ring.note < 1"`, "can be computed"},
		{"ring.moved.x == 1", `"ring.moved.x == 1"`, "can be computed"},
		{"ring.moved / 0 > 1", `"ring.moved / 0 > 1"`, "a part of it is +Inf"},
		{"1 / ring.moved_unnecessary > 1", `"1 / ring.moved_unnecessary > 1"`, "a part of it is +Inf"},
		{"ring.moved > -1 / 0.0", `"ring.moved > -1 / 0.0"`, "a part of it is -Inf"},
		{"not (ring.moved_unnecessary / 0 < 1)", `"not (`, "a part of it is NaN"},
		{"ring.moved * 1e308 * 1e308 > 1", `"ring.moved`, "a part of it is +Inf"},
		{"ring.moved < 10.0 ** 400", `"ring.moved`, "a part of it is +Inf"},
		{"ring.moved < float('inf')", `"ring.moved`, "a part of it is +Inf"},
		{"any([0], 1 / # > ring.moved)", `"any(`, "a part of it is +Inf"},
		{"modulo.receivers % 0 == 0", `"modulo`, "can be computed"},
		{"endless.moved > 1", "endless.moved, which is +Inf", "finite"},
		{"endless.receivers != 1", "endless.receivers, which is NaN", "finite"},
		{"ring.moved ?: 1", `"ring.moved ?: 1"`, "a condition"},
	} {
		a, err := ParseAssertion(test.text, rowNames, fieldNames)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		ok, _, err := a.Check(figures)
		if ok {
			t.Errorf("%s holds", test.text)
		}
		checkRefusal(t, test.text, err, test.found, test.want)
	}
}

func checkRefusal(t *testing.T, text string, err error, found, want string) {
	t.Helper()
	var bad *InputError
	if !errors.As(err, &bad) || bad.What != "assert" || !strings.Contains(bad.Found, found) || !strings.Contains(bad.Want, want) {
		t.Errorf("%s: got %v, want found %s, expected %s", text, err, found, want)
	} else if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error has more than a line: %q", text, err)
	}
}

func FuzzParseAssertion(f *testing.F) {
	for _, text := range []string{"ring.moved == 0", "let x = ring.moved; x > 0", `all([1], # > ring.moved)`, "ring?.moved ?? 1 > 0", "-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return // long expressions only take long
		}
		a, err := ParseAssertion(text, rowNames, fieldNames)
		if err == nil {
			_, _, err = a.Check(figures)
		}
		var bad *InputError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
