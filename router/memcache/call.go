package memcache

import (
	"sync"
	"sync/atomic"
)

// A command is a kind of request, as far as it decides which replies can follow.
type command uint8

const (
	commandGet command = iota
	commandSet
	commandDelete
	commandArithmetic
	commandDebug
	commandNoop
	commandText // a plain text command that is answered by one line
)

// answers are the outcomes that a command can have. Another one means that
// replies and requests are out of step.
var answers = [...][]Status{
	commandGet:        {StatusOK, StatusValue, StatusMiss},
	commandSet:        {StatusOK, StatusNotStored, StatusExists, StatusNotFound},
	commandDelete:     {StatusOK, StatusNotFound, StatusExists},
	commandArithmetic: {StatusOK, StatusValue, StatusNotFound, StatusNotStored, StatusExists},
	commandDebug:      {statusDebug, StatusMiss},
	commandNoop:       {statusNoop},
}

// States of a call. The caller and the reader of the connection race for the
// step out of pending: whoever loses leaves the call to the other.
const (
	pending   uint32 = iota
	completed        // by the reader, which has sent to done
	abandoned        // by the caller, who will not look at it again
)

// A call is a request on its way: one command, or a batch with the mn that ends
// it. The fields below the state belong to the caller before the call is
// appended to a connection and after done, and in between to the connection.
type call struct {
	home  *sync.Pool
	state atomic.Uint32
	done  chan struct{} // receives once, if completed

	command command
	want    Return // flags that a reply about an item must have
	line    []byte // the request without its data block
	value   []byte // the data block, until it is copied; nil for none
	block   bool   // whether there is a data block, an empty one included
	opaque  string
	key     string // if the reply names it, and not in a batch, whose opaques do
	expect  string // with commandText: how the reply begins
	batch   *batch // nil for a single command

	start uint64 // where it begins in the bytes that were ever appended to its connection

	resp Response
	err  error
}

const maxKeptLine = 16 << 10 // larger buffers are not kept for the next call

// newCall returns an empty call. The pool is the Client's own: inside of a
// testing/synctest bubble, a channel from outside must not be used.
func (c *Client) newCall(of command) *call {
	k, pooled := c.calls.Get().(*call)
	if !pooled {
		k = &call{home: &c.calls, done: make(chan struct{}, 1)}
	}
	k.command = of
	return k
}

// free gives the call back. Nobody else may know it any more.
func (k *call) free() {
	line := k.line[:0]
	if cap(line) > maxKeptLine {
		line = nil
	}
	k.state.Store(pending)
	k.command, k.want, k.line, k.value, k.block = 0, 0, line, nil, false
	k.opaque, k.key, k.expect, k.batch = "", "", "", nil
	k.start, k.resp, k.err = 0, Response{}, nil
	k.home.Put(k)
}

// again makes a completed call ready to be appended once more.
func (k *call) again() {
	k.state.Store(pending)
	k.resp, k.err = Response{}, nil
}

// complete wakes the caller, or frees the call if there is none any more. The
// reader calls it, once, and does not touch the call afterwards.
func (k *call) complete() {
	if k.state.CompareAndSwap(pending, completed) {
		k.done <- struct{}{}
	} else {
		k.free()
	}
}
