package simulations

import (
	"math"

	"github.com/ringway/ringway/ring"
)

// runFigures gathers the figures of one variant.
type runFigures struct {
	run     *variantRun
	changes []*changeSpans
	first   int64 // request of the first action; MaxInt64 where there is none
	whole   span  // from the end of the warm-up on
	extra   span  // from the first action to the horizon
	share   struct{ moved, unnecessary float64 }

	steps []runStep
	open  runStep // the step that is not over yet
	fill  int64   // requests in it
	base  runTotals

	hot, controlHot hottest
	before          balance
	marked          bool
}

// A runStep is one step of the series, a tenth of a window.
type runStep struct {
	request int64
	seconds float64
	pairScore
	totals  runTotals // in the step
	nodesUp int
}

// changeSpans gathers the figures of one entry of the time line.
type changeSpans struct {
	at, until    int64
	next         int64 // at which the next entry begins
	before, soon span
	toNext       span // or to the horizon, if that comes first
	recovery     recovery
	rings        int
	moved        struct{ all, unnecessary float64 }
	seconds      float64
	reached      bool
}

// newRunFigures lays out what will be counted, from the plan.
func newRunFigures(r *variantRun) *runFigures {
	window := r.cfg.step() * stepsInWindow
	f := &runFigures{run: r, first: math.MaxInt64, whole: span{from: r.cfg.Warmup, to: math.MaxInt64}}
	last := int64(0)
	for i := range r.variant.Changes {
		at, until := r.plan.span(i)
		f.first, last = min(f.first, at), max(last, until)
		f.changes = append(f.changes, &changeSpans{
			at: at, until: until,
			before:   span{from: max(0, at-window), to: at},
			soon:     span{from: at, to: at + 1000},
			toNext:   span{from: at, to: math.MaxInt64},
			next:     r.plan.nextEntry(i),
			recovery: recovery{at: until, size: int(window)},
		})
	}
	f.extra = span{from: f.first, to: math.MaxInt64}
	if r.cfg.Horizon > 0 {
		f.extra.to = last + r.cfg.Horizon
	}
	for _, c := range f.changes {
		c.toNext.to = min(c.next, f.extra.to)
	}
	return f
}

// span returns the requests of the first and of the last action of an entry.
func (p *planner) span(entry int) (at, until int64) {
	at, _ = p.cfg.requests(p.variant.Changes[entry].At) // which was checked
	until = at
	for _, a := range p.actions {
		if a.entry == entry {
			until = max(until, a.at)
		}
	}
	return at, until
}

// nextEntry returns the request at which the next entry after this one begins.
func (p *planner) nextEntry(entry int) int64 {
	at, _ := p.span(entry)
	next := int64(math.MaxInt64)
	for i := range p.variant.Changes {
		if other, _ := p.span(i); other > at {
			next = min(next, other)
		}
	}
	return next
}

// warm is called at the end of the warm-up.
func (f *runFigures) warm() {
	markBalance(f.run.fleet)
	f.hot.skip(f.run.fleet)
}

// begin is called before the first action.
func (f *runFigures) begin() {
	f.before = balanceOf(f.run.fleet, f.run.seen)
}

// mark is called after the last action.
func (f *runFigures) mark(fleet *runFleet) {
	markBalance(fleet)
	f.marked = true
}

func (f *runFigures) moved(entry int, m changed) {
	c := f.changes[entry]
	c.rings++
	if m.keys == 0 {
		return
	}
	c.moved.all += float64(m.moved) / float64(m.keys)
	c.moved.unnecessary += float64(m.unnecessary) / float64(m.keys)
	f.share.moved += float64(m.moved) / float64(m.keys)
	f.share.unnecessary += float64(m.unnecessary) / float64(m.keys)
}

// add counts a chunk, which lies within one step.
func (f *runFigures) add(c *chunk, fleet, control []byte) {
	f.whole.add(c.base, fleet, control)
	f.extra.add(c.base, fleet, control)
	for _, s := range f.changes {
		if c.base == s.at {
			s.reached, s.seconds = true, f.run.secondsAt(c, 0)
		}
		for _, part := range []*span{&s.before, &s.soon, &s.toNext} {
			part.add(c.base, fleet, control)
		}
		s.recovery.add(c.base, fleet, control)
	}
	if f.fill == 0 {
		f.open = runStep{request: c.base, seconds: f.run.secondsAt(c, 0)}
	}
	f.open.add(fleet, control)
	f.fill += int64(len(fleet))
	if f.fill == f.run.cfg.step() {
		f.closeStep(f.run.secondsAt(c, len(fleet)-1))
	}
}

