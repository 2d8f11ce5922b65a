package trace

import (
	"fmt"
	"strings"

	"github.com/ringway/ringway/internal/cli/printable"
)

// Error says what is wrong with a trace or with a Config. It is always one line
// of text.
type Error struct {
	File   string // as given to Open or NewReader; empty in an error about a Config
	Line   int64  // from 1; 0 if the error is not about a line
	Column string // the column, or the Config field; empty if it is about neither
	Found  string
	Want   string // empty where Err tells all
	Err    error  // what reading or decompressing reported; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("trace: ")
	if e.File != "" {
		b.WriteString(printable.Text(e.File) + ": ")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Column != "" {
		b.WriteString(e.Column + ": ")
	}
	if e.Found != "" {
		b.WriteString("found " + e.Found)
	}
	if e.Want != "" {
		b.WriteString(", expected " + e.Want)
	}
	if e.Err != nil {
		if e.Found != "" || e.Want != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

const shownBytes = 40 // of a value in an error's text

// shown quotes what was found, on one line and never at length.
func shown[T string | []byte](v T) string {
	if len(v) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", v[:shownBytes], len(v))
	}
	return fmt.Sprintf("%q", v)
}
