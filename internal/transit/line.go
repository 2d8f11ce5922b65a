package transit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A line is a connection to a Redis server for many keys at a time. go-redis makes
// an object of each command, of each of its arguments and of each reply; for the
// mover's small keys that costs more than the server needs for them. Here words are
// written into one packet and replies read out of one buffer. A line is not safe
// for concurrent use, and good for nothing after an error that is not the server's.
type line struct {
	process  string        // of the server
	client   *redis.Client // has dialled and introduced itself; it does nothing more
	conn     *redis.Conn
	net      net.Conn
	patience time.Duration // for the server's next word
	in       *bufio.Reader
	out      []byte

	payloads []byte // room for those of takeShort
	ends     []int
}

const (
	lineBuffer = 64 << 10
	// longestReply bounds what a server is believed: of what is asked for by a line,
	// nothing comes near it.
	longestReply = 16 << 20
	deepest      = 4
)

// said is an error that the server answered with.
type said string

func (e said) Error() string { return string(e) }

// refusal is an error that the server answered with in the midst of other answers, which
// nobody reads any more.
type refusal string

func (e refusal) Error() string { return "transit: the server says: " + string(e) }

// newLine dials as the client would, with all that makes a connection of its
// options: TLS, credentials, the database.
func newLine(ctx context.Context, client *redis.Client) (*line, error) {
	options := *client.Options()
	l := &line{patience: options.ReadTimeout}
	if l.patience <= 0 {
		l.patience = linePatience
	}
	dial := options.Dialer
	var last atomic.Pointer[net.Conn] // go-redis may still be dialling when it has given up
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err == nil {
			last.Store(&nc)
		}
		return nc, err
	}
	options.Protocol, options.PoolSize, options.MinIdleConns, options.MaxRetries = 2, 1, 0, -1
	l.client = redis.NewClient(&options)
	l.conn = l.client.Conn()
	info, err := l.conn.Info(ctx, "server").Result()
	if err != nil {
		l.close()
		return nil, err
	}
	_, rest, _ := strings.Cut(info, "run_id:")
	l.process, _, _ = strings.Cut(rest, "\r\n")
	l.net = *last.Load()
	l.in = bufio.NewReaderSize(l.net, lineBuffer)
	return l, nil
}

const linePatience = 10 * time.Second

func (l *line) close() {
	if l.net != nil {
		_ = l.net.Close()
	}
	_ = l.conn.Close()
	_ = l.client.Close()
}

// array begins a command of n words, which are to follow.
func (l *line) array(n int) { l.out = header(l.out, '*', n) }

func (l *line) word(s string) {
	l.out = header(l.out, '$', len(s))
	l.out = append(l.out, s...)
	l.out = append(l.out, "\r\n"...)
}

// marker writes the name of a key's tombstone, without making a string of it.
func (l *line) marker(key string) {
	l.out = header(l.out, '$', len(MarkerPrefix)+len(key))
	l.out = append(l.out, MarkerPrefix...)
	l.out = append(l.out, key...)
	l.out = append(l.out, "\r\n"...)
}

func (l *line) number(n int64) {
	var room [20]byte
	text := strconv.AppendInt(room[:0], n, 10)
	l.out = header(l.out, '$', len(text))
	l.out = append(l.out, text...)
	l.out = append(l.out, "\r\n"...)
}

func header(to []byte, kind byte, n int) []byte {
	to = append(to, kind)
	to = strconv.AppendInt(to, int64(n), 10)
	return append(to, "\r\n"...)
}

// command writes a whole command.
func (l *line) command(words ...string) {
	l.array(len(words))
	for _, w := range words {
		l.word(w)
	}
}

// begin makes the line forget what it has sent.
func (l *line) begin() {
	if l.out = l.out[:0]; cap(l.out) > 4*batchTotal {
		l.out = nil
	}
}

// flush sends all that was written since begin. Replies are to come before the
// context's deadline, and within the patience.
func (l *line) flush(ctx context.Context) error {
	until := time.Now().Add(l.patience)
	if at, has := ctx.Deadline(); has && at.Before(until) {
		until = at
	}
	if err := errors.Join(ctx.Err(), l.net.SetDeadline(until)); err != nil {
		return err
	}
	_, err := l.net.Write(l.out)
	return err
}

// batchTotal is what a mover puts into one packet, more or less.
const batchTotal = 1 << 20

// head reads the first line of a reply: its kind, what it says, and as a number.
func (l *line) head() (kind byte, text []byte, n int64, err error) {
	text, err = l.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, 0, err
	}
	if len(text) < 3 || text[len(text)-2] != '\r' {
		return 0, nil, 0, errReply
	}
	kind, text = text[0], text[1:len(text)-2]
	switch kind {
	case '+', '-':
	case ':', '$', '*':
		if n, err = parse(text); err == nil && kind != ':' && (n < -1 || n > longestReply) {
			err = errReply
		}
	default:
		err = fmt.Errorf("%w: it begins with %q", errReply, kind)
	}
	return kind, text, n, err
}

// next is head for a reply that has to be of one kind. If it is another one, the
// line is at its end, also if that is an error of the server's: there are more
// replies to come, which nobody reads.
func (l *line) next(want byte) (n int64, err error) {
	kind, text, n, err := l.head()
	if err == nil && kind == '-' {
		err = refusal(text)
	} else if err == nil && kind != want {
		err = errReply
	}
	return n, err
}

// parse is strconv.ParseInt for bytes, of which it makes no string.
func parse(text []byte) (n int64, err error) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return strconv.ParseInt(string(text), 10, 64)
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, errReply
		}
		n = 10*n + int64(d-'0')
	}
	if text[0] == '-' {
		n = -n
	}
	return n, nil
}

// bulk appends the n bytes that a head of '$' has announced.
func (l *line) bulk(to []byte, n int64) ([]byte, error) {
	for n > 0 { // no more memory than what has come
		part := int(min(n, lineBuffer))
		at := len(to)
		to = append(to, make([]byte, part)...)
		if _, err := io.ReadFull(l.in, to[at:]); err != nil {
			return to, err
		}
		n -= int64(part)
	}
	end, err := l.in.Peek(2)
	if err != nil {
		return to, err
	}
	if string(end) != "\r\n" {
		return to, errReply
	}
	_, err = l.in.Discard(2)
	return to, err
}

// reply reads one reply of any form: nil, an int64, a string, a said or a list of
// these.
func (l *line) reply() (any, error) { return l.replyIn(deepest) }

func (l *line) replyIn(depth int) (any, error) {
	kind, text, n, err := l.head()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '+':
		return string(text), nil
	case '-':
		return said(text), nil
	case ':':
		return n, nil
	}
	if n < 0 {
		return nil, nil
	}
	if kind == '$' {
		bytes, err := l.bulk(nil, n)
		return string(bytes), err
	}
	if depth == 0 {
		return nil, fmt.Errorf("%w: lists within lists", errReply)
	}
	var list []any
	for range n {
		one, err := l.replyIn(depth - 1)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}
