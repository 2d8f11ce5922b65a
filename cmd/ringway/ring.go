package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

type ringFlags struct {
	clientFlags
	seedFile           string
	watch, assertAgree bool
}

func newRing() *cobra.Command {
	var f ringFlags
	cmd := &cobra.Command{
		Use:   "ring",
		Short: "Show who owns how much, and whether all agree",
		Long: `Ring draws the exact share of the hash space that each node owns, for Redis and for
Memcached nodes apart, and says which members have another ring. While keys move it
also shows what each node will own: "█" is what a node owns and keeps, "░" what will
come to it, "▒" what will go. The shares to come are computed here: in a fleet with a
secret seed that takes --hash-seed-file.`,
		Example: `  ringway ring
  ringway ring --watch --agent http://10.0.0.1:8946,http://10.0.0.2:8946
  ringway ring --format json --assert-agree`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.clientFlags.add(cmd)
	addSeedFile(cmd, &f.seedFile)
	flags := cmd.Flags()
	flags.BoolVar(&f.watch, "watch", false, "show it again whenever it changes, until Ctrl-C")
	flags.BoolVar(&f.assertAgree, "assert-agree", false, "exit with 1 if members disagree about the ring")
	return cmd
}

func (f *ringFlags) run(cmd *cobra.Command) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	seed, err := readSeed(f.seedFile, f.settings.Where("hash-seed-file"))
	if err != nil {
		return err
	}
	take := func(ctx context.Context) (look, error) { return f.look(ctx, client, seed) }
	if f.watch {
		return watch(cmd, *f.format, take)
	}
	now, err := take(cmd.Context())
	if err != nil {
		return err
	}
	return now.finish(cmd, *f.format, f.assertAgree)
}

func (f *ringFlags) look(ctx context.Context, client *agents.Client, seed uint64) (look, error) {
	r, m, from, err := client.Both(ctx)
	if err != nil {
		return look{}, err
	}
	fleet, err := newFleet(r)
	if err != nil {
		return look{}, err
	}
	// Without the seed, or with a placement that is not known here, the agent's
	// figures have to do.
	cfg, unknown := fleet.config(seed)
	if unknown != nil && seed != 0 {
		return look{}, &cli.UsageError{Where: f.settings.Where("hash-seed-file"), Found: "a seed that the fleet does not use", Want: "the fleet's", Err: unknown}
	}
	shares := make(map[string]float64)
	for _, s := range m.Members {
		shares[s.ID] = s.Share
	}
	var kinds []ringOfKind
	for _, kind := range nodeKinds {
		if k, has := fleet.kind(kind, shares, cfg, unknown == nil); has {
			kinds = append(kinds, k)
		}
	}
	return look{report: ringReport(r, kinds, from), disagree: r.Disagree}, nil
}

// ringOfKind is the ring of the nodes of one kind.
type ringOfKind struct {
	Kind        string      `json:"kind"`
	Fingerprint string      `json:"fingerprint"`
	Phase       string      `json:"phase"`
	Transition  uint64      `json:"transition"` // 0 while there is none
	Nodes       []ringShare `json:"nodes"`
}

// ringShare is what one node owns.
type ringShare struct {
	ID     string   `json:"id"`
	State  string   `json:"state"`
	Weight float64  `json:"weight"`
	Zone   string   `json:"zone"`
	Share  float64  `json:"share"`
	Next   *float64 `json:"next_share"` // once the transition has ended; nil if it is not known
}

