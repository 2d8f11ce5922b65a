package simulations

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ringway/ringway/ring"
)

// A trial is one placement in its three phases.
type trial struct {
	name   string
	fleets *fleets
	phases [3]phase // before the change, after it, after it has been undone
	notes  []string
	result CompareResult
	tally  tally
	placed int  // keys
	back   bool // the restored placement is exactly the first one
}

const (
	phaseBefore = iota
	phaseAfter
	phaseRestored
)

// A phase is a placement, none where it refuses its fleet, with the numbers
// that its nodes have in fleets.
type phase struct {
	placement ring.Placement
	counting  acquirer // the placement again, if it is one
	numbers   []int32  // of the placement's node positions
}

// An acquirer is a placement whose answer depends on the load so far, as that
// of package bounded does.
type acquirer interface{ Acquire(key string) int }

// newTrial builds the three placements as far as they can be built.
func newTrial(name string, o Options, f *fleets) *trial {
	t := &trial{name: name, fleets: f, result: CompareResult{Algorithm: name}}
	var last ring.Placement
	for phase, nodes := range [][]ring.Node{f.before, f.after, f.before} {
		next, err := nextPlacement(last, name, nodes, o)
		if err != nil {
			t.notes = append(t.notes, reason(err))
			return t
		}
		t.phases[phase] = f.phase(next)
		last = next
	}
	t.back = t.isBack()
	if t.phases[phaseBefore].counting != nil {
		t.notes = append(t.notes, "every key is held as one request, placed in the order given, anew for each fleet")
	}
	return t
}

// isBack reports whether the placement says, of the whole hash space, that the change
// is undone without a trace. It may also be that it cannot tell.
func (t *trial) isBack() bool {
	hashed, ok := t.phases[phaseBefore].placement.(ring.HashPlacement)
	if !ok {
		return false
	}
	elsewhere, err := hashed.Moved(t.phases[phaseRestored].placement)
	return err == nil && elsewhere == 0
}

// nextPlacement returns the placement that follows last, nil at the beginning. A
// placement that counts load shares its counts with those made from it by
// Update, which would mix the phases: each has its own.
func nextPlacement(last ring.Placement, name string, nodes []ring.Node, o Options) (ring.Placement, error) {
	if _, counts := last.(acquirer); last == nil || counts {
		return Build(name, nodes, o)
	}
	return last.Update(nodes)
}

// reason is why a figure is missing, without the words for programmers.
func reason(err error) string {
	text, _ := strings.CutPrefix(err.Error(), "ring: ")
	return text
}

func (t *trial) has(phase int) bool { return t.phases[phase].placement != nil }

// measure takes the figures that do not need the keys placed, and unless told
// otherwise the time of a build. Nothing else must run meanwhile.
func (t *trial) measure(cfg *CompareConfig) {
	if !t.has(phaseBefore) {
		return
	}
	p := t.phases[phaseBefore].placement
	if sized, ok := p.(ring.Sized); ok {
		t.result.MemoryBytes = new(sized.MemoryBytes())
	}
	if hashed, ok := p.(ring.HashPlacement); ok && t.has(phaseAfter) {
		if moved, err := hashed.Moved(t.phases[phaseAfter].placement); err == nil {
			t.result.MovedExact = new(figure(moved))
		}
	}
	if exact, ok := p.(sharer); ok {
		relative := exact.Shares()
		for i, n := range p.Nodes() {
			relative[i] /= t.fleets.shares[phaseBefore][t.fleets.number[n.ID]]
		}
		t.result.PeakToMeanExact = new(spreadOf(relative).peak)
	}
	if !cfg.NoTiming {
		t.result.BuildMS = new(timeBuild(t.name, cfg))
	}
}

// timeBuild returns the best time of up to three builds, in milliseconds; one
// that takes long is not repeated.
func timeBuild(name string, cfg *CompareConfig) float64 {
	const longEnough = 50 * time.Millisecond
	var best, spent time.Duration
	for i := 0; i < 3 && spent < longEnough; i++ {
		start := time.Now()
		if _, err := Build(name, cfg.Nodes, cfg.Options); err != nil {
			break // not reached: the same build has succeeded
		}
		took := time.Since(start)
		spent += took
		if i == 0 || took < best {
			best = took
		}
	}
	return float64(best.Nanoseconds()) / 1e6
}

const timedKeys = 1 << 16

// timeLookup returns the time of a lookup in the fastest of several passes, in
// nanoseconds: whatever else the machine does only adds to it. The first keys,
// which also warm the tables, decide how many a pass takes, so that a slow
// placement does not take seconds. More than timedKeys keys are not used.
func timeLookup(p ring.Placement, keys []string) float64 {
	const passes, perPass = 7, 5 * time.Millisecond
	warm := keys[:min(len(keys), 2048)]
	timePass(p, warm)
	each := timePass(p, warm) / float64(len(warm))
	enough := int(float64(perPass.Nanoseconds()) / max(each, 1))
	keys = keys[:min(len(keys), timedKeys, max(enough, len(warm)))]
	// A list of few keys is walked more than once: a pass must be long against
	// the clock.
	repeat := max(1, 4096/len(keys))
	best := math.Inf(1)
	for range passes {
		total := 0.0
		for range repeat {
			total += timePass(p, keys)
		}
		best = min(best, total/float64(repeat*len(keys)))
	}
	return math.Round(best*100) / 100
}

func timePass(p ring.Placement, keys []string) float64 {
	start := time.Now()
	for _, key := range keys {
		p.OwnerIndex(key)
	}
	return float64(time.Since(start).Nanoseconds())
}

// finish turns the counts into figures, if all of so many keys have been placed, or
// as many as there are.
func (t *trial) finish(all int) CompareResult {
	r, keys := &t.result, t.placed
	if t.has(phaseBefore) && keys < all {
		t.notes = append(t.notes, fmt.Sprintf("interrupted after %d of %d keys", keys, all))
	}
	r.Note = strings.Join(t.notes, "; ")
	if keys == 0 {
		return *r
	}
	if t.has(phaseBefore) {
		s := t.fleets.spread(t.tally.loads[phaseBefore], phaseBefore)
		r.PeakToMean, r.CV = new(s.peak), new(s.cv)
	}
	if !t.has(phaseAfter) {
		return *r
	}
	part := func(count int64) *float64 { return new(figure(float64(count) / float64(keys))) }
	s := t.fleets.spread(t.tally.loads[phaseAfter], phaseAfter)
	r.PeakToMeanAfter, r.CVAfter = new(s.peak), new(s.cv)
	r.Moved, r.MovedUnnecessary = part(t.tally.moved), part(t.tally.unnecessary)
	r.Ideal = new(t.fleets.ideal())
	r.Receivers = new(t.tally.receivers())
	if t.has(phaseRestored) {
		r.Restored = part(t.tally.restored)
	}
	return *r
}
