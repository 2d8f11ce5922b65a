package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenario"
	"github.com/ringway/ringway/simulations/scenarios"
	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

type runFlags struct {
	asserts
	trace, traceFormat, columns, capacity string
	seed                                  uint64
	json, series                          string
	list                                  bool
	format                                *cli.Format
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a scenario: a fleet, a workload and what happens to them",
		Long: `Run answers a question about a fleet of caches: what do changes, failures, returns
and hot keys cost, with each placement, beside a control run over the same requests
without them. The scenario is a YAML file, or one of those that ship with ringsim
(--list); docs/guide/scenarios.md explains both.

--trace puts your own traffic in the place of the scenario's, whose assertions are
not checked then; --capacity should fit it.`,
		Example: `  ringsim run --list
  ringsim run double-at-peak
  ringsim run one-dead-node --format json
  ringsim run more-nodes-slowly --trace access.keys.gz --capacity 1000
  ringsim run hot-key --series hot-key.csv --assert 'two_copies.hottest_times_fair < 4'`,
		Args: func(_ *cobra.Command, args []string) error { return f.checkArgs(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return f.printList(cmd)
			}
			return f.run(cmd, args[0])
		},
		ValidArgsFunction: cobra.FixedCompletions(scenarios.Names(), cobra.ShellCompDirectiveDefault),
	}
	cmd.Flags().BoolVar(&f.list, "list", false, "list the scenarios that ship with ringsim")
	f.addWorkload(cmd)
	f.asserts.add(cmd, "ring.extra_loads < 1000")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

// addWorkload adds the flags that say what is served, and what is written beside.
func (f *runFlags) addWorkload(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.trace, "trace", "", "serve the requests of this trace, a `FILE` (.gz accepted), instead of the scenario's")
	flags.StringVar(&f.traceFormat, "trace-format", "auto", "`FORMAT` of --trace: keys (a key a line), csv, twitter, metakv; auto guesses by content")
	flags.StringVar(&f.columns, "columns", "", "`COLUMNS` of a csv --trace by name: key=…,op=…,ttl=…,size=…,time=…")
	flags.StringVar(&f.capacity, "capacity", "", "what a node of weight 1 holds, instead of all that the scenario says: `ITEMS`, or bytes (64MB)")
	flags.Uint64Var(&f.seed, "seed", 1, "`SEED` of a generated workload, instead of the scenario's")
	flags.StringVar(&f.json, "json", "", "write the JSON report into a `FILE` too")
	flags.StringVar(&f.series, "series", "", "write the figures over time into a `FILE`, as CSV")
	for _, name := range []string{"capacity", "seed", "columns"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	complete(cmd, "trace-format", cobra.FixedCompletions([]cobra.Completion{"auto", "keys", "csv", "twitter", "metakv"}, cobra.ShellCompDirectiveNoFileComp))
}

const wantScenario = "a file, or a name that \"ringsim run --list\" shows"

func (f *runFlags) checkArgs(args []string) error {
	switch {
	case f.list && len(args) > 0:
		return &cli.UsageError{Where: "--list", Found: "the argument " + cli.Quote(args[0]), Want: "no argument"}
	case !f.list && len(args) == 0:
		return &cli.UsageError{Where: "SCENARIO", Found: "nothing", Want: wantScenario}
	case len(args) > 1:
		return &cli.UsageError{Where: "SCENARIO", Found: "the argument " + cli.Quote(args[1]), Want: "one scenario"}
	}
	return nil
}

func (f *runFlags) run(cmd *cobra.Command, name string) error {
	s, err := f.load(cmd, name)
	if err != nil {
		return err
	}
	report, partial, err := f.simulate(cmd, s)
	if err != nil {
		return err
	}
	var failed []string
	if !partial {
		if failed, err = f.checkRun(s, report); err != nil {
			return err
		}
	}
	out := runReport{scenario: s, report: report, seed: s.Seed, version: cmd.Root().Version}
	if err := f.writeFiles(&out); err != nil {
		return err
	}
	if partial {
		failed = []string{fmt.Sprintf("interrupted after %s: the report is partial", counted(report.Workload.Requests, "request"))}
	}
	return finish(cmd, out.cli(), *f.format, failed)
}

// load reads the scenario and puts in what flags say instead. Everything that can
// be checked is, before the first request.
func (f *runFlags) load(cmd *cobra.Command, name string) (s *scenario.Scenario, err error) {
	if content, shipped := scenarios.Read(name); shipped {
		s, err = scenario.Parse(name+".yaml", content)
	} else if _, missing := os.Stat(name); missing != nil && !strings.ContainsAny(name, "./\\") {
		return nil, &cli.UsageError{Where: "SCENARIO", Found: cli.Quote(name), Want: wantScenario}
	} else {
		s, err = scenario.Load(name)
	}
	if err != nil {
		return nil, runUsage(err)
	}
	return s, f.apply(cmd, s)
}

