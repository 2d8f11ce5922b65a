package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
)

const (
	maxFile     = 64 << 10 // bytes
	maxBrackets = 1000     // opening ones; the parser's time grows with the square of their depth
)

// An entry is what a file says of one key.
type entry struct {
	where string   // "file:line:column: key"
	text  string   // as it is written
	list  []string // in place of text, if not nil
}

// readFile reads the entries of a file; flag names it in errors.
func readFile(name, flag string, known []string) (map[string]entry, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, flag, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, unreadable(name, flag, err)
	case len(content) > maxFile:
		return nil, &cli.UsageError{Where: flag, Found: fmt.Sprintf("over %d bytes in %s", maxFile, printable.Text(name)), Want: "a file of settings"}
	}
	return parseFile(printable.Text(name), content, known)
}

func unreadable(name, flag string, err error) error {
	reason := err
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		reason = path.Err
	}
	return &cli.UsageError{Where: flag, Found: fmt.Sprintf("%s, which cannot be read: %v", cli.Quote(name), reason), Want: "a YAML file", Err: err}
}

// parseFile reads the entries of a file's content. Every key must be known.
func parseFile(name string, content []byte, known []string) (map[string]entry, error) {
	if !utf8.Valid(content) {
		return nil, &cli.UsageError{Where: name, Found: "bytes that are not UTF-8", Want: "YAML"}
	}
	if n := bytes.Count(content, []byte("[")) + bytes.Count(content, []byte("{")); n > maxBrackets {
		return nil, &cli.UsageError{Where: name, Found: fmt.Sprintf("%d opening brackets", n), Want: fmt.Sprintf("at most %d: there is nothing to nest", maxBrackets)}
	}
	file, err := parse(content)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	entries := make(map[string]entry)
	for i, doc := range file.Docs {
		values, err := mapping(name, doc.Body)
		if err == nil && i > 0 && len(values) > 0 {
			err = &cli.UsageError{Where: name, Found: "several documents", Want: "one"}
		}
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			if err := addEntry(entries, name, value, known); err != nil {
				return nil, err
			}
		}
	}
	return entries, nil
}

// parse turns a panic of the parser, which works on what somebody wrote, into an
// error.
func parse(content []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("what cannot be parsed")
		}
	}()
	return parser.ParseBytes(content, 0)
}

func syntaxError(name string, err error) error {
	var known yaml.Error
	if errors.As(err, &known) { // whose Error would show the file, with several lines
		return &cli.UsageError{Where: at(name, known.GetToken()), Found: known.GetMessage(), Want: "YAML", Err: err}
	}
	return &cli.UsageError{Where: name, Found: err.Error(), Want: "YAML", Err: err}
}

// at is a place in a file.
func at(name string, t *token.Token) string {
	if t == nil || t.Position == nil {
		return name
	}
	return fmt.Sprintf("%s:%d:%d", name, t.Position.Line, t.Position.Column)
}

// mapping returns the entries of a document: none of an empty one.
func mapping(name string, body ast.Node) ([]*ast.MappingValueNode, error) {
	switch node := body.(type) {
	case nil, *ast.CommentGroupNode, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		return node.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}, nil
	}
	return nil, &cli.UsageError{Where: at(name, body.GetToken()), Found: kindOf(body), Want: "lines of the form key: value"}
}

func addEntry(entries map[string]entry, name string, value *ast.MappingValueNode, known []string) error {
	keyAt := at(name, value.Key.GetToken())
	key, isText := text(value.Key)
	if !isText {
		return &cli.UsageError{Where: keyAt, Found: "what is no key", Want: "the name of a setting"}
	}
	if _, twice := entries[key]; twice {
		return &cli.UsageError{Where: keyAt, Found: "the key " + cli.Quote(key) + " a second time", Want: "each key once"}
	}
	if !slices.Contains(known, key) {
		return unknownKey(keyAt, key, known)
	}
	e := entry{where: keyAt + ": " + key}
	switch node := value.Value.(type) {
	case *ast.SequenceNode:
		e.list = []string{}
		for _, item := range node.Values {
			element, isText := text(item)
			if !isText {
				return &cli.UsageError{Where: at(name, item.GetToken()) + ": " + key, Found: kindOf(item), Want: "a list of plain values"}
			}
			e.list = append(e.list, element)
		}
	default:
		if e.text, isText = text(value.Value); !isText {
			return &cli.UsageError{Where: e.where, Found: kindOf(value.Value), Want: "a value"}
		}
	}
	entries[key] = e
	return nil
}

func unknownKey(where, key string, known []string) error {
	want := "one of " + strings.Join(known, ", ")
	if near := nearest(key, known); near != "" {
		want = near
	}
	return &cli.UsageError{Where: where, Found: "the unknown key " + cli.Quote(key), Want: want}
}

// text returns a plain value as it is written, quotes apart.
func text(node ast.Node) (string, bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(node.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys within a key"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	}
	if s, isText := text(node); isText {
		return cli.Quote(s)
	}
	return "a " + node.Type().String()
}
