package resizetest

import (
	"flag"
	"testing"
)

var evidenceFile = flag.String("evidence", "", "replay the largest trace there is, and write what TestHitRate measures to this file, as Markdown")

// mostExtra is how many database loads a change may cost beyond those of the same
// requests without a change, as a fraction of the keys that it moves.
const mostExtra = 0.005

// smallTrace is how many requests of the bundled trace make test replays.
const smallTrace = 30_000

// A run is what one contender did with the trace.
type run struct {
	name                   string
	before, added, drained *phase
	lost                   int // keys that are not in the cache at the end
}

// TestHitRate takes a fleet of real servers from 8 nodes to 9 and back to 8, while
// a client reads as fast as it can. What was cached stays so.
func TestHitRate(t *testing.T) {
	all := bundled(t, smallTrace)
	if *evidenceFile != "" {
		all = largest(t)
	}
	control := replayUnchanged(t, all)
	page := evidencePage{requests: all, control: control}
	for i, c := range contenders {
		if i > 1 && *evidenceFile == "" {
			continue // two show that the bound is one that can be broken
		}
		t.Run(c.name, func(t *testing.T) {
			r := replay(t, c.name, all, c.make(t))
			page.runs = append(page.runs, r)
			if c.name != "ringway" {
				r.mustCost(t)
				return
			}
			r.mustKeep(t)
		})
	}
	if *evidenceFile != "" && !t.Failed() {
		page.write(t, *evidenceFile)
	}
}

// replayUnchanged is the control: the same requests, and no change. Each key is
// loaded once, when it is first asked for; so whatever a change makes be loaded
// again is extra.
func replayUnchanged(t *testing.T, all requests) *phase {
	t.Helper()
	var p *phase
	t.Run("control", func(t *testing.T) {
		c := newBareRing(t)
		p = newClient(t, all, c).run(len(all.order), func() bool { return true })
		t.Logf("%v", p)
		if p.loads.Load() != int64(len(all.keys)) || p.again.Load() != 0 || p.errors.Load() != 0 {
			t.Fatalf("%v: want %d loads, each of another key", p, len(all.keys))
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return p
}

// replay goes through both changes, a third of the trace or more after each.
func replay(t *testing.T, name string, all requests, c *contender) *run {
	t.Helper()
	client, part := newClient(t, all, c), len(all.order)/3
	r := &run{name: name, before: client.run(part, func() bool { return true })}
	change := func(begin func(), from, to int) *phase {
		moved := movedKeys(c, client.cached(), from, to)
		begin()
		ended := false
		p := client.run(part, func() bool { ended = ended || c.settled(to); return ended })
		p.moved, p.movers = moved, c.moved()
		t.Logf("%d → %d: %d keys change owner, the movers moved %d; %v", from, to, moved, p.movers, p)
		return p
	}
	r.added = change(c.add, nodes, nodes+1)
	r.drained = change(c.drain, nodes+1, nodes)
	r.lost = client.lost()
	return r
}

func movedKeys(c *contender, cached []string, from, to int) (moved int64) {
	for _, key := range cached {
		if c.owner(key, from) != c.owner(key, to) {
			moved++
		}
	}
	return moved
}

// mustKeep fails the test unless the changes cost the database nothing.
func (r *run) mustKeep(t *testing.T) {
	t.Helper()
	for what, p := range map[string]*phase{"8 → 9": r.added, "9 → 8": r.drained} {
		if p.moved < 100 || p.movers < p.moved/2 {
			t.Errorf("%s: %d keys change owner, and the movers moved %d: nothing was shown", what, p.moved, p.movers)
		}
		if extra := p.again.Load(); float64(extra) > mostExtra*float64(p.moved) {
			t.Errorf("%s: %d loads more than without a change, %.2f%% of the %d keys that moved; want %.1f%% at most",
				what, extra, 100*float64(extra)/float64(p.moved), p.moved, 100*mostExtra)
		}
		if p.old.Load() != 0 || p.errors.Load() != 0 {
			t.Errorf("%s: %d old values were read; %v", what, p.old.Load(), p)
		}
	}
	if r.lost != 0 {
		t.Errorf("%d keys are not in the cache at the end", r.lost)
	}
}

// mustCost makes sure that a change whose keys do not move is seen to cost.
func (r *run) mustCost(t *testing.T) {
	t.Helper()
	if float64(r.added.again.Load()) <= mostExtra*float64(r.added.moved) {
		t.Errorf("%s: 8 → 9 moved %d keys at no cost: %v", r.name, r.added.moved, r.added)
	}
}
