package simulations

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Run sends the requests of a source through fleets that change on the way, each
// beside a control run without the changes.
//
//   - A Get goes to the owner of its key. A hit marks the entry as used; a miss
//     is one load from the database, and stores the entry at every home of the
//     key that is up. Sets, updates and deletes go to all of them.
//   - Every write, a Set, an Update or a Delete, makes a new version of the
//     value in the database. A hit on an older version is a stale read.
//   - A node that is down answers nothing: its keys' other copies do, and where
//     there are none, the database, without anything being stored. The ring
//     changes when the node is evicted, after Variant.EvictAfter.
//   - Without migration or Variant.Sweep, entries that a change of the ring
//     leaves at nodes which no longer own them stay there until they are evicted,
//     and serve again if a later change gives their keys back: stale, if they
//     were written meanwhile.
//   - Copies that a dead node held are not made anew on other nodes; the next
//     miss or write does that.
//
// Sizes and TTLs count as Replay says. It fails with an *InputError for a config
// that cannot be run, a change at or after the last request included, and with
// the error of the source. A change that a placement refuses is no error: its
// result has no figures and says so in Note.
//
// When the context is cancelled it returns the report so far, marked as partial,
// together with an error that wraps the context's.
func Run(ctx context.Context, cfg RunConfig) (*RunReport, error) {
	if cfg.Source == nil {
		return nil, badRun("workload", "none", "a trace or a generated workload")
	}
	cfg.Variants = slices.Clone(cfg.Variants)
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	plans, err := cfg.plans()
	if err != nil {
		return nil, err
	}
	runs := make([]*variantRun, len(cfg.Variants))
	cuts := []int64{cfg.Warmup}
	for i, plan := range plans {
		for _, a := range plan.actions {
			cuts = append(cuts, a.at)
		}
		runs[i] = newVariantRun(&cfg, plan)
	}
	slices.Sort(cuts)
	f, err := cfg.feed(slices.Compact(cuts))
	if err != nil {
		return nil, err
	}
	err = pump(ctx, f, runs, cfg.Progress)
	stopped := ctx.Err() != nil
	if err != nil && !stopped {
		return nil, err
	}
	if !stopped {
		if late := cfg.late(f.read); late != nil {
			return nil, late
		}
	}
	report := cfg.report(f, runs)
	if report.Partial = stopped; stopped {
		return report, fmt.Errorf("simulations: stopped after %d requests: %w", report.Workload.Requests, ctx.Err())
	}
	return report, nil
}

// late returns an error if a change, or the end of the warm-up, never came.
func (cfg *RunConfig) late(read int64) error {
	want := fmt.Sprintf("a request before the end of the workload, which has %d", read)
	first := read
	for i, v := range cfg.Variants {
		for j, c := range v.Changes {
			at, err := cfg.requests(c.At)
			if err == nil && at >= read {
				err = badRun("changes", fmt.Sprintf("%s at request %d", c, at), want)
			}
			if err != nil {
				return &ChangeError{i, j, err}
			}
			first = min(first, at)
		}
	}
	switch {
	case cfg.Warmup >= read:
		return badRun("warmup", cfg.Warmup, want)
	case cfg.Warmup > first:
		return badRun("warmup", cfg.Warmup, fmt.Sprintf("at most %d requests, after which the first change comes", first))
	}
	return nil
}

func (cfg *RunConfig) report(f *feed, runs []*variantRun) *RunReport {
	report := &RunReport{
		Schema: "ringsim.run/1", Workload: f.info(), Rate: cfg.Rate,
		Warmup: cfg.Warmup, Window: cfg.step() * stepsInWindow, Step: cfg.step(), Horizon: cfg.Horizon,
	}
	// A run that was stopped has read ahead of what it has done.
	last := slices.MinFunc(runs, func(a, b *variantRun) int { return cmp.Compare(a.done, b.done) })
	report.Workload.Requests, report.Workload.Distinct = last.done, int64(last.seen)
	report.Seconds = figure(last.seconds)
	for _, r := range runs {
		report.Results = append(report.Results, r.result())
	}
	return report
}

// A variantRun is one variant on its way through the requests: its fleet, and
// from the first change on the control, which forks off there.
type variantRun struct {
	cfg     *RunConfig
	variant *Variant
	plan    *planner
	next    int // action to come
	fleet   *runFleet
	control *runFleet // nil before the first action
	seen    int       // keys up to the last chunk
	done    int64     // requests
	seconds float64   // of the last request
	note    string    // why the variant has dropped out
	figures *runFigures

	outcomes, controlOutcomes [chunkEvents]byte
}

