// Package command knows the Redis commands: where their keys are, what they do
// to them, and what a client that spreads keys over a fleet of servers has to
// do with a command: send it to one node, cut it into one piece a node, send
// it to all, or refuse it, and how the replies become one.
//
//	c, known := command.Lookup(args)   // "mget", "a", "b"
//	keys, err := c.Keys(buf[:0], args) // positions 1 and 2, both read
//	c.Route(), c.Combine()             // SplitByKey, InOrder
//
// A command is given as go-redis holds it: a slice whose first element is the
// name and whose elements may be strings, byte slices, numbers or anything else
// that go-redis can write. Nothing here sends anything.
//
// A command that is not in the table is unknown: which of its arguments are
// keys cannot be guessed. [Table.With] adds one.
//
// # What the table rests on
//
// The commands of redis-server 7.0.15, with their arity and key positions, come
// from the server's own COMMAND INFO and COMMAND DOCS (redis7.go, written by
// the program in gen); a test asks COMMAND GETKEYS about generated invocations
// of each. Those of later versions and of modules for which go-redis v9.23 has
// a method are in later.go; a test calls every method and holds the arguments
// it passes as keys against the table. Whether a command can be split, how
// replies combine and what is refused is decided by hand, in routes.go, which
// is meant to be read. testdata/commands.txt shows all of it in one list.
//
// # Arguments are judged as the server judges them
//
// Options are looked for where the server looks for them, so that a key called
// "STORE" is a key. Where the arguments make no sense to the server either, the
// error is an *ArgumentError and nothing should be sent; no input makes this
// package panic.
//
// # Cost
//
// Lookup, Keys and the other methods allocate nothing if keys and options are
// strings or byte slices and the caller's buffer is long enough. All of it may
// be used by any number of goroutines.
package command
