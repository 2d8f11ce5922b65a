package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ringway/ringway/internal/cli/printable"
)

// WriteFile writes a file so that it is complete or not there: under another name
// first, in the same folder, then renamed. A device or pipe is written as it is.
func WriteFile(name string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s was not written: %w", printable.Text(name), reasonOf(err))
		}
	}()
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, data, 0o644)
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	if err == nil {
		err = temporary.Chmod(0o644)
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		os.Remove(temporary.Name())
	}
	return err
}

// CheckFile returns why WriteFile could not write that file, as far as can be known
// before: for commands that take a while until they have something to write.
func CheckFile(name string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil // it is written as it is, and a pipe cannot be tried
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return reasonOf(err)
	}
	return errors.Join(temporary.Close(), os.Remove(temporary.Name()))
}

// reasonOf takes the file's name out of an error that is told with the name.
func reasonOf(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	if link := (*os.LinkError)(nil); errors.As(err, &link) {
		return link.Err
	}
	return err
}
