package gossip

import (
	"context"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/membership/internal/lifecycle"
	"github.com/ringway/ringway/ring"
)

// node is the part of the loop that speaks for a server.
type node struct {
	*loop
	machine  *lifecycle.Machine
	health   lifecycle.Health
	healthy  bool
	probed   error // of the last probe
	silences silences

	weight    float64        // that the node is to have; 0: as it is
	withdrawn []chan<- error // who waits for the node to be LEFT
	withdraws bool           // the node is to leave
	hurries   bool           // within LeaveTimeout
	released  bool           // nobody waits for it any more

	record  ledger.Record // as the machine said last
	known   bool          // it concerns the fleet's ledger
	met     bool          // the node has seen what the fleet knows of it
	resumed bool          // the fleet had gone on with it
	waits   string

	judgement ledger.Judge
	alone     isolation
	judgedAt  time.Time
	calling   bool // the roll is being called
	freeze    freeze
	job       job
}

// firstRecord is the node's record before it knows of the fleet.
func (g *Gossip) firstRecord() ledger.Record {
	n := g.cfg.Node
	r := ledger.Record{ID: g.cfg.Name, Kind: n.Kind, Address: n.Address, Zone: n.Zone, Weight: n.Weight,
		State: membership.Joining, Generation: 1, Sequence: 1, Stamp: 1}
	if r.Weight == 0 {
		r.Weight = 1
	}
	return r
}

func newNode(l *loop) *node {
	cfg, first := l.cfg.Node, l.firstRecord()
	n := &node{loop: l, weight: cfg.Weight}
	n.machine = lifecycle.New(lifecycle.Config{
		ID: first.ID, Kind: first.Kind, Address: first.Address, Zone: first.Zone, Weight: first.Weight,
		Generation: generationAt(time.Now()),
		Bootstrap:  cfg.Bootstrap, Purge: cfg.Purge, KeepZone: cfg.Copies > 1, Timing: l.cfg.Timing.lifecycle(),
		Fits: func(nodes []ring.Node) bool { return l.cfg.fit(nodes) == nil },
	})
	n.record = n.machine.Record()
	n.health.FailuresToFall = l.cfg.Timing.ProbeFailures
	n.judgement = ledger.Judge{EvictAfter: l.cfg.Timing.EvictAfter, Stagger: l.cfg.Timing.EvictStagger}
	return n
}

// generationAt returns the generation of a start: larger than at any earlier one,
// unless the clock was set back since; then the machine takes the one after the
// one that the fleet knows. It counts microseconds, since readers of JSON that
// have floating point only (jq, JavaScript) are exact up to 2^53: until the year
// 2255. Nanoseconds would be rounded, and two starts could look like one.
func generationAt(now time.Time) uint64 { return uint64(max(now.UnixMicro(), 1)) }

// step has the machine look at the fleet, and does what it says.
func (n *node) step(now time.Time) {
	// What a step brings about may make the next one possible at once; four are
	// enough for all that follow from one cause.
	for range 4 {
		if n.Err() != nil {
			n.job.cancel()
			return
		}
		again := n.stepOnce(now)
		if !again {
			return
		}
	}
	n.dirty = true
}

func (n *node) whose() lifecycle.Whose {
	server, knows := n.cfg.Node.Server.(Knower)
	if !knows {
		return lifecycle.Own
	}
	switch own, asked := server.Knows(); {
	case own:
		return lifecycle.Own
	case !asked:
		return lifecycle.Unasked
	}
	return lifecycle.Unknown
}

