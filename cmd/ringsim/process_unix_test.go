//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringway/ringway/internal/cli"
)

// process returns ringsim as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "RINGSIM_TEST_MAIN=1")
	return cmd
}

// Ctrl-C ends a command that waits for its input, before the first byte as well
// as in the middle, and nothing is printed.
func TestInterrupt(t *testing.T) {
	const pipeBuffer = 64 << 10
	for name, test := range map[string]struct {
		sent int
		args []string
	}{
		"before":         {0, []string{"compare", "--keys"}},
		"within compare": {16 * pipeBuffer, []string{"compare", "--keys"}},
		"within replay":  {16 * pipeBuffer, []string{"replay", "--change", "+1@10", "--capacity", "5", "--trace"}},
		"within lru":     {16 * pipeBuffer, []string{"lru", "--trace"}},
	} {
		t.Run(name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "keys")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip("no named pipes: ", err)
			}
			cmd := process(t, append(test.args, pipe)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// Opening returns once the command has opened the other end to read,
			// and writing more than the pipe holds once it has read most of that.
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if _, err := writer.Write(bytes.Repeat([]byte("a key\n"), test.sent/6)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			said := stderr.String()
			if code := cmd.ProcessState.ExitCode(); code != cli.ExitInterrupted || stdout.Len() > 0 {
				t.Errorf("exit %d, stdout %q, stderr %q", code, &stdout, said)
			}
			if said != "ringsim: interrupted\n" {
				t.Errorf("stderr %q", said)
			}
		})
	}
}

// Output that cannot be written is a failure, not a success.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full: ", err)
	}
	defer full.Close()
	cmd := process(t, "balance", "--algorithms", "ring", "--nodes", "3")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &stderr
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitFailed || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit %d, stderr %q", code, &stderr)
	}
}
