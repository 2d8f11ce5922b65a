package memcache

import (
	"strconv"
	"time"
)

// Return says what a reply shall tell about the item, beside the outcome.
// Combine with |.
type Return uint16

// What can be asked for, with the letter of the flag on the wire.
const (
	ReturnValue      Return = 1 << iota // v: the value, and with ArithmeticRequest the new number
	ReturnCAS                           // c: the CAS value
	ReturnFlags                         // f: the client flags
	ReturnTTL                           // t: the time left to live
	ReturnSize                          // s: the size of the value
	ReturnLastAccess                    // l: the time since the last access
	ReturnHit                           // h: whether the item was fetched before
	ReturnKey                           // k: the key
)

const returnLetters = "vcftslhk" // in the order of the constants

// What commands other than mg can return; the rest is ignored there.
const (
	setReturns        = ReturnCAS | ReturnKey
	deleteReturns     = ReturnKey
	arithmeticReturns = ReturnValue | ReturnCAS | ReturnTTL | ReturnKey
)

// GetRequest is one mg command. The zero value of every field but Key leaves
// its flag out.
type GetRequest struct {
	Key          string        // see Item.Key
	EncodeKey    bool          // b: send the key in base64, whatever it is made of
	Return       Return        // v c f t s l h k
	NoBump       bool          // u: leave no trace: neither in the LRU, nor in hit and last access
	Touch        Expiry        // T: give the item this time to live
	Vivify       Expiry        // N: on a miss, create an empty item that lives so long, and win it (Response.Won)
	RecacheBelow time.Duration // R: win the item if less than this is left to live; rounded up to a second
	Opaque       string        // O: comes back as Response.Opaque; at most 31 bytes; not in a batch
}

// SetMode is the condition and the manner of a SetRequest.
type SetMode byte

// The modes, with their letter on the wire. The zero value stores always.
const (
	ModeSet     SetMode = 0   // store, whether the key is there or not
	ModeAdd     SetMode = 'E' // only if it is not
	ModeReplace SetMode = 'R' // only if it is
	ModeAppend  SetMode = 'A' // put the value after the one that is there, whose flags and expiry stay
	ModePrepend SetMode = 'P' // before it
)

// SetRequest is one ms command. The zero value of every field but Key leaves its
// flag out.
type SetRequest struct {
	Key         string        // see Item.Key
	EncodeKey   bool          // b
	Value       []byte        // see Item.Value
	TTL         time.Duration // T: see Item.TTL
	ClientFlags uint32        // F
	Mode        SetMode       // M
	CompareCAS  uint64        // C: store only if the item has this CAS value; 0 compares nothing
	Invalidate  bool          // I: with CompareCAS, if that is lower than the item's, store all the same and mark it stale
	Return      Return        // c k
	Opaque      string        // O: as in GetRequest
}

// DeleteRequest is one md command. The zero value of every field but Key leaves its
// flag out.
type DeleteRequest struct {
	Key        string // see Item.Key
	EncodeKey  bool   // b
	CompareCAS uint64 // C: delete only if the item has this CAS value; 0 compares nothing
	Invalidate bool   // I: do not delete but mark as stale, with a new CAS value
	TTL        Expiry // T: with Invalidate, how long the stale item lives
	Return     Return // k
	Opaque     string // O: as in GetRequest
}

// ArithmeticRequest is one ma command. Numbers are unsigned, of 64 bits:
// incrementing wraps around, decrementing stops at 0. The zero value of every
// field but Key and Delta leaves its flag out.
type ArithmeticRequest struct {
	Key        string // see Item.Key
	EncodeKey  bool   // b
	Decrement  bool   // M: subtract rather than add
	Delta      uint64 // D: how much, as given: 0 changes nothing
	Create     Expiry // N: on a miss, create the item with Initial and this time to live
	Initial    uint64 // J
	Touch      Expiry // T: give the item this time to live
	CompareCAS uint64 // C: only if the item has this CAS value; 0 compares nothing
	Return     Return // v c t k
	Opaque     string // O: as in GetRequest
}

// An encoder writes requests of one Client: what depends on its Config and on
// the clock.
type encoder struct {
	encodeKeys   bool
	maxValueSize int
	now          func() time.Time
}

// noTag is for requests outside of a batch, which carry the opaque of their
// caller, if any.
const noTag = -1

func (e *encoder) get(dst []byte, r *GetRequest, tag int) ([]byte, error) {
	dst, err := e.start(dst, "mg ", r.Key, r.EncodeKey)
	if err != nil {
		return dst, err
	}
	if r.RecacheBelow < 0 {
		return dst, &InputError{Err: ErrInvalidRequest, Field: "RecacheBelow", Value: r.RecacheBelow, Want: "0 or more"}
	}
	dst = appendReturn(dst, r.Return)
	if r.NoBump {
		dst = append(dst, " u"...)
	}
	dst = e.expiry(dst, " T", r.Touch)
	dst = e.expiry(dst, " N", r.Vivify)
	if r.RecacheBelow > 0 {
		dst = appendTTL(append(dst, " R"...), r.RecacheBelow, e.now)
	}
	return finish(dst, tag, r.Opaque, true)
}

