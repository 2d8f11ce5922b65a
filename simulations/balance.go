package simulations

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/maglev"
)

// BalanceConfig says what Balance measures: each placement at each number of
// nodes and, where it has virtual nodes, at each number of those.
type BalanceConfig struct {
	Algorithms   []string // names of Algorithms; empty means all of them
	Nodes        []int    // sizes of fleets of equal nodes
	VirtualNodes []int    // for ring and bounded; empty means ring.DefaultVirtualNodes
	Keys         int      // generated keys a run; 0 means DefaultBalanceKeys
	Runs         int      // fleets of other names and other keys; 0 means DefaultBalanceRuns
	Seed         uint64   // names the fleets and makes the keys
	Hasher       ring.Hasher

	// Progress, when not nil, is called from several goroutines with the
	// measurements done so far and in all.
	Progress func(done, total int64)
}

// Defaults of BalanceConfig.
const (
	DefaultBalanceKeys = 200_000
	DefaultBalanceRuns = 5
)

// BalanceReport is what Balance measured: the placements in the order asked for,
// each by number of nodes, then by virtual nodes.
type BalanceReport struct {
	Runs    int             `json:"runs"`
	Results []BalanceResult `json:"results"`
}

// BalanceResult is the spread of load of one placement over one size of fleet.
// 1 is a node's fair share. A nil figure is one that does not exist; Note says
// why.
type BalanceResult struct {
	Algorithm string `json:"algorithm"`
	Nodes     int    `json:"nodes"`
	// VNodes is nil for a placement without virtual nodes; ketama has 160.
	VNodes *int `json:"vnodes"`

	// CV is the coefficient of variation: the root of the mean square over the
	// nodes and the runs. CVTheory is its expectation, nil where no closed form
	// is known.
	CV       *float64 `json:"cv"`
	CVTheory *float64 `json:"cv_theory"`
	// PeakToMean is the largest load, the mean over the runs.
	PeakToMean       *float64 `json:"peak_to_mean"`
	PeakToMeanTheory *float64 `json:"peak_to_mean_theory"`
	// MinToMean is the smallest load, the mean over the runs.
	MinToMean *float64 `json:"min_to_mean"`
	// Low99ToMean and High99ToMean are the loads between which 99% of the nodes
	// lie, the mean over the runs; of fewer than 199 nodes the least and the largest.
	Low99ToMean  *float64 `json:"low99_to_mean"`
	High99ToMean *float64 `json:"high99_to_mean"`

	// Keys is how many random keys a run counted. It is nil where the
	// placement told the exact shares of the hash space; theory is for the same.
	Keys *int   `json:"keys"`
	Note string `json:"note"`
}

// A balanceRow is one line of the report while it is being measured.
type balanceRow struct {
	result BalanceResult
	runs   []spread // of each run, so that their order does not depend on timing
	lows   []float64
	highs  []float64
}

// Balance measures how evenly each placement spreads load over equal nodes,
// beside what theory expects. It fails with an *InputError for a config that it
// cannot measure, and with the context's error once that is cancelled.
func Balance(ctx context.Context, cfg BalanceConfig) (*BalanceReport, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	rows := cfg.rows()
	var done atomic.Int64
	total := int64(len(rows) * cfg.Runs)
	for run := range cfg.Runs {
		// Where all placements tell exact shares, nobody asks for keys.
		keys := sync.OnceValue(func() []string {
			// None once the context is cancelled, and then the figures do not matter.
			keys, _ := UniformKeysContext(ctx, cfg.Keys, splitmix.Mix(cfg.Seed)+uint64(run))
			return keys
		})
		// The large fleets take longest: they go first.
		order := slices.Clone(rows)
		slices.SortStableFunc(order, func(a, b *balanceRow) int { return b.result.Nodes - a.result.Nodes })
		eachParallel(order, func(row *balanceRow) {
			if ctx.Err() != nil {
				return
			}
			cfg.measure(ctx, row, run, keys)
			if n := done.Add(1); cfg.Progress != nil {
				cfg.Progress(n, total)
			}
		})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	report := &BalanceReport{Runs: cfg.Runs}
	for _, row := range rows {
		report.Results = append(report.Results, row.finish())
	}
	return report, nil
}

// eachParallel calls f for every item, on all cores, and returns when all are
// done.
func eachParallel[T any](items []T, f func(T)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				f(items[i])
			}
		})
	}
	wg.Wait()
}

func (cfg *BalanceConfig) validate() error {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = Algorithms()
	}
	if len(cfg.VirtualNodes) == 0 {
		cfg.VirtualNodes = []int{ring.DefaultVirtualNodes}
	}
	if cfg.Keys == 0 {
		cfg.Keys = DefaultBalanceKeys
	}
	if cfg.Runs == 0 {
		cfg.Runs = DefaultBalanceRuns
	}
	for _, name := range cfg.Algorithms {
		if !slices.Contains(Algorithms(), name) {
			return unknownAlgorithm(name)
		}
	}
	if len(cfg.Nodes) == 0 {
		return &InputError{What: "nodes", Found: "none", Want: "at least one size of fleet"}
	}
	for _, n := range cfg.Nodes {
		if n < 1 || n > MaxNodes {
			return &InputError{What: "nodes", Found: fmt.Sprint(n), Want: fmt.Sprintf("1 to %d nodes", MaxNodes)}
		}
	}
	for _, v := range cfg.VirtualNodes {
		if v < 1 || v > ring.MaxTokens {
			return &InputError{What: "vnodes", Found: fmt.Sprint(v), Want: fmt.Sprintf("1 to %d virtual nodes", ring.MaxTokens)}
		}
	}
	if cfg.Keys < 1 || cfg.Keys > MaxUniformKeys {
		return &InputError{What: "keys", Found: fmt.Sprint(cfg.Keys), Want: fmt.Sprintf("1 to %d keys", MaxUniformKeys)}
	}
	if cfg.Runs < 1 || cfg.Runs > MaxBalanceRuns {
		return &InputError{What: "runs", Found: fmt.Sprint(cfg.Runs), Want: fmt.Sprintf("1 to %d runs", MaxBalanceRuns)}
	}
	return Options{Hasher: cfg.Hasher}.validate()
}

