package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringsim/internal/swim"
	"github.com/ringway/ringway/internal/cli"
)

type gossipFlags struct {
	nodes   int
	loss    float64
	changes string
	seed    uint64
	format  *cli.Format
}

func newGossip() *cobra.Command {
	var f gossipFlags
	cmd := &cobra.Command{
		Use:   "gossip",
		Short: "Measure how long members take to learn of a change, against theory",
		Long: `Gossip runs so many real members of memberlist in this process, on a network in memory
that loses packets, takes them through changes, and measures how long it takes until the
first, half, and all of them know: beside what SWIM and Lifeguard let expect. It runs in
real time: two minutes, and some more where gossip leaves somebody to the next exchange
of states. Half of the members must know by the fast way, all of them by the slow one.

It is about the layer that tells who is there. What ringway's agents make of that takes
longer, on purpose: docs/evidence/membership.md has it. The seed decides which packets
are lost; members draw at random besides, so that two runs are alike, not equal.`,
		Example: `  ringsim gossip
  ringsim gossip --nodes 100 --loss 0.05 --changes crash,leave,partition
  ringsim gossip --nodes 20 --loss 0.3 --changes crash --format json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.nodes, "nodes", 100, "a `NUMBER` of members")
	flags.Float64Var(&f.loss, "loss", 0.05, "`PART` of the packets that is lost, from 0 to 0.5")
	flags.StringVar(&f.changes, "changes", "crash,leave,partition", "what happens, one after the other, a `LIST` of crash, leave, partition")
	flags.Uint64Var(&f.seed, "seed", 1, "`SEED` of the losses")
	for _, name := range []string{"nodes", "loss", "seed"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	complete(cmd, "changes", listOf(func() []string { return []string{swim.Crash, swim.Leave, swim.Partition} }))
	f.format = cli.FormatFlag(cmd)
	return cmd
}

func (f *gossipFlags) config() (cfg swim.Config, err error) {
	cfg = swim.Config{Nodes: f.nodes, Loss: f.loss, Seed: f.seed, Changes: strings.Split(f.changes, ",")}
	left := f.nodes
	for _, change := range cfg.Changes {
		if !slices.Contains([]string{swim.Crash, swim.Leave, swim.Partition}, change) {
			return cfg, &cli.UsageError{Where: "--changes", Found: cli.Quote(change), Want: "a list of crash, leave, partition"}
		}
		if change != swim.Partition {
			left--
		}
	}
	switch {
	case f.nodes < swim.MinNodes || f.nodes > swim.MaxNodes:
		return cfg, &cli.UsageError{Where: "--nodes", Found: itoa(f.nodes), Want: fmt.Sprintf("%d to %d", swim.MinNodes, swim.MaxNodes)}
	case !(f.loss >= 0 && f.loss <= swim.MaxLoss):
		return cfg, &cli.UsageError{Where: "--loss", Found: fmt.Sprint(f.loss), Want: fmt.Sprintf("0 to %v", swim.MaxLoss)}
	case left < 3:
		return cfg, &cli.UsageError{Where: "--changes", Found: fmt.Sprintf("changes that leave %d of %d members", left, f.nodes), Want: "at least 3 left"}
	}
	return cfg, nil
}

func (f *gossipFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "gossiping")
	defer progress.Close()
	done, what := int64(0), ""
	cfg.Progress = func(now string) {
		if now != what {
			what = now
			done++
		}
		if now != "members start" {
			finishing(cmd.Context())
		}
		progress.Set(done, int64(len(cfg.Changes))+3)
	}
	report, err := swim.Run(cmd.Context(), cfg)
	progress.Close()
	partial := err != nil && cmd.Context().Err() != nil
	if err != nil && (!partial || len(report.Steps) == 0) {
		return err
	}
	var failed []string
	for _, s := range report.Steps {
		switch {
		case partial && s.All == nil:
		case s.All == nil:
			failed = append(failed, fmt.Sprintf("%s: %d of %d members have not learned of it within %s", s.Change, s.Observers-s.Aware, s.Observers, howLong(s.Latest)))
		case !s.Within:
			failed = append(failed, fmt.Sprintf("%s: the first knew after %s, half after %s, all after %s, expected at least %s, at most %s and %s",
				s.Change, howLong(*s.First), howLong(*s.Median), howLong(*s.All), howLong(s.Earliest), howLong(s.LatestHalf), howLong(s.Latest)))
		}
	}
	if partial {
		failed = append(failed, "interrupted: the report is partial")
	}
	return finish(cmd, f.report(cmd, report, partial), *f.format, failed)
}

func (f *gossipFlags) report(cmd *cobra.Command, report *swim.Report, partial bool) cli.Report {
	var records []cli.Record
	for _, s := range report.Steps {
		records = append(records, cli.RecordOf(s))
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringsim.gossip/1"},
				{Name: "seed", Value: f.seed},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "partial", Value: partial},
				{Name: "nodes", Value: report.Nodes},
				{Name: "loss", Value: report.Loss},
				{Name: "false_deaths", Value: report.FalseDeaths},
				{Name: "packets_per_second", Value: report.PacketsPerSecond},
				{Name: "bytes_per_second", Value: report.BytesPerSecond},
				{Name: "results", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { f.table(b, s, report, partial) },
	}
}

func (f *gossipFlags) table(b *bytes.Buffer, s cli.Style, report *swim.Report, partial bool) {
	cli.WriteText(b, fmt.Sprintf("%s of memberlist at its LAN settings, %s of the packets lost; seed %d", counted(report.Nodes, "member"), percent(report.Loss), f.seed), "")
	if partial {
		cli.WriteText(b, s.Bold("PARTIAL: interrupted; the last step is as far as it came."), "")
	}
	b.WriteByte('\n')
	var rows [][]string
	for _, step := range report.Steps {
		rows = append(rows, []string{step.Change, fmt.Sprintf("%d of %d", step.Aware, step.Observers), show(step.First, howLong), show(step.Median, howLong), howLong(step.ExpectedHalf), howLong(step.LatestHalf),
			show(step.All, howLong), howLong(step.Expected), howLong(step.Latest), map[bool]string{true: "yes", false: "no"}[step.Within]})
	}
	cli.WriteTable(b, s, []cli.Column{{Title: "change", Left: true}, {Title: "know"}, {Title: "first"}, {Title: "half"}, {Title: "expected"}, {Title: "at most"},
		{Title: "all"}, {Title: "expected"}, {Title: "at most"}, {Title: "within"}}, rows)
	b.WriteByte('\n')
	for _, step := range report.Steps {
		cli.WriteText(b, step.Change+": "+step.Why+".", "  ")
	}
	if report.PacketsPerSecond != nil {
		cli.WriteText(b, fmt.Sprintf("When nothing happens a member sends %.1f packets and %.0f bytes a second.", *report.PacketsPerSecond, *report.BytesPerSecond), "")
	}
	b.WriteByte('\n')
	cli.WriteText(b, s.Bold(gossipVerdict(report)), "")
}

// gossipVerdict says whether the members did as the protocols let expect.
func gossipVerdict(report *swim.Report) string {
	within := 0
	var late []string
	for _, s := range report.Steps {
		if s.Late > 0 && s.Change != swim.Partition { // where the smaller side is expected to be
			late = append(late, fmt.Sprintf("%d of %d at %s", s.Late, s.Observers, s.Change))
		}
		if s.Within {
			within++
		}
	}
	text := fmt.Sprintf("%d of %s within what SWIM and Lifeguard let expect", within, counted(len(report.Steps), "step"))
	if len(late) > 0 {
		text += ", though not all by the fast way (" + strings.Join(late, ", ") + " were later than half had to be)"
	}
	if report.FalseDeaths == 0 {
		return text + "; nobody was declared dead who was not."
	}
	return text + fmt.Sprintf("; declared dead and was not: %s.", counted(report.FalseDeaths, "member"))
}
