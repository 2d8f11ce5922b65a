package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

type balanceFlags struct {
	placementFlags
	asserts
	nodes, vnodes string
	keys, runs    int
	format        *cli.Format
}

func newBalance() *cobra.Command {
	var f balanceFlags
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Measure the spread of load against theory",
		Long: `Balance builds each placement over equal nodes, several times under other names,
and measures how evenly load lies: exactly, where the placement can tell the shares
of the hash space, else by generated keys. Theory is the closed form for the same.`,
		Example: `  ringsim balance
  ringsim balance --nodes 10,100,1000 --vnodes 1,10,100,1000 --algorithms ring
  ringsim balance --algorithms ring,jump,balanced --runs 20 --format csv
  ringsim balance --algorithms ring --nodes 100 --assert 'ring.peak_to_mean < 1.3'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.placementFlags.add(cmd, "all")
	flags := cmd.Flags()
	flags.StringVar(&f.nodes, "nodes", "10,100,1000", "sizes of the fleet, a `LIST` of numbers")
	flags.StringVar(&f.vnodes, "vnodes", "160", "virtual nodes, a `LIST` of numbers, for the placements that have them (ring, bounded)")
	flags.IntVar(&f.keys, "keys", simulations.DefaultBalanceKeys, "a `NUMBER` of generated keys a run, for placements that cannot tell exact shares")
	flags.IntVar(&f.runs, "runs", simulations.DefaultBalanceRuns, "a `NUMBER` of runs to average over, with other nodes and keys each")
	for _, name := range []string{"nodes", "vnodes", "keys", "runs"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	f.asserts.add(cmd, "ring.cv < 0.1")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

func (f *balanceFlags) config() (cfg simulations.BalanceConfig, err error) {
	cfg.Keys, cfg.Runs, cfg.Seed = f.keys, f.runs, f.seed
	if f.keys < 1 {
		return cfg, &cli.UsageError{Where: "--keys", Found: itoa(f.keys), Want: "at least 1"}
	}
	if f.runs < 1 {
		return cfg, &cli.UsageError{Where: "--runs", Found: itoa(f.runs), Want: "at least 1"}
	}
	if cfg.Algorithms, err = f.names(); err != nil {
		return cfg, err
	}
	if cfg.Hasher, err = f.hasher(); err != nil {
		return cfg, err
	}
	if cfg.Nodes, err = numbers("--nodes", f.nodes); err != nil {
		return cfg, err
	}
	if cfg.VirtualNodes, err = numbers("--vnodes", f.vnodes); err != nil {
		return cfg, err
	}
	return cfg, f.parse(cfg.Algorithms, cli.RecordOf(simulations.BalanceResult{}))
}

// numbers reads a list of numbers separated by commas, each once.
func numbers(flag, text string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, &cli.UsageError{Where: flag, Found: cli.Quote(part), Want: "numbers of at least 1, separated by commas"}
		}
		for _, known := range out {
			if known == n {
				return nil, &cli.UsageError{Where: flag, Found: itoa(n) + " twice", Want: "each number once"}
			}
		}
		out = append(out, n)
	}
	return out, nil
}

func (f *balanceFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "measuring")
	defer progress.Close()
	cfg.Progress = progress.Set
	report, err := simulations.Balance(cmd.Context(), cfg)
	if err != nil {
		return usage(err, "")
	}
	progress.Close()
	var records []cli.Record
	for _, r := range report.Results {
		records = append(records, cli.RecordOf(r))
	}
	failed, err := f.checkAll(cfg, report)
	if err != nil {
		return err
	}
	return finish(cmd, cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringsim.balance/1"},
				{Name: "seed", Value: f.seed},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "runs", Value: report.Runs},
				{Name: "results", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { f.table(b, s, report) },
	}, *f.format, failed)
}

// checkAll evaluates the assertions once for every number of nodes and of
// virtual nodes: placements without virtual nodes count in each of the latter.
func (f *balanceFlags) checkAll(cfg simulations.BalanceConfig, report *simulations.BalanceReport) (failed []string, err error) {
	for _, nodes := range cfg.Nodes {
		for _, vnodes := range cfg.VirtualNodes {
			rows := make(map[string]cli.Record)
			for _, r := range report.Results {
				if r.Nodes == nodes && (r.VNodes == nil || r.Algorithm == "ketama" || *r.VNodes == vnodes) {
					rows[r.Algorithm] = cli.RecordOf(r)
				}
			}
			lines, err := f.check(rows, fmt.Sprintf(" at %s, %s", counted(nodes, "node"), counted(vnodes, "virtual node")))
			if err != nil {
				return nil, err
			}
			failed = append(failed, lines...)
		}
	}
	return failed, nil
}

func (f *balanceFlags) table(b *bytes.Buffer, s cli.Style, report *simulations.BalanceReport) {
	columns := []cli.Column{
		{Title: "placement", Left: true}, {Title: "nodes"}, {Title: "vnodes"}, {Title: "cv"}, {Title: "theory"},
		{Title: "peak/mean"}, {Title: "theory"}, {Title: "min/mean"}, {Title: spreadScale, Left: true},
	}
	var rows [][]string
	var exact, sampled []string // placements
	for _, r := range report.Results {
		bar := ""
		if r.PeakToMean != nil {
			bar = spreadBar(*r.MinToMean, *r.PeakToMean)
		}
		rows = append(rows, []string{
			r.Algorithm, commas(r.Nodes), show(r.VNodes, commas), show(r.CV, percent), show(r.CVTheory, percent),
			show(r.PeakToMean, ratio), show(r.PeakToMeanTheory, ratio), show(r.MinToMean, ratio), bar,
		})
		switch {
		case r.Keys == nil && r.CV != nil && !slices.Contains(exact, r.Algorithm):
			exact = append(exact, r.Algorithm)
		case r.Keys != nil && !slices.Contains(sampled, r.Algorithm):
			sampled = append(sampled, r.Algorithm)
		}
	}
	cli.WriteTable(b, s, columns, rows)
	b.WriteByte('\n')
	for _, r := range report.Results {
		if r.Note != "" {
			cli.WriteText(b, fmt.Sprintf("%s at %s: %s.", r.Algorithm, counted(r.Nodes, "node"), r.Note), "  ")
		}
	}
	text := "Load by fair share, averaged over " + counted(report.Runs, "run") + ": "
	if len(exact) > 0 {
		text += "the exact share of the hash space for " + strings.Join(exact, ", ") + "; "
	}
	if len(sampled) > 0 {
		text += commas(f.keys) + " generated keys a run for " + strings.Join(sampled, ", ") + ", whose own chance is part of theory too; "
	}
	text = strings.TrimSuffix(text, "; ") + "."
	cli.WriteText(b, text, "")
}
