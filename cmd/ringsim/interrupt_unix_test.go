//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
)

// Ctrl-C while keys are placed prints what there is, marked, and exits with 1. When
// it comes depends on the machine: too early, before the first keys are placed, is
// tried again with more patience; the whole would take far longer.
func TestCompareInterrupted(t *testing.T) {
	for patience := 50 * time.Millisecond; patience < 2*time.Minute; patience *= 2 {
		cmd := process(t, "compare", "--algorithms", "ring,balanced", "--nodes", "1000", "--keys", "uniform:100000000", "--format", "json", "--assert", "ring.moved < 0")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(patience) // not for luck: see above
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		code := cmd.ProcessState.ExitCode()
		if (code == cli.ExitInterrupted || code == -1) && stdout.Len() == 0 {
			continue // -1: it did not even listen to signals yet
		}
		if code != cli.ExitFailed || stderr.String() != "ringsim: interrupted: the report is partial\n" {
			t.Fatalf("exit %d, stderr %q", code, &stderr)
		}
		var report struct {
			Partial bool
			Results []struct {
				Algorithm string
				Moved     *float64
				Note      string
			}
		}
		if err := json.Unmarshal(stdout.Bytes(), &report); err != nil || !report.Partial || len(report.Results) != 2 {
			t.Fatalf("%v: %s", err, &stdout)
		}
		if ring := report.Results[0]; ring.Moved == nil || *ring.Moved > 0.01 || !strings.Contains(ring.Note, "interrupted after ") {
			t.Errorf("%s", &stdout)
		}
		return
	}
	t.Fatal("interrupted before the first keys were placed, however late")
}

func init() { mains["slow"] = func() int { return runMain(slowToEnd()) } }

// slowToEnd is a command that is interrupted, and takes ten times as long as others may
// to print what it has, if it has something.
func slowToEnd() *cobra.Command {
	return &cobra.Command{Use: "ringsim [figures]", Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			finishing(cmd.Context())
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return err
		}
		<-cmd.Context().Done()
		time.Sleep(10 * grace)
		_, err := cmd.OutOrStdout().Write([]byte("figures"))
		return errors.Join(err, &cli.FailedError{Lines: []string{"partial"}})
	}}
}

// A command that has figures is given the time to print them, and no other.
func TestInterruptedWithFigures(t *testing.T) {
	for _, test := range []struct {
		args   []string
		code   int
		stdout string
	}{{[]string{"figures"}, cli.ExitFailed, "figures"}, {nil, cli.ExitInterrupted, ""}} {
		cmd := process(t, test.args...)
		cmd.Env = append(cmd.Env, "RINGSIM_TEST_MAIN=slow")
		out, _ := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != test.code || string(out) != test.stdout {
			t.Errorf("%v: exit %d, %q", test.args, code, out)
		}
	}
}

// A run and a report that are interrupted tell and write what there is, in a process
// of their own.
func TestProcessInterrupted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	for name, args := range map[string][]string{
		"run":    {"run", "testdata/scenarios/pipe.yaml", "--trace"},
		"report": {"report", "testdata/scenarios/pipe.yaml", "-o", file, "--trace"},
	} {
		t.Run(name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "keys")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip("no named pipes: ", err)
			}
			cmd := process(t, append(args, pipe)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			// Writing more than lies between ends once much of it was served.
			if _, err := writer.Write(bytes.Repeat([]byte("a key\n"), 400_000)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != cli.ExitFailed || !strings.HasSuffix(stderr.String(), "the report is partial\n") || !strings.Contains(stdout.String(), "So far: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", code, &stdout, &stderr)
			}
		})
	}
	if page, err := os.ReadFile(file); err != nil || !strings.Contains(string(page), "Partial: the study was interrupted") || !strings.HasSuffix(strings.TrimSpace(string(page)), "</html>") {
		t.Errorf("the page: %v, %d bytes", err, len(page))
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}
