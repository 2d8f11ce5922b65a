package memcache

import (
	"bytes"
	"fmt"
	"slices"
)

// Which reply may be given to which call.

// take gives a line to the call that it belongs to and reports whether the call
// has all that it waits for, provided that no data block follows: see unfinished.
func (cn *conn) take(k *call, line []byte) (completed bool, err error) {
	if k.command == commandText {
		return takeText(k, line)
	}
	r := &cn.reply
	if err := parseReply(line, r); err != nil {
		return false, err
	}
	resp, problem := &k.resp, &k.err
	if k.batch != nil {
		result, err := k.batch.take(k, r, line)
		if result == nil {
			return err == nil && r.Status == statusNoop, err
		}
		resp, problem = &result.Response, &result.Err
	} else {
		if r.failure != nil {
			k.err = r.failure
			return true, outOfStep(k.command, r.failure)
		}
		if err := expected(k.command, k.want, r, line); err != nil {
			return false, err
		}
		if string(r.opaque) != k.opaque {
			return false, violation("the opaque of another request", line)
		}
	}
	*resp = r.Response
	resp.Opaque = k.opaque
	if r.Status == statusDebug {
		// Its key has base64 or not, as it was stored, and no flag that says so.
		if decoded, ok := decodeKey(r.key, true); string(r.key) != k.key && (!ok || decoded != k.key) {
			return false, violation(anotherKey, line)
		}
		resp.Value = slices.Clone(r.rest)
	} else if r.key != nil {
		var ok bool
		if resp.Key, ok = decodeKey(r.key, r.keyEncoded); !ok {
			return false, violation("a key that is not base64", line)
		}
		if k.key != "" && resp.Key != k.key {
			return false, violation(anotherKey, line)
		}
	}
	if r.size >= 0 {
		cn.expectBlock(r.size, k.state.Load() == abandoned, resp, problem)
	}
	return k.batch == nil, nil
}

const anotherKey = "the key of another request"

// expectBlock prepares the reading of a data block. One that nobody wants is
// read past.
func (cn *conn) expectBlock(size int, unwanted bool, resp *Response, problem *error) {
	cn.unfinished = resp
	cn.body = block{left: size}
	if size > cn.config.MaxValueSize {
		*resp = Response{}
		*problem = &InputError{Err: ErrValueTooLarge, Field: "value of the reply", Value: size,
			Want: fmt.Sprintf("at most %d bytes", cn.config.MaxValueSize)}
		return
	}
	if !unwanted {
		resp.Value = make([]byte, size)
		cn.body.dst = resp.Value
	}
}

// expected refuses a reply that cannot be one to the call.
func expected(c command, want Return, r *reply, line []byte) error {
	if !slices.Contains(answers[c], r.Status) {
		return violation("a reply to another command", line)
	}
	if missing := want &^ r.seen; missing != 0 && r.Found() {
		return violation("a reply without a flag that was asked for", line)
	}
	if r.seen&^want&ReturnValue != 0 {
		return violation("a value that was not asked for", line)
	}
	return nil
}

// outOfStep says whether an error line costs the connection. A server that does
// not know a command, or has not understood the line of a set, takes the data
// block for further commands: nothing that it says from there on can be relied
// upon.
func outOfStep(c command, failure *ServerError) error {
	if failure.Kind == ErrUnsupported || failure.Kind == ErrClientError && c == commandSet {
		return violation("the server did not understand a request", []byte(failure.Error()))
	}
	return nil
}

// takeText is take for commands from before the meta protocol.
func takeText(k *call, line []byte) (completed bool, err error) {
	text, ended := bytes.CutSuffix(line, crlf)
	if !ended {
		return false, violation("a line without CRLF", line)
	}
	if failure := errorLine(text); failure != nil {
		k.err = failure
		return true, nil
	}
	rest, ok := bytes.CutPrefix(text, []byte(k.expect))
	if !ok {
		return false, violation("a reply to another command", line)
	}
	k.resp.Value = slices.Clone(rest)
	return true, nil
}
