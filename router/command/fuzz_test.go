package command_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ringway/ringway/router/command"
)

// arguments makes an argument slice of any types out of bytes: a field for each
// argument, whose first byte says of what type it is.
func arguments(data []byte) []any {
	var args []any
	for field := range bytes.SplitSeq(data, []byte{' '}) {
		if len(field) == 0 {
			args = append(args, "")
			continue
		}
		switch rest := field[1:]; field[0] {
		case '#':
			args = append(args, rest) // bytes
		case '$':
			args = append(args, len(rest))
		case '%':
			args = append(args, int64(-len(rest)))
		case '&':
			args = append(args, nil)
		case '!':
			args = append(args, struct{}{})
		case '~':
			args = append(args, float64(len(rest))/2)
		default:
			args = append(args, string(field))
		}
	}
	return args
}

// FuzzKeys holds every method to its promises, whatever the arguments are.
func FuzzKeys(f *testing.F) {
	for c := range (command.Table{}).All() {
		f.Add([]byte(c.Name() + " 1 k k STREAMS 2 3"))
	}
	for _, line := range []string{
		"XREADGROUP GROUP STREAMS c BLOCK 5 STREAMS a b > >", "SORT k BY x_* LIMIT 0 1 GET # STORE d STORE", "EVAL s $aa a b c",
		"GEORADIUS k 1 2 3 m STORE d STOREDIST e", "MIGRATE h 1 & 0 5 AUTH2 KEYS KEYS KEYS a b", "MSETEX 2 a 1 b 2 NX EX 5",
		"ZUNIONSTORE d 9223372036854775807 a", "EVAL s -9223372036854775808", "MSET #a #b #c", "BLPOP k ~aaa", "! ! !", "", "& &",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		args := arguments(data)
		c, known := command.Lookup(args)
		if known != (c != nil) {
			t.Fatalf("%q: %v, %t", args, c, known)
		}
		if !known {
			return
		}
		buf := make([]command.Key, 1, 4)
		keys, err := c.Keys(buf, args)
		if err != nil && len(keys) != 1 || keys[0] != (command.Key{}) {
			t.Fatalf("%q: %v: %v", args, err, keys)
		}
		keys = keys[1:]
		access := command.NoAccess
		for i, k := range keys {
			if k.Pos < 1 || k.Pos >= len(args) || slices.ContainsFunc(keys[:i], func(o command.Key) bool { return o.Pos == k.Pos }) {
				t.Fatalf("%q: keys %v", args, keys)
			}
			if access == command.NoAccess {
				access = k.Access
			} else if k.Access != access && k.Access != command.NoAccess {
				access = command.ReadModifyWrite
			}
		}
		if err != nil {
			access = command.ReadModifyWrite
		}
		if got := c.Access(args); got != access {
			t.Fatalf("%q: access %v, of its keys %v", args, got, access)
		}
		if pos, ok := c.Key(args); ok && (err != nil || len(keys) != 1 || keys[0].Pos != pos) {
			t.Fatalf("%q: key %d, keys %v, %v", args, pos, keys, err)
		}
		if timeout, blocks := c.Blocking(args); timeout < 0 || timeout > 0 && !blocks {
			t.Fatalf("%q: blocks: %t, for %v", args, blocks, timeout)
		}
		for _, pos := range c.Patterns(nil, args) {
			if pos < 2 || pos >= len(args) {
				t.Fatalf("%q: pattern at %d", args, pos)
			}
		}
		if cut := c.Split(); err == nil && cut.Step > 0 && cut.Head+len(keys)*cut.Step+cut.Tail != len(args) {
			t.Fatalf("%q: cut as %+v with %d keys", args, cut, len(keys))
		}
		c.Refusal(args)
	})
}
