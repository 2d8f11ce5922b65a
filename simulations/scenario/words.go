package scenario

import (
	"strings"

	"github.com/ringway/ringway/internal/cli/printable"
)

func quote(s string) string { return printable.Quote(s) }

// oneOf says what was expected instead of a word: the nearest one if there is
// one near, else all of them.
func oneOf(got string, known []string) string {
	if near := nearest(got, known); near != "" {
		return near
	}
	return "one of " + strings.Join(known, ", ")
}

// nearest returns the word that was probably meant, or "": that with the fewest
// letters to change, of which more than a third of the word make another one.
func nearest(got string, known []string) string {
	if len(got) > 64 {
		return ""
	}
	best, found := 1<<30, ""
	for _, word := range known {
		d := distance(strings.ToLower(got), word)
		if d <= max(1, min(3, len(word)/3)) && d < best {
			best, found = d, word
		}
	}
	if found == "" { // "node" for "nodes_before" is no slip, "vnode_count" for "vnodes" is one
		for _, word := range known {
			if len(got) >= 4 && (strings.HasPrefix(word, got) || strings.HasPrefix(got, word)) {
				return word
			}
		}
	}
	return found
}

// distance is how many letters have to be put in, taken out, replaced, or swapped
// with their neighbour (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
