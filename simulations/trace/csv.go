package trace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// split cuts a record into r.cells, by the rules of RFC 4180 as encoding/csv
// reads them: a cell that begins with a quotation mark ends with one, holds it
// doubled, and may hold commas and line ends; elsewhere there is none.
//
// A record without quotation marks, as most are, is cut where it lies;
// encoding/csv would copy it twice.
func (r *Reader) split(record []byte) error {
	if bytes.IndexByte(record, '"') >= 0 {
		return r.splitQuoted(record)
	}
	cells, from := r.cells[:0], 0
	for i, c := range record { // cells are too short for a search by vectors
		if c == ',' {
			cells = append(cells, record[from:i])
			from = i + 1
		}
	}
	r.cells = append(cells, record[from:])
	return nil
}

// errOpen: the record goes on in the next line.
var errOpen = errors.New("quotation mark not closed")

func (r *Reader) splitQuoted(record []byte) error {
	err := r.unquote(record)
	for err == errOpen {
		before := len(record)
		if record, err = r.scan.extend(); err != nil {
			return r.notClosed(err)
		}
		// Only an odd number of marks can close the cell: a long one is not
		// unquoted anew with each of its lines.
		if err = errOpen; bytes.Count(record[before:], []byte{'"'})%2 == 1 {
			err = r.unquote(record)
		}
	}
	return err
}

func (r *Reader) notClosed(err error) error {
	var own *Error
	switch {
	case err == io.EOF:
		return r.fail("", "a quotation mark that is not closed", "one more before the end of the file")
	case errors.As(err, &own) && own.Err == nil && own.Line == r.scan.first:
		return r.fail("", "a quotation mark that is not closed", fmt.Sprintf("one more within %d bytes", MaxLine))
	}
	return err
}

func (r *Reader) unquote(record []byte) error {
	r.cells, r.scratch = r.cells[:0], r.scratch[:0]
	for {
		var cell []byte
		var err error
		if len(record) > 0 && record[0] == '"' {
			cell, record, err = r.quotedCell(record[1:])
		} else {
			i := bytes.IndexByte(record, ',')
			if i < 0 {
				i = len(record)
			}
			cell, record = record[:i], record[i:]
			if bytes.IndexByte(cell, '"') >= 0 {
				err = r.fail("", "a quotation mark inside "+shown(cell), "none in a cell that does not begin with one")
			}
		}
		if err != nil {
			return err
		}
		r.cells = append(r.cells, cell)
		if len(record) == 0 {
			return nil
		}
		record = record[1:] // the comma
	}
}

// quotedCell returns the cell whose first quotation mark has been cut off, and
// what follows its last one: nothing, or a comma and more.
func (r *Reader) quotedCell(record []byte) (cell, rest []byte, err error) {
	begin := len(r.scratch)
	for {
		i := bytes.IndexByte(record, '"')
		if i < 0 {
			return nil, nil, errOpen
		}
		r.appendLines(record[:i])
		record = record[i+1:]
		switch {
		case len(record) == 0 || record[0] == ',':
			return r.scratch[begin:], record, nil
		case record[0] != '"':
			return nil, nil, r.fail("", "text after a closing quotation mark", "a comma")
		}
		r.scratch = append(r.scratch, '"')
		record = record[1:]
	}
}

// appendLines adds text to the scratch, with CR LF as LF.
func (r *Reader) appendLines(text []byte) {
	for {
		i := bytes.Index(text, []byte("\r\n"))
		if i < 0 {
			r.scratch = append(r.scratch, text...)
			return
		}
		r.scratch = append(r.scratch, text[:i]...)
		text = text[i+1:]
	}
}
