package ring

import (
	"errors"
	"fmt"
)

// What can be wrong with an input. An *InputError wraps one of these: test with
// errors.Is.
var (
	ErrTooManyNodes  = errors.New("number of nodes beyond the limit")
	ErrNoNodes       = errors.New("number of nodes")
	ErrInvalidID     = errors.New("node ID")
	ErrDuplicateID   = errors.New("node ID given twice")
	ErrUnknownID     = errors.New("unknown node ID")
	ErrInvalidWeight = errors.New("weight")
	ErrInvalidZone   = errors.New("zone")
	ErrInvalidConfig = errors.New("config")
	ErrTooManyTokens = errors.New("number of tokens")
	ErrNotComparable = errors.New("placements are not comparable")
	ErrUnsupported   = errors.New("change not supported by this placement")
)

const shownBytes = 64 // of a value in an error's text

// InputError reports an input from which no placement can be built. Nothing was
// built or changed when it is returned.
type InputError struct {
	Err   error  // one of the Err… values of this package
	Node  string // ID of the node concerned; empty if it is not about one node
	Field string // the Config field concerned; empty if it is not about one
	Value any    // what was found
	Want  string // what was expected
}

func (e *InputError) Error() string {
	what := e.Err.Error()
	if e.Field != "" {
		what += " " + e.Field
	}
	switch {
	case e.Node == "" || e.Err == ErrInvalidID || e.Err == ErrDuplicateID || e.Err == ErrUnknownID:
	case e.Err == ErrUnsupported: // names a change, not a property of the node
		what += ": node " + shown(e.Node)
	default:
		what += " of node " + shown(e.Node)
	}
	return fmt.Sprintf("ring: %s: got %s, want %s", what, shown(e.Value), e.Want)
}

func (e *InputError) Unwrap() error { return e.Err }

// shown prints a value on one line and never at length: an ID of a megabyte
// must not flood a log.
func shown(v any) string {
	s, isString := v.(string)
	if !isString {
		return fmt.Sprint(v)
	}
	if len(s) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", s[:shownBytes], len(s))
	}
	return fmt.Sprintf("%q", s)
}
