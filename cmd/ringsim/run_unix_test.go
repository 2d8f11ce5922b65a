//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringway/ringway/internal/cli"
)

// Ctrl-C prints what is there so far, marked, and exits with 1; before there is
// anything, it ends as every command does.
func TestRunInterrupted(t *testing.T) {
	for _, test := range []struct {
		name   string
		sent   int // keys
		code   int
		stderr string
	}{
		{"with something done", 400_000, cli.ExitFailed, "the report is partial\n"},
		{"before the first request", 0, cli.ExitInterrupted, "ringsim: interrupted\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "keys")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip("no named pipes: ", err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var stdout, stderr bytes.Buffer
			ended := make(chan int)
			go func() {
				ended <- cli.Run(ctx, newRoot("test"), []string{"run", "testdata/scenarios/pipe.yaml", "--trace", pipe}, &stdout, &stderr)
			}()
			// Opening returns once the command has opened the other end, and
			// writing more than what lies between once much of it was served.
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if _, err := writer.Write(bytes.Repeat([]byte("a key\n"), test.sent)); err != nil {
				t.Fatal(err)
			}
			cancel()
			if code := <-ended; code != test.code || !strings.HasSuffix(stderr.String(), test.stderr) {
				t.Errorf("exit %d, stderr %q", code, &stderr)
			}
			if said := stdout.String(); test.sent > 0 && (!strings.Contains(said, "PARTIAL") || !strings.Contains(said, "So far: ")) || test.sent == 0 && said != "" {
				t.Errorf("stdout %q", said)
			}
		})
	}
}

// A scenario whose times are parts of the requests cannot take a pipe.
func TestRunPipeWithParts(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "keys")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes: ", err)
	}
	go func() {
		if writer, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			_, _ = writer.Write([]byte("a key\n"))
			writer.Close()
		}
	}()
	code, stdout, stderr := run("run", "more-nodes-slowly", "--trace", pipe)
	checkUsageError(t, code, stdout, stderr)
	if !strings.Contains(stderr, "found a pipe") {
		t.Error(stderr)
	}
}
