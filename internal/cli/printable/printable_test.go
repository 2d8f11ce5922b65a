package printable

import (
	"strings"
	"testing"
)

func TestRule(t *testing.T) {
	for _, s := range []string{"", "node1", "a b", "größe", "キャッシュ", "é", "🚀", `a"b\c`, "\ufffd"} {
		if !Is(s) || Text(s) != s || Escape(s) != s {
			t.Errorf("%q: %v, %s, %s", s, Is(s), Text(s), Escape(s))
		}
	}
	for s, want := range map[string]string{
		"a\x1b[31m": `a\x1b[31m`, "a\nb": `a\nb`, "a\x7f": `a\x7f`, "a\u0085b": `a\u0085b`, "a\u009b31m": `a\u009b31m`,
		"a\u202eb": `a\u202eb`, "a\u2066b": `a\u2066b`, "a\u2028b": `a\u2028b`, "a\u200bb": `a\u200bb`, "a\xffb": `a\xffb`,
		"a\xed\xa0\x80": `a\xed\xa0\x80`, "a\ufffe": `a\ufffe`, "a\U000e0001": `a\U000e0001`,
	} {
		if Is(s) || Text(s) != `"`+want+`"` || Escape(s) != want {
			t.Errorf("%q: %v, %s, %s", s, Is(s), Text(s), Escape(s))
		}
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"": `""`, "a\u202e": `"a\u202e"`, strings.Repeat("x", 64): `"` + strings.Repeat("x", 64) + `"`,
		strings.Repeat("x", 65):        `"` + strings.Repeat("x", 64) + `"… (65 bytes)`,
		"x" + strings.Repeat("日", 30):  `"x` + strings.Repeat("日", 21) + `"… (91 bytes)`,
		strings.Repeat("\x80", 70):     `"` + strings.Repeat(`\x80`, 60) + `"… (70 bytes)`,
		"xx" + strings.Repeat("日", 30): `"xx` + strings.Repeat("日", 20) + `"… (92 bytes)`,
	} {
		if got := Quote(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}