func (n *node) stepOnce(now time.Time) (again bool) {
	out := n.machine.Step(lifecycle.Input{
		Now: now, Ledger: n.ledger, Contact: n.contact.joined && !n.alone.held && !n.outvoted(), Healthy: n.healthy,
		Whose: n.whose(), Seen: n.alive, RoutersSeen: n.routersSeen(), Leave: n.withdraws, Hurry: n.hurries, Weight: n.weight,
	})
	if out.Err != nil {
		n.log.Error("the node must not join", "error", out.Err)
		n.finish(out.Err)
		return true
	}
	if out.Record.State != n.record.State || out.Record.Step != n.record.Step {
		n.log.Info("node changes its state", "from", n.record.State, "to", out.Record.State, "step", out.Record.Step, "epoch", out.Record.Stamp)
	}
	if out.Resumed && !n.resumed && out.Record.Zone != n.cfg.Node.Zone {
		n.log.Warn("the node stays in the zone that the fleet knows: with copies of each key it has to leave, and to join in the new one",
			"zone", out.Record.Zone, "wanted", n.cfg.Node.Zone)
	}
	n.record, n.known, n.waits = out.Record, out.Known, out.Waits
	n.met, n.resumed = out.Met, out.Resumed
	if out.RolledBack {
		n.rolledBack(out)
	}
	switch {
	case out.Known && out.Announce:
		n.say(out.Record)
	case out.Record.State == membership.Left: // the fleet has never known the node
		n.release()
	}
	if out.Abort != nil {
		n.decideAbort(*out.Abort)
		return true
	}
	if out.Task == lifecycle.HandOver && n.cfg.Node.HandOver == nil {
		n.machine.HandedOver(out.For)
		return true
	}
	n.assign(n.sensible(out.Task), out.For, now)
	return false
}

// say tells the fleet of a change of the node's record.
func (n *node) say(r ledger.Record) {
	if n.ledger.MergeRecord(r) {
		n.changed()
	}
	n.passOnRecord(r)
	if r.State == membership.Left {
		n.release()
	}
}

// release lets those go who wait for the node to be LEFT.
func (n *node) release() {
	n.released = true
	n.answer(nil)
	n.left.Do(func() { close(n.leftAlready) })
}

// answer tells those who wait for the node to be LEFT what has become of it.
func (n *node) answer(err error) {
	for _, w := range n.withdrawn {
		w <- err
	}
	n.withdrawn = nil
}

// withdraw makes the node leave. left, which has room for one, is told when it
// has, or that it stays.
func (n *node) withdraw(left chan<- error) {
	n.withdraws, n.dirty = true, true
	n.withdrawn = append(n.withdrawn, left)
	if n.released {
		n.release()
	}
}

// waitsForRouters reports whether the node has announced something and no key has
// moved yet.
func (n *node) waitsForRouters() bool {
	r := n.record
	return r.State == membership.Announced || r.State == membership.Leaving || r.Step == membership.Announced
}

// compare looks at a record that came from outside and was news. One of this node
// comes from another agent that speaks for it: the newer generation counts for
// all, so that this agent can only report it.
func (n *node) compare(r ledger.Record) {
	if r.ID != n.record.ID || !n.contact.joined || r.Generation <= n.record.Generation {
		return
	}
	n.counters.conflicts.Add(1)
	if n.warned.first("overruled") {
		n.log.Error("another agent speaks for this node: its word counts now", "its address", r.Address, "its generation", r.Generation)
	}
}

// probe asks the server whether it serves, again and again.
func (n *node) probe() {
	for {
		ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.ProbeTimeout)
		err := n.cfg.Node.Server.Probe(ctx)
		cancel()
		if n.ctx.Err() != nil {
			return
		}
		n.inbox.post(func() { n.probedOnce(err) })
		select {
		case <-time.After(n.cfg.Timing.ProbeInterval):
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *node) probedOnce(err error) {
	before := n.healthy
	n.healthy, n.probed = n.health.Record(err == nil), err
	n.dirty = n.dirty || n.healthy != before
	switch {
	case n.healthy && !before:
		n.silences.forget()
		n.log.Info("the server answers")
	case !n.healthy && err != nil && n.silences.first(err):
		n.log.Warn("the server does not answer", "error", err)
	}
}