func newVariantRun(cfg *RunConfig, plan *planner) *variantRun {
	v := plan.variant
	r := &variantRun{cfg: cfg, variant: v, plan: plan}
	r.figures = newRunFigures(r)
	var err error
	if r.fleet, err = newRunFleet(v, cfg.inFlight); err != nil {
		r.note = reason(err)
	}
	return r
}

// consume runs one chunk. Actions lie at the beginning of a chunk.
func (r *variantRun) consume(ctx context.Context, c *chunk) error {
	if r.note == "" {
		if err := r.run(ctx, c); err != nil {
			return err
		}
	}
	n := len(c.events)
	r.seen, r.done, r.seconds = c.keys.len(), c.base+int64(n), r.secondsAt(c, n-1)
	return nil
}

func (r *variantRun) run(ctx context.Context, c *chunk) error {
	n := len(c.events)
	if c.base == r.cfg.Warmup {
		r.figures.warm()
	}
	for ; r.next < len(r.plan.actions) && r.plan.actions[r.next].at == c.base; r.next++ {
		if err := r.act(ctx, &r.plan.actions[r.next], c); err != nil || r.note != "" {
			return err
		}
	}
	outcomes, control := r.outcomes[:n], r.outcomes[:n]
	if err := r.serve(ctx, r.fleet, c, outcomes); err != nil {
		return err
	}
	if r.control != nil {
		control = r.controlOutcomes[:n]
		if err := r.serve(ctx, r.control, c, control); err != nil {
			return err
		}
	}
	r.figures.add(c, outcomes, control)
	return nil
}

func (r *variantRun) secondsAt(c *chunk, i int) float64 {
	if r.cfg.Rate > 0 {
		return float64(c.base+int64(i)) / r.cfg.Rate
	}
	return c.events[i].at
}

func (r *variantRun) serve(ctx context.Context, f *runFleet, c *chunk, outcomes []byte) error {
	if err := f.learn(ctx, c.keys, c.keys.len()); err != nil {
		return err
	}
	for i := range c.events {
		e := &c.events[i]
		f.now.tick, f.now.second, f.now.version = uint64(c.base)+uint64(i)+1, e.now, c.versions[i]
		if f.moving != nil {
			f.now.seconds = r.secondsAt(c, i)
			f.advance()
		}
		outcomes[i] = f.serve(e, c.keys)
	}
	return nil
}

// act does one action of the plan, before the requests of the chunk.
func (r *variantRun) act(ctx context.Context, a *action, c *chunk) error {
	if r.control == nil {
		r.figures.begin()
		// The fleet goes on with the clones: it is the control whose requests
		// are in flight.
		r.control = r.fleet
		var err error
		if r.fleet, err = r.control.clone(r.cfg.inFlight, c.keys); err != nil {
			return err
		}
	}
	f := r.fleet
	f.now.tick, f.now.second, f.now.seconds = uint64(c.base), c.events[0].now, r.secondsAt(c, 0)
	var back []*runNode
	present := f.byID(a.ids)
	for _, id := range a.ids {
		n := present[id]
		if n == nil {
			n = f.away[id]
			delete(f.away, id)
			back = append(back, n)
		}
		n.down = a.kind == crash
		if a.kind == revive && !a.keep {
			n.cache = r.variant.cacheOf(n.Node)
		}
	}
	if a.nodes != nil {
		moved, err := f.reshape(ctx, a.nodes, back, c, r.seen, r.cfg.inFlight)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.note = fmt.Sprintf("%s at request %d: %s", r.variant.Changes[a.entry], a.at, reason(err))
			return nil
		}
		r.figures.moved(a.entry, moved)
	}
	if r.next == len(r.plan.actions)-1 {
		r.figures.mark(f)
	}
	return nil
}

// byID finds those of these nodes that are in the ring.
func (f *runFleet) byID(ids []string) map[string]*runNode {
	found := make(map[string]*runNode, len(ids))
	for _, id := range ids {
		found[id] = nil
	}
	for _, n := range f.nodes {
		if _, wanted := found[n.ID]; wanted {
			found[n.ID] = n
		}
	}
	return found
}
