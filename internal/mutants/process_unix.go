//go:build unix

package main

import (
	"os/exec"
	"syscall"
	"time"
)

// separate lets a program that is not started yet, and those that it starts, be ended
// together: when its context is, and by the function that is returned. A terminal's
// Ctrl-C reaches them by way of the context only.
func separate(cmd *exec.Cmd) (end func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end = func() {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if all are gone
		}
	}
	cmd.Cancel = func() error { end(); return nil }
	cmd.WaitDelay = 10 * time.Second // for those that have left the group and hold the output
	return end
}
