package command

import (
	"strconv"
	"time"
)

// Command is one command of a Table. It does not change, and belongs to the
// table.
type Command struct {
	def    Definition
	single int                 // position of the only key, if it is at a fixed place; or 0
	subs   map[string]*Command // by name, in small letters and in capitals
	freely bool                // see RepliesFreely
}

// Name returns the name in capitals, with the subcommand: "XINFO STREAM".
func (c *Command) Name() string { return c.def.Name }

// Arity returns the number of arguments, name included, or minus the least
// number, as COMMAND INFO has it; 0 if any will do. It is that of Redis 7.0, or
// for later commands the least from which the keys can be told. More arguments
// are left to the server to judge, for later versions take more: ZRANK had
// three before it had WITHSCORE.
func (c *Command) Arity() int { return c.def.Arity }

// Route returns where the command goes, whatever its arguments: see Refusal.
func (c *Command) Route() Route { return c.def.Route }

// Combine returns how the replies of several nodes become one.
func (c *Command) Combine() Combine { return c.def.Combine }

// RepliesFreely reports a command of which not the server decides how its reply
// is made, but a script, a function or a module: the reply may be anything that
// the protocol allows, and more than a client can read.
func (c *Command) RepliesFreely() bool { return c.freely }

// Refusal returns why this invocation must not be routed; false if it may. It
// is true for every invocation if the Route is Connection or Refused, and for
// some if options ask for what cannot be done over several nodes.
func (c *Command) Refusal(args []any) (Reason, bool) {
	if c.def.Reason != "" {
		return c.def.Reason, true
	}
	if c.def.notWith.word != "" {
		for _, arg := range args[min(1, len(args)):] {
			if isWord(arg, c.def.notWith.word) {
				return c.def.notWith.reason, true
			}
		}
	}
	return "", false
}

// refusalWord is an option with which a command cannot be routed.
type refusalWord struct {
	word   string
	reason Reason
}

// HasSubcommands reports whether the second argument may make another command of it.
func (c *Command) HasSubcommands() bool { return c.subs != nil }

// Key returns the position of the key of a command that always has exactly one,
// at a place that does not depend on the arguments. It is the short way for
// most commands: false means that Keys must be asked, also if there are too few
// arguments.
func (c *Command) Key(args []any) (pos int, ok bool) {
	if c.single == 0 || !c.fits(len(args)) {
		return 0, false
	}
	return c.single, true
}

// Access returns the class of an invocation: that of its keys where they are
// all of one class, NoAccess without keys, and otherwise ReadModifyWrite, also
// if the arguments make no sense.
func (c *Command) Access(args []any) Access {
	if c.single > 0 && c.fits(len(args)) {
		return c.def.options.refine(c.def.Keys[0].Access, args)
	}
	var buf [16]Key
	keys, err := c.Keys(buf[:0], args)
	if err != nil {
		return ReadModifyWrite
	}
	access := NoAccess
	for _, k := range keys {
		access = joined(access, k.Access)
	}
	return access
}

// Blocking reports whether an invocation makes the server hold the connection
// until something happens or a time-out ends: such a call must have a
// connection to itself, and a read deadline beyond the time-out. A time-out of
// 0 is for ever.
func (c *Command) Blocking(args []any) (timeout time.Duration, blocks bool) {
	b := c.def.Blocking
	if b.Unit == 0 {
		return 0, false
	}
	pos := b.Pos
	if pos < 0 {
		pos += len(args)
	}
	if b.Word != "" {
		if pos = wordBeforeStreams(args, b.Pos, b.Word); pos == 0 {
			return 0, false
		}
		pos++
	}
	if pos < 1 || pos >= len(args) {
		return 0, true // the server will refuse it
	}
	return durationArg(args[pos], b.Unit), true
}

// Pieces says how a command with Route SplitByKey is cut: the piece for a node
// is args[:Head], then for each key of that node the Step arguments that begin
// with the key, then the last Tail arguments. All count arguments.
type Pieces struct {
	Head, Step, Tail int
}

// Split returns how the command is cut; the zero value if it is not.
func (c *Command) Split() Pieces {
	if c.def.Route != SplitByKey {
		return Pieces{}
	}
	s := c.def.Keys[0]
	return Pieces{Head: s.First, Step: s.step(), Tail: -1 - s.Last}
}

// fits reports whether there are arguments enough to tell the keys.
func (c *Command) fits(n int) bool { return n >= max(c.def.Arity, -c.def.Arity, 1) }

func (c *Command) arityError(n int) error {
	return &ArgumentError{Err: ErrArity, Command: c.def.Name, Got: strconv.Itoa(n),
		Want: "at least " + strconv.Itoa(max(c.def.Arity, -c.def.Arity)) + ", name included"}
}
