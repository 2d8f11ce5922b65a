package nearest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWord(t *testing.T) {
	known := []string{"id", "weight", "join", "encrypt-key-file", "ACTIVE", "x"}
	for got, want := range map[string]string{
		"wieght": "weight", "weihgt": "weight", "weigh": "weight", "WEIGHT": "weight", "joins": "join", "activ": "ACTIVE",
		"encrypt-keyfile": "encrypt-key-file", "encrypt-file": "", "ud": "id",
		"": "", "y": "", "xyz": "", "height-of-it": "", strings.Repeat("weight", 100): "",
	} {
		if found := Word(got, known); found != want {
			t.Errorf("%q: got %q, want %q", got, found, want)
		}
	}
	if got := Word("ab", []string{"ac", "ad"}); got != "ac" {
		t.Errorf("of two that are as near: got %q, want the first", got)
	}
	if got := Word("abcdefgh", []string{"abcdxxgh", "abcdexgh"}); got != "abcdexgh" {
		t.Errorf("of two: got %q, want the nearer", got)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"abcd", "acbd", 1},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestDistanceProperties(t *testing.T) {
	word := rapid.StringMatching(`[a-d]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
			t.Errorf("distance %d", d)
		}
	})
}
