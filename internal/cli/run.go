package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli/printable"
)

// grace is how long a command that was interrupted may take to end by itself.
const grace = 100 * time.Millisecond

// Main runs the command with the program's arguments and standard streams, and
// returns the exit code.
//
// Ctrl-C cancels the command's context. Whatever does not heed that within a
// tenth of a second, such as opening a pipe that nobody writes to, is cut off;
// that leaves nothing half-written, since files are renamed into place when they
// are complete and output is one write. A second Ctrl-C ends the program at once.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		<-ctx.Done()
		stop() // the next signal kills
		select {
		case <-finished:
		case <-time.After(grace):
			fmt.Fprintf(os.Stderr, "%s: interrupted\n", root.Name())
			os.Exit(ExitInterrupted)
		}
	}()
	return Run(ctx, root, os.Args[1:], os.Stdout, os.Stderr)
}

// Run runs the command and returns the exit code. Errors go to stderr, one line
// each, after the name of the program; what cannot be shown is escaped.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", MaxWidth)))
	root.SetArgs(append([]string{}, args...)) // nil would stand for the program's own
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	var usage *UsageError
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		text := "interrupted"
		if goesOn := (*InterruptedError)(nil); errors.As(err, &goesOn) {
			text += ": " + goesOn.Still
		}
		fmt.Fprintf(stderr, "%s: %s\n", root.Name(), printable.Escape(text))
		return ExitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %s\n", root.Name(), printable.Escape(err.Error()))
		return ExitUsage
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "%s: %s\n", root.Name(), printable.Escape(line))
	}
	return ExitFailed
}