// MaxBalanceRuns bounds BalanceConfig.Runs.
const MaxBalanceRuns = 10_000

func (cfg *BalanceConfig) rows() []*balanceRow {
	var rows []*balanceRow
	for _, name := range cfg.Algorithms {
		for _, nodes := range cfg.Nodes {
			numbers := []*int{nil}
			switch {
			case hasVirtualNodes(name):
				numbers = nil
				for i := range cfg.VirtualNodes {
					numbers = append(numbers, &cfg.VirtualNodes[i])
				}
			case name == "ketama":
				numbers = []*int{new(ketamaPoints)}
			}
			for _, v := range numbers {
				rows = append(rows, &balanceRow{
					result: BalanceResult{Algorithm: name, Nodes: nodes, VNodes: v},
					runs:   make([]spread, cfg.Runs),
					lows:   make([]float64, cfg.Runs),
					highs:  make([]float64, cfg.Runs),
				})
			}
		}
	}
	return rows
}

// sharer is a placement that knows the exact shares of its nodes.
type sharer interface{ Shares() []float64 }

// measure fills in one run of a row.
func (cfg *BalanceConfig) measure(ctx context.Context, row *balanceRow, run int, keys func() []string) {
	r := &row.result
	if r.Note != "" {
		return // refused in an earlier run
	}
	o := Options{Hasher: cfg.Hasher}
	if hasVirtualNodes(r.Algorithm) {
		o.VirtualNodes = *r.VNodes
	}
	// Names that differ in every run are a new draw of the tokens, whatever a
	// placement hashes with.
	nodes := make([]ring.Node, r.Nodes)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("node%d-%016x", i+1, splitmix.Mix(splitmix.Mix(cfg.Seed)+uint64(run))), Weight: 1}
	}
	p, err := Build(r.Algorithm, nodes, o)
	if err != nil {
		r.Note = reason(err)
		return
	}
	if exact, ok := p.(sharer); ok {
		relative := exact.Shares()
		for i := range relative {
			relative[i] *= float64(r.Nodes)
		}
		row.judge(run, relative)
		return
	}
	r.Keys = new(cfg.Keys)
	row.judge(run, loadsOf(ctx, p, keys(), r.Nodes))
}

// loadsOf returns the load of every node that the keys give, by the mean.
func loadsOf(ctx context.Context, p ring.Placement, keys []string, nodes int) []float64 {
	counts := make([]int64, nodes)
	counting, counts2 := p.(acquirer)
	for start := 0; start < len(keys) && ctx.Err() == nil; start += batch {
		for _, key := range keys[start:min(start+batch, len(keys))] {
			if counts2 {
				counts[counting.Acquire(key)]++
			} else {
				counts[p.OwnerIndex(key)]++
			}
		}
	}
	relative := make([]float64, nodes)
	for i, count := range counts {
		relative[i] = float64(count) * float64(nodes) / float64(len(keys))
	}
	return relative
}

// finish averages the runs and adds the theory.
func (row *balanceRow) finish() BalanceResult {
	r := row.result
	if r.Note != "" {
		return r
	}
	var squares, peaks, mins, lows, highs float64
	for i, s := range row.runs {
		lows, highs = lows+row.lows[i], highs+row.highs[i]
		squares += float64(s.cv * s.cv)
		peaks += s.peak
		mins += s.min
	}
	runs := float64(len(row.runs))
	r.CV = new(figure(math.Sqrt(squares / runs)))
	r.PeakToMean, r.MinToMean = new(figure(peaks/runs)), new(figure(mins/runs))
	r.Low99ToMean, r.High99ToMean = new(figure(lows/runs)), new(figure(highs/runs))
	keys := 0
	if r.Keys != nil {
		keys = *r.Keys
	}
	if theory, ok := theoryOf(r.Algorithm, r.Nodes, r.VNodes, keys); ok {
		r.CVTheory, r.PeakToMeanTheory = new(round6(theory.CV)), new(round6(theory.PeakToMean))
	}
	return r
}

// round6 keeps six decimals of a theory: the rest of an integral is noise, which
// may differ between architectures.
func round6(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// ketamaPoints is the number of points that ketama gives to each of equal nodes,
// give or take the four of a rounding.
const ketamaPoints = 160

func hasVirtualNodes(algorithm string) bool { return algorithm == "ring" || algorithm == "bounded" }

// theoryOf returns the theory of a placement, if it has one: not bounded and
// balanced, whose point is a bound, and not multiprobe, of which the limit for
// many nodes is known but no more.
func theoryOf(algorithm string, nodes int, virtualNodes *int, keys int) (Theory, bool) {
	switch algorithm {
	case "ring", "ketama":
		return TokenTheory(nodes, *virtualNodes, keys), true
	case "modulo", "jump", "rendezvous":
		return SlotTheory(nodes, 0, keys), true
	case "maglev":
		return SlotTheory(nodes, maglev.DefaultTableSize, keys), true
	}
	return Theory{}, false
}
