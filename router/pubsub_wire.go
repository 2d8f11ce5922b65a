package router

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Limits of what a session accepts: those of Redis for the number and length of
// a command's arguments.
const (
	maxArguments      = 1 << 20
	maxArgumentLength = 512 << 20
)

var errCommand = errors.New("router: not a command of the Redis protocol")

// readCommand reads one command as clients send it: an array of bulk strings, of
// which the first is the name.
//
// Source: https://redis.io/docs/latest/develop/reference/protocol-spec
func readCommand(rd *bufio.Reader) ([]string, error) {
	n, err := readLength(rd, '*', maxArguments)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: no arguments", errCommand)
	}
	var args []string
	for range n {
		length, err := readLength(rd, '$', maxArgumentLength)
		if err != nil {
			return nil, err
		}
		var arg strings.Builder // grows with what arrives, not with what is announced
		if _, err := io.CopyN(&arg, rd, int64(length)); err != nil {
			return nil, err
		}
		var end [2]byte
		if _, err := io.ReadFull(rd, end[:]); err != nil {
			return nil, err
		}
		if end != [2]byte{'\r', '\n'} {
			return nil, fmt.Errorf("%w: got %q after %d bytes, want a line's end", errCommand, end, length)
		}
		args = append(args, arg.String())
	}
	return args, nil
}

// readLength reads a line such as "*3".
func readLength(rd *bufio.Reader, kind byte, limit int) (int, error) {
	line, err := rd.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	digits, ends := strings.CutSuffix(string(line), "\r\n")
	if !ends || digits == "" || digits[0] != kind {
		return 0, fmt.Errorf("%w: got %q, want %q and a length", errCommand, clip(string(line)), kind)
	}
	n, err := strconv.ParseUint(digits[1:], 10, 32)
	if err != nil || n > uint64(limit) {
		return 0, fmt.Errorf("%w: got length %q, want 0 to %d", errCommand, clip(digits[1:]), limit)
	}
	return int(n), nil
}

// outboxLimit is how much a caller who does not receive is kept waiting; beyond
// it the nodes' connections are not read.
const outboxLimit = 1 << 20 // bytes

// outbox holds what a session has to write, in RESP2. Replies are always
// accepted, since who sends commands may not be receiving; messages ask for room
// first.
type outbox struct {
	mu      sync.Mutex // guards the following
	buf     []byte
	closed  bool
	drained chan struct{} // closed when there is room again; nil if nobody waits

	filled chan struct{} // holds a token when there is something to take
}

func newOutbox() *outbox { return &outbox{filled: make(chan struct{}, 1)} }

// take waits for output, and returns nil once the outbox is closed.
func (o *outbox) take() []byte {
	for {
		o.mu.Lock()
		batch, closed := o.buf, o.closed
		o.buf = nil
		o.wakeWaiting()
		o.mu.Unlock()
		if closed {
			return nil
		}
		if len(batch) > 0 {
			return batch
		}
		<-o.filled
	}
}

func (o *outbox) wakeWaiting() {
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
}

// waitForRoom returns once there is room, the outbox is closed or ctx has ended.
func (o *outbox) waitForRoom(ctx context.Context) {
	for {
		o.mu.Lock()
		if len(o.buf) < outboxLimit || o.closed {
			o.mu.Unlock()
			return
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return
		}
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.wakeWaiting()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// reply adds an array of strings, integers and nils.
func (o *outbox) reply(elements ...any) {
	o.add(func(b []byte) []byte {
		b = fmt.Appendf(b, "*%d\r\n", len(elements))
		for _, e := range elements {
			switch e := e.(type) {
			case string:
				b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(e), e)
			case int:
				b = fmt.Appendf(b, ":%d\r\n", e)
			case nil:
				b = append(b, "$-1\r\n"...)
			}
		}
		return b
	})
}

// text adds a string.
func (o *outbox) text(s string) {
	o.add(func(b []byte) []byte { return fmt.Appendf(b, "$%d\r\n%s\r\n", len(s), s) })
}

// failure adds an error reply, which Receive returns without giving up the
// connection.
func (o *outbox) failure(err error) {
	text := strings.NewReplacer("\r", " ", "\n", " ").Replace(err.Error())
	o.add(func(b []byte) []byte { return fmt.Appendf(b, "-ERR %s\r\n", text) })
}

func (o *outbox) add(more func([]byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.buf = more(o.buf)
	o.signal()
}
