package simulations

import "fmt"

// result returns the figures of a variant, as far as the run has come.
func (r *variantRun) result() RunResult {
	out := RunResult{
		Name: r.variant.Name, Algorithm: r.variant.Algorithm, Copies: r.variant.Copies, Note: r.note,
		NodesBefore: len(r.variant.Nodes), NodesAfter: len(r.plan.nodes),
		Changes: []RunChange{}, Series: []RunPoint{},
	}
	if r.note != "" {
		return out
	}
	f := r.figures
	f.movements(&out)
	f.balances(&out)
	f.rates(&out)
	f.recovered(&out)
	f.counts(&out)
	f.bill(&out)
	for i := range f.changes {
		out.Changes = append(out.Changes, f.change(i))
	}
	out.Series = f.series()
	if r.fleet.inFlight != nil {
		out.Note = fmt.Sprintf("load is that of the last %d requests a node", r.cfg.inFlight)
	}
	return out
}

func (f *runFigures) movements(out *RunResult) {
	out.NodesAfter = len(f.run.fleet.nodes)
	out.Moved = new(figure(f.share.moved))
	out.MovedUnnecessary = new(figure(f.share.unnecessary))
	out.MovedNecessary = new(figure(f.share.moved - f.share.unnecessary))
	if f.run.variant.Migration > 0 {
		out.Migrated = new(f.run.fleet.totals.migrated)
		if f.run.fleet.moving == nil {
			out.MigrationSeconds = new(figure(f.run.fleet.totals.movingSeconds))
		}
	}
}

func (f *runFigures) balances(out *RunResult) {
	before, after := f.before, balance{}
	switch {
	case f.run.control == nil: // nothing has changed
		before = balanceOf(f.run.fleet, f.run.seen)
	case f.marked:
		after = balanceOf(f.run.fleet, f.run.seen)
	}
	peak := func(s *spread) *float64 {
		if s == nil {
			return nil
		}
		return new(s.peak)
	}
	cv := func(s *spread) *float64 {
		if s == nil {
			return nil
		}
		return new(s.cv)
	}
	out.PeakToMeanRequests, out.PeakToMeanBytes, out.PeakToMeanKeys = peak(before.requests), peak(before.bytes), peak(before.keys)
	out.PeakToMeanRequestsAfter, out.PeakToMeanBytesAfter, out.PeakToMeanKeysAfter = peak(after.requests), peak(after.bytes), peak(after.keys)
	out.CVRequests, out.CVRequestsAfter = cv(before.requests), cv(after.requests)
	out.HottestNode = f.hot.node
	out.HottestTimesFair, out.ControlHottestTimesFair = positive(f.hot.timesFair), positive(f.controlHot.timesFair)
	out.HottestPerSecond, out.ControlHottestPerSecond = positive(f.hot.perSecond), positive(f.controlHot.perSecond)
}

// positive returns a figure that is not there at 0.
func positive(x float64) *float64 {
	if x == 0 {
		return nil
	}
	return new(figure(x))
}

func (f *runFigures) rates(out *RunResult) {
	out.HitRate, out.ControlHitRate = f.whole.fleet.rate(), f.whole.control.rate()
	if len(f.changes) == 0 {
		return
	}
	for _, c := range f.changes {
		if c.at == f.first {
			out.HitRateBefore = c.before.fleet.rate()
			break
		}
	}
	out.HitRateLowest = f.lowest(f.first, 1<<62, fleetScore)
	out.ControlHitRateLowest = f.lowest(f.first, 1<<62, controlScore)
}

// recovered adds up the time to the last change and that from there.
func (f *runFigures) recovered(out *RunResult) {
	var last *changeSpans
	for _, c := range f.changes {
		if last == nil || c.until >= last.until {
			last = c
		}
	}
	if last == nil || !last.recovery.done {
		return
	}
	requests := last.until + last.recovery.after - f.first
	out.RecoveryRequests = new(requests)
	out.RecoverySeconds = new(f.secondsBetween(f.first, f.first+requests))
}

// secondsBetween returns how long two requests are apart: exactly at a fixed
// rate, else as if those of each step came evenly.
func (f *runFigures) secondsBetween(from, to int64) float64 {
	if rate := f.run.cfg.Rate; rate > 0 {
		return figure(float64(to-from) / rate)
	}
	return figure(f.secondOf(to) - f.secondOf(from))
}

// secondOf returns when a request came, between the steps around it.
func (f *runFigures) secondOf(request int64) float64 {
	step := f.run.cfg.step()
	i := request / step
	switch {
	case len(f.steps) == 0 || request >= f.run.done:
		return f.run.seconds
	case i >= int64(len(f.steps)):
		return between(f.open.seconds, f.run.seconds, request-f.open.request, f.run.done-f.open.request)
	case i == int64(len(f.steps))-1 && f.fill == 0:
		return between(f.steps[i].seconds, f.run.seconds, request-f.steps[i].request, step)
	case i == int64(len(f.steps))-1:
		return between(f.steps[i].seconds, f.open.seconds, request-f.steps[i].request, step)
	}
	return between(f.steps[i].seconds, f.steps[i+1].seconds, request-f.steps[i].request, step)
}

