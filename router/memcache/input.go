package memcache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const readBuffer = 64 << 10

// An input reads lines and data blocks. Every method can be called again after
// an error and goes on where it was: a read that timed out has lost nothing.
// (bufio.Reader drops the part of a line that it had.)
type input struct {
	source io.Reader
	buf    []byte
	start  int // buf[start:end] was read and not consumed
	end    int
}

// line returns the next line with its end; it lasts until the next call.
func (in *input) line() ([]byte, error) {
	for searched := in.start; ; {
		if i := bytes.IndexByte(in.buf[searched:in.end], '\n'); i >= 0 {
			line := in.buf[in.start : searched+i+1]
			if len(line) > maxLine {
				return nil, violation("a line of more than 2048 bytes", line)
			}
			in.start += len(line)
			return line, nil
		}
		length := in.end - in.start
		if length > maxLine {
			return nil, violation("a line of more than 2048 bytes", in.buf[in.start:in.end])
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
		searched = in.start + length
	}
}

// fill reads once, whatever there is. The buffer must have room for a byte more
// than it holds, as it has for all that is ever left unconsumed.
func (in *input) fill() error {
	if in.start > 0 && (in.start == in.end || in.end == len(in.buf)) {
		in.end = copy(in.buf, in.buf[in.start:in.end])
		in.start = 0
	}
	for range 100 {
		n, err := in.source.Read(in.buf[in.end:])
		in.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return readError(err)
		}
	}
	return io.ErrNoProgress
}

// A block is a data block that is being read.
type block struct {
	left int    // bytes still to come, without the CRLF
	dst  []byte // where they go to, at its end; nil: nowhere
}

// block reads on. It returns nil once the block and its CRLF are consumed.
func (in *input) block(b *block) error {
	for b.left > 0 {
		var n int
		switch {
		case in.start < in.end:
			n = min(b.left, in.end-in.start)
			if b.dst != nil {
				copy(b.dst[len(b.dst)-b.left:], in.buf[in.start:in.start+n])
			}
			in.start += n
		case b.dst != nil && b.left > len(in.buf):
			// Straight to where it belongs: a large value is copied once only.
			var err error
			if n, err = in.source.Read(b.dst[len(b.dst)-b.left:]); n == 0 && err != nil {
				return readError(err)
			}
		default:
			if err := in.fill(); err != nil {
				return err
			}
		}
		b.left -= n
	}
	for in.end-in.start < len(crlf) {
		if err := in.fill(); err != nil {
			return err
		}
	}
	end := in.buf[in.start : in.start+len(crlf)]
	if !bytes.Equal(end, crlf) {
		return violation("a data block that does not end where it should", end)
	}
	in.start += len(crlf)
	return nil
}

func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return err
}
