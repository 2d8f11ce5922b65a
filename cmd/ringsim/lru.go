package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

type lruFlags struct {
	traceFlags
	asserts
	capacity string
	format   *cli.Format
}

func newLRU() *cobra.Command {
	var f lruFlags
	cmd := &cobra.Command{
		Use:   "lru",
		Short: "Replay a trace through one plain LRU cache",
		Long: `Lru runs a whole trace through one LRU cache of each capacity, from its first line:
the check that the trace reader and the cache are right.`,
		Example: `  ringsim lru --capacity 1000,5000
  ringsim lru --trace orm-busy.keys.gz --capacity 5000 --limit 1000000
  ringsim lru --capacity 5000 --assert 'lru.hit_rate > 0.5'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.traceFlags.add(cmd)
	cmd.Flags().StringVar(&f.capacity, "capacity", "1000,5000", "a `LIST` of capacities: items (4000), or bytes where the trace has sizes (64MB)")
	complete(cmd, "capacity", cobra.NoFileCompletions)
	f.asserts.add(cmd, "lru.hit_rate > 0.5")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

func (f *lruFlags) run(cmd *cobra.Command) error {
	capacities, err := simulations.ParseCapacities(f.capacity)
	if err != nil {
		return usage(err, "")
	}
	if err := f.parse([]string{"lru"}, cli.RecordOf(simulations.LRUResult{})); err != nil {
		return err
	}
	reader, stop, err := f.open(cmd.Context())
	if err != nil {
		return err
	}
	defer stop()
	progress := cli.NewProgress(cmd.ErrOrStderr(), "reading")
	defer progress.Close()
	report, err := simulations.LRU(cmd.Context(), simulations.LRUConfig{Trace: reader, Capacities: capacities, Progress: showRead(progress)})
	if err != nil {
		return usage(err, "trace")
	}
	progress.Close()
	var records []cli.Record
	var failed []string
	for _, r := range report.Results {
		record := cli.RecordOf(r)
		records = append(records, record)
		lines, err := f.check(map[string]cli.Record{"lru": record}, fmt.Sprintf(" at a capacity of %d", r.Capacity))
		if err != nil {
			return err
		}
		failed = append(failed, lines...)
	}
	return finish(cmd, cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: report.Schema},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "trace", Value: cli.RecordOf(report.Trace)},
				{Name: "results", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { lruTable(b, s, report) },
	}, *f.format, failed)
}

func lruTable(b *bytes.Buffer, s cli.Style, report *simulations.LRUReport) {
	cli.WriteText(b, describeTrace(report.Trace), "")
	b.WriteByte('\n')
	var rows [][]string
	for _, r := range report.Results {
		rows = append(rows, []string{commas(r.Capacity), r.Unit, commas(r.Requests), commas(r.Hits), show(r.HitRate, percent)})
	}
	cli.WriteTable(b, s, []cli.Column{{Title: "capacity"}, {Title: "", Left: true}, {Title: "requests"}, {Title: "hits"}, {Title: "hit rate"}}, rows)
}

// describeTrace says what was replayed.
func describeTrace(t simulations.TraceInfo) string {
	text := fmt.Sprintf("%s: %s for %s", cli.Name(t.Source), counted(t.Requests, "request"), counted(t.Distinct, "key"))
	if t.Note != "" {
		text += " (" + t.Note + ")"
	}
	return text
}
