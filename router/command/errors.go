package command

import (
	"errors"
	"fmt"
)

// What can be wrong with the arguments of a command. An *ArgumentError wraps
// one of these: test with errors.Is.
var (
	ErrArity   = errors.New("number of arguments") // too few
	ErrNumKeys = errors.New("number of keys")      // the argument that says how many there are
	ErrSyntax  = errors.New("syntax")              // of the options
)

// ErrDefinition is wrapped by the *DefinitionError of Table.With.
var ErrDefinition = errors.New("definition")

const shownBytes = 32 // of an argument in an error's text

// ArgumentError reports arguments from which the keys of a command cannot be
// told. The server would refuse them too.
type ArgumentError struct {
	Err     error  // ErrArity, ErrNumKeys or ErrSyntax
	Command string // such as "ZUNION"
	Pos     int    // of the argument concerned; 0 if it is not about one
	Got     string // what was found; never a key
	Want    string // what was expected
}

// Error says where, what was found and what was expected.
func (e *ArgumentError) Error() string {
	where := ""
	if e.Pos > 0 {
		where = fmt.Sprintf(" at argument %d", e.Pos)
	}
	return fmt.Sprintf("command: %s: %v%s: got %s, want %s", e.Command, e.Err, where, e.Got, e.Want)
}

// Unwrap returns Err.
func (e *ArgumentError) Unwrap() error { return e.Err }

// DefinitionError reports a Definition that Table.With refuses.
type DefinitionError struct {
	Command string // its name, as given
	Field   string // of the Definition
	Got     any    // what was found
	Want    string // what was expected
}

// Error says which field, what was found and what was expected.
func (e *DefinitionError) Error() string {
	return fmt.Sprintf("command: %v of %s: %s: got %s, want %s", ErrDefinition, shown(e.Command), e.Field, shown(fmt.Sprint(e.Got)), e.Want)
}

// Unwrap returns ErrDefinition.
func (e *DefinitionError) Unwrap() error { return ErrDefinition }

func shown(s string) string {
	if len(s) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", s[:shownBytes], len(s))
	}
	return fmt.Sprintf("%q", s)
}
