package command

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Table finds commands by name. The zero value is the built-in table. A Table
// does not change: With returns another one, so it may be copied and used by
// any number of goroutines.
type Table struct {
	added map[string]*Command // before the built-in ones; by name, as in Command.subs
}

// Lookup finds a command in the built-in table: see Table.Lookup.
func Lookup(args []any) (*Command, bool) { return Table{}.Lookup(args) }

// Lookup finds the command of an argument slice, by its first element and, if
// the command has subcommands, the second. Capital and small letters are the
// same. It is false for an unknown command or subcommand and for no arguments.
// It allocates nothing if the names are strings or byte slices.
func (t Table) Lookup(args []any) (*Command, bool) {
	if len(args) == 0 {
		return nil, false
	}
	name, _ := KeyString(args[0]) // "" is not a command
	c := t.named(name)
	if c == nil {
		return nil, false
	}
	if c.subs == nil || len(args) == 1 {
		return c, true
	}
	name, _ = KeyString(args[1])
	if sub := find(c.subs, name); sub != nil {
		return sub, true
	}
	// An unknown subcommand may have a key anywhere. DEBUG alone has some that
	// the server does not tell of, and is refused with whatever follows.
	if c.def.container || c.def.Route != Refused {
		return nil, false
	}
	return c, true
}

// Named finds a command by its name in any case, "mget" or "XINFO STREAM".
func (t Table) Named(name string) (*Command, bool) {
	first, second, two := strings.Cut(name, " ")
	c := t.named(first)
	if c != nil && two {
		c = find(c.subs, second)
	}
	return c, c != nil
}

func (t Table) named(name string) *Command {
	if len(t.added) > 0 { // first: it may have built-in containers with more subcommands
		if c := find(t.added, name); c != nil {
			return c
		}
	}
	if c := shelved.find(name); c != nil {
		return c
	}
	return find(builtin, name)
}

// find looks a name up as it is, which is in small letters or in capitals in
// all but a few calls, and if that fails in small letters.
func find(in map[string]*Command, name string) *Command {
	if c, ok := in[name]; ok {
		return c
	}
	var buf [maxNameLength]byte
	if len(name) > len(buf) {
		return nil
	}
	for i := range len(name) {
		b := name[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		buf[i] = b
	}
	return in[string(buf[:len(name)])]
}

// With returns a table that has further commands. A *DefinitionError names the
// first definition that cannot be used: one that contradicts itself, or whose
// name is in the table already.
func (t Table) With(definitions ...Definition) (Table, error) {
	added := maps.Clone(t.added)
	if added == nil {
		added = make(map[string]*Command)
	}
	for _, d := range definitions {
		d.find, d.options, d.notWith, d.container, d.movable = bySpecs, noOptions, refusalWord{}, false, false
		if err := d.check(); err != nil {
			return t, err
		}
		if _, known := (Table{added}).Named(d.Name); known {
			return t, &DefinitionError{Command: d.Name, Field: "Name", Got: d.Name, Want: "a command that is not in the table"}
		}
		first, _, two := strings.Cut(d.Name, " ")
		parent := (Table{added}).named(first)
		if two && parent != nil && parent.subs == nil {
			// Its second argument is something else, such as a key.
			return t, &DefinitionError{Command: d.Name, Field: "Name", Got: d.Name, Want: "a command before it that has subcommands"}
		}
		var container *Command
		if two {
			container = containerFor(first, parent)
		}
		insert(added, container, d).freely = true
	}
	return Table{added}, nil
}

// insert puts a command into a map, with the container that holds its
// subcommand, which is nil for others, and returns it.
func insert(into map[string]*Command, container *Command, d Definition) *Command {
	d.Keys = slices.Clone(d.Keys)
	first, second, two := strings.Cut(d.Name, " ")
	d.Name = strings.ToUpper(d.Name)
	c := &Command{def: d, single: singleKey(d), freely: repliesFreely(d.Name)}
	if !two {
		put(into, first, c)
		return c
	}
	if container.subs == nil {
		container.subs = make(map[string]*Command)
	}
	put(container.subs, second, c)
	put(into, first, container)
	return c
}

// containerFor returns a container that may be changed: tables share theirs.
func containerFor(first string, known *Command) *Command {
	if known != nil {
		return &Command{def: known.def, single: known.single, subs: maps.Clone(known.subs)}
	}
	return &Command{def: Definition{Name: strings.ToUpper(first), Arity: -2, Route: Refused, Reason: ReasonSubcommand, container: true}}
}

func put(into map[string]*Command, name string, c *Command) {
	into[strings.ToLower(name)] = c
	into[strings.ToUpper(name)] = c
}

// singleKey returns the position of the key of a command that has one, at a
// fixed place.
func singleKey(d Definition) int {
	if d.Find != nil || d.find != bySpecs || len(d.Keys) != 1 || d.Keys[0].Count > 0 || d.Keys[0].Last != 0 {
		return 0
	}
	if least := max(d.Arity, -d.Arity); least <= d.Keys[0].First {
		return 0 // its arity does not promise that there is one
	}
	return d.Keys[0].First
}

// repliesFreely tells scripts, functions and the commands of modules, whose names
// have a point, by the name in capitals.
func repliesFreely(name string) bool {
	switch name {
	case "EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO":
		return true
	}
	return strings.Contains(name, ".")
}

// All returns all commands in the order of their names, containers before their
// subcommands.
func (t Table) All() iter.Seq[*Command] {
	return func(yield func(*Command) bool) {
		top := maps.Clone(builtin)
		maps.Copy(top, t.added)
		for _, c := range distinct(top) {
			if !yield(c) {
				return
			}
			for _, sub := range distinct(c.subs) {
				if !yield(sub) {
					return
				}
			}
		}
	}
}

// distinct returns each command of a map once, in the order of names.
func distinct(m map[string]*Command) []*Command {
	return slices.CompactFunc(
		slices.SortedFunc(maps.Values(m), func(a, b *Command) int { return strings.Compare(a.def.Name, b.def.Name) }),
		func(a, b *Command) bool { return a == b })
}
