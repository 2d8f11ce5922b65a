package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/membership"
)

// Step is one part of the demo. Its counts go to the beginning of the next one.
type Step struct {
	Name  string  `json:"name"`  // "fill", "add", "drain", "kill"
	Title string  `json:"title"` // in words
	Node  string  `json:"node"`  // that it is about; empty: none
	Began float64 `json:"began"` // seconds since the load began
	Ended float64 `json:"ended"` // when the fleet had settled

	Moved    *Moved   `json:"moved"` // null: no change of the fleet
	Verified Verified `json:"verified"`
	Finding  finding  `json:"requests"` // what requests came upon

	Reads   int `json:"reads"`
	Hits    int `json:"hits"`
	Updates int `json:"updates"`

	Loads       int `json:"loads"`                 // from the database
	ModuloLoads int `json:"modulo_loads_computed"` // of the shadow

	Lowest       float64 `json:"lowest_hit_rate"` // of a second
	ModuloLowest float64 `json:"modulo_lowest_hit_rate_computed"`

	P50 float64 `json:"p50_ms"` // until the cache's answer
	P99 float64 `json:"p99_ms"`

	found    *finding
	second   [2]int // of the series: its first, and the one after its last
	complete bool   // it came to its end
}

// Took is how many seconds it took until the fleet had settled.
func (s *Step) Took() float64 { return max(0, s.Ended-s.Began) }

// script does all the steps. It returns an error if one could not be done; then the
// report has the steps before it.
func (d *demo) script(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.fill, d.add, d.drain, d.kill} {
		if err := step(ctx); err != nil {
			return err
		}
		d.endStep()
	}
	return d.agree(ctx)
}

// beginStep begins a step.
func (d *demo) beginStep(name, title, node string) *Step {
	_, at := d.load.series.at(time.Now())
	s := &Step{Name: name, Title: title, Node: node, Began: at, found: d.load.findings.begin()}
	s.second[0] = int(at)
	d.report.Steps = append(d.report.Steps, s)
	d.show.heading(s)
	return s
}

// endStep ends the last step: nothing more is counted in it. It may be called again.
func (d *demo) endStep() {
	steps := d.report.Steps
	if len(steps) == 0 {
		return
	}
	s := steps[len(steps)-1]
	if s.second[1] > 0 {
		return // it has ended
	}
	number, _ := d.load.series.at(time.Now())
	s.Finding, s.second[1] = d.load.findings.copied(s.found), number
	d.show.result(s)
}

func (d *demo) fill(ctx context.Context) error {
	s := d.beginStep("fill", fmt.Sprintf("every key is loaded once, then %s requests a second", thousands(d.cfg.Rate)), "")
	d.load.fill(ctx)
	_, s.Ended = d.load.series.at(time.Now())
	d.load.start()
	return d.finish(ctx, s, 2*d.cfg.Calm)
}

// finish lets the load go on for a while, and then looks at every key.
func (d *demo) finish(ctx context.Context, s *Step, calm time.Duration) (err error) {
	if err := pause.For(ctx, calm); err != nil {
		return err
	}
	s.Verified, err = d.load.verify(ctx)
	s.complete = err == nil
	return err
}

func (d *demo) add(ctx context.Context) error {
	s := d.beginStep("add", "a node joins", nodeName(d.fleet.born+1))
	if d.cfg.sabotage != nil {
		d.cfg.sabotage(d.load)
	}
	return d.change(ctx, s, "", func() error {
		n, err := d.fleet.add(ctx)
		if err != nil {
			return err
		}
		return d.watch.await(ctx, n.id+" joins", func(s sight) bool {
			return s.settled() && s.states[n.id] == string(membership.Active)
		})
	})
}

func (d *demo) drain(ctx context.Context) error {
	n := d.fleet.nodes[1] // not the first: whoever began the fleet is no more than others
	s := d.beginStep("drain", "a node is drained", n.id)
	return d.change(ctx, s, "", func() error {
		if err := n.leave(ctx); err != nil {
			return err
		}
		if err := d.watch.await(ctx, n.id+" leaves", func(s sight) bool {
			return s.settled() && !slices.Contains(s.current, n.id)
		}); err != nil {
			return err
		}
		limit, cancel := context.WithTimeout(ctx, startDeadline)
		defer cancel()
		d.leftAlone = n.agent.exits(limit)
		d.fleet.remove(n)
		return ctx.Err()
	})
}

func (d *demo) kill(ctx context.Context) error {
	n := d.fleet.nodes[1]
	s := d.beginStep("kill", "a node is killed with its agent", n.id)
	return d.change(ctx, s, n.id, func() error {
		old, err := d.ring(d.watch.now().current)
		if err != nil {
			return err
		}
		gone := make([]bool, len(d.work.keys))
		for i, key := range d.work.keys {
			gone[i] = old.Owner(key).ID == n.id
		}
		d.load.findings.pardon(func(key int) bool { return gone[key] })
		d.load.shadow.dies(n.id)
		d.fleet.remove(n)
		err = d.watch.await(ctx, n.id+" is evicted", func(s sight) bool {
			return s.settled() && !slices.Contains(s.current, n.id)
		})
		if err != nil {
			return err
		}
		return d.followed(ctx)
	})
}

// followed waits until requests go by the ring that is seen, and ends the pardon.
func (d *demo) followed(ctx context.Context) error {
	epoch := d.watch.now().epoch
	for d.load.cache.epoch() < epoch {
		if err := pause.For(ctx, pollEvery); err != nil {
			return err
		}
	}
	d.load.findings.evicted(epoch)
	return nil
}

// change makes a change of the fleet and measures what it moved.
func (d *demo) change(ctx context.Context, s *Step, killed string, do func() error) error {
	from := d.watch.now().current
	before, err := d.locate(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, s.Ended = d.load.series.at(time.Now())
	if err := pause.For(ctx, settleTime); err != nil {
		return err
	}
	to := d.watch.now().current
	after, err := d.locate(ctx)
	if err != nil {
		return err
	}
	moved, err := d.compare(before, after, from, to, killed)
	if err != nil {
		return err
	}
	s.Moved = &moved
	return d.finish(ctx, s, d.cfg.Calm)
}
