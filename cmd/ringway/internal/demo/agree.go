package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/pause"
)

// agreeWithin is how long the members have in the end until all show the same ring.
const agreeWithin = 15 * time.Second

// agree asks every agent for its view until all are the same as the client's, and
// notes why not if they do not become so.
func (d *demo) agree(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, agreeWithin)
	defer cancel()
	for {
		d.disagreement = d.differ(limit)
		if d.disagreement == nil {
			return nil
		}
		if err := pause.For(limit, 100*time.Millisecond); err != nil {
			return ctx.Err()
		}
	}
}

// differ says who has another view than the client; nil: nobody.
func (d *demo) differ(ctx context.Context) error {
	mine := d.watch.now()
	if d.load.cache.epoch() != mine.epoch {
		return fmt.Errorf("requests go by the ring of epoch %d, the newest is %d", d.load.cache.epoch(), mine.epoch)
	}
	fingerprint := ""
	for _, n := range d.fleet.nodes {
		client, err := agents.New(agents.Config{URLs: []string{n.http}})
		if err != nil {
			return err
		}
		r, _, err := client.Ring(ctx)
		client.Close()
		if err != nil {
			return fmt.Errorf("the agent of %s: %w", n.id, err)
		}
		if fingerprint == "" {
			fingerprint = r.Fingerprint
		}
		var active []string
		for _, m := range r.Members {
			if m.Kind == d.cfg.Backend.kind() && m.State == "ACTIVE" && m.Health == "" {
				active = append(active, m.ID)
			}
		}
		slices.SortFunc(active, byNumber)
		switch {
		case r.Epoch != mine.epoch:
			return fmt.Errorf("the agent of %s is at epoch %d, the client at %d", n.id, r.Epoch, mine.epoch)
		case r.Fingerprint != fingerprint:
			return fmt.Errorf("the agent of %s has another ring than that of %s", n.id, d.fleet.nodes[0].id)
		case len(r.Disagree) > 0:
			return fmt.Errorf("the agent of %s says that %v disagree", n.id, r.Disagree)
		case !slices.Equal(active, mine.current):
			return fmt.Errorf("the agent of %s sees %v, the client %v", n.id, active, mine.current)
		}
	}
	if len(d.fleet.nodes) == 0 {
		return errors.New("no agent is left")
	}
	return nil
}
