package file

import "github.com/goccy/go-yaml/token"

// bounds follows the tokens of a file and refuses what members cannot need,
// before the parser sees it.
type bounds struct {
	tokens int
	open   []collection // that the next token may belong to, the innermost last
	last   position     // of the token before
}

// collection is a mapping or a list. Those without brackets end where a token
// stands further to the left.
type collection struct {
	brackets bool
	list     bool // without brackets
	column   int  // without brackets: of its keys or dashes
	fields   int
}

func (b *bounds) check(t *token.Token) error {
	at := positionOf(t)
	if b.tokens++; b.tokens > maxTokens {
		return at.fault("more than %d words and signs, want at most that", maxTokens)
	}
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return at.fault("anchors and aliases are not supported: write the value out")
	case token.TagType, token.DirectiveType, token.MappingKeyType:
		return at.fault("got %q, which is not supported: want plain fields and values", t.Value)
	case token.SequenceStartType, token.MappingStartType:
		b.open = append(b.open, collection{brackets: true})
	case token.SequenceEndType, token.MappingEndType:
		b.closeBracket()
	case token.SequenceEntryType:
		b.enter(at.column, true)
	case token.MappingValueType: // its key is the token before
		b.enter(b.last.column, false)
		b.open[len(b.open)-1].fields++
	}
	b.last = at
	if len(b.open) > maxDepth {
		return at.fault("nested too deeply, want %s of members with the fields %s", fileFields[0], listed(memberFields))
	}
	if len(b.open) > 0 && b.open[len(b.open)-1].fields > maxFields {
		return at.fault("more than %d fields in one place, want members with the fields %s", maxFields, listed(memberFields))
	}
	return nil
}

// enter makes the collection of a key or a dash in a column the innermost one.
func (b *bounds) enter(column int, list bool) {
	for len(b.open) > 0 {
		top := b.open[len(b.open)-1]
		if top.brackets || top.column == column && top.list == list {
			return
		}
		// The dashes of a list may stand in the column of the key that it belongs
		// to, not the other way round.
		if top.column < column || top.column == column && list {
			break
		}
		b.open = b.open[:len(b.open)-1]
	}
	b.open = append(b.open, collection{list: list, column: column})
}

// closeBracket ends the innermost collection with brackets, and what is in it.
func (b *bounds) closeBracket() {
	for i := len(b.open) - 1; i >= 0; i-- {
		if b.open[i].brackets {
			b.open = b.open[:i]
			return
		}
	}
}
