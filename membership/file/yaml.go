package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what is given to the parser, whose time and stack grow faster than
// its input where collections are nested or have many fields. A file of members
// has three levels, and seven fields in one of them.
const (
	maxTokens = 2_000_000 // well above what 100,000 members take
	maxDepth  = 8         // collections within collections
	maxFields = 64        // of one collection
)

// position is a place in a file, counted from 1.
type position struct{ line, column int }

// fault is what is wrong with a file, and where.
type fault struct {
	at   position
	text string
}

func (f *fault) Error() string { return fmt.Sprintf("%d:%d: %s", f.at.line, f.at.column, f.text) }

func (p position) fault(format string, args ...any) error {
	return &fault{p, fmt.Sprintf(format, args...)}
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// load parses the file into the one value that it holds.
func load(content []byte) (ast.Node, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if err := checkBytes(content); err != nil {
		return nil, err
	}
	var parsed *ast.File
	err := surviving(func() error {
		tokens, err := scan(string(content))
		if err != nil {
			return err
		}
		parsed, err = parser.Parse(tokens, 0)
		return syntaxFault(err)
	})
	if err != nil {
		return nil, err
	}
	var root ast.Node
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, positionOf(doc.Body.GetToken()).fault("a second document, want one")
		}
		root = doc.Body
	}
	if root == nil {
		return nil, position{1, 1}.fault("the file is empty, want members")
	}
	return root, nil
}

// surviving makes an error of a panic. The library has panicked before for what
// is no YAML, and a file must not end the program.
func surviving(parse func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser failed: %v", r)
		}
	}()
	return parse()
}

// checkBytes refuses what is no text.
func checkBytes(content []byte) error {
	at := position{1, 1}
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		switch {
		case r == utf8.RuneError && size == 1:
			return at.fault("byte %#x is no UTF-8", content[0])
		case r == '\n':
			at = position{at.line + 1, 0}
		case r < ' ' && r != '\t' && r != '\r' || r == 0x7f:
			return at.fault("got the control character %U", r)
		}
		at.column++
		content = content[size:]
	}
	return nil
}

// scan splits the text into tokens, as long as they are what a file of members
// may hold.
func scan(text string) (token.Tokens, error) {
	var s scanner.Scanner
	s.Init(text)
	var all token.Tokens
	var b bounds
	for {
		some, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, syntaxFault(err)
		}
		for _, t := range some {
			if err := b.check(t); err != nil {
				return nil, err
			}
		}
		all.Add(some...)
	}
}

// syntaxFault takes message and place out of an error of the library, if there
// is one.
func syntaxFault(err error) error {
	var placed interface {
		error
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &placed) {
		return positionOf(placed.GetToken()).fault("%s", placed.GetMessage())
	}
	var invalid *scanner.InvalidTokenError
	if errors.As(err, &invalid) {
		return positionOf(invalid.Token).fault("%s", invalid.Error())
	}
	return err
}
