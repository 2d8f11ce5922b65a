package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenario"
	"github.com/ringway/ringway/simulations/scenarios"
)

// reportFlags are those of run, and what the headline study is made of.
type reportFlags struct {
	runFlags
	study
	output string
}

// workloadFlags say what is served otherwise than the scenario says.
var workloadFlags = []string{"trace", "trace-format", "columns", "capacity"}

func newReport() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [SCENARIO] -o FILE.html",
		Short: "Write a study as one HTML page: the answer in words, plots, tables",
		Long: `Report runs a study and writes it as one HTML page that works offline and prints:
the answer in words, plots, tables that sort, and the command that gives the same again.

Without SCENARIO it is the headline study: a fleet changes in the middle of a trace,
with keys placed by modulo, on a ring, and on a ring whose moved keys are brought over;
beside it all placements over the same keys. --trace makes it a study of your own
traffic; unless told otherwise each node then holds so much that ten of them hold three
quarters of the keys, and one node joins after half of the requests. With SCENARIO it is
what "ringsim run" runs.`,
		Example: `  ringsim report -o report.html
  ringsim report --trace access.keys.gz -o report.html
  ringsim report --trace access.keys.gz --nodes 24 --change -1 --capacity 100000 -o report.html
  ringsim report double-at-peak -o report.html --json report.json`,
		Args:              func(cmd *cobra.Command, args []string) error { return f.checkArgs(cmd, args) },
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
		ValidArgsFunction: cobra.FixedCompletions(scenarios.Names(), cobra.ShellCompDirectiveDefault),
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "write the page into this `FILE.html`")
	f.study.add(cmd)
	f.runFlags.addWorkload(cmd)
	f.asserts.add(cmd, "ring.extra_loads < modulo.extra_loads / 5")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

func (f *reportFlags) checkArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &cli.UsageError{Where: "SCENARIO", Found: "the argument " + cli.Quote(args[1]), Want: "one scenario, or none"}
	}
	if len(args) == 0 {
		return nil
	}
	for _, name := range studyFlags {
		if cmd.Flags().Changed(name) {
			return &cli.UsageError{Where: "--" + name, Found: "the scenario " + cli.Quote(args[0]) + " beside it", Want: "no scenario, or no such flag: the scenario says it"}
		}
	}
	return nil
}

func (f *reportFlags) run(cmd *cobra.Command, args []string) error {
	if err := checkOutput("output", f.output, "a file such as report.html, in a folder that exists"); err != nil {
		return err
	}
	if err := checkTwice(output{"output", f.output}, output{"json", f.json}, output{"series", f.series}); err != nil {
		return err
	}
	p := pageMaker{command: []string{"ringsim", "report"}}
	s, err := f.prepare(cmd, args, &p)
	if err != nil {
		return err
	}
	report, partial, err := f.simulate(cmd, s)
	if err != nil && len(args) == 0 {
		return studyUsage(err)
	}
	if err != nil {
		return err
	}
	var failed []string
	if !partial {
		if failed, err = f.checkRun(s, report); err != nil {
			return err
		}
		if err := p.compare(cmd, &f.study); err != nil {
			return err
		}
	}
	p.failed = failed
	p.runReport = runReport{scenario: s, report: report, seed: s.Seed, version: cmd.Root().Version}
	if err := f.write(&p); err != nil {
		return err
	}
	if partial {
		failed = []string{fmt.Sprintf("interrupted after %s: the report is partial", counted(report.Workload.Requests, "request"))}
	}
	out := p.runReport.cli()
	out.Table = func(b *bytes.Buffer, style cli.Style) {
		cli.WriteText(b, style.Bold(runVerdict(report)), "")
		cli.WriteText(b, "The report is in "+printable.Text(f.output)+".", "")
	}
	return finish(cmd, out, *f.format, failed)
}

// prepare reads the scenario, or makes that of the headline study, and notes the
// command that gives the same page again.
func (f *reportFlags) prepare(cmd *cobra.Command, args []string, p *pageMaker) (s *scenario.Scenario, err error) {
	if len(args) == 1 {
		if s, err = f.load(cmd, args[0]); err != nil {
			return nil, err
		}
		p.source, err = sourceOf(args[0])
		p.command = append(p.command, args[0])
		p.note(cmd, workloadFlags...)
	} else {
		s, err = f.study.prepare(cmd, &f.runFlags, p)
	}
	if err != nil {
		return nil, err
	}
	for _, text := range f.texts {
		p.command = append(p.command, "--assert", text)
	}
	p.command = append(p.command, "--seed", fmt.Sprint(s.Seed), "-o", filepath.Base(f.output))
	return s, nil
}

// sourceOf returns the text of a scenario, for the page.
func sourceOf(name string) (string, error) {
	if content, shipped := scenarios.Read(name); shipped {
		return string(content), nil
	}
	content, err := os.ReadFile(name)
	return string(content), err
}

// write writes the page and what other flags ask for, each complete or not at all.
func (f *reportFlags) write(p *pageMaker) error {
	var page bytes.Buffer
	if err := p.page().Write(&page); err != nil {
		return err
	}
	if err := f.writeFiles(&p.runReport); err != nil {
		return err
	}
	return cli.WriteFile(f.output, page.Bytes())
}

// compare places the study's keys with all placements, where the change is one of
// the fleet's nodes alone.
func (p *pageMaker) compare(cmd *cobra.Command, study *study) error {
	if len(study.keys) == 0 {
		return nil
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "placing keys")
	defer progress.Close()
	report, err := simulations.Compare(cmd.Context(), simulations.CompareConfig{
		Nodes: study.fleet, Change: study.whole, Keys: study.keys, NoTiming: true, Progress: progress.Set,
	})
	if err != nil && cmd.Context().Err() != nil {
		return context.Cause(cmd.Context())
	}
	p.placements = report
	return usage(err, "")
}