// closeStep ends the step at that second, and with every tenth the window.
func (f *runFigures) closeStep(second float64) {
	fleet := f.run.fleet
	f.steps = append(f.steps, f.sample())
	f.base, f.fill = fleet.totals, 0
	if len(f.steps)%stepsInWindow != 0 {
		return
	}
	start := f.steps[len(f.steps)-stepsInWindow]
	if start.request < f.run.cfg.Warmup || f.quiet(start.request+stepsInWindow*f.run.cfg.step()) {
		f.hot.skip(fleet)
		return
	}
	f.hot.close(fleet, second-start.seconds)
	if f.run.control != nil {
		f.controlHot.close(f.run.control, second-start.seconds)
	} else {
		f.controlHot = f.hot
	}
}

// quiet reports whether what ended before this request was over when the first
// change came. Peaks leave it out: those of caches that fill up hide what a change
// does.
func (f *runFigures) quiet(end int64) bool { return len(f.changes) > 0 && end <= f.first }

// sample returns the step that is open, with what the fleet has done in it.
func (f *runFigures) sample() runStep {
	s, t := f.open, f.run.fleet.totals
	s.totals = runTotals{stale: t.stale - f.base.stale, failed: t.failed - f.base.failed, migrated: t.migrated - f.base.migrated}
	for _, n := range f.run.fleet.nodes {
		if !n.down {
			s.nodesUp++
		}
	}
	return s
}

// hottest is the largest load of a node in any window: by its fair share, and in
// requests, which in a fleet of several weights may be that of another node.
type hottest struct {
	node      string
	timesFair float64
	perSecond float64 // 0 where windows have no length
}

// close ends a window of so many seconds.
func (h *hottest) close(f *runFleet, seconds float64) {
	var total int64
	var weight float64
	for _, n := range f.nodes {
		total += n.requests - n.windowRequests
		weight += n.Weight
	}
	for _, n := range f.nodes {
		asked := float64(n.requests - n.windowRequests)
		if asked == 0 {
			continue
		}
		if fair := asked / float64(total) * weight / n.Weight; fair > h.timesFair {
			h.node, h.timesFair = n.ID, fair
		}
		if seconds > 0 {
			h.perSecond = max(h.perSecond, asked/seconds)
		}
	}
	h.skip(f)
}

// skip begins a window.
func (*hottest) skip(f *runFleet) {
	for _, n := range f.nodes {
		n.windowRequests = n.requests
	}
}

// A balance says how evenly load lay over a time; its figures are nil where there
// was none.
type balance struct {
	requests, bytes, keys *spread
}

func markBalance(f *runFleet) {
	for _, n := range f.nodes {
		n.markRequests, n.markBytes = n.requests, n.bytes
	}
}

// balanceOf judges the time since the last mark, over the nodes that are in the
// ring now.
func balanceOf(f *runFleet, seen int) balance {
	list := make([]ring.Node, len(f.nodes))
	requests, sizes := make([]int64, len(f.nodes)), make([]int64, len(f.nodes))
	for i, n := range f.nodes {
		list[i] = n.Node
		requests[i], sizes[i] = n.requests-n.markRequests, n.bytes-n.markBytes
	}
	b := balance{requests: spreadByWeight(list, requests), bytes: spreadByWeight(list, sizes)}
	if f.inFlight == nil {
		keys := make([]int64, len(f.nodes))
		for id := range seen {
			keys[f.homes[id*f.copies()]]++
		}
		b.keys = spreadByWeight(list, keys)
	}
	return b
}

func spreadByWeight(nodes []ring.Node, loads []int64) *spread {
	total := int64(0)
	for _, load := range loads {
		total += load
	}
	if total == 0 {
		return nil
	}
	weight := totalWeight(nodes)
	relative := make([]float64, len(nodes))
	for i, n := range nodes {
		relative[i] = float64(loads[i]) / float64(total) / (n.Weight / weight)
	}
	return new(spreadOf(relative))
}

// lowest returns the lowest hit rate of a full step between two requests.
func (f *runFigures) lowest(from, to int64, side func(*runStep) score) *float64 {
	var low *float64
	for i := range f.steps {
		s := &f.steps[i]
		if s.request < from || s.request >= to {
			continue
		}
		if rate := side(s).rate(); rate != nil && (low == nil || *rate < *low) {
			low = rate
		}
	}
	return low
}

func fleetScore(s *runStep) score   { return s.fleet }
func controlScore(s *runStep) score { return s.control }
