package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

// traceFlags are the flags of the commands that read a trace.
type traceFlags struct {
	file, format, columns string
	limit                 int64
}

func (f *traceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "trace", trace.BundledName, "the trace, a `FILE` (.gz accepted)")
	flags.StringVar(&f.format, "trace-format", "auto", "`FORMAT` of the trace: keys (a key a line), csv, twitter, metakv; auto guesses by content")
	flags.StringVar(&f.columns, "columns", "", "`COLUMNS` of a csv trace by name: key=…,op=…,ttl=…,size=…,time=…")
	flags.Int64Var(&f.limit, "limit", 0, "read so many `REQUESTS` at most; 0 for all")
	complete(cmd, "trace-format", cobra.FixedCompletions([]cobra.Completion{"auto", "keys", "csv", "twitter", "metakv"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "columns", cobra.NoFileCompletions)
	complete(cmd, "limit", cobra.NoFileCompletions)
}

// open opens the trace. Its errors are usage errors. The caller calls stop when
// it is done; Ctrl-C closes the trace too, and so ends a read that waits for a
// pipe.
func (f *traceFlags) open(ctx context.Context) (reader *trace.Reader, stop func(), err error) {
	if f.file == "" {
		return nil, nil, &cli.UsageError{Where: "--trace", Found: cli.Quote(f.file), Want: "a file or " + trace.BundledName}
	}
	cfg := trace.Config{Limit: f.limit}
	if cfg.Format, err = trace.ParseFormat(f.format); err != nil {
		return nil, nil, usage(err, "trace")
	}
	if cfg.Columns, err = trace.ParseColumns(f.columns); err != nil {
		return nil, nil, usage(err, "trace")
	}
	if reader, err = openTrace(ctx, f.file, cfg); err != nil {
		return nil, nil, usage(err, "trace")
	}
	forget := context.AfterFunc(ctx, func() { reader.Close() })
	return reader, func() { forget(); reader.Close() }, nil
}

// showRead shows how far the trace has been read.
func showRead(p *cli.Progress) func(simulations.Progress) {
	return func(s simulations.Progress) { p.Set(s.Bytes, s.TotalBytes) }
}
