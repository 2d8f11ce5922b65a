package simulations

import "math"

// A pairScore counts the outcomes of the fleet and of the control.
type pairScore struct{ fleet, control score }

func (p *pairScore) add(fleet, control []byte) {
	p.fleet.add(count(fleet))
	p.control.add(count(control))
}

// A span counts the outcomes of the requests from one index to another.
type span struct {
	from, to int64 // to is not part of it
	pairScore
}

func (s *span) add(base int64, fleet, control []byte) {
	from := max(s.from-base, 0)
	to := min(s.to-base, int64(len(fleet)))
	if from < to {
		s.pairScore.add(fleet[from:to], control[from:to])
	}
}

// changeFigures gathers the figures of one change.
type changeFigures struct {
	plannedChange
	moved                              *float64
	migrated                           *int64
	before, next, window, extra, toEnd span
	recovery                           recovery
}

func newChangeFigures(c plannedChange, cfg *ReplayConfig) *changeFigures {
	return &changeFigures{
		plannedChange: c,
		before:        span{from: max(0, c.At-cfg.Window), to: c.At},
		next:          span{from: c.At, to: c.At + 1000},
		window:        span{from: c.At, to: c.At + cfg.Window},
		extra:         span{from: c.At, to: c.At + min(cfg.Horizon, math.MaxInt64-c.At)},
		toEnd:         span{from: c.At, to: math.MaxInt64},
		recovery:      recovery{at: c.At, size: int(cfg.Window)},
	}
}

func (f *changeFigures) add(base int64, fleet, control []byte) {
	for _, s := range []*span{&f.before, &f.next, &f.window, &f.extra, &f.toEnd} {
		s.add(base, fleet, control)
	}
	f.recovery.add(base, fleet, control)
}

func (f *changeFigures) figures(cfg *ReplayConfig) ReplayFigures {
	extra := f.extra.fleet.misses - f.extra.control.misses
	out := ReplayFigures{
		Moved:                  f.moved,
		HitRateBefore:          f.before.fleet.rate(),
		HitRateNext1000:        f.next.fleet.rate(),
		ControlHitRateNext1000: f.next.control.rate(),
		HitRateWindow:          f.window.fleet.rate(),
		ControlHitRateWindow:   f.window.control.rate(),
		MissesWindow:           new(f.window.fleet.misses),
		ControlMissesWindow:    new(f.window.control.misses),
		ExtraLoads:             new(extra),
		ExtraLoadsToEnd:        new(f.toEnd.fleet.misses - f.toEnd.control.misses),
		Migrated:               f.migrated,
	}
	if cfg.LoadMillis > 0 {
		out.ExtraDBSeconds = new(figure(float64(extra) * cfg.LoadMillis / 1000))
	}
	if f.recovery.done {
		out.RecoveryRequests = new(f.recovery.after)
	}
	return out
}

// figuresUntil returns the figures that were complete when the run ended at
// request stop, before the end of the trace. Those that need more would look
// better than they are.
func (f *changeFigures) figuresUntil(stop int64, cfg *ReplayConfig) ReplayFigures {
	out := f.figures(cfg)
	if f.next.to > stop {
		out.HitRateNext1000, out.ControlHitRateNext1000 = nil, nil
	}
	if f.window.to > stop {
		out.HitRateWindow, out.ControlHitRateWindow, out.MissesWindow, out.ControlMissesWindow = nil, nil, nil, nil
	}
	if f.extra.to > stop {
		out.ExtraLoads, out.ExtraDBSeconds = nil, nil
	}
	out.ExtraLoadsToEnd = nil
	return out
}

// recovery looks for the first window after a change in which the fleet is at
// most one percentage point behind the control.
type recovery struct {
	at    int64
	size  int // of the window
	done  bool
	after int64 // where the window begins, counted from the change

	window []int8 // a ring buffer, once it is full: notCounted, or the hits behind
	oldest int
	behind int64 // sum over the window
	gets   int64 // in the window
}

const notCounted = 2

func (r *recovery) add(base int64, fleet, control []byte) {
	if r.done || base+int64(len(fleet)) <= r.at {
		return
	}
	for i := max(0, r.at-base); i < int64(len(fleet)); i++ {
		r.push(fleet[i], control[i])
		// behind/gets <= 1/100, in whole numbers.
		if len(r.window) == r.size && 100*r.behind <= r.gets {
			r.done = true
			r.window = nil
			return
		}
	}
}

func (r *recovery) push(fleet, control byte) {
	// hit is 1 and miss is 2: a miss where the control hits is 1 behind.
	now := int8(fleet) - int8(control)
	if fleet == uncounted {
		now = notCounted
	}
	if len(r.window) < r.size {
		r.window = append(r.window, now)
	} else {
		r.tally(r.window[r.oldest], -1)
		r.window[r.oldest] = now
		r.after++
		r.oldest++
		if r.oldest == r.size {
			r.oldest = 0
		}
	}
	r.tally(now, 1)
}

func (r *recovery) tally(outcome int8, sign int64) {
	if outcome != notCounted {
		r.gets += sign
		r.behind += sign * int64(outcome)
	}
}

// series gathers the hit rates in steps. Where there would be more than
// maxSeries of them, each two become one.
type series struct {
	step   int64
	points []pairScore // of step requests each; the last one may lack some
	filled int64       // requests in the last point
}

func (s *series) add(fleet, control []byte) {
	for len(fleet) > 0 {
		if len(s.points) == 0 || s.filled == s.step {
			s.points = append(s.points, pairScore{})
			s.filled = 0
		}
		n := min(s.step-s.filled, int64(len(fleet)))
		s.points[len(s.points)-1].add(fleet[:n], control[:n])
		s.filled += n
		fleet, control = fleet[n:], control[n:]
		if len(s.points) == maxSeries && s.filled == s.step {
			s.halve()
		}
	}
}

// halve makes one point of each two; their number is even.
func (s *series) halve() {
	for i := range len(s.points) / 2 {
		pair := s.points[2*i]
		pair.fleet.add(s.points[2*i+1].fleet)
		pair.control.add(s.points[2*i+1].control)
		s.points[i] = pair
	}
	s.points = s.points[:len(s.points)/2]
	s.step *= 2
	s.filled = s.step
}

func (s *series) all() []ReplayPoint {
	points := make([]ReplayPoint, len(s.points))
	for i, p := range s.points {
		points[i] = ReplayPoint{Request: int64(i) * s.step, HitRate: p.fleet.rate(), ControlHitRate: p.control.rate()}
	}
	return points
}
