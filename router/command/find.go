package command

import (
	"strconv"
	"strings"

	"github.com/ringway/ringway/ring"
)

// finder names how the keys of a command are found.
type finder uint8

const (
	bySpecs      finder = iota // by Definition.Keys or Definition.Find
	readStreams                // XREAD … STREAMS key key id id
	groupStreams               // XREADGROUP … STREAMS key key id id: the group remembers
	sortStore                  // SORT key … STORE destination
	geoStore                   // GEORADIUS key … STORE destination
	migrateKeys                // MIGRATE host port key|"" … KEYS key key
)

// streamKeys finds the keys of XREAD and XREADGROUP: the first half of what
// follows STREAMS.
func (c *Command) streamKeys(dst []Key, args []any, access Access) ([]Key, error) {
	at := wordBeforeStreams(args, 1, "")
	if at == 0 {
		return dst, &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Got: "no STREAMS", Want: "STREAMS, keys and as many IDs"}
	}
	n := len(args) - at - 1
	if n == 0 || n%2 != 0 {
		return dst, &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Pos: at,
			Got: strconv.Itoa(n) + " arguments after STREAMS", Want: "keys and as many IDs"}
	}
	for i := range n / 2 {
		dst = append(dst, Key{at + 1 + i, access})
	}
	return dst, nil
}

// wordBeforeStreams returns the position of an option of XREAD, XREADGROUP or
// TS.READ, or of STREAMS itself if word is empty; 0 if it is not there. Options
// end at STREAMS. GROUP is followed by two names of the caller's choice, which
// may read like options; what else has an operand has a number.
func wordBeforeStreams(args []any, from int, word string) int {
	for i := from; i < len(args); i++ {
		switch {
		case word != "" && isWord(args[i], word):
			return i
		case isWord(args[i], "GROUP"):
			i += 2
		case isWord(args[i], "STREAMS"):
			if word == "" {
				return i
			}
			return 0
		}
	}
	return 0
}

// sortKeys finds the source of SORT and, if there is one, the destination: the
// last STORE counts. The operands of other options are passed over.
func (c *Command) sortKeys(dst []Key, args []any) ([]Key, error) {
	dst = append(dst, Key{1, Read})
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case isWord(args[i], "LIMIT"):
			i += 2
		case isWord(args[i], "BY"), isWord(args[i], "GET"):
			i++
		case isWord(args[i], "STORE"):
			if i+1 >= len(args) {
				return dst, c.noDestination(i)
			}
			i++
			store = i
		}
	}
	if store > 0 {
		dst = append(dst, Key{store, Overwrite})
	}
	return dst, nil
}

// geoKeys finds the source of GEORADIUS and GEORADIUSBYMEMBER and the
// destinations of STORE and STOREDIST. The server writes to the last one given;
// it counts all of them as keys, and so does this.
func (c *Command) geoKeys(dst []Key, args []any) ([]Key, error) {
	dst = append(dst, Key{1, Read})
	for i := -c.def.Arity; i < len(args); i++ { // options begin after what must be there
		if isWord(args[i], "STORE") || isWord(args[i], "STOREDIST") {
			if i+1 >= len(args) {
				return dst, c.noDestination(i)
			}
			i++
			dst = append(dst, Key{i, Overwrite})
		}
	}
	return dst, nil
}

func (c *Command) noDestination(pos int) error {
	return &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Pos: pos, Got: "nothing after it", Want: "a destination key"}
}

// migrateKeys finds the keys of MIGRATE: the third argument, or if that is
// empty what follows KEYS. The operands of AUTH may be any words.
func (c *Command) migrateKeys(dst []Key, args []any) ([]Key, error) {
	key, _ := KeyString(args[3])
	for i := 6; i < len(args); i++ {
		switch {
		case isWord(args[i], "AUTH"):
			i++
		case isWord(args[i], "AUTH2"):
			i += 2
		case isWord(args[i], "KEYS"):
			if key != "" {
				return dst, &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Pos: 3, Got: "a key", Want: `"" where there is KEYS`}
			}
			if i+1 == len(args) {
				return dst, &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Pos: i, Got: "no key after it", Want: "keys"}
			}
			for i++; i < len(args); i++ {
				dst = append(dst, Key{i, ReadModifyWrite})
			}
			return dst, nil
		}
	}
	return append(dst, Key{3, ReadModifyWrite}), nil
}

// Patterns appends the positions of arguments from which the server makes up
// names of further keys to read, and returns the slice: of SORT and SORT_RO the
// patterns of BY and GET that contain a "*". Those keys must be on the same
// node as the others, and a client cannot see them. It can know where they are
// only if the pattern is Pinned.
func (c *Command) Patterns(dst []int, args []any) []int {
	if c.def.find != sortStore {
		return dst
	}
	for i := 2; i < len(args); i++ {
		switch {
		case isWord(args[i], "LIMIT"):
			i += 2
		case isWord(args[i], "STORE"):
			i++
		case isWord(args[i], "BY"), isWord(args[i], "GET"):
			if i++; i < len(args) {
				if pattern, sent := KeyString(args[i]); !sent || strings.Contains(pattern, "*") {
					dst = append(dst, i)
				}
			}
		}
	}
	return dst
}

// Pinned reports whether all keys that a pattern of SORT can stand for have the
// hash tag of the pattern itself: a tag is complete before its first "*", as in
// "{user1000}.weight_*". With hash tags on, all of them are where a key of that
// tag is.
func Pinned(pattern string) bool {
	fixed, _, _ := strings.Cut(pattern, "*")
	return len(ring.Tag(fixed)) < len(fixed)
}
