//go:build unix

package cli

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A command that waits for what never comes is cut off. Without that it would be
// killed here by the deadline, which has another exit code.
func TestInterruptCutsOff(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), waitForever+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != ExitInterrupted {
		t.Errorf("exit %d", code)
	}
	if grace > 200*time.Millisecond {
		t.Errorf("a user waits %v for the end", grace)
	}
}
