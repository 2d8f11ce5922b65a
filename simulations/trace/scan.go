package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
)

// scanner cuts the blocks of a source into lines.
type scanner struct {
	name string
	src  *source
	cur  *block
	buf  []byte // of cur

	start int   // of the line or record in buf
	pos   int   // of what has not been looked at yet
	end   int   // of the data in buf
	line  int64 // number of the line that begins at pos, from 1
	first int64 // number of the line at start
}

// fill makes the next block current, with what lies between start and end moved
// in front of its data. It returns the reason where there is no next block.
func (s *scanner) fill() error {
	if s.cur != nil && s.cur.err != nil {
		return s.cur.err
	}
	rest := s.end - s.start
	if rest > MaxLine {
		return s.tooLong(rest)
	}
	var next *block
	select {
	case next = <-s.src.full:
	case <-s.src.quit:
		return &Error{File: s.name, Err: os.ErrClosed}
	}
	begin := headroom - rest
	if s.cur != nil {
		copy(next.buf[begin:], s.buf[s.start:s.end])
		s.src.free <- s.cur
	}
	s.pos += begin - s.start
	s.start = begin
	s.end = headroom + next.n
	s.cur, s.buf = next, next.buf[:s.end+tailroom]
	return nil
}

// next returns the next line without its end. The error is io.EOF at the end of
// the trace, else an *Error. The slice is valid until the next call.
func (s *scanner) next() ([]byte, error) {
	s.start = s.pos
	s.first = s.line
	return s.extend()
}

// extend returns the record from start to the end of the line at pos: called
// again, it adds the line that follows to the record.
func (s *scanner) extend() ([]byte, error) {
	i := s.pos
	for {
		i = nextControl(s.buf, i)
		if i < s.end {
			switch c := s.buf[i]; {
			case c == '\t':
				i++
				continue
			case c == '\n':
				return s.cut(i, i+1)
			case c == '\r' && i+1 < s.end:
				if s.buf[i+1] == '\n' {
					return s.cut(i, i+2)
				}
				return nil, s.notText(c)
			case c == '\r': // what follows is in the next block
			default:
				return nil, s.notText(c)
			}
		} else {
			i = s.end
		}
		seen := i - s.start
		if err := s.fill(); err != nil {
			return s.last(i, err)
		}
		i = s.start + seen
	}
}

// cut ends the record at i; the next line begins at next.
func (s *scanner) cut(i, next int) ([]byte, error) {
	if i-s.start > MaxLine {
		return nil, s.tooLong(i - s.start)
	}
	s.pos = next
	s.line++
	return s.buf[s.start:i], nil
}

// last returns the line before the end of the text, which lacks its newline; i
// is where it ends.
func (s *scanner) last(i int, err error) ([]byte, error) {
	var own *Error
	switch {
	case errors.As(err, &own):
		return nil, err
	case err == io.ErrUnexpectedEOF:
		return nil, &Error{File: s.name, Line: s.line, Found: "the end of the file inside its gzip stream", Want: "a complete file", Err: err}
	case err != io.EOF:
		return nil, &Error{File: s.name, Line: s.line, Err: err}
	case s.pos >= s.end:
		return nil, io.EOF
	}
	return s.cut(i, s.end)
}

func (s *scanner) tooLong(n int) error {
	return &Error{File: s.name, Line: s.first, Found: fmt.Sprintf("a line of %d bytes or more", n), Want: fmt.Sprintf("at most %d", MaxLine)}
}

func (s *scanner) notText(c byte) error {
	found := fmt.Sprintf("the control character 0x%02x", c)
	if c == '\r' {
		found = "a carriage return inside a line"
	}
	return &Error{File: s.name, Line: s.line, Found: found, Want: "text, plain or compressed by gzip"}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// nextControl returns the position of the first byte below 0x20 in b at or after
// i. There must be one, with seven bytes after it or after i.
//
// Line ends and rubbish are found in one pass this way, eight bytes at a time. A
// byte below 0x20 borrows from its top bit when 0x20 is subtracted; the lowest
// such bit is exact, those above it may be borrowed further.
func nextControl(b []byte, i int) int {
	for {
		w := binary.LittleEndian.Uint64(b[i:])
		if m := (w - ones*0x20) &^ w & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
}
