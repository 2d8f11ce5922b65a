package command

import (
	"encoding"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// KeyString returns an argument as the bytes that go-redis v9 sends for it. For
// a string or a byte slice it is a view, without allocation: of a byte slice it
// changes when the slice does. Other types are formatted: nil and nil pointers
// as go-redis does it, numbers in decimal, true as 1, times as RFC 3339,
// durations in nanoseconds, and an encoding.BinaryMarshaler by its method, which
// must give the same bytes each time. It is false for what go-redis cannot send,
// a named string type included.
//
// Source: internal/proto/writer.go of go-redis v9.
func KeyString(arg any) (string, bool) {
	switch v := arg.(type) {
	case string:
		return v, true
	case []byte:
		return unsafe.String(unsafe.SliceData(v), len(v)), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case nil:
		return "", true
	}
	return formatted(arg)
}

// formatted is the rest of KeyString, in a function of its own: the hot path
// stays small.
func formatted(arg any) (string, bool) {
	if s, isPointer := pointed(arg); isPointer {
		return s, true
	}
	switch v := arg.(type) {
	case int8:
		return strconv.FormatInt(int64(v), 10), true
	case int16:
		return strconv.FormatInt(int64(v), 10), true
	case int32:
		return strconv.FormatInt(int64(v), 10), true
	case uint:
		return strconv.FormatUint(uint64(v), 10), true
	case uint8:
		return strconv.FormatUint(uint64(v), 10), true
	case uint16:
		return strconv.FormatUint(uint64(v), 10), true
	case uint32:
		return strconv.FormatUint(uint64(v), 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case uintptr:
		return strconv.FormatUint(uint64(v), 10), true
	case float32:
		return formatFloat(float64(v)), true
	case float64:
		return formatFloat(v), true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case time.Time:
		return v.Format(time.RFC3339Nano), true
	case time.Duration:
		return strconv.FormatInt(v.Nanoseconds(), 10), true
	case encoding.BinaryMarshaler:
		b, err := v.MarshalBinary()
		return string(b), err == nil
	case net.IP:
		return string(v), true
	}
	return "", false
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// pointed formats what the pointers that go-redis follows point at; a nil one
// is the zero value.
func pointed(arg any) (string, bool) {
	switch v := arg.(type) {
	case *string:
		return follow(v)
	case *int:
		return follow(v)
	case *int8:
		return follow(v)
	case *int16:
		return follow(v)
	case *int32:
		return follow(v)
	case *int64:
		return follow(v)
	case *uint:
		return follow(v)
	case *uint8:
		return follow(v)
	case *uint16:
		return follow(v)
	case *uint32:
		return follow(v)
	case *uint64:
		return follow(v)
	case *uintptr:
		return follow(v)
	case *float32:
		return follow(v)
	case *float64:
		return follow(v)
	case *bool:
		return follow(v)
	case *time.Time:
		return follow(v)
	case *time.Duration:
		return follow(v)
	}
	return "", false
}

func follow[T any](p *T) (string, bool) {
	var value T
	if p != nil {
		value = *p
	}
	return KeyString(value)
}

// isWord reports whether an argument is a keyword of a command, in any case.
// The word is given in capitals.
func isWord(arg any, word string) bool {
	switch v := arg.(type) {
	case string:
		return len(v) == len(word) && strings.EqualFold(v, word)
	case []byte:
		return len(v) == len(word) && strings.EqualFold(unsafe.String(unsafe.SliceData(v), len(v)), word)
	case int, int64, float64, uint64, uint, int32, time.Duration, time.Time, bool, nil:
		return false // is sent as digits, or empty
	}
	s, sent := KeyString(arg)
	return sent && len(s) == len(word) && strings.EqualFold(s, word)
}

// intArg reads an argument as the server reads an integer: decimal digits
// without leading zeros or a plus sign, and nothing around them.
func intArg(arg any) (int64, bool) {
	switch v := arg.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	s, sent := KeyString(arg)
	if !sent {
		return 0, false
	}
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '+' || digits[0] == '-' || digits[0] == '0' && s != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// durationArg reads a time-out in units. What the server would not accept as
// one is 0, which stands for ever: then it answers at once, with an error.
func durationArg(arg any, unit time.Duration) time.Duration {
	s, sent := KeyString(arg)
	if !sent {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	f *= float64(unit)
	switch {
	case err != nil || !(f > 0): // NaN too
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	}
	return max(1, time.Duration(f)) // a time-out of half a nanosecond is not for ever
}
