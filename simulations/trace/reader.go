package trace

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
)

// Reader reads one trace. It is not for concurrent use, but for Close, which
// another goroutine may call to end a Next that waits for a pipe.
type Reader struct {
	scan    scanner
	format  Format
	total   int64 // bytes of the file; Unknown for a stream
	limit   int64
	columns columns // of csv and metakv
	cells   [][]byte
	scratch []byte // cells that had to be unquoted

	row     Request // what the current row says
	rowLine int64   // where it began
	repeat  int64   // requests that are left of it
	count   int64   // requests given out
	err     error   // what Next returns from now on
}

// Has says what a trace tells of each request besides the key.
type Has struct{ Op, Size, TTL, Time bool }

// Open opens the trace at path, and reads its beginning. The caller closes the
// Reader. The error is an
// *Error; where the file cannot be opened, it wraps what the system said, such as
// fs.ErrNotExist.
func Open(path string, cfg Config) (*Reader, error) {
	return OpenContext(context.Background(), path, cfg)
}

// OpenContext is Open for a path that may be a pipe: it ends with the context's
// error when that is cancelled while nothing comes. The context does not matter
// any more once the trace is open.
func OpenContext(ctx context.Context, path string, cfg Config) (*Reader, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Err: err.(*os.PathError).Err}
	}
	defer context.AfterFunc(ctx, func() { file.Close() })()
	r, err := openFile(file, path, cfg)
	if ctx.Err() != nil {
		if err == nil {
			r.Close() // the file may be closed already
		}
		return nil, &Error{File: path, Err: ctx.Err()}
	}
	return r, err
}

func openFile(file *os.File, path string, cfg Config) (*Reader, error) {
	total := int64(Unknown)
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		file.Close()
		return nil, &Error{File: path, Found: "a directory", Want: "a file"}
	}
	if err == nil && info.Mode().IsRegular() {
		total = info.Size()
	}
	return newReader(file, path, file, total, cfg)
}

// NewReader reads a trace from r, which errors will call by that name. The
// caller closes the Reader before it uses r again: until then a goroutine reads
// ahead. Close does not close r.
func NewReader(r io.Reader, name string, cfg Config) (*Reader, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return newReader(r, name, nil, Unknown, cfg)
}

func newReader(from io.Reader, name string, file io.Closer, total int64, cfg Config) (*Reader, error) {
	src, err := newSource(from, name, file, cmp.Or(cfg.blockSize, defaultBlock))
	if err != nil {
		return nil, err
	}
	r := &Reader{
		scan:   scanner{name: name, src: src, start: headroom, pos: headroom, end: headroom, line: 1},
		format: cfg.Format,
		total:  total,
		limit:  cfg.Limit,
	}
	if err := r.begin(cfg); err != nil {
		src.close()
		return nil, err
	}
	return r, nil
}

// begin settles the format and reads the header, if the format has one.
func (r *Reader) begin(cfg Config) error {
	s := &r.scan
	if err := s.fill(); err != nil {
		return err
	}
	if bytes.HasPrefix(s.buf[s.start:s.end], []byte("\xef\xbb\xbf")) {
		s.start += 3
		s.pos += 3
	}
	if r.format == Guess {
		var err error
		if r.format, err = guess(s.name, s.buf[s.start:s.end], cfg.Columns); err != nil {
			return err
		}
	}
	if r.format == CSV || r.format == MetaKV {
		return r.readHeader(cfg.Columns)
	}
	return nil
}

// Next stores the next request in *req. At the end of the trace, or of
// Config.Limit, it returns io.EOF; any other error is an *Error. After an error
// it returns the same one again, and *req is as it was.
func (r *Reader) Next(req *Request) error {
	if r.repeat == 0 {
		if r.err == nil {
			r.err = r.read()
		}
		if r.err != nil {
			return r.err
		}
	}
	r.repeat--
	r.count++
	*req = r.row
	return nil
}

// read reads the next row, and sets repeat if there is one.
func (r *Reader) read() error {
	if r.limit > 0 && r.count >= r.limit {
		return io.EOF
	}
	line, err := r.line()
	if err != nil {
		return err
	}
	repeat := int64(1)
	switch r.format {
	case Keys:
		r.row = Request{Key: line, Size: Unknown, KeySize: int64(len(line)), Time: Unknown}
	case Twitter:
		err = r.readTwitter(line)
	default:
		repeat, err = r.readRow(line)
	}
	if err != nil {
		return err
	}
	if r.limit > 0 {
		repeat = min(repeat, r.limit-r.count)
	}
	r.repeat, r.rowLine = repeat, r.scan.first
	return nil
}

// line returns the next line that is not empty.
func (r *Reader) line() ([]byte, error) {
	for {
		line, err := r.scan.next()
		if err == io.EOF && r.count == 0 {
			return nil, &Error{File: r.scan.name, Found: "no request", Want: "at least one"}
		}
		if err != nil || len(line) > 0 {
			return line, err
		}
	}
}

// Close ends the reading ahead, waits until it has ended, and closes the file
// that Open opened. Closing twice is harmless.
func (r *Reader) Close() error { return r.scan.src.close() }

// Name returns the path that was opened, or the name given to NewReader.
func (r *Reader) Name() string { return r.scan.name }

// Format returns the format, never Guess.
func (r *Reader) Format() Format { return r.format }

// Has says what this trace tells.
func (r *Reader) Has() Has {
	switch r.format {
	case Keys:
		return Has{}
	case Twitter:
		return Has{Op: true, Size: true, TTL: true, Time: true}
	}
	c := &r.columns
	return Has{Op: c.op >= 0, Size: c.size >= 0, TTL: c.ttl >= 0, Time: c.time >= 0}
}

// Line returns the number of the line on which the last request began, from 1.
func (r *Reader) Line() int64 { return r.rowLine }

// Requests returns how many requests Next has returned.
func (r *Reader) Requests() int64 { return r.count }

// BytesRead returns how many bytes of the file have been read, as they are on
// the disk; it runs ahead of Next by a few blocks. It may be called from any
// goroutine.
func (r *Reader) BytesRead() int64 { return r.scan.src.raw.n.Load() }

// TotalBytes returns the size of the file, to which BytesRead grows; Unknown for
// a stream.
func (r *Reader) TotalBytes() int64 { return r.total }

// Fault returns an *Error about the line of the last request, for a caller that
// finds a trace unfit for its own purpose.
func (r *Reader) Fault(column, found, want string) error {
	return &Error{File: r.scan.name, Line: r.rowLine, Column: column, Found: found, Want: want}
}
