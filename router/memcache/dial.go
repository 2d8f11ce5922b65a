package memcache

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
)

// dial opens a connection and makes sure that a server with meta commands is
// at the other end.
func (c *Client) dial(ctx context.Context) (net.Conn, *input, error) {
	c.tally.dials.Add(1)
	limited, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
	defer cancel()
	nc, in, err := c.dialAndGreet(limited)
	switch {
	case err == nil:
		return nc, in, nil
	case limited.Err() != nil && ctx.Err() == nil:
		// Not wrapped: it would match context.DeadlineExceeded, which is for
		// the caller's own deadline.
		err = fmt.Errorf("%w after %v: %v", ErrDialTimeout, c.config.DialTimeout, err)
	default:
		err = fmt.Errorf("dial: %w", err)
	}
	c.tally.dialErrors.Add(1)
	return nil, nil, err
}

func (c *Client) dialAndGreet(ctx context.Context) (net.Conn, *input, error) {
	open := c.config.Dial
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	socket, err := open(ctx, c.at.network, c.at.address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { abort(socket) })
	defer stop()
	nc := socket
	if c.config.TLS != nil {
		t := tls.Client(socket, c.config.TLS)
		if err := t.HandshakeContext(ctx); err != nil {
			abort(socket)
			return nil, nil, err
		}
		nc = t
	}
	in := &input{source: nc, buf: make([]byte, readBuffer)}
	if err := greet(nc, in); err != nil {
		abort(socket)
		return nil, nil, fmt.Errorf("first exchange: %w", err)
	}
	if !stop() {
		return nil, nil, ctx.Err()
	}
	return nc, in, nil
}

// greet exchanges an mn. A server without meta commands would take the data
// block of an ms for commands, a server that hangs accepts connections all the
// same: neither must get as far as a caller's request.
func greet(nc io.Writer, in *input) error {
	if _, err := io.WriteString(nc, "mn\r\n"); err != nil {
		return err
	}
	line, err := in.line()
	if err != nil {
		return err
	}
	if failure := errorLine(bytes.TrimRight(line, "\r\n")); failure != nil && failure.Message != "" {
		// At its limit of connections: "ERROR Too many open connections".
		return &ServerError{Kind: ErrServerError, Message: failure.Message}
	}
	if string(line) != "MN\r\n" {
		return violation("the server does not speak the meta protocol: it answered mn with", line)
	}
	if in.start != in.end { // it would be taken for the reply to the first request
		return violation("more than an answer to mn", in.buf[in.start:in.end])
	}
	return nil
}

// abort closes a connection that has failed. What the kernel has not sent yet
// it shall drop: a request that its caller was told about as failed must not be
// carried out at leisure when the server wakes up.
func abort(nc net.Conn) {
	if t, isTLS := nc.(*tls.Conn); isTLS {
		nc = t.NetConn()
	}
	if t, isTCP := nc.(*net.TCPConn); isTCP {
		_ = t.SetLinger(0)
	}
	_ = nc.Close()
}

// hangUp closes a connection on which nothing is due.
func hangUp(nc net.Conn) {
	if t, isTLS := nc.(*tls.Conn); isTLS {
		nc = t.NetConn() // without the farewell, for which it may wait
	}
	_ = nc.Close()
}
