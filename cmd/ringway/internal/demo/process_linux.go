package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the system kill the process when this program ends in any way,
// SIGKILL included, and keeps the Ctrl-C of a terminal from it: what the demo has
// started, the demo ends.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
