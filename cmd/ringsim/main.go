package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

func main() { os.Exit(runMain(newRoot(cli.Version()))) }

// newRoot returns the whole command. The version is what reports name.
func newRoot(version string) *cobra.Command {
	root := &cobra.Command{
		Use:     "ringsim",
		Version: version,
		Args:    cli.Subcommand,
	}
	newHeadline(root)
	root.AddCommand(newCompare(), newReplay(), newRun(), newReport(), newWhatif(), newGossip(), newLRU(), newBalance())
	return root
}

// usage restates an error about input in the terms of the command line: which
// flag, what was found, what was expected. Other errors stay as they are. file is
// the flag that a trace.Error is about.
func usage(err error, file string) error {
	var (
		input *simulations.InputError
		nodes *ring.InputError
		read  *trace.Error
	)
	switch {
	case errors.As(err, &input):
		return &cli.UsageError{Where: "--" + input.What, Found: input.Found, Want: input.Want, Err: err}
	case errors.As(err, &read):
		return traceUsage(read, file)
	case errors.As(err, &nodes):
		return &cli.UsageError{Where: "--nodes", Found: cli.Quote(nodes.Error()), Want: nodes.Want, Err: err}
	}
	return err
}
