package agent

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
)

// node is what the front asks of the agent; a test has one of its own.
type node interface {
	Status() gossip.Status
	Members() []gossip.Member
	Drain()
	SetWeight(weight float64) error
	Rebalance() agentapi.Rebalance
	Order(o agentapi.RebalanceOrder) error
}

// Status returns what the agent knows of itself.
func (a *Agent) Status() gossip.Status { return a.gossip.Status() }

// Members returns all members that the agent knows.
func (a *Agent) Members() []gossip.Member { return a.gossip.Members() }

// notReady says why the node does not serve as a part of the fleet; empty if it
// does.
func notReady(s gossip.Status) string {
	switch {
	case !s.Contact && s.Seeds != nil:
		return fmt.Sprintf("%s: no member was reached: %v%s", s.Node.State, s.Seeds, silence(s))
	case s.Node.State != membership.Active:
		reason := string(s.Node.State)
		if s.Waits != "" {
			reason += ": waits for " + s.Waits
		}
		if s.TaskError != nil {
			reason += fmt.Sprintf(" (%v)", s.TaskError)
		}
		return reason + silence(s)
	case !s.Healthy && s.Probe != nil:
		return fmt.Sprintf("%s: %v", membership.Unhealthy, s.Probe)
	case !s.Healthy:
		return string(membership.Unhealthy)
	}
	return ""
}

// silence is what to add if the server does not answer.
func silence(s gossip.Status) string {
	if s.Healthy || s.Probe == nil {
		return ""
	}
	return fmt.Sprintf("; the server does not answer: %v", s.Probe)
}

// describe makes the answer to GET /v1/members of the ring and of what gossip
// knows beside it: who shows which ring, since when, and who is there without
// being a part of the ring's view (clients, and nodes that have only just come).
func describe(p *posting, members []gossip.Member, self gossip.Status) agentapi.Members {
	out := agentapi.MembersOf(p.ring)
	out.Frozen, out.RingSeen, out.RingNodes = self.Freeze.On, self.Freeze.Here, self.Freeze.Stay
	if self.Held != nil {
		out.Held = self.Held.Error()
	}
	shares := p.shares()
	known := make(map[string]int)
	for i, m := range out.Members {
		known[m.ID] = i
		out.Members[i].Share = shares[m.ID]
	}
	for _, m := range members {
		if m.Later {
			out.Later = append(out.Later, m.ID)
		}
		if m.Evicted && !m.Alive {
			out.Evicted = append(out.Evicted, agentapi.Evicted{ID: m.ID, Since: m.Out.UTC()})
		}
		i, inView := known[m.ID]
		if !inView {
			if !outsideView(m) {
				continue
			}
			i = len(out.Members)
			out.Members = append(out.Members, extra(m))
		}
		out.Members[i].Fingerprint, out.Members[i].HTTP = m.Fingerprint, m.HTTP
		if inView {
			out.Members[i].Since, out.Members[i].HealthSince = m.Since.UTC(), m.HealthSince.UTC()
		}
	}
	slices.SortFunc(out.Evicted, func(a, b agentapi.Evicted) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(out.Members, func(a, b agentapi.MemberStatus) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return out
}

// outsideView reports whether to show a member that is in no view: clients, nodes
// that have only just come, and evicted ones on their way back. What else there
// is has gone, is of another version, or has a server that is not allowed here,
// which is not to be shown as if it were a part of the fleet.
func outsideView(m gossip.Member) bool {
	return m.Alive && (m.Kind == membership.Router || m.Evicted || m.State == membership.Joining)
}

// extra describes a member that no view has. The record of one that was evicted
// is from before: it begins anew.
func extra(m gossip.Member) agentapi.MemberStatus {
	s := agentapi.MemberStatus{ID: m.ID, Kind: m.Kind, Address: m.Address, State: m.State, Health: m.Health,
		Weight: m.Weight, Zone: m.Zone, Generation: m.Generation}
	switch {
	case m.Kind == membership.Router:
		s.State = membership.Active // it is there, and that is all
	case m.Evicted:
		s.State, s.Health = membership.Joining, membership.Healthy
	}
	if s.Weight == 0 {
		s.Weight = 1
	}
	return s
}

func contains(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}
