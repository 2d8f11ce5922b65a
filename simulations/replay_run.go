package simulations

import (
	"context"
	"fmt"

	"github.com/ringway/ringway/simulations/lru"
)

// A replayRun is one placement on its way through the trace: the fleet, and from
// the first change on the control, which forks off there.
type replayRun struct {
	entrant
	cfg     *ReplayConfig
	plan    []plannedChange // those to come
	fleet   *cacheFleet
	control *cacheFleet // nil before the first change
	seen    int         // keys up to the last chunk
	done    []*changeFigures
	whole   pairScore
	series  series
	note    string // why the placement has dropped out
	kept    int    // changes made before that
	stop    int64  // requests before that

	outcomes, controlOutcomes [chunkEvents]byte
}

func newReplayRun(e entrant, cfg *ReplayConfig, plan []plannedChange) *replayRun {
	r := &replayRun{entrant: e, cfg: cfg, plan: plan, series: series{step: max(1, cfg.Window/stepsInWindow)}}
	for _, c := range plan {
		r.done = append(r.done, newChangeFigures(c, cfg))
	}
	p, err := e.build(cfg.Nodes)
	if err != nil {
		r.note = reason(err)
		return r
	}
	r.fleet = newCacheFleet(p, cfg)
	return r
}

// consume runs one chunk. Changes lie at the beginning of a chunk.
func (r *replayRun) consume(ctx context.Context, c *chunk) error {
	for r.note == "" && len(r.plan) > 0 && r.plan[0].At == c.base {
		if err := r.change(ctx, c); err != nil {
			return err
		}
	}
	if r.note != "" {
		return nil
	}
	n := len(c.events)
	outcomes, control := r.outcomes[:n], r.outcomes[:n]
	r.fleet.serve(c, outcomes)
	if r.control != nil {
		control = r.controlOutcomes[:n]
		r.control.serve(c, control)
	}
	r.seen = c.keys.len()
	r.whole.add(outcomes, control)
	r.series.add(outcomes, control)
	for _, figures := range r.done {
		figures.add(c.base, outcomes, control)
	}
	return nil
}

// change makes the next change of the plan, before the requests of the chunk.
func (r *replayRun) change(ctx context.Context, c *chunk) error {
	next := r.plan[0]
	figures := r.done[len(r.done)-len(r.plan)]
	r.plan = r.plan[1:]
	var err error
	p := r.fleet.placement
	if r.fleet.inFlight != nil {
		// Update would share the counts of load with the control's placement.
		p, err = r.build(next.nodes)
	} else {
		p, err = p.Update(next.nodes)
	}
	if err != nil {
		r.note = fmt.Sprintf("%s@%d: %s", next.Change, next.At, reason(err))
		r.kept, r.stop = len(r.done)-len(r.plan)-1, next.At
		if r.kept > 0 {
			r.note += "; figures that need requests beyond it are missing"
		}
		return nil
	}
	if r.control == nil {
		// The fleet goes on with the clones: it is the control whose requests
		// are in flight.
		r.control = r.fleet
		r.fleet = r.fleet.clone()
	}
	t, err := r.fleet.change(ctx, p, r.cfg, c.keys, r.seen)
	if err != nil {
		return err
	}
	if r.seen > 0 {
		figures.moved = new(figure(float64(t.moved()) / float64(r.seen)))
	}
	var incoming [][]lru.Entry
	if r.cfg.Migrate {
		var migrated int64
		incoming, migrated = t.leave(c.events[0].now)
		figures.migrated = new(migrated)
	}
	t.finish(incoming)
	r.fleet = t.new
	return nil
}

// result returns the figures. Where the placement has dropped out, there are
// those of the changes before that, as far as they were complete by then.
func (r *replayRun) result() ReplayResult {
	out := ReplayResult{Algorithm: r.name, Note: r.note, Changes: []ReplayChange{}, Series: []ReplayPoint{}}
	for i, f := range r.done {
		c := ReplayChange{
			Request: f.At, Change: f.Change.String(),
			NodesBefore: len(f.nodesBefore), NodesAfter: len(f.nodes),
		}
		switch {
		case r.note == "":
			c.ReplayFigures = f.figures(r.cfg)
		case i < r.kept:
			c.ReplayFigures = f.figuresUntil(r.stop, r.cfg)
		}
		out.Changes = append(out.Changes, c)
	}
	if len(out.Changes) > 0 {
		out.ReplayFigures = out.Changes[0].ReplayFigures
	}
	if r.note != "" {
		return out
	}
	out.HitRate, out.ControlHitRate = r.whole.fleet.rate(), r.whole.control.rate()
	out.Series = r.series.all()
	if r.fleet.inFlight != nil {
		out.Note = fmt.Sprintf("load is that of the last %d requests a node", r.cfg.inFlight)
	}
	return out
}
