package simulations

import (
	"context"
	"fmt"
	"slices"

	"github.com/ringway/ringway/ring"
)

// CompareConfig says what Compare compares.
type CompareConfig struct {
	Algorithms []string    // names of Algorithms; empty means all of them
	Nodes      []ring.Node // the fleet before the change
	Change     Change
	Keys       []string // distinct; one that is given twice counts twice
	Options    Options

	// Uniform, without Keys, is how many keys of UniformKeys are placed, those of
	// Seed. They are made as they are needed, so that memory does not grow with
	// their number.
	Uniform int
	Seed    uint64

	// NoTiming leaves out LookupNS and BuildMS, the two figures that differ
	// from run to run.
	NoTiming bool

	// Progress, when not nil, is called from several goroutines, now and then,
	// with the keys placed so far and the keys to place in all.
	Progress func(done, total int64)
}

// CompareReport is what Compare measured, in the order of the names asked for.
type CompareReport struct {
	Keys int `json:"keys"`
	// Partial says that the comparison was stopped before its end: figures are
	// those of the keys placed until then, which Note tells.
	Partial     bool            `json:"partial"`
	NodesBefore int             `json:"nodes_before"`
	NodesAfter  int             `json:"nodes_after"`
	Results     []CompareResult `json:"results"`
}

// CompareResult is what one placement does with the keys and with the change. A
// nil figure is one that the placement cannot give; Note says why. Fractions
// are of the number of keys unless said otherwise, and rounded to 12 decimals,
// so that the last bits of a sum do not show.
type CompareResult struct {
	Algorithm string `json:"algorithm"`

	// Moved is the fraction of keys whose owner has another ID after the change.
	Moved *float64 `json:"moved"`
	// MovedExact is the same of the 64-bit hash space, where the placement is a
	// ring.HashPlacement and can say it without sampling keys.
	MovedExact *float64 `json:"moved_exact"`
	// Ideal is what the nodes gain in fair share (weight by total weight), summed
	// over those that gain: the share of the newcomers where nodes join, of the
	// leavers where nodes leave. A placement that gives everybody exactly the
	// fair share, before and after, cannot move less; one draw of another may.
	Ideal *float64 `json:"ideal"`
	// MovedUnnecessary is the fraction of keys that move between two nodes that
	// are in both fleets with the same weight.
	MovedUnnecessary *float64 `json:"moved_unnecessary"`

	// PeakToMean is the largest load of a node by its fair share (its weight by
	// the total): 1.2 means that one node has a fifth too much.
	PeakToMean      *float64 `json:"peak_to_mean"`
	PeakToMeanAfter *float64 `json:"peak_to_mean_after"`
	// PeakToMeanExact is PeakToMean of the hash space, without the chance of
	// these keys, where the placement knows the exact shares of its nodes.
	PeakToMeanExact *float64 `json:"peak_to_mean_exact"`
	// CV is the coefficient of variation: the root of the mean square of
	// (load by fair share - 1) over the nodes.
	CV      *float64 `json:"cv"`
	CVAfter *float64 `json:"cv_after"`

	// Receivers is the number of nodes that are given keys by the change.
	Receivers *int `json:"receivers"`
	// Restored is the fraction of keys that are back at their first owner once
	// the change is undone. A placement that can compare itself with another over
	// the whole hash space, and finds no difference, is not asked for each key.
	Restored *float64 `json:"restored"`

	// LookupNS is the time of one lookup through the ring.Placement interface,
	// in nanoseconds: the fastest of several passes over up to 65,536 keys that
	// are in memory, on one core while nothing else of this program runs. A
	// placement that counts load is timed with all keys held.
	LookupNS *float64 `json:"lookup_ns"`
	// BuildMS is the time of building the first fleet's placement, in
	// milliseconds: the best of up to three.
	BuildMS *float64 `json:"build_ms"`
	// MemoryBytes is what the tables of the first fleet's placement take.
	MemoryBytes *int `json:"memory_bytes"`

	Note string `json:"note"`
}

// Compare places the keys three times with each placement: over the fleet
// before the change, after it, and after it has been undone. It fails with an
// *InputError for a config that nothing can be compared with. A change or a weight
// that a placement refuses is no error: its result says so in Note.
//
// When the context is cancelled it returns an error that wraps the context's, and
// once keys have been placed the report so far, marked as partial.
func Compare(ctx context.Context, cfg CompareConfig) (*CompareReport, error) {
	changed, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	f := newFleets(cfg.Nodes, changed)
	trials := make([]*trial, len(cfg.Algorithms))
	for i, name := range cfg.Algorithms {
		trials[i] = newTrial(name, cfg.Options, f)
		trials[i].measure(&cfg)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return compare(ctx, &cfg, trials, len(changed))
}

// compare places the keys, takes the time of lookups over what that has left, and
// reports.
func compare(ctx context.Context, cfg *CompareConfig, trials []*trial, nodesAfter int) (*CompareReport, error) {
	keys := &keySet{list: cfg.Keys, count: cfg.Uniform, seed: cfg.Seed}
	stopped := runTrials(ctx, trials, keys, cfg.Progress)
	report := &CompareReport{Keys: keys.size(), Partial: stopped != nil, NodesBefore: len(cfg.Nodes), NodesAfter: nodesAfter}
	placed := false
	for _, t := range trials {
		if stopped == nil && t.has(phaseBefore) && !cfg.NoTiming {
			if stopped = ctx.Err(); stopped != nil {
				report.Partial = true
			} else {
				first := keys.slice(0, min(keys.size(), timedKeys), &keyBuffer{})
				t.result.LookupNS = new(timeLookup(t.phases[phaseBefore].placement, first))
			}
		}
		placed = placed || t.placed > 0
		report.Results = append(report.Results, t.finish(keys.size()))
	}
	switch {
	case stopped == nil:
		return report, nil
	case !placed:
		return nil, stopped
	}
	return report, fmt.Errorf("simulations: stopped: %w", stopped)
}

// validate fills in the defaults and returns the fleet after the change.
func (cfg *CompareConfig) validate() (changed []ring.Node, err error) {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = Algorithms()
	}
	for _, name := range cfg.Algorithms {
		if !slices.Contains(Algorithms(), name) {
			return nil, unknownAlgorithm(name)
		}
	}
	if err := cfg.Options.validate(); err != nil {
		return nil, err
	}
	if err := checkFleet("nodes", cfg.Nodes); err != nil {
		return nil, err
	}
	if len(cfg.Keys) == 0 && (cfg.Uniform < 1 || cfg.Uniform > MaxUniformKeys) {
		return nil, &InputError{What: "keys", Found: "none", Want: "at least one key"}
	}
	return cfg.Change.Apply(cfg.Nodes)
}
