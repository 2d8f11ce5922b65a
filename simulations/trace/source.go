package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"sync"
	"sync/atomic"
)

const (
	defaultBlock = 256 << 10 // bytes that are read and decompressed at a time
	numBlocks    = 3         // one being parsed, one ready, one being filled
	headroom     = MaxLine + 64
	// tailroom holds newlines behind a block's data: the scanner loads eight
	// bytes at a time, and always finds an end.
	tailroom = 8
)

// A block is a piece of the decompressed trace. Its data has room before it for
// the unfinished line of the block that came before, so that a line always lies
// in one piece.
type block struct {
	buf []byte // headroom, data, tailroom
	n   int    // bytes of data
	err error  // why there is no block after this one; io.EOF at the end
}

// source reads ahead. Its goroutine is ended by close.
type source struct {
	full chan *block
	free chan *block
	quit chan struct{}
	done chan struct{}
	once sync.Once // guards the closing of quit
	raw  *counter
	file io.Closer // nil unless the source opened it
}

// counter counts the bytes of the file, as they are on the disk.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// compressed lists what is recognised but not read.
var compressed = []struct{ magic, name string }{
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"\xfd7zXZ\x00", "xz"},
	{"BZh", "bzip2"},
	{"PK\x03\x04", "zip"},
	{"\x04\x22\x4d\x18", "lz4"},
}

// newSource looks at the magic bytes and begins to read ahead. It closes file,
// if that is not nil, when it fails and when it is closed itself.
func newSource(r io.Reader, name string, file io.Closer, blockSize int) (*source, error) {
	s := &source{
		full: make(chan *block, numBlocks),
		free: make(chan *block, numBlocks),
		quit: make(chan struct{}),
		done: make(chan struct{}),
		raw:  &counter{r: r},
		file: file,
	}
	plain, err := s.decompressed(name)
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	for range numBlocks {
		s.free <- &block{buf: make([]byte, headroom+blockSize+tailroom)}
	}
	go s.readAhead(plain)
	return s, nil
}

func (s *source) decompressed(name string) (io.Reader, error) {
	buffered := bufio.NewReaderSize(s.raw, 64<<10)
	magic, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, &Error{File: name, Err: err}
	}
	for _, c := range compressed {
		if bytes.HasPrefix(magic, []byte(c.magic)) && (c.name != "bzip2" || len(magic) > 3 && '1' <= magic[3] && magic[3] <= '9') {
			return nil, &Error{File: name, Found: "a " + c.name + " file", Want: "text, plain or compressed by gzip"}
		}
	}
	if !bytes.HasPrefix(magic, []byte("\x1f\x8b")) {
		return buffered, nil
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, &Error{File: name, Found: "a damaged gzip header", Want: "gzip or plain text", Err: err}
	}
	return unzipped, nil
}

func (s *source) readAhead(r io.Reader) {
	defer close(s.done)
	for {
		var b *block
		select {
		case b = <-s.free:
		case <-s.quit:
			return
		}
		b.fill(r)
		tail := b.buf[headroom+b.n:][:tailroom]
		for i := range tail {
			tail[i] = '\n'
		}
		s.full <- b // has room for every block
		if b.err != nil {
			return
		}
	}
}

// fill reads until the block is full or the trace ends. It is not io.ReadFull,
// which reports the end of a text as gzip reports a stream that was cut.
func (b *block) fill(r io.Reader) {
	b.n, b.err = 0, nil
	data := b.buf[headroom : len(b.buf)-tailroom]
	for b.n < len(data) && b.err == nil {
		var n int
		n, b.err = r.Read(data[b.n:])
		b.n += n
	}
}

// close ends the goroutine and waits for it.
func (s *source) close() error {
	var err error
	s.once.Do(func() {
		close(s.quit)
		if s.file != nil {
			err = s.file.Close() // ends a Read that waits for a pipe
		}
		<-s.done
	})
	return err
}
