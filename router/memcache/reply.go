package memcache

import (
	"bytes"
	"math"
	"time"
)

// Status is the outcome of a meta command, the first word of its reply.
type Status uint8

// The outcomes. What each means depends a little on the command: see the
// Meta… methods of Client.
const (
	StatusNone      Status = iota // there is no reply
	StatusOK                      // HD: done, or there, without a value
	StatusValue                   // VA: there, with the value
	StatusMiss                    // EN: not there (mg, me)
	StatusNotFound                // NF: not there (ms with CompareCAS, md, ma)
	StatusNotStored               // NS: the condition of the mode did not hold
	StatusExists                  // EX: the CAS value is another
	statusNoop                    // MN
	statusDebug                   // ME
)

var statusNames = [...]string{"none", "HD", "VA", "EN", "NF", "NS", "EX", "MN", "ME"}

// String returns the word on the wire.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Response is the reply to a meta command. Fields whose flag was not in the
// request are zero; those whose flag was are in every reply that has status
// StatusOK or StatusValue, or the reply is refused as a ProtocolError.
type Response struct {
	Status      Status        // the outcome
	Won         bool          // W: the caller is the one who shall store a new value
	Stale       bool          // X: the item was marked as stale
	Pending     bool          // Z: another caller has won and not stored yet
	Hit         bool          // h: the item was fetched before
	ClientFlags uint32        // f
	Value       []byte        // v: the caller's own
	CAS         uint64        // c
	TTL         time.Duration // t: the time left, whole seconds and at least one; 0: never expires. As such it can be given to a SetRequest.
	LastAccess  time.Duration // l: time since the last access, whole seconds
	Size        int           // s: bytes of the value
	Key         string        // k: decoded
	Opaque      string        // O
}

// Found reports whether the reply is about an item that is there.
func (r *Response) Found() bool { return r.Status == StatusOK || r.Status == StatusValue }

// A reply is one line taken apart. key and opaque are parts of that line and
// last as long as it does.
type reply struct {
	Response
	failure    *ServerError // an error line; everything else is zero then
	size       int          // of the data block that follows, without its CRLF; -1: none follows
	seen       Return       // which of the flags that can be asked for are there
	key        []byte
	keyEncoded bool
	opaque     []byte
	rest       []byte // of an ME line: all behind the key
}

const (
	maxLine  = 2048    // bytes of a line; memcached's own longest has some 500
	maxBlock = 1 << 30 // bytes of a data block, memcached's own upper limit
)

// parseReply takes a reply line apart, CRLF included. It accepts flags that it
// does not know, as a later server may send some, but nothing else that the
// protocol does not provide for.
func parseReply(line []byte, r *reply) error {
	*r = reply{size: -1}
	text, ended := bytes.CutSuffix(line, crlf)
	switch {
	case !ended:
		return violation("a line without CRLF", line)
	case bytes.IndexByte(text, '\r') >= 0:
		return violation("a carriage return within a line", line)
	}
	word, rest := nextField(text)
	switch string(word) {
	case "HD":
		r.Status = StatusOK
	case "VA":
		r.Status = StatusValue
		var number []byte
		number, rest = nextField(rest)
		size, ok := parseUint(number, maxBlock)
		if !ok {
			return violation("a data block without a proper size", line)
		}
		r.size = int(size)
		r.seen |= ReturnValue
	case "EN":
		r.Status = StatusMiss
	case "NF":
		r.Status = StatusNotFound
	case "NS":
		r.Status = StatusNotStored
	case "EX":
		r.Status = StatusExists
	case "MN":
		r.Status = statusNoop
	case "ME":
		r.Status = statusDebug
		r.key, r.rest = nextField(rest)
		return nil
	default:
		if r.failure = errorLine(text); r.failure == nil {
			return violation("not a reply", line)
		}
		return nil
	}
	for len(rest) > 0 {
		var field []byte
		field, rest = nextField(rest)
		if !r.flag(field) {
			return violation("a flag with an impossible value", line)
		}
	}
	return nil
}

// errorLine takes an error line apart; nil: it is none.
func errorLine(text []byte) *ServerError {
	word, rest := nextField(text)
	switch string(word) {
	case "SERVER_ERROR":
		return &ServerError{Kind: ErrServerError, Message: string(rest)}
	case "CLIENT_ERROR":
		return &ServerError{Kind: ErrClientError, Message: string(rest)}
	case "ERROR":
		return &ServerError{Kind: ErrUnsupported, Message: string(rest)}
	}
	return nil
}

// flag takes in one flag of a reply and reports whether its value makes sense.
func (r *reply) flag(field []byte) bool {
	if len(field) == 0 { // two spaces in a row
		return true
	}
	value := field[1:]
	switch field[0] {
	case 'c':
		return r.number(value, math.MaxUint64, ReturnCAS, func(n uint64) { r.CAS = n })
	case 'f':
		return r.number(value, math.MaxUint32, ReturnFlags, func(n uint64) { r.ClientFlags = uint32(n) })
	case 't':
		if string(value) == "-1" {
			r.seen |= ReturnTTL
			return true
		}
		// An item of which 0 s are left is seen when the server's clock ticks
		// between its look-up and its reply. 0 would mean for ever.
		return r.number(value, math.MaxUint32, ReturnTTL, func(n uint64) { r.TTL = time.Duration(max(n, 1)) * time.Second })
	case 'l':
		return r.number(value, math.MaxUint32, ReturnLastAccess, func(n uint64) { r.LastAccess = time.Duration(n) * time.Second })
	case 's':
		return r.number(value, maxBlock, ReturnSize, func(n uint64) { r.Size = int(n) })
	case 'h':
		return r.number(value, 1, ReturnHit, func(n uint64) { r.Hit = n == 1 })
	case 'k':
		r.key = value
		r.seen |= ReturnKey
		return len(value) > 0
	case 'O':
		r.opaque = value
		return len(value) > 0
	case 'b':
		r.keyEncoded = true
	case 'W':
		r.Won = true
	case 'X':
		r.Stale = true
	case 'Z':
		r.Pending = true
	}
	return true
}

func (r *reply) number(value []byte, limit uint64, bit Return, take func(uint64)) bool {
	n, ok := parseUint(value, limit)
	if ok {
		take(n)
		r.seen |= bit
	}
	return ok
}

// nextField returns what is before the first space, and what is behind it.
func nextField(text []byte) (field, rest []byte) {
	if i := bytes.IndexByte(text, ' '); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// parseUint reads a decimal number from 0 to limit: digits alone, at least one
// and at most twenty.
func parseUint(digits []byte, limit uint64) (n uint64, ok bool) {
	if len(digits) == 0 || len(digits) > 20 {
		return 0, false
	}
	for _, d := range digits {
		d -= '0'
		if d > 9 || n > (math.MaxUint64-uint64(d))/10 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	return n, n <= limit
}

var crlf = []byte("\r\n")
