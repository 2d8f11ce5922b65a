package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// readAtMost reads all there is, which must not be more than that.
func readAtMost(r io.Reader, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("it holds more than %d bytes", most)
	}
	return content, err
}

// reasonOf takes the file's name out of an error that is told with the name.
func reasonOf(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}
