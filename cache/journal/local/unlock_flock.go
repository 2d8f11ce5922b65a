//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package local

import (
	"os"
	"syscall"
)

// unlock leaves the file to others. To close it is not enough: a mapping of it, which
// bbolt leaves behind in a panic, holds the lock.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
