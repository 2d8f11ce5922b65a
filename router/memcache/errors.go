package memcache

import (
	"errors"
	"fmt"
)

// What an operation can end with. Each is a contract about what has and what
// has not happened on the server. Test with errors.Is: most come wrapped with
// the key, the server's own words or the cause.
var (
	// ErrCacheMiss: the key is not there. Nothing was changed.
	ErrCacheMiss = errors.New("memcache: cache miss")

	// ErrCASConflict: the item was changed since its CAS value was read, and
	// this operation did nothing to it.
	ErrCASConflict = errors.New("memcache: compare-and-swap conflict")

	// ErrNotStored: the condition of Add, Replace, Append, Prepend or
	// CompareAndSwap did not hold. Nothing was changed.
	ErrNotStored = errors.New("memcache: item not stored")

	// ErrServerError: the server answered SERVER_ERROR: out of memory, or an
	// object larger than it takes. The operation was not carried out; a set
	// that failed so may have removed the item that was there before.
	ErrServerError = errors.New("memcache: server error")

	// ErrClientError: the server refused the request as CLIENT_ERROR, such as
	// arithmetic on a value that is not a number. Nothing was changed.
	ErrClientError = errors.New("memcache: client error")

	// ErrUnsupported: the server answered ERROR: it does not know the command.
	ErrUnsupported = errors.New("memcache: command unknown to the server")

	// ErrNoStats: the server has no statistics under that name.
	ErrNoStats = errors.New("memcache: no statistics available")

	// ErrBusy: the server's crawler serves another one; try again later.
	ErrBusy = errors.New("memcache: crawler is busy")

	// ErrMalformedKey: the key cannot be sent. Nothing was sent, of the whole
	// call: a batch with one such key is refused altogether.
	ErrMalformedKey = errors.New("memcache: malformed key")

	// ErrInvalidRequest: a field of the request cannot be sent. Nothing was.
	ErrInvalidRequest = errors.New("memcache: invalid request")

	// ErrValueTooLarge: the value is longer than Config.MaxValueSize. On the
	// way out nothing was sent, of the whole call; on the way in the value was
	// read past and dropped.
	ErrValueTooLarge = errors.New("memcache: value too large")

	// ErrOutcomeUnknown: there is no reply to a request that was handed to a
	// connection: the server may have carried it out, may yet do so, or may
	// never. Nothing is repeated silently in that state. An error that is a
	// *NoReplyError and not this one says that the server never saw the request.
	ErrOutcomeUnknown = errors.New("memcache: outcome unknown")

	// ErrDialTimeout: no connection to the server could be opened within
	// Config.DialTimeout. The request was not sent.
	ErrDialTimeout = errors.New("memcache: dial timed out")

	// ErrOverdue: no reply came for Config.ReplyTimeout, and the connection
	// was given up with everything that waited on it.
	ErrOverdue = errors.New("memcache: reply overdue")

	// ErrProtocol: the server sent what the protocol does not allow at that
	// point, and the connection was given up.
	ErrProtocol = errors.New("memcache: protocol violation")

	// ErrClosed: the Client was closed, before or during the call.
	ErrClosed = errors.New("memcache: client is closed")

	// ErrInvalidConfig: New refused its Config.
	ErrInvalidConfig = errors.New("memcache: config")
)

var errClosedWhileIdle = errors.New("the server closed the idle connection")

const shownBytes = 64 // of a key or a line in an error's text

// NoReplyError reports an operation that got no reply: the server could not be
// reached, the connection broke, the reply was overdue, the context ended or
// the Client was closed.
type NoReplyError struct {
	Addr string // of the server, as in Config.Address
	// Sent is false if no byte of the request was handed to a connection: the
	// server has not seen it and never will. Otherwise the outcome is unknown,
	// and errors.Is(err, ErrOutcomeUnknown) holds.
	Sent bool
	Err  error // the cause: ErrOverdue, ErrClosed, a *ProtocolError, the context's or the network's error
}

// Error says whether the outcome is unknown.
func (e *NoReplyError) Error() string {
	if e.Sent {
		return fmt.Sprintf("memcache: no reply from %s, outcome unknown: %v", e.Addr, e.Err)
	}
	return fmt.Sprintf("memcache: request not sent to %s: %v", e.Addr, e.Err)
}

// Unwrap returns Err.
func (e *NoReplyError) Unwrap() error { return e.Err }

// Is makes ErrOutcomeUnknown match exactly where the request was sent.
func (e *NoReplyError) Is(target error) bool { return target == ErrOutcomeUnknown && e.Sent }

// ServerError is an error line that the server answered a request with.
type ServerError struct {
	Kind    error  // ErrServerError, ErrClientError or ErrUnsupported
	Message string // what the server said
	// Ambiguous is set where the line belongs to one of several requests of a
	// batch and nothing tells to which: see Client.MetaSetMulti. All of them
	// have this error, some of them were carried out.
	Ambiguous bool
}

// Error has the server's own words in it.
func (e *ServerError) Error() string {
	text := e.Kind.Error()
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Ambiguous {
		text += " (for one of several requests of a batch)"
	}
	return text
}

// Is matches Kind, and ErrOutcomeUnknown where it is not known whether this
// very request is the one that failed.
func (e *ServerError) Is(target error) bool {
	return target == e.Kind || e.Ambiguous && target == ErrOutcomeUnknown
}

// ProtocolError is a breach of the protocol by the server. It costs the
// connection: from there on no reply could be trusted to belong to its request.
type ProtocolError struct {
	Problem string // what was wrong
	Line    string // the beginning of the line concerned
}

// Error shows the beginning of the line.
func (e *ProtocolError) Error() string {
	if e.Line == "" {
		return "memcache: protocol violation: " + e.Problem
	}
	return fmt.Sprintf("memcache: protocol violation: %s: %q", e.Problem, e.Line)
}

// Is matches ErrProtocol.
func (e *ProtocolError) Is(target error) bool { return target == ErrProtocol }

func violation(problem string, line []byte) error {
	return &ProtocolError{Problem: problem, Line: string(line[:min(len(line), shownBytes)])}
}

// KeyError reports a key that cannot be sent. It matches ErrMalformedKey.
type KeyError struct {
	Key     string // as it was given, at full length
	Problem string // what is wrong with it
}

// Error shows the beginning of the key.
func (e *KeyError) Error() string {
	return fmt.Sprintf("memcache: malformed key %s: %s", shown(e.Key), e.Problem)
}

// Is matches ErrMalformedKey.
func (e *KeyError) Is(target error) bool { return target == ErrMalformedKey }

// InputError reports a field of a Config or of a request that cannot be used.
// It matches Err. Nothing was started or sent.
type InputError struct {
	Err   error  // ErrInvalidConfig, ErrInvalidRequest or ErrValueTooLarge
	Field string // of the Config or request
	Value any    // what was found; never a secret
	Want  string // what was expected
}

// Error says what was found and what was expected.
func (e *InputError) Error() string {
	value := fmt.Sprint(e.Value)
	if s, isString := e.Value.(string); isString {
		value = shown(s)
	}
	return fmt.Sprintf("%v: %s: got %s, want %s", e.Err, e.Field, value, e.Want)
}

// Unwrap returns Err.
func (e *InputError) Unwrap() error { return e.Err }

// shown prints a string on one line and never at length.
func shown(s string) string {
	if len(s) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", s[:shownBytes], len(s))
	}
	return fmt.Sprintf("%q", s)
}
