// Package nearest finds the word that was probably meant, for errors about a name
// that does not exist.
package nearest

import "strings"

// longest is the length in bytes of a text that may still be a slip of the hand.
const longest = 64

// Word returns the known word that differs least from what was got, in either
// case: in a third of its letters at most, in one where it is short, and in three
// where it is long. Of several the first. It returns "" if none is so near, and
// for a text of more than 64 bytes.
func Word[T ~string](got string, known []T) T {
	var found T
	if len(got) > longest {
		return found
	}
	got = strings.ToLower(got)
	best := longest
	for _, word := range known {
		d := distance(got, strings.ToLower(string(word)))
		if d < len(word) && d <= max(1, min(3, len(word)/3)) && d < best {
			best, found = d, word
		}
	}
	return found
}

// distance is how many bytes have to be put in, taken out, replaced, or swapped
// with their neighbour to make b of a (optimal string alignment).
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
