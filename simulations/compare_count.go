package simulations

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ringway/ringway/ring"
)

// fleets is the fleet before and after the change. Every node of either has one
// number: its position in before, or after those its place among the newcomers.
type fleets struct {
	before, after []ring.Node
	number        map[string]int32
	shares        [3][]float64 // fair share by number, of each phase; 0 where absent
	stays         []bool       // by number: in both fleets, with the same weight
}

func newFleets(first, second []ring.Node) *fleets {
	f := &fleets{before: first, after: second, number: make(map[string]int32)}
	for _, list := range [][]ring.Node{first, second} {
		for _, n := range list {
			if _, known := f.number[n.ID]; !known {
				f.number[n.ID] = int32(len(f.number))
			}
		}
	}
	f.stays = make([]bool, len(f.number))
	weights := make([]float64, len(f.number))
	for _, n := range first {
		weights[f.number[n.ID]] = n.Weight
	}
	for _, n := range second {
		f.stays[f.number[n.ID]] = weights[f.number[n.ID]] == n.Weight
	}
	for phase, list := range [][]ring.Node{first, second, first} {
		f.shares[phase] = make([]float64, len(f.number))
		total := totalWeight(list)
		for _, n := range list {
			f.shares[phase][f.number[n.ID]] = n.Weight / total
		}
	}
	return f
}

func (f *fleets) phase(p ring.Placement) phase {
	nodes := p.Nodes()
	numbers := make([]int32, len(nodes))
	for i, n := range nodes {
		numbers[i] = f.number[n.ID]
	}
	counting, _ := p.(acquirer)
	return phase{p, counting, numbers}
}

// ideal returns what the nodes that gain share gain together.
func (f *fleets) ideal() float64 {
	sum := 0.0
	for i, share := range f.shares[phaseAfter] {
		sum += max(0, share-f.shares[phaseBefore][i])
	}
	return figure(sum)
}

// A spread says how evenly load lies on nodes; 1 is a node's fair share.
type spread struct{ peak, min, cv float64 }

// spread judges the loads, by number, of one phase.
func (f *fleets) spread(loads []int64, phase int) spread {
	total := int64(0)
	for _, load := range loads {
		total += load
	}
	var relative []float64
	for i, share := range f.shares[phase] {
		if share > 0 {
			relative = append(relative, float64(loads[i])/float64(total)/share)
		}
	}
	return spreadOf(relative)
}

// spreadOf takes each node's load by its fair share.
func spreadOf(relative []float64) spread {
	s := spread{min: math.Inf(1)}
	squares := 0.0
	for _, x := range relative {
		s.peak = max(s.peak, x)
		s.min = min(s.min, x)
		// The conversion forbids fusing the product into the sum, which would
		// round otherwise on some architectures.
		squares += float64((x - 1) * (x - 1))
	}
	s.cv = math.Sqrt(squares / float64(len(relative)))
	return spread{peak: figure(s.peak), min: figure(s.min), cv: figure(s.cv)}
}

// figure rounds to 12 decimals.
func figure(x float64) float64 { return math.Round(x*1e12) / 1e12 }

// A tally counts what happens to keys. Tallies of parts of the keys add up, so
// that the order in which the parts are done does not show.
type tally struct {
	loads                        [3][]int64 // of each phase, by number
	received                     []int64    // by number
	moved, unnecessary, restored int64
}

func newTally(nodes int) tally {
	t := tally{received: make([]int64, nodes)}
	for i := range t.loads {
		t.loads[i] = make([]int64, nodes)
	}
	return t
}

func (t *tally) add(o *tally) {
	for i := range t.received {
		t.received[i] += o.received[i]
		for phase := range t.loads {
			t.loads[phase][i] += o.loads[phase][i]
		}
	}
	t.moved += o.moved
	t.unnecessary += o.unnecessary
	t.restored += o.restored
}

func (t *tally) receivers() int {
	n := 0
	for _, keys := range t.received {
		if keys > 0 {
			n++
		}
	}
	return n
}

// owner returns the number of the key's owner.
func (p *phase) owner(key string) int32 {
	if p.counting != nil {
		return p.numbers[p.counting.Acquire(key)]
	}
	return p.numbers[p.placement.OwnerIndex(key)]
}

// count places the keys in every phase that there is.
func (t *trial) count(keys []string, out *tally) {
	hasAfter, hasRestored := t.has(phaseAfter), t.has(phaseRestored)
	before, after, restored := &t.phases[phaseBefore], &t.phases[phaseAfter], &t.phases[phaseRestored]
	for _, key := range keys {
		first := before.owner(key)
		out.loads[phaseBefore][first]++
		if !hasAfter {
			continue
		}
		second := after.owner(key)
		out.loads[phaseAfter][second]++
		if second != first {
			out.moved++
			out.received[second]++
			if t.fleets.stays[first] && t.fleets.stays[second] {
				out.unnecessary++
			}
		}
		switch {
		case !hasRestored:
		case t.back: // a third of all lookups spared
			out.loads[phaseRestored][first]++
			out.restored++
		default:
			third := restored.owner(key)
			out.loads[phaseRestored][third]++
			if third == first {
				out.restored++
			}
		}
	}
}

// batch is how many keys are placed between two looks at the context.
const batch = 1 << 14

// A job is keys that one goroutine places in one trial.
type job struct {
	*trial
	from, to int
}

// jobsOf cuts the work up. A placement that counts load needs its keys in order: one
// job is all of them, and comes first, since it takes long.
func jobsOf(trials []*trial, keys int) (jobs []job, total int64) {
	var parts []job
	for _, t := range trials {
		if !t.has(phaseBefore) {
			continue
		}
		t.tally = newTally(len(t.fleets.number))
		total += int64(keys)
		if t.phases[phaseBefore].counting != nil {
			jobs = append(jobs, job{t, 0, keys})
			continue
		}
		for i := 0; i < keys; i += batch {
			parts = append(parts, job{t, i, min(i+batch, keys)})
		}
	}
	return append(jobs, parts...), total
}

// runTrials counts all trials over all keys, on all cores. When the context is
// cancelled the trials have what was placed until then.
func runTrials(ctx context.Context, trials []*trial, keys *keySet, progress func(done, total int64)) error {
	jobs, total := jobsOf(trials, keys.size())
	var (
		next, done atomic.Int64
		mu         sync.Mutex // guards the trials' tallies
		wg         sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			w := counter{keys: keys, mu: &mu}
			for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
				j := jobs[i]
				for ; j.from < j.to && ctx.Err() == nil; j.from += batch {
					n := w.place(j.trial, j.from, min(j.from+batch, j.to))
					if progress != nil {
						progress(done.Add(int64(n)), total)
					}
				}
			}
			w.flush()
		})
	}
	wg.Wait()
	return ctx.Err()
}

// A counter is one goroutine of runTrials. It counts one trial by itself until the
// next one's turn comes: a tally of ten thousand nodes is too large to be added up
// after every batch.
type counter struct {
	keys   *keySet
	buffer keyBuffer
	mu     *sync.Mutex
	trial  *trial
	tally  tally
	placed int
}

func (w *counter) place(t *trial, from, to int) int {
	if w.trial != t {
		w.flush()
		w.trial, w.tally, w.placed = t, newTally(len(t.fleets.number)), 0
	}
	t.count(w.keys.slice(from, to, &w.buffer), &w.tally)
	w.placed += to - from
	return to - from
}

// flush adds what was counted to the trial.
func (w *counter) flush() {
	if w.trial == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trial.tally.add(&w.tally)
	w.trial.placed += w.placed
	w.trial = nil
}
