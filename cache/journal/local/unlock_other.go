//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package local

import "os"

// unlock does nothing: the lock goes with the file.
func unlock(*os.File) {}
