package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/plot"
	"github.com/ringway/ringway/simulations/trace"
)

type replayFlags struct {
	placementFlags
	traceFlags
	asserts
	nodes, change, capacity, plot string
	window, horizon               int64
	migrate                       bool
	dbMillis                      float64
	format                        *cli.Format
}

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Replay a trace through a fleet of caches that changes on the way",
		Long: `Replay sends a trace through a fleet of LRU caches and changes the fleet on the way,
once with each placement, each beside a control run over the same requests without
the change: what the hit rate loses, and how many database loads that costs.

With several changes the table and JSON hold the figures of each; CSV and the figures
that --assert names are those of the first.

Without --trace it replays the bundled trace, with the settings of the headline.`,
		Example: `  ringsim replay
  ringsim replay --trace orm-busy.keys.gz --nodes 10 --change +1@1000000 --capacity 4000
  ringsim replay --trace access.csv --columns key=url --change '+1@5000,-node3@9000' --capacity 64MB
  ringsim replay --algorithms ring,modulo --plot hit-rate.svg --format json
  ringsim replay --migrate --assert 'ring.extra_loads < 1000'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkGiven(cmd); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	f.placementFlags.add(cmd, "all")
	f.addVirtualNodes(cmd)
	f.traceFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.nodes, "nodes", "10", "the fleet at the beginning: a number, or a `LIST` id[:weight[:zone]],…")
	flags.StringVar(&f.change, "change", "", "`CHANGES`: those of compare, each with @REQUEST, such as +1@500000,-1@900000; none for none (bundled trace: "+headlineChange+")")
	flags.StringVar(&f.capacity, "capacity", "", "what a node of weight 1 holds: `ITEMS`, or bytes (64MB) where the trace has sizes (bundled trace: "+headlineCapacity+")")
	flags.Int64Var(&f.window, "window", 0, "`REQUESTS` over which the figures of a change are taken (default 50000, bundled trace: "+itoa[int64](headlineWindow)+")")
	flags.Int64Var(&f.horizon, "horizon", simulations.DefaultHorizon, "`REQUESTS` after a change over which extra loads are counted")
	flags.BoolVar(&f.migrate, "migrate", false, "bring the moved keys over live instead of missing them")
	flags.Float64Var(&f.dbMillis, "db-ms", 5, "what one load costs the database, in `MILLISECONDS`, for the bill")
	flags.StringVar(&f.plot, "plot", "", "draw the hit rates around the change into a `FILE.svg`")
	for _, name := range []string{"nodes", "change", "capacity", "window", "horizon", "db-ms"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	f.asserts.add(cmd, "ring.extra_loads < modulo.extra_loads / 5")
	f.format = cli.FormatFlag(cmd)
	return cmd
}

// checkGiven refuses what would silently stand for the default.
func (f *replayFlags) checkGiven(cmd *cobra.Command) error {
	for _, flag := range []struct {
		name  string
		value int64
	}{{"window", f.window}, {"horizon", f.horizon}} {
		if cmd.Flags().Changed(flag.name) && flag.value < 1 {
			return &cli.UsageError{Where: "--" + flag.name, Found: itoa(flag.value), Want: "at least 1"}
		}
	}
	for _, flag := range []struct{ name, value, want string }{
		{"change", f.change, "a change such as +1@500000, or none"},
		{"capacity", f.capacity, "what a node holds, such as 4000 (items) or 64MB"},
		{"plot", f.plot, "a name that ends in .svg"},
	} {
		if cmd.Flags().Changed(flag.name) && flag.value == "" {
			return &cli.UsageError{Where: "--" + flag.name, Found: cli.Quote(flag.value), Want: flag.want}
		}
	}
	return nil
}

// defaults fills in what the headline shows, for the bundled trace; another
// trace has no sensible change or capacity but those given.
func (f *replayFlags) defaults() error {
	bundled := f.file == trace.BundledName
	switch {
	case f.change == "" && bundled:
		f.change = headlineChange
	case f.change == "":
		return &cli.UsageError{Where: "--change", Found: "nothing", Want: "a change such as +1@500000, or none"}
	}
	switch {
	case f.capacity == "" && bundled:
		f.capacity = headlineCapacity
	case f.capacity == "":
		return &cli.UsageError{Where: "--capacity", Found: "nothing", Want: "what a node holds, such as 4000 (items) or 64MB"}
	}
	if f.window == 0 {
		f.window = simulations.DefaultWindow
		if bundled {
			f.window = headlineWindow
		}
	}
	return nil
}

func (f *replayFlags) config() (cfg simulations.ReplayConfig, err error) {
	if err = f.defaults(); err != nil {
		return cfg, err
	}
	cfg.Window, cfg.Horizon, cfg.Migrate, cfg.LoadMillis = f.window, f.horizon, f.migrate, f.dbMillis
	if cfg.Algorithms, err = f.names(); err != nil {
		return cfg, err
	}
	if cfg.Options, err = f.options(); err != nil {
		return cfg, err
	}
	if cfg.Nodes, err = simulations.ParseNodes(f.nodes); err != nil {
		return cfg, usage(err, "")
	}
	if f.change != "none" {
		if cfg.Changes, err = simulations.ParseTimedChanges(f.change); err != nil {
			return cfg, usage(err, "")
		}
	}
	if cfg.Capacity, err = simulations.ParseCapacity(f.capacity); err != nil {
		return cfg, usage(err, "")
	}
	if err := f.checkPlot(len(cfg.Changes)); err != nil {
		return cfg, err
	}
	return cfg, f.parse(cfg.Algorithms, cli.RecordOf(simulations.ReplayResult{}))
}

// checkPlot refuses a file that could not be written, before anything is run.
func (f *replayFlags) checkPlot(changes int) error {
	if f.plot == "" {
		return nil
	}
	bad := &cli.UsageError{Where: "--plot", Found: cli.Quote(f.plot)}
	folder, err := os.Stat(filepath.Dir(f.plot))
	switch {
	case filepath.Ext(f.plot) != ".svg":
		bad.Want = "a name that ends in .svg"
	case err != nil || !folder.IsDir():
		bad.Want = "a file in a folder that exists"
	case changes == 0:
		bad.Found, bad.Want = "no change to draw", "a --change beside it"
	default:
		return nil
	}
	return bad
}

func (f *replayFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	report, err := f.replay(cmd, cfg)
	if err != nil {
		return err
	}
	rows := make(map[string]cli.Record)
	for _, r := range report.Results {
		rows[r.Algorithm] = cli.RecordOf(r)
	}
	failed, err := f.check(rows, "")
	if err != nil {
		return err
	}
	if err := f.drawPlot(report); err != nil {
		return err
	}
	return finish(cmd, replayReport(cmd, report, f.seed, func(b *bytes.Buffer, s cli.Style) { f.table(b, s, report) }), *f.format, failed)
}

// replay reads the trace and runs the fleets.
func (f *replayFlags) replay(cmd *cobra.Command, cfg simulations.ReplayConfig) (*simulations.ReplayReport, error) {
	reader, stop, err := f.open(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer stop()
	progress := cli.NewProgress(cmd.ErrOrStderr(), "replaying")
	defer progress.Close()
	cfg.Trace, cfg.Progress = reader, showRead(progress)
	report, err := simulations.Replay(cmd.Context(), cfg)
	return report, usage(err, "trace")
}

func replayReport(cmd *cobra.Command, report *simulations.ReplayReport, seed uint64, table func(*bytes.Buffer, cli.Style)) cli.Report {
	var records []cli.Record
	for _, r := range report.Results {
		records = append(records, cli.RecordOf(r))
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: report.Schema},
				{Name: "seed", Value: seed},
				{Name: "version", Value: cmd.Root().Version},
				{Name: "trace", Value: cli.RecordOf(report.Trace)},
				{Name: "window", Value: report.Window},
				{Name: "horizon", Value: report.Horizon},
				{Name: "results", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: table,
	}
}

// drawPlot writes the file that --plot names, complete or not at all.
func (f *replayFlags) drawPlot(report *simulations.ReplayReport) error {
	if f.plot == "" {
		return nil
	}
	var svg bytes.Buffer
	if err := plot.HitRates(&svg, report, report.Window, 4*report.Window); err != nil {
		return err
	}
	return cli.WriteFile(f.plot, svg.Bytes())
}

func (f *replayFlags) table(b *bytes.Buffer, s cli.Style, report *simulations.ReplayReport) {
	cli.WriteText(b, fmt.Sprintf("%s, LRU of %s a node", describeTrace(report.Trace), capacityText(f.capacity)), "")
	changes := 0
	for _, r := range report.Results {
		changes = max(changes, len(r.Changes))
	}
	for i := range changes {
		replayTable(b, s, report, i)
	}
	if changes == 0 {
		wholeTable(b, s, report)
	}
	b.WriteByte('\n')
	for _, r := range report.Results {
		if r.Note != "" {
			cli.WriteText(b, r.Algorithm+": "+r.Note+".", "  ")
		}
	}
	if changes > 0 {
		f.legend(b, report)
	}
	for i := range changes {
		if i == 0 {
			b.WriteByte('\n')
		}
		cli.WriteText(b, s.Bold(replayVerdict(report, i, f.dbMillis)), "")
	}
}

// capacityText names the unit of a capacity that has none.
func capacityText(capacity string) string {
	if c, err := simulations.ParseCapacity(capacity); err == nil && c.Bytes == 0 {
		return counted(c.Items, "item")
	}
	return capacity
}

// replayTable shows what one change did.
func replayTable(b *bytes.Buffer, s cli.Style, report *simulations.ReplayReport, i int) {
	var rows [][]string
	title := ""
	for _, r := range report.Results {
		if i >= len(r.Changes) {
			rows = append(rows, []string{r.Algorithm, missing, missing, missing, missing, missing, missing, missing, missing, missing})
			continue
		}
		c := r.Changes[i]
		title = fmt.Sprintf("%s after %s: %d → %s", cli.Name(c.Change), counted(c.Request, "request"), c.NodesBefore, counted(c.NodesAfter, "node"))
		rows = append(rows, []string{
			r.Algorithm, show(c.Moved, percent), show(c.HitRateBefore, percent), show(c.HitRateNext1000, percent), show(c.ControlHitRateNext1000, percent),
			show(c.MissesWindow, compact), show(c.ControlMissesWindow, compact),
			show(c.ExtraLoads, compact), show(c.ExtraDBSeconds, seconds), show(c.RecoveryRequests, compact),
		})
	}
	b.WriteString("\n" + s.Bold(title) + "\n\n")
	cli.WriteTable(b, s, []cli.Column{
		{Title: "placement", Left: true}, {Title: "moved"}, {Title: "before"}, {Title: "next 1k"}, {Title: "control"},
		{Title: "misses"}, {Title: "control"}, {Title: "extra"}, {Title: "db time"}, {Title: "recovery"},
	}, rows)
}

// wholeTable stands for a replay without a change.
func wholeTable(b *bytes.Buffer, s cli.Style, report *simulations.ReplayReport) {
	var rows [][]string
	for _, r := range report.Results {
		rows = append(rows, []string{r.Algorithm, show(r.HitRate, percent)})
	}
	b.WriteByte('\n')
	cli.WriteTable(b, s, []cli.Column{{Title: "placement", Left: true}, {Title: "hit rate"}}, rows)
}

func (f *replayFlags) legend(b *bytes.Buffer, report *simulations.ReplayReport) {
	cli.WriteText(b, fmt.Sprintf("control: the same requests without the change. before: hit rate in the %s requests before it; next 1k: in the %s after it; "+
		"misses: in the %s after it. extra: database loads beyond the control's, over the %s requests after it; "+
		"db time: what they cost at %g ms each. recovery: requests until a window of %s is within one point of the control.",
		within(report, report.Window, before), within(report, 1000, after), within(report, report.Window, after), within(report, report.Horizon, after),
		f.dbMillis, commas(report.Window)), "")
}

// within says how many requests a figure of the changes is really taken over: so
// many, or as many as the trace has on that side of the change.
func within(report *simulations.ReplayReport, most int64, side func(*simulations.ReplayReport, simulations.ReplayChange) int64) string {
	low, high := int64(math.MaxInt64), int64(0)
	for _, r := range report.Results {
		for _, c := range r.Changes {
			n := min(most, side(report, c))
			low, high = min(low, n), max(high, n)
		}
	}
	if low < high {
		return commas(low) + " to " + commas(high)
	}
	return commas(high)
}

func before(_ *simulations.ReplayReport, c simulations.ReplayChange) int64 { return c.Request }

func after(report *simulations.ReplayReport, c simulations.ReplayChange) int64 {
	return report.Trace.Requests - c.Request
}

func seconds(x float64) string {
	if x < 0 {
		return "-" + seconds(-x)
	}
	if x >= 999.5 {
		return compact(int64(x+0.5)) + " s"
	}
	return nanoseconds(x * 1e9)
}
