package file

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ringway/ringway/internal/nearest"
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
	word := nearest.Word(got, known)
	if word == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", string(word))
}