// between returns the moment of one request of several.
func between(from, to float64, request, of int64) float64 {
	return from + float64((to-from)*float64(request)/float64(of)) // not fused
}

func (f *runFigures) counts(out *RunResult) {
	out.Loads, out.ControlLoads = new(f.whole.fleet.misses), new(f.whole.control.misses)
	if f.run.control != nil {
		out.ExtraLoads = new(f.extra.fleet.misses - f.extra.control.misses)
	}
	totals := f.run.fleet.totals
	control := totals
	if f.run.control != nil {
		control = f.run.control.totals
	}
	out.StaleReads, out.ControlStaleReads, out.FailedRequests = new(totals.stale), new(control.stale), new(totals.failed)
	var peak, controlPeak float64
	for i := range f.steps[:max(0, len(f.steps)-1)] {
		s := &f.steps[i]
		if length := f.steps[i+1].seconds - s.seconds; s.request >= f.run.cfg.Warmup && !f.quiet(s.request+f.run.cfg.step()) && length > 0 {
			peak = max(peak, float64(s.fleet.misses)/length)
			controlPeak = max(controlPeak, float64(s.control.misses)/length)
			out.LoadsPeak, out.ControlLoadsPeak = new(figure(peak)), new(figure(controlPeak))
		}
	}
}

func (f *runFigures) bill(out *RunResult) {
	costs := f.run.cfg.Costs
	money := func(loads int64) *float64 {
		hours := float64(loads) * costs.LoadMillis / 3.6e6
		// Conversions forbid fusing, which would round otherwise elsewhere.
		return new(figure(float64(float64(loads)/1e6*costs.PerMillionLoads) + float64(hours*costs.PerDatabaseHour)))
	}
	if costs.LoadMillis > 0 {
		out.DBMillis = new(figure(float64(*out.Loads) * costs.LoadMillis))
	}
	if costs.priced() {
		out.Bill = money(*out.Loads)
	}
	if out.ExtraLoads == nil {
		return
	}
	if costs.LoadMillis > 0 {
		out.ExtraDBMillis = new(figure(float64(*out.ExtraLoads) * costs.LoadMillis))
	}
	if costs.priced() {
		out.ExtraBill = money(*out.ExtraLoads)
	}
}

func (f *runFigures) change(i int) RunChange {
	c := f.changes[i]
	before, after := f.run.plan.sizes(i)
	out := RunChange{
		Request: c.at, Until: c.until, Seconds: figure(c.seconds), Change: f.run.variant.Changes[i].String(),
		NodesBefore: before, NodesAfter: after, RingChanges: c.rings,
	}
	if !c.reached {
		return out
	}
	out.Moved, out.MovedUnnecessary = new(figure(c.moved.all)), new(figure(c.moved.unnecessary))
	out.HitRateBefore = c.before.fleet.rate()
	out.HitRateNext1000, out.ControlHitRateNext1000 = c.soon.fleet.rate(), c.soon.control.rate()
	out.HitRateLowest = f.lowest(c.at, c.next, fleetScore)
	out.ExtraLoads = new(c.toNext.fleet.misses - c.toNext.control.misses)
	if c.recovery.done {
		out.RecoveryRequests = new(c.recovery.after)
		out.RecoverySeconds = new(f.secondsBetween(c.until, c.until+c.recovery.after))
	}
	return out
}

// sizes returns how many nodes the ring has before and after an entry.
func (p *planner) sizes(entry int) (before, after int) {
	size := len(p.variant.Nodes)
	before = -1
	for _, a := range p.actions {
		if a.entry == entry && before < 0 {
			before, after = size, size
		}
		if a.nodes != nil {
			size = len(a.nodes)
		}
		if a.entry == entry {
			after = size
		}
	}
	return max(before, 0), after
}

// series returns the steps, so many of them as one point that there are no more
// than maxSeries.
func (f *runFigures) series() []RunPoint {
	steps := f.steps
	if f.fill > 0 {
		steps = append(steps[:len(steps):len(steps)], f.sample())
	}
	each := (len(steps) + maxSeries - 1) / maxSeries
	points := []RunPoint{}
	for i := 0; i < len(steps); i += each {
		sum := steps[i]
		for _, s := range steps[i+1 : min(i+each, len(steps))] {
			sum.fleet.add(s.fleet)
			sum.control.add(s.control)
			sum.totals.stale += s.totals.stale
			sum.totals.failed += s.totals.failed
			sum.totals.migrated += s.totals.migrated
			sum.nodesUp = s.nodesUp
		}
		points = append(points, RunPoint{
			Request: sum.request, Seconds: figure(sum.seconds),
			HitRate: sum.fleet.rate(), ControlHitRate: sum.control.rate(),
			Loads: sum.fleet.misses, ControlLoads: sum.control.misses,
			StaleReads: sum.totals.stale, FailedRequests: sum.totals.failed, Migrated: sum.totals.migrated, NodesUp: sum.nodesUp,
		})
	}
	return points
}
