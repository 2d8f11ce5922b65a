package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what is given to the parser, whose time grows faster than its input
// where collections are nested.
const (
	maxFile     = 64 << 10 // bytes
	maxBrackets = 1000     // opening ones
	maxIndent   = 40       // columns of indentation, dashes included
)

// load parses a file into the one mapping that it holds.
func (d *decoder) load(content []byte) ast.Node {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if d.checkText(content); d.err != nil {
		return nil
	}
	file, err := parse(content)
	if err != nil {
		var known yaml.Error
		if errors.As(err, &known) { // whose Error would show the file, over several lines
			d.failAt(known.GetToken(), "", known.GetMessage(), "YAML")
		} else {
			d.failAt(nil, "", err.Error(), "YAML")
		}
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			d.fail(doc.Body, "", "a second document", "one")
			return nil
		default:
			root = doc.Body
		}
	}
	if root == nil {
		d.failAt(nil, "", "an empty file", "a scenario")
	}
	return root
}

// parse turns a panic of the library, which works on what somebody wrote, into an
// error.
func parse(content []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("what cannot be parsed")
		}
	}()
	return parser.ParseBytes(content, 0)
}

// checkText refuses what is no text, or more deeply nested than a scenario is.
func (d *decoder) checkText(content []byte) {
	at := func(line, column int, found, want string) {
		if d.err == nil {
			d.err = &Error{File: d.file, Line: line, Column: column, Found: found, Want: want}
		}
	}
	if len(content) > maxFile {
		at(1, 1, fmt.Sprintf("a file of %d bytes", len(content)), fmt.Sprintf("at most %d", maxFile))
		return
	}
	brackets := 0
	for i, line := range bytes.Split(content, []byte("\n")) {
		if !utf8.Valid(line) {
			at(i+1, 1, "bytes that are not UTF-8", "a text")
			return
		}
		for column, r := range []rune(string(line)) {
			if r < ' ' && r != '\t' && r != '\r' || r == 0x7f {
				at(i+1, column+1, fmt.Sprintf("the control character %U", r), "a text")
				return
			}
		}
		if indent := len(line) - len(bytes.TrimLeft(line, " -?:\t")); indent > maxIndent {
			at(i+1, indent+1, fmt.Sprintf("an indentation of %d", indent), fmt.Sprintf("at most %d", maxIndent))
			return
		}
		if brackets += bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{")); brackets > maxBrackets {
			at(i+1, 1, fmt.Sprintf("more than %d opening brackets", maxBrackets), "less to nest")
			return
		}
	}
}

// fail notes the first thing that is wrong.
func (d *decoder) fail(node ast.Node, path, found, want string) {
	d.failAt(tokenOf(node), path, found, want)
}

func (d *decoder) failAt(t *token.Token, path, found, want string) {
	if d.err != nil {
		return
	}
	at := placeOf(t)
	d.err = &Error{File: d.file, Line: at.line, Column: at.column, Field: path, Found: found, Want: want}
}

// A place in a file, counted from 1.
type place struct{ line, column int }

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(1, t.Position.Line), max(1, t.Position.Column)}
}

func tokenOf(node ast.Node) *token.Token {
	switch n := node.(type) {
	case nil:
		return nil
	case *ast.MappingNode: // its own token is the colon of the first field
		if len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return node.GetToken()
}

// describe says what stands in a place, for people.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "fields"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode, *ast.DirectiveNode, *ast.MappingKeyNode:
		return "a tag, directive or complex key"
	case *ast.LiteralNode:
		return quote(strings.TrimSpace(n.Value.Value))
	}
	return quote(node.GetToken().Value)
}