// kind returns the ring of a kind, and whether there is a node of it.
func (f fleet) kind(kind membership.Kind, shares map[string]float64, cfg ring.Config, known bool) (ringOfKind, bool) {
	number, phase := f.view.Transition(kind)
	k := ringOfKind{Kind: string(kind), Phase: phase.String(), Transition: number}
	if fingerprint, has := f.view.Fingerprints[kind]; has {
		k.Fingerprint = fingerprint.String()
	}
	next := make(map[string]float64)
	if phase != membership.Stable && known {
		r, err := ring.New(f.view.Next(kind), cfg)
		if known = err == nil; known { // otherwise there is no such ring
			for i, share := range r.Shares() {
				next[r.Nodes()[i].ID] = share
			}
		}
	}
	owning := make(map[string]bool) // now, or soon
	for _, n := range slices.Concat(f.view.Current(kind), f.view.Next(kind)) {
		owning[n.ID] = true
	}
	for _, m := range f.view.Members {
		if !owning[m.ID] {
			continue
		}
		s := ringShare{ID: m.ID, State: m.Status(), Weight: m.Weight, Zone: m.Zone, Share: shares[m.ID]}
		switch {
		case phase == membership.Stable:
			s.Next = &s.Share
		case known:
			after := next[m.ID]
			s.Next = &after
		}
		k.Nodes = append(k.Nodes, s)
	}
	return k, len(k.Nodes) > 0
}

func ringReport(r agentapi.Ring, kinds []ringOfKind, from string) cli.Report {
	return cli.Report{
		JSON: func() cli.Record {
			out := cli.RecordOf(r)
			return append(out, cli.Field{Name: "agree", Value: len(r.Disagree) == 0}, cli.Field{Name: "agent", Value: from},
				cli.Field{Name: "kinds", Value: kinds})
		},
		CSV: func() []cli.Record {
			var rows []cli.Record
			for _, k := range kinds {
				for _, n := range k.Nodes {
					rows = append(rows, append(cli.Record{
						{Name: "kind", Value: k.Kind}, {Name: "phase", Value: k.Phase}, {Name: "transition", Value: k.Transition},
					}, cli.RecordOf(n)...))
				}
			}
			return rows
		},
		Table: func(b *bytes.Buffer, s cli.Style) { ringTables(b, s, r, kinds) },
	}
}

func ringTables(b *bytes.Buffer, s cli.Style, r agentapi.Ring, kinds []ringOfKind) {
	fmt.Fprintf(b, "epoch %d · %s · %s\n", r.Epoch, verdict(s, r.Disagree), describe(r.Placement))
	if text := disagreement(r.Disagree); text != "" {
		cli.WriteText(b, text+".", "")
	}
	for _, k := range kinds {
		phase := k.Phase
		if k.Transition != 0 {
			phase = fmt.Sprintf("transition %d, %s", k.Transition, k.Phase)
		}
		fmt.Fprintf(b, "\n%s · %s · %s · fingerprint %s\n\n", s.Bold(k.Kind), counted(len(k.Nodes), "node"), phase, short(k.Fingerprint))
		kindTable(b, s, k)
	}
}

// describe names the placement in a line.
func describe(p agentapi.Placement) string {
	text := fmt.Sprintf("placement %s, %d virtual nodes, %s", printable.Text(p.Algorithm), p.VirtualNodes, printable.Text(p.Hash))
	if p.HashTags {
		text += ", hash tags"
	}
	if p.SeedFingerprint != "" {
		text += ", secret seed"
	}
	return text
}

const shareBarWidth = 32

func kindTable(b *bytes.Buffer, s cli.Style, k ringOfKind) {
	moving := k.Transition != 0
	columns := []column{name("node", 8), words("status"), {Column: cli.Column{Title: "weight"}, Least: 8}, name("zone", 4), number("share")}
	if moving {
		columns = append(columns, number("next"))
	}
	columns = append(columns, words(""))
	full := 0.0
	for _, n := range k.Nodes {
		full = max(full, n.Share, nextOf(n))
	}
	var rows [][]string
	for _, n := range k.Nodes {
		row := []string{shown(n.ID), n.State, weightText(n.Weight), shown(n.Zone), percent(n.Share)}
		if moving && n.Next == nil {
			row = append(row, missing)
		} else if moving {
			row = append(row, percent(*n.Next))
		}
		rows = append(rows, append(row, shareBar(n.Share, nextOf(n), full, shareBarWidth)))
	}
	writeTable(b, s, columns, rows)
}

func nextOf(n ringShare) float64 {
	if n.Next == nil {
		return n.Share
	}
	return *n.Next
}
