//go:build !unix

package main

import (
	"os/exec"
	"time"
)

// separate cannot reach what the program has started.
func separate(cmd *exec.Cmd) (end func()) {
	cmd.WaitDelay = 10 * time.Second
	return func() {}
}
