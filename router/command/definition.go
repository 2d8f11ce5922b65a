package command

import (
	"strings"
	"time"
)

// Definition describes a command for Table.With. The built-in table is written
// in Definitions too.
type Definition struct {
	// Name in any case: "MYMODULE.GET", or with its subcommand, "XINFO STREAM".
	Name string

	// Arity is the number of arguments, name included, or minus the least
	// number, as in the reply of COMMAND INFO. 0: any number.
	Arity int

	// Route is where the command goes. OneNode and SplitByKey need Keys or
	// Find.
	Route Route

	// Combine is how the replies of several nodes become one. It goes with
	// SplitByKey and AllNodes only.
	Combine Combine

	// Reason is why a command with Route Connection or Refused is not routed.
	Reason Reason

	// Keys are the places of the keys.
	Keys []KeySpec

	// Find finds the keys where Keys cannot say where they are. It is given
	// all arguments, at least as many as Arity demands, must not change or keep
	// them, and may be called by many goroutines. Positions outside the
	// arguments are an ErrSyntax.
	Find func(args []any) ([]Key, error)

	// Blocking says which argument is the time-out of a command that waits.
	Blocking Blocking

	find      finder      // where the keys are, if it takes code
	options   optionSet   // that change what is done to the key
	notWith   refusalWord // makes a routed command a refused one
	container bool        // has subcommands and does nothing without one
	movable   bool        // the server says that key specs do not tell all
}

// KeySpec says where some keys of a command are. Positions count from the
// command's name, which is 0.
type KeySpec struct {
	// Access is what is done to these keys. The zero value, ReadModifyWrite, is
	// right for whatever changes a key and is in no other class.
	Access Access

	// First is the position of the first key. With Count, 0 stands for the
	// position after the count.
	First int

	// Last is the position of the last key; negative counts from the end, where
	// -1 is the last argument. 0: there is one key. Not with Count.
	Last int

	// Step is the distance between keys, 2 for "key value key value". 0: 1.
	Step int

	// Count is the position of the argument that says how many keys there are,
	// for commands with numkeys. 0: there is none.
	Count int

	// MayBeNone accepts a count of 0: scripts need no keys.
	MayBeNone bool
}

func (s KeySpec) step() int { return max(1, s.Step) }

// Blocking describes the time-out of a command that waits on the server. The
// zero value is a command that does not wait.
type Blocking struct {
	// Pos is the position of the time-out; negative counts from the end.
	Pos int

	// Word is the option after which the time-out stands, for commands that
	// wait only if it is given: "BLOCK". It is looked for from Pos on, up to
	// the word STREAMS.
	Word string

	// Unit is the unit of the time-out: a second or a millisecond.
	Unit time.Duration
}

const maxNameLength = 64 // of a command and its subcommand together

// check returns what is wrong with a definition.
func (d *Definition) check() error {
	bad := func(field string, got any, want string) error {
		return &DefinitionError{Command: d.Name, Field: field, Got: got, Want: want}
	}
	words := strings.Fields(d.Name)
	if len(words) < 1 || len(words) > 2 || strings.Join(words, " ") != d.Name || len(d.Name) > maxNameLength || !isASCII(d.Name) {
		return bad("Name", d.Name, "one or two words of at most 64 ASCII characters in all")
	}
	hasKeys := len(d.Keys) > 0 || d.Find != nil || d.find != bySpecs
	switch {
	case d.Route > Refused:
		return bad("Route", d.Route, "one of the routes")
	case d.Combine > FirstFound:
		return bad("Combine", d.Combine, "one of the ways to combine")
	case (d.Route == SplitByKey || d.Route == AllNodes) != (d.Combine != Single):
		return bad("Combine", d.Combine, "a way for SplitByKey and AllNodes, Single for the others")
	case (d.Route == Connection || d.Route == Refused) != (d.Reason != ""):
		return bad("Reason", string(d.Reason), "a reason for Connection and Refused, none for the others")
	case (d.Route == OneNode || d.Route == SplitByKey) && !hasKeys && !d.container:
		return bad("Keys", "none", "Keys or Find, or another Route")
	case (d.Route == AllNodes || d.Route == AnyNode) && hasKeys:
		return bad("Keys", "some", "none with Route "+d.Route.String())
	case d.Find != nil && len(d.Keys) > 0:
		return bad("Find", "both", "Keys or Find")
	case d.Route == SplitByKey && (len(d.Keys) != 1 || d.Keys[0].Count > 0 || d.Keys[0].Last >= 0):
		return bad("Keys", d.Keys, "one range up to an argument that is counted from the end, to be split")
	case (d.Blocking.Pos != 0) != (d.Blocking.Unit > 0) || d.Blocking.Word != "" && d.Blocking.Pos < 1:
		return bad("Blocking", d.Blocking, "a position and a unit, or neither")
	}
	for _, s := range d.Keys {
		if why := d.checkSpec(s, len(words)); why != "" {
			return bad("Keys", s, why)
		}
	}
	return nil
}

func (d *Definition) checkSpec(s KeySpec, words int) (want string) {
	switch {
	case s.Access > NoAccess:
		return "one of the classes of access"
	case s.Count < 0 || s.Step < 0 || s.First < 0:
		return "no negative First, Step or Count"
	case s.Count > 0 && (s.Last != 0 || s.Count < words || s.First != 0 && s.First <= s.Count):
		return "keys after their count, and the count after the name"
	case s.Count == 0 && (s.First < words || s.Last > 0 && s.Last < s.First):
		return "keys after the name, the last one after the first"
	}
	return ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' && s[i] != ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
