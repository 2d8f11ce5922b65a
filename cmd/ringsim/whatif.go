package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
)

type whatifFlags struct {
	placementFlags
	asserts
	agent, kind, change, keys, trace, capacity string
	format                                     *cli.Format
}

func newWhatif() *cobra.Command {
	var f whatifFlags
	cmd := &cobra.Command{
		Use:   "whatif",
		Short: "Study a change of the fleet that is running now",
		Long: `Whatif asks an agent for the fleet's ring and tells what a change would do to it: which
part of the hash space would go from which node to which, exactly, since that follows
from the two rings; and over keys, what every placement would make of the same change.
It changes nothing. With --trace it also replays your traffic through such a fleet, with
the change after half of the requests.`,
		Example: `  ringsim whatif --agent http://10.0.0.1:8946 --change +1
  ringsim whatif --change -cache-b,+cache-d:2 --format json
  ringsim whatif --change +1 --trace access.keys.gz --capacity 100000
  ringsim whatif --change +1 --assert 'ring.moved < 0.2'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.agent, "agent", "http://127.0.0.1:8946", "the agent to ask, a `URL`: http://, https:// or unix://")
	flags.StringVar(&f.kind, "kind", "", "nodes of that kind, `redis|memcached`; needed if the fleet has both")
	flags.StringVar(&f.change, "change", "+1", "`CHANGE`: +K, -K (from the middle), +id[:weight[:zone]], -id, =id:weight; several separated by commas")
	flags.StringVar(&f.algorithms, "algorithms", "all", "placements to compare, a `LIST` of "+strings.Join(simulations.Algorithms(), ", ")+", or all")
	flags.StringVar(&f.keys, "keys", trace.BundledName, "`FILE|uniform:M`: a key a line (.gz accepted), or M generated keys")
	flags.StringVar(&f.trace, "trace", "", "replay this trace through the fleet too, a `FILE` (.gz accepted)")
	flags.StringVar(&f.capacity, "capacity", "", "with --trace, what a node of weight 1 holds: `ITEMS`, or bytes (64MB) where the trace has sizes")
	flags.Uint64Var(&f.hashSeed, "hash-seed", 0, "the fleet's secret `SEED`, if it has one")
	flags.Uint64Var(&f.seed, "seed", 1, "`SEED` of generated keys")
	for _, name := range []string{"agent", "change", "keys", "capacity", "hash-seed", "seed"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	complete(cmd, "kind", cobra.FixedCompletions([]cobra.Completion{"redis", "memcached"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "algorithms", listOf(simulations.Algorithms))
	f.asserts.add(cmd, "ring.moved < 0.2")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

// A whatif is what the command has found.
type whatif struct {
	fleet     *liveFleet
	after     *ring.Ring
	movements []pairMovement
	moved     float64 // of the hash space
	compared  *simulations.CompareReport
	replayed  *simulations.ReplayReport // nil without a trace
}

// pairMovement is what goes from one node to another.
type pairMovement struct {
	From     string  `json:"from"`
	To       string  `json:"to"`
	Fraction float64 `json:"fraction"` // of the hash space
}

func (f *whatifFlags) run(cmd *cobra.Command) error {
	change, names, err := f.check(cmd)
	if err != nil {
		return err
	}
	answer, view, err := askAgent(cmd.Context(), f.agent)
	if err != nil {
		return err
	}
	w := &whatif{}
	if w.fleet, err = newLiveFleet(f.agent, f.kind, f.hashSeed, answer, view); err != nil {
		return err
	}
	if err := w.move(change); err != nil {
		return err
	}
	if err := f.compare(cmd, w, change, names); err != nil {
		return err
	}
	if f.trace != "" {
		if w.replayed, err = f.replay(cmd, w); err != nil {
			return err
		}
	}
	rows := make(map[string]cli.Record)
	for _, r := range w.compared.Results {
		rows[r.Algorithm] = cli.RecordOf(r, "lookup_ns", "build_ms")
	}
	failed, err := f.asserts.check(rows, "")
	if err != nil {
		return err
	}
	return finish(cmd, f.report(cmd, w), *f.format, failed)
}

// check reads the flags, before anybody is asked.
func (f *whatifFlags) check(cmd *cobra.Command) (change simulations.Change, names []string, err error) {
	switch {
	case f.kind != "" && f.kind != "redis" && f.kind != "memcached":
		return change, nil, &cli.UsageError{Where: "--kind", Found: cli.Quote(f.kind), Want: "redis or memcached"}
	case cmd.Flags().Changed("trace") && (f.trace == "" || f.capacity == ""):
		return change, nil, &cli.UsageError{Where: "--capacity", Found: cli.Quote(f.capacity), Want: "what a node holds, beside a --trace"}
	}
	if names, err = f.names(); err != nil {
		return change, nil, err
	}
	if change, err = simulations.ParseChange(f.change); err != nil {
		return change, nil, usage(err, "")
	}
	return change, names, f.parse(names, cli.RecordOf(simulations.CompareResult{}, "lookup_ns", "build_ms"))
}

// move works out what goes where on the fleet's own ring.
func (w *whatif) move(change simulations.Change) error {
	nodes, err := change.Apply(w.fleet.nodes)
	if err != nil {
		return usage(err, "")
	}
	if w.after, err = ring.New(nodes, w.fleet.ring.Config()); err != nil {
		return usage(err, "")
	}
	movements, err := ring.Diff(w.fleet.ring, w.after)
	if err != nil {
		return err
	}
	pairs := make(map[[2]string]float64)
	for _, m := range movements {
		pairs[[2]string{m.From, m.To}] += m.Range.Fraction()
		w.moved += m.Range.Fraction()
	}
	for pair, fraction := range pairs {
		w.movements = append(w.movements, pairMovement{pair[0], pair[1], fraction})
	}
	slices.SortFunc(w.movements, func(a, b pairMovement) int {
		return cmp.Or(cmp.Compare(b.Fraction, a.Fraction), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return nil
}

func (f *whatifFlags) compare(cmd *cobra.Command, w *whatif, change simulations.Change, names []string) (err error) {
	cfg := simulations.CompareConfig{Algorithms: names, Nodes: w.fleet.nodes, Change: change, Options: w.fleet.options, NoTiming: true}
	keys := compareFlags{placementFlags: f.placementFlags, keys: f.keys}
	if err := keys.readKeys(cmd, &cfg); err != nil {
		return err
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "placing keys")
	defer progress.Close()
	cfg.Progress = progress.Set
	w.compared, err = simulations.Compare(cmd.Context(), cfg)
	return usage(err, "")
}

// replay sends the trace through the fleet, with the change in its middle.
func (f *whatifFlags) replay(cmd *cobra.Command, w *whatif) (*simulations.ReplayReport, error) {
	var counted study
	flags := traceFlags{file: f.trace, format: "auto"}
	requests, _, err := counted.scan(cmd, &flags)
	if err != nil {
		return nil, err
	}
	var timed []string
	for part := range strings.SplitSeq(f.change, ",") {
		timed = append(timed, fmt.Sprintf("%s@%d", part, max(1, requests/2)))
	}
	cfg := simulations.ReplayConfig{Algorithms: []string{"modulo", "ring"}, Nodes: w.fleet.nodes, Options: w.fleet.options,
		Window: min(simulations.DefaultWindow, max(1, requests/20)), Horizon: simulations.DefaultHorizon, LoadMillis: 5}
	if cfg.Changes, err = simulations.ParseTimedChanges(strings.Join(timed, ",")); err != nil {
		return nil, usage(err, "")
	}
	if cfg.Capacity, err = simulations.ParseCapacity(f.capacity); err != nil {
		return nil, usage(err, "")
	}
	replay := replayFlags{traceFlags: flags}
	return replay.replay(cmd, cfg)
}
