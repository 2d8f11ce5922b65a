package agent

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
)

// wait returns when there is a reason to end.
func (a *Agent) wait(ctx context.Context, serving <-chan error) error {
	for {
		select {
		case err := <-serving:
			return err
		case <-ctx.Done():
			return ErrCut
		case <-a.gossip.Done():
			return a.refused(ctx, a.gossip.Err())
		case <-a.gossip.Left():
			a.log.Warn("joining was aborted: the node has left, and the agent ends; start it again to have it join")
			a.sayGoodbye(ctx)
			return nil
		case <-a.leaving:
			err := a.depart(ctx)
			if !errors.Is(err, gossip.ErrRolledBack) {
				return err
			}
			a.log.Warn("leaving was aborted: the node stays, and the agent goes on")
			a.exported.Store(false)
			a.departing.Store(false)
		}
	}
}

// refused takes a member that must not join out of the gossip. One whose name
// belongs to somebody else says nothing: it would speak of the other.
func (a *Agent) refused(ctx context.Context, err error) error {
	if taken := (*gossip.NameTakenError)(nil); err != nil && !errors.As(err, &taken) {
		a.sayGoodbye(ctx)
	}
	return err
}

// sayGoodbye leaves as long as that takes no time: nothing depends on it.
func (a *Agent) sayGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := a.gossip.Leave(ctx); err != nil {
		a.log.Debug("left without a word", "error", err)
	}
}

const (
	goodbye = 3 * time.Second

	// leaveSlack is what leaving may take beside handing over: to be announced,
	// and to tell everybody.
	leaveSlack = 15 * time.Second
)

// depart leaves the fleet.
func (a *Agent) depart(ctx context.Context) error {
	state := a.gossip.Status().Node.State
	if state == membership.Joining {
		a.sayGoodbye(ctx) // it owns nothing, and may not even be in contact
		return nil
	}
	// The node gives up after LeaveTimeout by itself. If it did not, a service
	// manager would kill the process without a word.
	bounded, leave := ctx, a.gossip.Leave
	if a.patient.Load() {
		leave = a.gossip.Drain
	} else if limit := time.Duration(a.leaveTimeout.Load()); limit > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, limit+leaveSlack)
		defer cancel()
	}
	owes := a.cfg.Mover != nil && state != membership.Announced && !a.alone()
	switch err := leave(bounded); {
	case ctx.Err() != nil:
		return ErrCut
	case err != nil:
		return err
	case owes && !a.exported.Load():
		return ErrUnfinished
	}
	return nil
}

// Leave makes Run hand the node's keys over, for at most LeaveTimeout, and return. It
// may be called again, which matters only if the first was aborted.
func (a *Agent) Leave() {
	a.patient.Store(false)
	a.gossip.Hurry()
	a.begin()
}

// Drain is Leave for as long as it takes; a Leave that comes later bounds it.
func (a *Agent) Drain() {
	if !a.departing.Load() {
		a.patient.Store(true)
	}
	a.begin()
}

func (a *Agent) begin() {
	if a.departing.Swap(true) {
		return
	}
	a.leaving <- struct{}{} // there is room: whoever takes it out ends departing later
}

// Leaving reports whether the node has been told to leave and goes on with that.
func (a *Agent) Leaving() bool { return a.departing.Load() }

// alone reports whether no other node of the kind owns keys, so that there is
// nobody to hand over to.
func (a *Agent) alone() bool {
	p, _ := a.board.read()
	if p == nil {
		return true
	}
	for _, n := range p.view.Current(a.data.data.Kind()) {
		if n.ID != a.cfg.Gossip.Name {
			return false
		}
	}
	return true
}