// set writes the command line; the value follows it.
func (e *encoder) set(dst []byte, r *SetRequest, tag int, quiet bool) ([]byte, error) {
	if len(r.Value) > e.maxValueSize {
		return dst, &InputError{Err: ErrValueTooLarge, Field: "value of " + shown(r.Key), Value: len(r.Value),
			Want: "at most " + strconv.Itoa(e.maxValueSize) + " bytes"}
	}
	encode, err := checkKey(r.Key, r.EncodeKey, e.encodeKeys)
	if err != nil {
		return dst, err
	}
	dst = appendKey(append(dst, "ms "...), r.Key, encode)
	dst = strconv.AppendInt(append(dst, ' '), int64(len(r.Value)), 10)
	if encode {
		dst = append(dst, " b"...)
	}
	switch r.Mode {
	case ModeAppend, ModePrepend:
	case ModeSet, ModeAdd, ModeReplace:
		// Left out where they are 0, which is what the server takes then.
		if r.TTL != 0 {
			dst = appendTTL(append(dst, " T"...), r.TTL, e.now)
		}
		if r.ClientFlags != 0 {
			dst = strconv.AppendUint(append(dst, " F"...), uint64(r.ClientFlags), 10)
		}
	default:
		return dst, &InputError{Err: ErrInvalidRequest, Field: "Mode", Value: r.Mode, Want: "one of the Mode constants"}
	}
	if r.Mode != ModeSet {
		dst = append(dst, ' ', 'M', byte(r.Mode))
	}
	dst = appendCAS(dst, r.CompareCAS)
	if r.Invalidate {
		dst = append(dst, " I"...)
	}
	dst = appendReturn(dst, r.Return&setReturns)
	return finish(dst, tag, r.Opaque, quiet)
}

func (e *encoder) delete(dst []byte, r *DeleteRequest, tag int) ([]byte, error) {
	dst, err := e.start(dst, "md ", r.Key, r.EncodeKey)
	if err != nil {
		return dst, err
	}
	dst = appendCAS(dst, r.CompareCAS)
	if r.Invalidate {
		dst = append(dst, " I"...)
		dst = e.expiry(dst, " T", r.TTL)
	}
	dst = appendReturn(dst, r.Return&deleteReturns)
	return finish(dst, tag, r.Opaque, false)
}

func (e *encoder) arithmetic(dst []byte, r *ArithmeticRequest) ([]byte, error) {
	dst, err := e.start(dst, "ma ", r.Key, r.EncodeKey)
	if err != nil {
		return dst, err
	}
	if r.Decrement {
		dst = append(dst, " MD"...)
	}
	dst = strconv.AppendUint(append(dst, " D"...), r.Delta, 10)
	if r.Create.set {
		dst = e.expiry(dst, " N", r.Create)
		dst = strconv.AppendUint(append(dst, " J"...), r.Initial, 10)
	}
	dst = e.expiry(dst, " T", r.Touch)
	dst = appendCAS(dst, r.CompareCAS)
	dst = appendReturn(dst, r.Return&arithmeticReturns)
	return finish(dst, noTag, r.Opaque, false)
}

func (e *encoder) debug(dst []byte, key string) ([]byte, error) {
	dst, err := e.start(dst, "me ", key, false)
	if err != nil {
		return dst, err
	}
	return append(dst, "\r\n"...), nil
}

// start writes a command and its key, with the flag that says how to read it.
func (e *encoder) start(dst []byte, command, key string, force bool) ([]byte, error) {
	encode, err := checkKey(key, force, e.encodeKeys)
	if err != nil {
		return dst, err
	}
	dst = appendKey(append(dst, command...), key, encode)
	if encode {
		dst = append(dst, " b"...)
	}
	return dst, nil
}

func (e *encoder) expiry(dst []byte, flag string, x Expiry) []byte {
	if !x.set {
		return dst
	}
	return appendTTL(append(dst, flag...), x.ttl, e.now)
}

func appendReturn(dst []byte, r Return) []byte {
	for i := 0; r != 0 && i < len(returnLetters); i, r = i+1, r>>1 {
		if r&1 != 0 {
			dst = append(dst, ' ', returnLetters[i])
		}
	}
	return dst
}

func appendCAS(dst []byte, cas uint64) []byte {
	if cas == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, " C"...), cas, 10)
}

// finish ends a command line: a request of a batch with its number in it, and
// the order to be silent where silence says enough.
func finish(dst []byte, tag int, opaque string, quiet bool) ([]byte, error) {
	switch {
	case tag != noTag && opaque != "":
		return dst, &InputError{Err: ErrInvalidRequest, Field: "Opaque", Value: opaque, Want: "none in a batch, which numbers its requests itself"}
	case tag != noTag:
		dst = strconv.AppendInt(append(dst, " O"...), int64(tag), 10)
		if quiet {
			dst = append(dst, " q"...)
		}
	case opaque != "":
		if len(opaque) > maxOpaque || needsEncoding(opaque) {
			return dst, &InputError{Err: ErrInvalidRequest, Field: "Opaque", Value: opaque, Want: "at most 31 bytes, none a space or control character"}
		}
		dst = append(append(dst, " O"...), opaque...)
	}
	return append(dst, "\r\n"...), nil
}

const maxOpaque = 31 // what 1.6.18 takes; protocol.txt says 32
