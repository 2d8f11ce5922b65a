package agent

import (
	"context"
	"fmt"

	"github.com/ringway/ringway/membership/gossip"
)

// claim is what an agent marks its server with.
type claim struct {
	cluster, id string // whose server it is
	process     string // that served when that was written
}

// String writes a claim down. The process is the rest of the line.
func (c claim) String() string { return fmt.Sprintf("%q %q %s", c.cluster, c.id, c.process) }

// parseClaim returns the zero claim for what is none.
func parseClaim(text string) claim {
	var c claim
	var head string
	if _, err := fmt.Sscanf(text, "%q %q", &c.cluster, &c.id); err == nil {
		head = fmt.Sprintf("%q %q ", c.cluster, c.id)
	}
	if head == "" || len(text) <= len(head) || text[:len(head)] != head {
		return claim{}
	}
	c.process = text[len(head):]
	return c
}

// same reports whether two claims are by agents of one node.
func (c claim) same(other claim) bool { return c.cluster == other.cluster && c.id == other.id }

// taken fails if the process that serves is the server of another node of the fleet:
// one of two agents was given the wrong address, and must not remove anything.
func (r *restarts) taken(ctx context.Context, process string) error {
	text, err := r.server.data.Marked(ctx)
	if err != nil {
		return err
	}
	by := parseClaim(text)
	if by.process != process || by.cluster != r.self.cluster || by.id == r.self.id {
		return nil
	}
	owns, seen := r.others(by.id)
	switch {
	case owns && seen:
		return &gossip.ServerTakenError{ID: r.self.id, Address: r.server.data.Address(), Owner: by.id}
	case owns:
		return fmt.Errorf("the server at %s is that of node %q, which does not answer: it has to be evicted first", r.server.data.Address(), by.id)
	}
	return nil
}

// others reports whether another node owns keys, or is about to, and whether its
// agent is seen.
func (a *Agent) others(id string) (owns, seen bool) {
	select {
	case <-a.joined:
	default:
		return false, false
	}
	for _, m := range a.gossip.Members() {
		if m.ID == id && !m.Evicted && ownsKeys(m.State) {
			return true, m.Alive
		}
	}
	return false, false
}
