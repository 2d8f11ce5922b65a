package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

// keys puts in the keys that --keys stands for: a list, distinct and in the order of
// their first appearance, or how many are to be made.
func (f *compareFlags) readKeys(cmd *cobra.Command, cfg *simulations.CompareConfig) error {
	count, generated, err := simulations.ParseUniform(f.keys)
	if err != nil {
		return usage(err, "")
	}
	if generated {
		cfg.Uniform, cfg.Seed = count, f.seed
		return nil
	}
	cfg.Keys, err = readKeys(cmd, f.keys)
	return err
}

func readKeys(cmd *cobra.Command, source string) ([]string, error) {
	ctx := cmd.Context()
	if source == "" {
		return nil, &cli.UsageError{Where: "--keys", Found: cli.Quote(source), Want: "a file, uniform:M or " + trace.BundledName}
	}
	// A list of keys is not guessed at: a key may look like anything.
	reader, err := openTrace(ctx, source, trace.Config{Format: trace.Keys})
	if err != nil {
		return nil, usage(err, "keys")
	}
	defer reader.Close()
	// Ctrl-C ends a read that waits for a pipe.
	defer context.AfterFunc(ctx, func() { reader.Close() })()
	progress := cli.NewProgress(cmd.ErrOrStderr(), "reading keys")
	defer progress.Close()
	var (
		req  trace.Request
		keys []string
		seen = make(map[string]struct{})
	)
	for {
		if err := reader.Next(&req); errors.Is(err, io.EOF) {
			return keys, nil
		} else if ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			return nil, usage(err, "keys")
		}
		if _, known := seen[string(req.Key)]; !known {
			key := string(req.Key)
			seen[key] = struct{}{}
			keys = append(keys, key)
		}
		if reader.Requests()%(1<<16) == 0 {
			progress.Set(reader.BytesRead(), reader.TotalBytes())
		}
	}
}

func openTrace(ctx context.Context, source string, cfg trace.Config) (*trace.Reader, error) {
	if source == trace.BundledName {
		return trace.Bundled(cfg)
	}
	return trace.OpenContext(ctx, source, cfg)
}

// traceUsage restates an error about a trace file: flag, file, line, column.
func traceUsage(e *trace.Error, flag string) error {
	out := &cli.UsageError{Where: "--" + flag, Found: e.Found, Want: e.Want, Err: e}
	if e.File == "" { // about a setting
		out.Where = "--" + map[string]string{"format": "trace-format"}[e.Column]
		if out.Where == "--" {
			out.Where += e.Column
		}
		return out
	}
	out.Where += " " + printable.Text(e.File)
	if e.Line > 0 {
		out.Where += fmt.Sprintf(": line %d", e.Line)
	}
	if e.Column != "" {
		out.Where += ": " + e.Column
	}
	if e.Err != nil {
		if out.Found == "" {
			out.Found = e.Err.Error()
		} else {
			out.Found += " (" + e.Err.Error() + ")"
		}
	}
	if out.Want == "" {
		out.Want = "a file that can be read"
	}
	return out
}
