package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
)

// ownSignals annotates a command that does something of its own on a signal.
const ownSignals = "ringway_own_signals"

// ownEnd annotates a command that a signal ends, and that may take its time to put
// everything away. A second signal ends it at once.
const ownEnd = "ringway_own_end"

func main() {
	root := newRoot(cli.Version())
	cmd, _, err := root.Find(os.Args[1:])
	switch {
	case err == nil && cmd.Annotations[ownSignals] != "":
		os.Exit(cli.Run(context.Background(), root, os.Args[1:], os.Stdout, os.Stderr))
	case err == nil && cmd.Annotations[ownEnd] != "":
		signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
		if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
			signals = append(signals, syscall.SIGHUP)
		}
		ctx, stop := signal.NotifyContext(context.Background(), signals...)
		context.AfterFunc(ctx, stop)
		os.Exit(cli.Run(ctx, root, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(cli.Main(root))
}

// newRoot returns the whole command. The version is what the agent reports.
func newRoot(version string) *cobra.Command {
	root := &cobra.Command{
		Use:   "ringway",
		Short: "Run the agent of a cache server, and show its fleet",
		Long: `Ringway runs the agent beside a Redis or Memcached server, and shows the fleet that
the agents make: who is in it, who owns how much, and where a key lives.`,
		Example: `  ringway demo
  ringway agent --server redis://127.0.0.1:6379 --id cache-a --bind 127.0.0.1:7946 --bootstrap
  ringway members
  ringway ring --watch
  ringway locate user:1 user:2
  ringway rebalance --watch
  ringway drain cache-a`,
		Version: version,
		Args:    cli.Subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newAgent(), newMembers(), newRing(), newLocate(), newPlan(), newRebalance(), newDrain(), newCache(), newDemo(), newDemoServer())
	return root
}

// complete sets how the shell completes a flag's value.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag does not exist: a slip in this program
	}
}

// oneOf completes a flag's value from a few words.
func oneOf(cmd *cobra.Command, flag string, words ...cobra.Completion) {
	complete(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// noWords keeps the shell from offering files for flags that take none.
func noWords(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		complete(cmd, flag, cobra.NoFileCompletions)
	}
}
