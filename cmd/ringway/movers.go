package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
)

// movers is what all agents of a fleet say of their movers at one moment.
type movers struct {
	members agentapi.Members
	from    string // the agent that told of the members
	all     []mover
}

// mover is that of one node.
type mover struct {
	member agentapi.MemberStatus
	at     *agents.Single // nil: it was not reached
	now    agentapi.Rebalance
	err    error // why it was not reached
}

// askMovers asks the agent of each node of the kind (empty: of all kinds) for its
// mover. One agent tells where the others are. Close the answer.
func askMovers(ctx context.Context, client *agents.Client, kind membership.Kind) (movers, error) {
	var m movers
	var err error
	if m.members, m.from, err = client.Members(ctx); err != nil {
		return m, err
	}
	given := askGiven(ctx, client)
	var wait sync.WaitGroup
	for _, s := range m.members.Members {
		here := s.Kind != membership.Router && s.State != membership.Left && (kind == "" || s.Kind == kind)
		if !here {
			continue
		}
		m.all = append(m.all, mover{member: s})
	}
	for i := range m.all {
		one := &m.all[i]
		if known, has := given[one.member.ID]; has {
			*one = mover{member: one.member, at: known.at, now: known.now}
			continue
		}
		wait.Go(func() { one.ask(ctx, client) })
	}
	wait.Wait()
	return m, ctx.Err()
}

// askGiven asks the agents that the operator has named, whoever they speak for.
func askGiven(ctx context.Context, client *agents.Client) map[string]mover {
	singles := client.Given()
	answers := make([]mover, len(singles))
	var wait sync.WaitGroup
	for i, s := range singles {
		wait.Go(func() {
			answers[i].at = s
			answers[i].now, answers[i].err = s.Rebalance(ctx)
		})
	}
	wait.Wait()
	known := make(map[string]mover)
	for _, a := range answers {
		if a.err == nil {
			known[a.now.ID] = a
		}
	}
	return known
}

// ask asks an agent where the fleet says that it is.
func (m *mover) ask(ctx context.Context, client *agents.Client) {
	if m.member.HTTP == "" {
		m.err = errors.New("its agent answers nowhere that the fleet knows")
		return
	}
	at, err := client.At(m.member.HTTP)
	if err != nil {
		m.err = err
		return
	}
	if m.now, m.err = at.Rebalance(ctx); m.err == nil && m.now.ID != m.member.ID {
		// An address of the machine itself, such as 127.0.0.1, is another one here.
		m.err = fmt.Errorf("%s is the agent of %q here", m.member.HTTP, printable.Text(m.now.ID))
	}
	if m.err != nil {
		at.Close()
		return
	}
	m.at = at
}

// close closes what was opened for one look.
func (m movers) close() {
	for _, one := range m.all {
		if one.at != nil {
			one.at.Close()
		}
	}
}

// find returns the mover of a node.
func (m movers) find(id string) (mover, bool) {
	for _, one := range m.all {
		if one.member.ID == id {
			return one, true
		}
	}
	return mover{}, false
}

// underWay returns the transition of each kind that has one, as the agents say.
func (m movers) underWay() map[membership.Kind]agentapi.Rebalance {
	all := make(map[membership.Kind]agentapi.Rebalance)
	for _, one := range m.all {
		if one.at != nil && one.now.Transition != 0 {
			all[one.member.Kind] = one.now
		}
	}
	return all
}

// order gives all of them an order, each of them for itself. Those that do not
// take it are named in the error.
func (m movers) order(ctx context.Context, o agentapi.RebalanceOrder) error {
	var mu sync.Mutex // guards failed
	var failed []string
	var wait sync.WaitGroup
	for i := range m.all {
		one := &m.all[i]
		wait.Go(func() {
			err := one.err
			if one.at != nil {
				mine := o
				mine.ID = one.member.ID
				var now agentapi.Rebalance
				if now, err = one.at.Order(ctx, mine); err == nil {
					one.now = now
				}
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Sprintf("node %s was not told: %v", printable.Text(one.member.ID), err))
			}
		})
	}
	wait.Wait()
	if len(failed) == 0 {
		return nil
	}
	slices.Sort(failed)
	return errors.New(strings.Join(failed, "\n"))
}

// abort has one agent roll back the transition under way among the nodes of a
// kind: what it decides counts for all.
func (m movers) abort(ctx context.Context, kind membership.Kind) error {
	err := errors.New("no agent was reached")
	for _, one := range m.all {
		if one.at == nil || one.member.Kind != kind {
			continue
		}
		if _, err = one.at.Order(ctx, agentapi.RebalanceOrder{ID: one.member.ID, Abort: true}); err == nil {
			return nil
		}
		var said *agents.StatusError
		if errors.As(err, &said) && said.Code == 409 {
			return errors.New(said.Reason) // another one would say the same
		}
	}
	return err
}
