package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

type compareFlags struct {
	placementFlags
	asserts
	nodes, change, keys string
	noTiming            bool
	format              *cli.Format
}

func newCompare() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare placements over one change of the fleet",
		Long: `Compare places the same keys with each placement before a change of the fleet,
after it, and after it has been undone: what moved, what need not have moved, how
evenly the load lies, and what lookups cost.`,
		Example: `  ringsim compare
  ringsim compare --nodes 10 --change +1 --keys uniform:1000000 --format json
  ringsim compare --nodes a,b:2,c --change -b --algorithms ring,balanced
  ringsim compare --assert 'ring.moved_unnecessary == 0 && balanced.peak_to_mean_exact <= 1.02'
  ringsim compare --keys uniform:1000000 --assert 'balanced.peak_to_mean < ring.peak_to_mean'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.placementFlags.add(cmd, "all")
	f.addVirtualNodes(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.nodes, "nodes", "10", "the fleet: a number, or a `LIST` id[:weight[:zone]],…")
	flags.StringVar(&f.change, "change", "+1", "`CHANGE`: +K, -K (from the middle), +id[:weight], -id, =id:weight; several separated by commas")
	flags.StringVar(&f.keys, "keys", trace.BundledName, "`FILE|uniform:M`: a key a line (.gz accepted), or M generated keys")
	flags.BoolVar(&f.noTiming, "no-timing", false, "leave out lookup_ns and build_ms, which differ from run to run")
	complete(cmd, "nodes", cobra.NoFileCompletions)
	complete(cmd, "change", cobra.NoFileCompletions)
	f.asserts.add(cmd, "ring.moved_unnecessary == 0")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

func (f *compareFlags) config() (cfg simulations.CompareConfig, err error) {
	cfg.NoTiming = f.noTiming
	if cfg.Algorithms, err = f.names(); err != nil {
		return cfg, err
	}
	if cfg.Options, err = f.options(); err != nil {
		return cfg, err
	}
	if cfg.Nodes, err = simulations.ParseNodes(f.nodes); err != nil {
		return cfg, usage(err, "")
	}
	if cfg.Change, err = simulations.ParseChange(f.change); err != nil {
		return cfg, usage(err, "")
	}
	// The change is tried before the keys are read, which may take long.
	if _, err = cfg.Change.Apply(cfg.Nodes); err != nil {
		return cfg, usage(err, "")
	}
	return cfg, f.parse(cfg.Algorithms, f.record(simulations.CompareResult{}))
}

func (f *compareFlags) record(r simulations.CompareResult) cli.Record {
	if f.noTiming {
		return cli.RecordOf(r, "lookup_ns", "build_ms")
	}
	return cli.RecordOf(r)
}

func (f *compareFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	if err := f.readKeys(cmd, &cfg); err != nil {
		return err
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "placing keys")
	defer progress.Close()
	cfg.Progress = func(done, total int64) { finishing(cmd.Context()); progress.Set(done, total) }
	report, err := simulations.Compare(cmd.Context(), cfg)
	progress.Close()
	if err != nil && report == nil {
		return usage(err, "")
	}
	var records []cli.Record
	rows := make(map[string]cli.Record)
	for _, r := range report.Results {
		records = append(records, f.record(r))
		rows[r.Algorithm] = f.record(r)
	}
	var failed []string
	if report.Partial {
		failed = []string{"interrupted: the report is partial"}
	} else if failed, err = f.check(rows, ""); err != nil {
		return err
	}
	return finish(cmd, cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringsim.compare/1"},
				{Name: "seed", Value: f.seed},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "partial", Value: report.Partial},
				{Name: "keys", Value: cli.Record{{Name: "source", Value: f.keys}, {Name: "count", Value: report.Keys}}},
				{Name: "nodes_before", Value: report.NodesBefore},
				{Name: "nodes_after", Value: report.NodesAfter},
				{Name: "results", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { f.table(b, s, report) },
	}, *f.format, failed)
}

func (f *compareFlags) table(b *bytes.Buffer, s cli.Style, report *simulations.CompareReport) {
	cli.WriteText(b, fmt.Sprintf("%d → %s (%s), %s from %s%s", report.NodesBefore, counted(report.NodesAfter, "node"),
		cli.Name(f.change), counted(report.Keys, "key"), cli.Name(f.keys), f.fair(report)), "")
	if report.Partial {
		cli.WriteText(b, s.Bold("PARTIAL: interrupted; figures are those of the keys placed until then."), "")
	}
	b.WriteByte('\n')
	columns := []cli.Column{
		{Title: "placement", Left: true}, {Title: "moved"}, {Title: "needless"}, {Title: "receivers"}, {Title: "restored"},
		{Title: "peak/mean"}, {Title: "cv"},
	}
	if !f.noTiming {
		columns = append(columns, cli.Column{Title: "lookup"}, cli.Column{Title: "build"})
	}
	columns = append(columns, cli.Column{Title: "memory"})
	var rows [][]string
	for _, r := range report.Results {
		row := []string{
			r.Algorithm, show(r.Moved, percent), show(r.MovedUnnecessary, percent), show(r.Receivers, commas), show(r.Restored, percent),
			peaks(r), show(r.CV, percent),
		}
		if !f.noTiming {
			row = append(row, show(r.LookupNS, nanoseconds), show(r.BuildMS, milliseconds))
		}
		rows = append(rows, append(row, show(r.MemoryBytes, bytesOf)))
	}
	cli.WriteTable(b, s, columns, rows)
	b.WriteByte('\n')
	for _, r := range report.Results {
		if r.Note != "" {
			cli.WriteText(b, r.Algorithm+": "+r.Note+".", "  ")
		}
	}
	cli.WriteText(b, "needless: between two nodes that both stay. restored: back at the first owner once the change is undone. "+
		"peak/mean: the fullest node against its fair share, before and after. cv: spread of load over the nodes.", "")
	b.WriteByte('\n')
	cli.WriteText(b, s.Bold(compareVerdict(report)), "")
}

// peaks shows the peak before and after.
func peaks(r simulations.CompareResult) string {
	if r.PeakToMean == nil {
		return missing
	}
	return ratio3(*r.PeakToMean) + "→" + show(r.PeakToMeanAfter, ratio3)
}

// fair says what the change is worth in fair shares.
func (f *compareFlags) fair(report *simulations.CompareReport) string {
	joins, leaves := true, true
	for part := range strings.SplitSeq(f.change, ",") {
		joins = joins && strings.HasPrefix(part, "+")
		leaves = leaves && strings.HasPrefix(part, "-")
	}
	for _, r := range report.Results {
		switch {
		case r.Ideal == nil:
		case joins:
			return "; " + percent(*r.Ideal) + " is the " + whose("newcomer", report.NodesAfter-report.NodesBefore) + " fair share"
		case leaves:
			return "; " + percent(*r.Ideal) + " is the " + whose("leaver", report.NodesBefore-report.NodesAfter) + " fair share"
		default:
			return "; fair shares change by " + percent(*r.Ideal) + " in all"
		}
	}
	return ""
}

func whose(who string, number int) string {
	if number == 1 {
		return who + "'s"
	}
	return who + "s'"
}
