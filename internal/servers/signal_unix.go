//go:build unix

package servers

import (
	"fmt"
	"syscall"
	"time"
)

// stop freezes the process and waits until it stands still: SIGSTOP is
// delivered by the system in its own time, and a caller that measures what a
// frozen server does must not measure its last gasp.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(startDeadline); !frozen(p.pid()); {
		if p.gone() || time.Now().After(deadline) {
			return fmt.Errorf("process %d does not stop", p.pid())
		}
		time.Sleep(pollEvery)
	}
	return nil
}

func (p *process) cont() error { return p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) error {
	if p.gone() {
		return fmt.Errorf("process %d has ended", p.pid())
	}
	return p.cmd.Process.Signal(s)
}
