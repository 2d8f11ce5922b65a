package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// Leave takes the member out of the fleet and closes it. A node is announced as
// LEAVING, hands its keys over, for at most Timing.LeaveTimeout, and is gone once
// it is LEFT and others have been told. If that is aborted the node stays, and Leave
// returns ErrRolledBack; it may be called again. If ctx ends before, Leave returns an error
// and the node goes on leaving: call Close to end at once, or Leave again.
func (g *Gossip) Leave(ctx context.Context) error {
	g.hurry(true)
	return g.leave(ctx)
}

// Hurry gives a Drain that is under way LeaveTimeout from now.
func (g *Gossip) Hurry() { g.hurry(true) }

func (g *Gossip) hurry(hurries bool) {
	if g.cfg.Node != nil && g.ctx.Err() == nil {
		g.inbox.post(func() { g.loop.node.hurries, g.loop.dirty = hurries, true })
	}
}

// SetLeaveTimeout changes Timing.LeaveTimeout, of a Leave under way too.
func (g *Gossip) SetLeaveTimeout(d time.Duration) error {
	if g.cfg.Node == nil || d <= 0 {
		return fmt.Errorf("gossip: SetLeaveTimeout: got %v, want a duration above 0 for a member that is a node", d)
	}
	if g.ctx.Err() == nil {
		g.inbox.post(func() { g.loop.node.machine.SetLeaveTimeout(d); g.loop.dirty = true })
	}
	return nil
}

// Drain is Leave without LeaveTimeout: the node is LEFT when all its keys are handed
// over, however long that takes.
func (g *Gossip) Drain(ctx context.Context) error {
	g.hurry(false)
	return g.leave(ctx)
}

func (g *Gossip) leave(ctx context.Context) error {
	if g.ctx.Err() != nil {
		return membership.ErrClosed
	}
	if g.cfg.Node != nil && g.Err() == nil {
		if err := g.withdraw(ctx); err != nil {
			return err
		}
	}
	g.sayGoodbye(ctx)
	return g.Close()
}

// withdraw returns once the node is LEFT.
func (g *Gossip) withdraw(ctx context.Context) error {
	left := make(chan error, 1)
	g.inbox.post(func() { g.loop.node.withdraw(left) })
	select {
	case err := <-left:
		return err
	case <-g.Done():
		if err := g.Err(); err != nil {
			return fmt.Errorf("gossip: leave: %w", err)
		}
		return membership.ErrClosed
	case <-ctx.Done():
		s := g.Status()
		return fmt.Errorf("gossip: leave: node %q is still %s, waits for %s: %w", g.cfg.Name, s.Node.State, s.Waits, context.Cause(ctx))
	}
}

// sayGoodbye tells the others that the member is going, so that they need not
// find out. It waits until that, and that a node is LEFT, has been sent to more
// members than it takes for all to hear: news go before all else in a packet, to
// up to three members a round, ten rounds long.
func (g *Gossip) sayGoodbye(ctx context.Context) {
	g.spreadLeft(ctx)
	ended, taken := make(chan struct{}), false
	g.inbox.post(func() {
		taken = g.loop.contact.taken()
		g.loop.leaving = true
		close(ended)
	})
	select { // from here on the loop calls nothing of memberlist that could come after Leave
	case <-ended:
	case <-g.ctx.Done():
		return
	}
	if taken {
		return // nobody has taken it in, and the goodbye would be the other's
	}
	g.shutting <- struct{}{}
	if !g.shut {
		// memberlist panics if it is shut down. The waiting is done below, where
		// Close need not wait for it.
		_ = g.list.Leave(time.Nanosecond)
	}
	<-g.shutting
	if g.members.Load() < 2 {
		return
	}
	select {
	case <-time.After(goodbyeRounds * g.cfg.Network.gossip().GossipInterval):
	case <-ctx.Done():
	case <-g.ctx.Done():
	}
}

// spreadLeft lets the news that the node is LEFT get a start. In a large fleet that
// has just swept, the meta data of all nodes are on their way, and memberlist sends
// those before it has room for other news. What is shown in meta data goes with
// them, but only until the member says that it is going, which takes their place:
// all who have not heard by then would take the node for a dead one and evict it.
func (g *Gossip) spreadLeft(ctx context.Context) {
	if g.cfg.Node == nil {
		return
	}
	tick := time.NewTicker(g.cfg.Network.gossip().GossipInterval)
	defer tick.Stop()
	for range goodbyeRounds {
		if g.members.Load() < 2 || g.queue.sent(recordName(g.cfg.Name)) >= enoughSent {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-g.ctx.Done():
			return
		}
	}
}

const (
	// goodbyeRounds is how many rounds of gossip a goodbye is given.
	goodbyeRounds = 10

	// enoughSent is how many members a message is sent to until one may be sure
	// that it goes round: each of them sends it on.
	enoughSent = 3
)

// SetWeight changes the weight of the node: as soon as no other transition is
// under way, keys move to or from it.
func (g *Gossip) SetWeight(weight float64) error {
	if g.cfg.Node == nil {
		return errors.New("gossip: SetWeight: the member is no node")
	}
	record := g.loop.firstRecord()
	record.Weight = weight
	if err := record.Validate(); err != nil {
		return fmt.Errorf("gossip: SetWeight: %w", err)
	}
	if err := g.cfg.fitAlone(g.cfg.Name, weight); err != nil {
		return fmt.Errorf("gossip: SetWeight: %w", err)
	}
	fits := true
	g.do(func() {
		l := g.loop
		if fits = l.node.fits(weight); fits {
			l.node.weight, l.dirty = weight, true
		}
	})
	if !fits {
		return fmt.Errorf("gossip: SetWeight: got %g, want less: with the other nodes the ring would have too many tokens", weight)
	}
	return nil
}

// fits reports whether the fleet has room for the node at another weight.
func (n *node) fits(weight float64) bool {
	nodes := n.currentView().Next(n.record.Kind)
	nodes = slices.DeleteFunc(nodes, func(o ring.Node) bool { return o.ID == n.cfg.Name })
	return n.cfg.fit(append(nodes, ring.Node{ID: n.cfg.Name, Weight: weight})) == nil
}

func ipNet(p netip.Prefix) net.IPNet {
	p = p.Masked()
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
