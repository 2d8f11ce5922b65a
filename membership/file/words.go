package file

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

const shownBytes = 64 // of a text of the file, in an error

func shown(s string) string {
	if len(s) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", s[:shownBytes], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func listed[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// describeNode says what stands in a place, for people.
func describeNode(node ast.Node) string {
	value := shown(node.GetToken().Value)
	switch node.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "fields"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + strings.Trim(value, `"`)
	case *ast.BoolNode:
		return strings.Trim(value, `"`)
	case *ast.StringNode, *ast.LiteralNode:
		return "the text " + value
	}
	return value
}

// meant suggests the word that was probably meant, if there is one.
func meant[T ~string](got string, known []T) string {
	if len(got) > shownBytes {
		return ""
	}
	best, nearest := 3, "" // letters to change, of which more than two are another word
	for _, word := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(string(word))); d < best && d < len(word) {
			best, nearest = d, string(word)
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", nearest)
}

// distance is the Levenshtein distance: how many letters have to be put in,
// taken out or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