// apply puts in what flags say instead, and checks them.
func (f *runFlags) apply(cmd *cobra.Command, s *scenario.Scenario) error {
	if cmd.Flags().Changed("seed") {
		s.Seed = f.seed
	}
	if err := f.override(cmd, s); err != nil {
		return err
	}
	for _, file := range []struct{ flag, name string }{{"json", f.json}, {"series", f.series}} {
		if !cmd.Flags().Changed(file.flag) {
			continue
		}
		if err := checkOutput(file.flag, file.name, "a file in a folder that exists"); err != nil {
			return err
		}
	}
	if err := checkTwice(output{"json", f.json}, output{"series", f.series}); err != nil {
		return err
	}
	return f.parseAsserts(s)
}

func (f *runFlags) override(cmd *cobra.Command, s *scenario.Scenario) (err error) {
	if cmd.Flags().Changed("capacity") {
		if s.Capacity, err = simulations.ParseCapacity(f.capacity); err != nil {
			return usage(err, "")
		}
	}
	if !cmd.Flags().Changed("trace") {
		for _, name := range []string{"trace-format", "columns"} {
			if cmd.Flags().Changed(name) {
				return &cli.UsageError{Where: "--" + name, Found: "no --trace", Want: "one beside it"}
			}
		}
		return nil
	}
	if f.trace == "" {
		return &cli.UsageError{Where: "--trace", Found: cli.Quote(f.trace), Want: "a file or " + trace.BundledName}
	}
	s.Workload = scenario.Workload{Trace: f.trace}
	if s.Workload.Config.Format, err = trace.ParseFormat(f.traceFormat); err != nil {
		return usage(err, "trace")
	}
	s.Workload.Config.Columns, err = trace.ParseColumns(f.columns)
	return usage(err, "trace")
}

// simulate opens the workload and runs the scenario over it. A run that Ctrl-C
// ended has a partial report, unless nothing was done yet.
func (f *runFlags) simulate(cmd *cobra.Command, s *scenario.Scenario) (report *simulations.RunReport, partial bool, err error) {
	ctx := cmd.Context()
	source, requests, err := s.Open(ctx)
	if err != nil {
		return nil, false, runUsage(err)
	}
	defer source.Close()
	defer context.AfterFunc(ctx, func() { source.Close() })()
	cfg, err := s.Config(requests)
	if err != nil {
		return nil, false, runUsage(err)
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "running")
	defer progress.Close()
	show := showRead(progress)
	cfg.Source, cfg.Progress = source, func(p simulations.Progress) { finishing(ctx); show(p) }
	report, err = simulations.Run(ctx, cfg)
	progress.Close()
	if err != nil && ctx.Err() != nil && report != nil && report.Workload.Requests > 0 {
		return report, true, nil
	}
	return report, false, runUsage(s.Explain(err))
}

// runUsage restates an error about a scenario in the terms of the command line.
func runUsage(err error) error {
	var (
		file *scenario.Error
		made *workload.Error
	)
	switch {
	case errors.As(err, &file):
		return &cli.UsageError{Where: "SCENARIO " + file.Where(), Found: file.Found, Want: file.Want, Err: err}
	case errors.As(err, &made):
		return &cli.UsageError{Where: "SCENARIO: workload." + made.Field, Found: made.Found, Want: made.Want, Err: err}
	}
	return usage(err, "trace")
}

// parseAsserts checks the assertions of the file and of the flag.
func (f *runFlags) parseAsserts(s *scenario.Scenario) error {
	rows, sample := s.Rows(), cli.RecordOf(simulations.RunResult{})
	for _, a := range s.Assertions {
		if f.trace != "" {
			break // they are about the scenario's own requests
		}
		parsed, err := simulations.ParseAssertion(a.Text, rows, sample.Names())
		if err != nil {
			return assertUsage(s, a, err)
		}
		f.parsed = append(f.parsed, parsed)
	}
	return f.parse(rows, sample)
}

func assertUsage(s *scenario.Scenario, a scenario.Assertion, err error) error {
	input := (*simulations.InputError)(nil)
	if !errors.As(err, &input) {
		return err
	}
	where := &scenario.Error{File: s.File(), Line: a.Line, Column: a.Column, Field: "assert"}
	return &cli.UsageError{Where: "SCENARIO " + where.Where(), Found: input.Found, Want: input.Want, Err: err}
}

// checkRun evaluates the assertions, and returns a line for each that is false.
func (f *runFlags) checkRun(s *scenario.Scenario, report *simulations.RunReport) ([]string, error) {
	rows := make(map[string]cli.Record)
	for _, r := range report.Results {
		rows[r.Name] = cli.RecordOf(r)
	}
	return f.check(rows, "")
}
