package memcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// Ping sends an mn and waits for its answer, on a connection that is used for
// everything else too: it comes back when all that was sent there before has
// been dealt with.
func (c *Client) Ping(ctx context.Context) error {
	k := c.newCall(commandNoop)
	k.line = append(k.line, "mn\r\n"...)
	_, err := c.meta(ctx, k)
	return err
}

// Version returns the server's version, such as "1.6.18".
func (c *Client) Version(ctx context.Context) (string, error) {
	resp, err := c.text(ctx, "version", "VERSION ")
	return string(resp.Value), err
}

// FlushAll makes everything that the server holds expire at once.
func (c *Client) FlushAll(ctx context.Context) error {
	_, err := c.text(ctx, "flush_all", "OK")
	return err
}

func (c *Client) text(ctx context.Context, command, expect string) (Response, error) {
	k := c.newCall(commandText)
	k.line = append(append(k.line, command...), crlf...)
	k.expect = expect
	return c.meta(ctx, k)
}

// Debug returns what the server knows of an item beside its value (me): exp,
// la, cas, fetch, cls, size and whatever else the version has. ErrCacheMiss: it
// is not there.
func (c *Client) Debug(ctx context.Context, key string) (map[string]string, error) {
	k := c.newCall(commandDebug)
	var err error
	if k.line, err = c.debug(k.line, key); err != nil {
		k.free()
		return nil, err
	}
	k.key = key
	resp, err := c.meta(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case resp.Status == StatusMiss:
		return nil, ErrCacheMiss
	}
	fields := make(map[string]string)
	for _, field := range strings.Fields(string(resp.Value)) {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	return fields, nil
}

const (
	maxStats     = 16 << 20 // bytes of statistics; those of 10,000 connections take a third of it
	statOverhead = 64       // of a line, in the map
)

// ServerStats returns the server's statistics, over a connection of its own: the
// general ones for an empty group, else those of "items", "slabs", "sizes",
// "settings" or "conns". ErrNoStats: there are none. A server that sends more than
// 16 MiB of them is given up, with an ErrProtocol.
func (c *Client) ServerStats(ctx context.Context, group string) (map[string]string, error) {
	command := "stats"
	if group != "" {
		if strings.Trim(group, "abcdefghijklmnopqrstuvwxyz_") != "" || group == "reset" {
			return nil, &InputError{Err: ErrInvalidRequest, Field: "group", Value: group, Want: "a lower-case word, not reset"}
		}
		command += " " + group
	}
	stats, size := make(map[string]string), 0
	err := c.lines(ctx, command, c.config.ReplyTimeout, func(line []byte) (more bool, err error) {
		if string(line) == "END" {
			return false, nil
		}
		if failure := errorLine(line); failure != nil {
			return false, failure
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(string(line), "STAT "), " ")
		if !ok || !bytes.HasPrefix(line, []byte("STAT ")) {
			return false, violation("not a line of statistics", line)
		}
		if size += len(line) + statOverhead; size > maxStats {
			return false, violation("statistics without an end", line)
		}
		stats[name] = value
		return true, nil
	})
	if err == nil && len(stats) == 0 {
		err = ErrNoStats
	}
	if err != nil {
		return nil, err
	}
	return stats, nil
}

// lines sends a command over a connection of its own and calls take for each
// line of the reply, without its end, until take wants no more. patience is how
// long the server may say nothing.
func (c *Client) lines(ctx context.Context, command string, patience time.Duration, take func(line []byte) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	nc, in, err := c.dial(ctx)
	if err != nil {
		return c.unsent(c.causeOf(ctx, err))
	}
	defer abort(nc)
	defer context.AfterFunc(ctx, func() { abort(nc) })()
	if _, err := io.WriteString(nc, command+"\r\n"); err != nil {
		return &NoReplyError{Addr: c.config.Address, Sent: true, Err: c.causeOf(ctx, err)}
	}
	in.source = patientReader{nc, patience}
	for {
		line, err := in.line()
		if err != nil {
			return &NoReplyError{Addr: c.config.Address, Sent: true, Err: c.causeOf(ctx, err)}
		}
		if more, err := take(bytes.TrimRight(line, "\r\n")); !more || err != nil {
			return err
		}
	}
}

// causeOf says why a connection of its own ended early: an error of the network
// may be only the consequence.
func (c *Client) causeOf(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case c.ctx.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return err
	case passed(ctx): // the network's clock was quicker than the context's
		return context.DeadlineExceeded
	}
	return ErrOverdue
}

// passed reports whether the deadline of ctx, if any, is over.
func passed(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// A patientReader gives every read a deadline of its own.
type patientReader struct {
	nc       net.Conn
	patience time.Duration
}

func (r patientReader) Read(p []byte) (int, error) {
	_ = r.nc.SetReadDeadline(time.Now().Add(r.patience))
	return r.nc.Read(p)
}
