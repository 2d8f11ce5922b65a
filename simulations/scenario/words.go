package scenario

import (
	"strings"

	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/internal/nearest"
)

func quote(s string) string { return printable.Quote(s) }

// oneOf says what was expected instead of a word: the nearest one if there is
// one near, else all of them.
func oneOf(got string, known []string) string {
	if near := nearestWord(got, known); near != "" {
		return near
	}
	return "one of " + strings.Join(known, ", ")
}

// nearestWord returns the word that was probably meant, or "".
func nearestWord(got string, known []string) string {
	if found := nearest.Word(got, known); found != "" || len(got) < 4 || len(got) > 64 {
		return found
	}
	for _, word := range known { // "node" for "nodes_before" is no slip, "vnode_count" for "vnodes" is one
		if strings.HasPrefix(word, got) || strings.HasPrefix(got, word) {
			return word
		}
	}
	return ""
}
