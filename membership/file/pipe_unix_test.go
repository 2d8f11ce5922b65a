//go:build unix

package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// TestPipe: to open a pipe would wait for somebody who writes, and keep Open and
// Close waiting.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), "file: "+path+": got a pipe, want a regular file") {
		t.Errorf("Open: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(w.path, 0o600); err != nil {
			t.Fatal(err)
		}
		w.quiet("got a pipe, want a regular file")
	})
}
