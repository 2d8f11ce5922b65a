package command

import "fmt"

// Access is what a command does to a key, in the classes that matter while keys
// move between nodes. The zero value is the class of which nothing can be
// assumed.
type Access uint8

const (
	// ReadModifyWrite changes a key in a way that depends on what it held, or
	// answers with what it held: INCR, HSET, EXPIRE, GETDEL, scripts.
	ReadModifyWrite Access = iota
	// Read leaves the key as it is.
	Read
	// Overwrite gives the key a new value, of which neither the value nor the
	// expiry nor the reply depends on what was there: a plain SET, MSET, the
	// destination of SUNIONSTORE.
	Overwrite
	// Delete removes the whole key: DEL, UNLINK.
	Delete
	// NoAccess touches no data. With a position, that argument is placed like
	// a key and names none: a pub/sub channel.
	NoAccess
)

var accessNames = [...]string{"read-modify-write", "read", "overwrite", "delete", "none"}

// String returns "read-modify-write", "read", "overwrite", "delete" or "none".
func (a Access) String() string {
	if int(a) < len(accessNames) {
		return accessNames[a]
	}
	return fmt.Sprintf("Access(%d)", uint8(a))
}

// Key is one key of an invocation.
type Key struct {
	Pos    int    // in the arguments, where the command's name is 0
	Access Access // what is done to it
}

// joined returns the class of a call of which parts have classes a and b.
func joined(a, b Access) Access {
	switch {
	case a == b || b == NoAccess:
		return a
	case a == NoAccess:
		return b
	}
	return ReadModifyWrite
}
