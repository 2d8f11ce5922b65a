package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/ringway/ringway/internal/agentapi"
)

// A Single asks and orders one agent. It is not safe for concurrent use; several of
// one Client may be used at the same time.
type Single struct {
	client *Client
	agent  agent
	given  bool // by the operator
}

// Given returns each of the agents that New was given.
func (c *Client) Given() []*Single {
	all := make([]*Single, len(c.agents))
	for i, a := range c.agents {
		all[i] = &Single{client: c, agent: a, given: true}
	}
	return all
}

// At returns an agent that another one has told of. It is sent the token with an
// order, and not with a question. Close it in the end. The error is a *URLError.
func (c *Client) At(url string) (*Single, error) {
	a, err := parse(url)
	if err != nil {
		return nil, err
	}
	return &Single{client: c, agent: a}, nil
}

// Name is the agent's URL.
func (s *Single) Name() string { return s.agent.name }

// Close closes idle connections; those of given agents are the Client's.
func (s *Single) Close() {
	if !s.given {
		s.agent.http.CloseIdleConnections()
	}
}

// asker returns the client with which the agent is asked.
func (s *Single) asker() Client {
	c := *s.client
	if !s.given {
		c.token = ""
	}
	return c
}

// Members asks for the members, as Client.Members does.
func (s *Single) Members(ctx context.Context) (m agentapi.Members, err error) {
	c := s.asker()
	err = c.within(ctx, s.agent, func(ctx context.Context, a agent) error {
		m, err = c.members(ctx, a)
		return err
	})
	return m, err
}

// Rebalance asks how far the agent's mover is.
func (s *Single) Rebalance(ctx context.Context) (r agentapi.Rebalance, err error) {
	c := s.asker()
	err = c.within(ctx, s.agent, func(ctx context.Context, a agent) error {
		return c.get(ctx, a, agentapi.RebalancePath, func(body io.Reader) error {
			r, err = agentapi.ReadRebalance(body)
			return err
		})
	})
	return r, err
}

// Order gives the agent an order, and returns what it says of its mover then.
func (s *Single) Order(ctx context.Context, o agentapi.RebalanceOrder) (r agentapi.Rebalance, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return r, err
	}
	err = s.post(ctx, agentapi.RebalancePath, text, func(body io.Reader) error {
		r, err = agentapi.ReadRebalance(body)
		return err
	})
	return r, err
}

// Leave has the agent's node leave the fleet, if it is that one.
func (s *Single) Leave(ctx context.Context, id string) error {
	text, err := json.Marshal(agentapi.LeaveOrder{ID: id})
	if err != nil {
		return err
	}
	return s.post(ctx, agentapi.LeavePath, text, func(io.Reader) error { return nil })
}

func (s *Single) post(ctx context.Context, path string, text []byte, read func(io.Reader) error) error {
	return s.client.within(ctx, s.agent, func(ctx context.Context, a agent) error {
		return s.client.exchange(ctx, a, http.MethodPost, path, bytes.NewReader(text), http.StatusAccepted, read)
	})
}
