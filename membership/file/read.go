package file

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const maxSize = 8 << 20 // bytes of a file

// reading is one look at the file.
type reading struct {
	info    fs.FileInfo
	content []byte
	err     error // if it could not be read
}

// read reads the file. What is not a regular file is refused before it is
// opened: a pipe would keep us waiting.
func read(path string) reading {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: got %s, want a regular file", path, describe(info.Mode()))
	}
	if err != nil {
		return reading{err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return reading{err: err}
	}
	defer f.Close()
	r := reading{}
	if r.info, r.err = f.Stat(); r.err != nil {
		return r
	}
	r.content, r.err = io.ReadAll(io.LimitReader(f, maxSize+1))
	if r.err == nil && len(r.content) > maxSize {
		r.content, r.err = nil, fmt.Errorf("%s: got more than %d bytes, want at most that", path, maxSize)
	}
	return r
}

func describe(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "a file of mode " + mode.String()
}

// same reports whether nothing happened to the file between two readings: it is
// the same file, unchanged, or the same error.
func (r reading) same(other reading) bool {
	if r.err != nil || other.err != nil {
		return r.err != nil && other.err != nil && r.err.Error() == other.err.Error()
	}
	return os.SameFile(r.info, other.info) && r.info.ModTime().Equal(other.info.ModTime()) &&
		bytes.Equal(r.content, other.content)
}
