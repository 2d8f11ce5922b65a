package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// workingCopy is a copy of the module, and the test binaries of it, in a temporary
// folder.
type workingCopy struct {
	dir  string // of the sources
	temp string // holds dir, and all else that remove removes

	// scratch is where programs put their temporary files: one that is killed leaves
	// them behind.
	scratch string
}

// newCopy copies everything but hidden folders.
func newCopy(root string) (*workingCopy, error) {
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return nil, fmt.Errorf("-root: %w", err)
	}
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	c := &workingCopy{dir: filepath.Join(temp, "sources"), temp: temp, scratch: filepath.Join(temp, "tmp")}
	if err := errors.Join(os.Mkdir(c.scratch, 0o755), copyFolder(root, c.dir)); err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

func copyFolder(root, dir string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to, _ := filepath.Rel(root, path)
		switch to = filepath.Join(dir, to); {
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
}

func (c *workingCopy) remove() { _ = os.RemoveAll(c.temp) }

func (c *workingCopy) path(file string) string { return filepath.Join(c.dir, filepath.FromSlash(file)) }

// findAll looks for the texts of all mutations before anything is run.
func (c *workingCopy) findAll(all []*trial) error {
	var errs []error
	for _, t := range all {
		errs = append(errs, c.find(t))
	}
	return errors.Join(errs...)
}

// find keeps a mutation's file as it is and as the mutation has it.
func (c *workingCopy) find(t *trial) error {
	text, err := os.ReadFile(c.path(t.file))
	if err != nil {
		return fmt.Errorf("mutation %q: %w", t.name, err)
	}
	if n := strings.Count(string(text), t.old); n != 1 {
		return fmt.Errorf("mutation %q: %s: found the old text %d times, want it once:\n%s", t.name, t.file, n, t.old)
	}
	t.before, t.after = string(text), strings.Replace(string(text), t.old, t.new, 1)
	return nil
}
