package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// checkTakers refuses to drain a node whose keys nobody would take, or with --force
// warns of it.
func (f *drainFlags) checkTakers(cmd *cobra.Command, fleet fleet, node agentapi.MemberStatus) error {
	if fleet.hasTakers(node) {
		return nil
	}
	if !f.force {
		return &cli.UsageError{Where: "drain", Found: cli.Quote(node.ID) + ", the last node that could own its keys",
			Want: "another node of its kind that is ACTIVE, or --force"}
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "ringway: warning: nobody takes the keys of %s\n", printable.Text(node.ID))
	return nil
}

// hasTakers reports whether there is a node to take the keys of one that is to leave,
// or that has none to give. One that is dead takes none, nor one that is leaving itself.
func (f fleet) hasTakers(node agentapi.MemberStatus) bool {
	next := f.view.Next(node.Kind)
	if leaving(node.State) || !slices.ContainsFunc(next, func(n ring.Node) bool { return n.ID == node.ID }) {
		return true
	}
	return slices.ContainsFunc(next, func(n ring.Node) bool {
		m, known := f.view.Member(n.ID)
		return known && n.ID != node.ID && m.Health == membership.Healthy && !leaving(m.State)
	})
}

func leaving(s membership.State) bool { return s == membership.Leaving || s == membership.Exporting }

// drainPatience is how long a drain goes on asking when no agent answers.
var drainPatience = 15 * time.Second // tests have less

// inquiry asks for the members while a node leaves: the agents that were named, and if
// none of them answers those of other nodes that were reached before.
type inquiry struct {
	ask      []func(context.Context) (agentapi.Members, error)
	first    int       // in ask: who answered last
	answered time.Time // when
}

func newInquiry(client *agents.Client, m movers, named []string) *inquiry {
	q := &inquiry{answered: time.Now()}
	q.ask = append(q.ask, func(ctx context.Context) (agentapi.Members, error) {
		m, _, err := client.Members(ctx)
		return m, err
	})
	for _, one := range m.all {
		if one.at != nil && !slices.Contains(named, one.at.Name()) {
			q.ask = append(q.ask, one.at.Members)
		}
	}
	return q
}

// members returns what the first that answers says. The error is that of the agents
// that were named, or the context's.
func (q *inquiry) members(ctx context.Context) (m agentapi.Members, err error) {
	for i := range q.ask {
		at := (q.first + i) % len(q.ask)
		m, asked := q.ask[at](ctx)
		switch {
		case ctx.Err() != nil:
			return m, ctx.Err()
		case asked == nil:
			q.first, q.answered = at, time.Now()
			return m, nil
		case at == 0:
			err = asked
		}
	}
	return m, err
}

// silent is for how long nobody has answered.
func (q *inquiry) silent() time.Duration { return time.Since(q.answered) }
