package trace

import (
	"bytes"
	"strconv"
)

// Limits of what a Reader accepts.
const (
	MaxLine   = 64 << 10 // bytes of a line or record, without its end
	MaxNumber = 1 << 53  // a size in bytes, a TTL or a time in seconds
	MaxRepeat = 1 << 30  // requests that one row of a metakv trace stands for
)

// Unknown is the Size and the Time of a request whose trace does not tell.
const Unknown = -1

// Request is one request of a trace.
type Request struct {
	// Key is what was asked for. It belongs to the Reader, and is valid until
	// the next call of Next.
	Key []byte

	// Op is Get where the trace has no operations.
	Op Op

	// Size is the length of the value in bytes, without the key. Unknown if the
	// trace does not tell. Traces of real caches write 0 for a Get that missed.
	Size int64

	// KeySize is the length of the key in bytes: what the trace says where it
	// does (anonymised keys are not as long as the real ones), else len(Key).
	KeySize int64

	// TTL is the time that a stored value lives, in seconds; 0 means no limit,
	// or that the trace does not tell.
	TTL int64

	// Time is when the request came, in seconds since any fixed moment. Unknown
	// if the trace does not tell.
	Time int64

	// Fraction is what Time lacks of the moment, of a second: from 0 to below 1,
	// and 0 where the trace tells whole seconds.
	Fraction float64
}

// Op is what a request does. See the package documentation for the words that
// fold into each.
type Op uint8

const (
	Get    Op = iota // reads; on a miss, the value is loaded and stored
	Set              // stores, whether or not the key is there
	Update           // changes the entry if it is there, else does nothing
	Delete           // removes
)

// String returns the operation in lower case: "get", "set", "update", "delete".
func (o Op) String() string {
	switch o {
	case Get:
		return "get"
	case Set:
		return "set"
	case Update:
		return "update"
	case Delete:
		return "delete"
	}
	return "unknown"
}

const longestOp = len("get_lease")

// parseOp folds the word of a trace into an Op.
func parseOp(word []byte) (Op, bool) {
	if len(word) > longestOp {
		return 0, false
	}
	var buf [longestOp]byte
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	switch string(buf[:len(word)]) {
	case "get", "gets", "get_lease", "read", "head":
		return Get, true
	case "set", "set_lease", "add", "put", "write":
		return Set, true
	case "replace", "cas", "append", "prepend", "incr", "decr", "touch", "update":
		return Update, true
	case "delete", "del", "post", "patch":
		return Delete, true
	}
	return 0, false
}

// fractionOf returns what a number that parseNumber accepts has behind the point.
func fractionOf(cell []byte) float64 {
	point := bytes.IndexByte(cell, '.')
	if point < 0 {
		return 0
	}
	// Fifteen digits are as many as a float64 tells apart, and stay below 1.
	fraction, _ := strconv.ParseFloat("0"+string(cell[point:min(len(cell), point+16)]), 64)
	return fraction
}

// parseNumber reads a whole number of 0 to MaxNumber and drops a fraction.
func parseNumber(cell []byte) (int64, bool) {
	var n int64
	digits := 0
	for digits < len(cell) && '0' <= cell[digits] && cell[digits] <= '9' {
		n = n*10 + int64(cell[digits]-'0')
		if n > MaxNumber {
			return 0, false
		}
		digits++
	}
	if digits == 0 {
		return 0, false
	}
	rest := cell[digits:]
	if len(rest) == 0 {
		return n, true
	}
	if rest[0] != '.' || len(rest) == 1 {
		return 0, false
	}
	for _, c := range rest[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	return n, true
}
