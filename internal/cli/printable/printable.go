// Package printable has the one rule about text from outside (names of nodes and
// zones, names of files) that is shown to people: valid UTF-8 in which
// unicode.IsPrint holds for every rune. Whatever else there is could move a
// terminal's cursor, turn the direction of the text around or make an SVG file
// invalid. Text that breaks the rule is quoted as Go quotes strings.
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Is reports whether a text can be shown as it is.
func Is(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Text returns the text as it is where it can be shown so, else in quotes.
func Text(s string) string {
	if Is(s) {
		return s
	}
	return strconv.Quote(s)
}

// Quote returns the text in quotes, on one line and never at length.
func Quote(s string) string {
	const shown = 64
	if len(s) <= shown {
		return strconv.Quote(s)
	}
	end := shown
	for end > shown-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end-- // no rune is cut in two
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(s[:end]), len(s))
}

// Escape returns the text with the escapes of a quoted string in the place of
// what cannot be shown, without quotes: for sentences in which some parts are
// quoted already.
func Escape(s string) string {
	if Is(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
