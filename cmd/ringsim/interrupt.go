package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
)

// grace is how long a command that has nothing to show may take to end after Ctrl-C.
const grace = 100 * time.Millisecond

type hasFiguresKey struct{}

// finishing says that the command has figures by now: should Ctrl-C come, it heeds
// that by itself and prints them, which may take longer than grace. It may be called
// as often as one likes.
func finishing(ctx context.Context) {
	if has, ok := ctx.Value(hasFiguresKey{}).(*atomic.Bool); ok {
		has.Store(true)
	}
}

// runMain runs the command as cli.Main does, but for one thing: a command that has
// figures is given the time to print them after Ctrl-C. A second Ctrl-C ends it at
// once; nothing is left half-written, as with cli.Main.
func runMain(root *cobra.Command) int {
	has := new(atomic.Bool)
	ctx, stop := signal.NotifyContext(context.WithValue(context.Background(), hasFiguresKey{}, has), os.Interrupt, syscall.SIGTERM)
	defer stop()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		<-ctx.Done()
		stop() // the next signal kills
		select {
		case <-finished:
		case <-time.After(grace):
			if has.Load() {
				<-finished
				return
			}
			fmt.Fprintf(os.Stderr, "%s: interrupted\n", root.Name())
			os.Exit(cli.ExitInterrupted)
		}
	}()
	return cli.Run(ctx, root, os.Args[1:], os.Stdout, os.Stderr)
}
