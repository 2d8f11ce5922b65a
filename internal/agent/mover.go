package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

// Mover hands over the keys that change owner: a *rebalance.Mover, or what a test
// puts in its place.
type Mover interface {
	HandOver(ctx context.Context, view membership.View, transition uint64) error
	Progress() rebalance.Progress
	Pause()
	Resume()
	Paused() bool
	SetLimits(rebalance.Limits) error
	Limits() rebalance.Limits
	Close() error
}

var _ Mover = (*rebalance.Mover)(nil)

// MoveConfig says how the keys of a node go to others.
type MoveConfig struct {
	Limits rebalance.Limits

	// Username and password for the servers that receive keys, where they are not
	// those of the own server; see dataserver.Config. PasswordEnv names an
	// environment variable, PasswordFile a file.
	Username, PasswordEnv, PasswordFile string
}

// newMover makes the mover of a server, which moves what the agent trusts.
func newMover(cfg Config, watch *atomic.Pointer[restarts]) (*rebalance.Mover, error) {
	return rebalance.New(rebalance.Config{
		Trust: func(ctx context.Context, process string) error {
			if r := watch.Load(); r != nil {
				return r.trusts(ctx, process)
			}
			return errBeginning
		},
		Self: cfg.Gossip.Name, Placement: placementOf(cfg.Gossip.Placement), Copies: cfg.Gossip.Node.Copies,
		Source: cfg.Server, Receiver: cfg.Receiver, Limits: cfg.Move.Limits, Logger: cfg.Logger,
	})
}

// Receiver says how to reach the server of another node: as the own one, but for
// its address and, where they are given, the credentials.
func (cfg Config) Receiver(m membership.Member) (dataserver.Config, error) {
	c, err := cfg.Server.At(m.Address)
	if move := cfg.Move; err == nil && (move.Username != "" || move.PasswordEnv != "" || move.PasswordFile != "") {
		u, errParse := url.Parse(c.URL)
		if errParse != nil {
			return c, fmt.Errorf("agent: the URL of node %q cannot be made", m.ID) // what is in it is not shown
		}
		u.User = nil
		c.URL, c.Password = u.String(), ""
		c.Username, c.PasswordEnv, c.PasswordFile = move.Username, move.PasswordEnv, move.PasswordFile
	}
	return c, err
}

var errBeginning = errors.New("the agent is just beginning")

// handOver is the mover's, counted, and a pause after it. It notes whether the one by
// which the node leaves came to its end.
func (a *Agent) handOver(ctx context.Context, view membership.View, transition uint64) error {
	a.counters.moves.begin()
	err := a.cfg.Mover.HandOver(ctx, view, transition)
	if err == nil {
		err = pause.For(ctx, settling)
	}
	failpoint.At("agent.handedover")
	a.counters.moves.end(a.cfg.Mover.Progress(), err != nil && ctx.Err() == nil)
	if self, _ := view.Member(a.cfg.Gossip.Name); self.State == membership.Leaving || self.State == membership.Exporting {
		a.exported.Store(err == nil) // another one follows where the next ring has changed
	}
	return err
}

// settling is how long a hand-over waits when nothing is left to move, until no copy is
// on its way any more that a client has begun while the key was still here: the longest
// that one may take, and some slack. The transition must not end before: from then on a
// delete leaves no tombstone at the new owner, and such a copy would undo it.
const settling = transit.CopyLimit + transit.CopyLimit/4

// Rebalance returns how far the node's mover is.
func (a *Agent) Rebalance() agentapi.Rebalance {
	s := a.gossip.Status()
	r := agentapi.Rebalance{
		Schema: agentapi.RebalanceSchema, ID: s.Node.ID, Kind: s.Node.Kind, NodeState: s.Node.State, Waits: s.Waits,
		Phase: membership.Stable.String(), State: "none", BigKeys: []agentapi.BigKey{}, Receivers: []agentapi.MoveReceiver{},
	}
	if p, _ := a.board.read(); p != nil {
		number, phase := p.view.Transition(s.Node.Kind)
		r.Transition, r.Rollback = membership.IsRollback(number)
		r.Phase = phase.String()
	}
	r.HandedOver = a.exported.Load()
	if a.cfg.Mover != nil {
		describeMover(&r, a.cfg.Mover)
	}
	return r
}

func describeMover(r *agentapi.Rebalance, m Mover) {
	p, limits := m.Progress(), m.Limits()
	r.State, r.Paused = string(p.State), m.Paused()
	r.Pass, r.KeysMoved, r.BytesMoved, r.KeysLeft, r.KeysWaiting = p.Pass, p.KeysMoved, p.BytesMoved, p.KeysLeft, p.KeysWaiting
	r.KeysPerSecond, r.BytesPerSecond, r.SecondsLeft, r.Pace = p.KeysPerSecond, p.BytesPerSecond, -1, p.Pace
	if p.TimeLeft >= 0 {
		r.SecondsLeft = p.TimeLeft.Seconds()
	}
	r.Limits = agentapi.MoveLimits{KeysPerSecond: limits.Keys, BytesPerSecond: limits.Bytes}
	for _, k := range p.BigKeys {
		r.BigKeys = append(r.BigKeys, agentapi.BigKey(k))
	}
	for _, to := range p.Receivers {
		r.Receivers = append(r.Receivers, agentapi.MoveReceiver(to))
	}
	r.Began, r.Ended, r.Error, r.ErrorAt = p.Began.UTC(), p.Ended.UTC(), p.Error, p.ErrorAt.UTC()
}

// Order does what an operator wants of the mover. The error is errNoMover, of
// limits that cannot be, or that of gossip.Abort.
func (a *Agent) Order(o agentapi.RebalanceOrder) error {
	if m := a.cfg.Mover; m == nil && !o.Abort {
		return errNoMover
	} else if m != nil {
		if err := orderMover(m, o); err != nil {
			return err
		}
	}
	if !o.Abort {
		return nil
	}
	number, err := a.gossip.Abort()
	if err == nil {
		a.log.Warn("told to abort", "transition", number)
	}
	return err
}

func orderMover(m Mover, o agentapi.RebalanceOrder) error {
	limits := m.Limits()
	if o.KeysPerSecond != nil {
		limits.Keys = *o.KeysPerSecond
	}
	if o.BytesPerSecond != nil {
		limits.Bytes = *o.BytesPerSecond
	}
	if o.KeysPerSecond != nil || o.BytesPerSecond != nil {
		if err := m.SetLimits(limits); err != nil {
			return err
		}
	}
	switch {
	case o.Pause == nil:
	case *o.Pause:
		m.Pause()
	default:
		m.Resume()
	}
	return nil
}

var errNoMover = errors.New("agent: this one has no mover")
