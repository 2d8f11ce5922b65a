package router

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// transaction runs the commands between MULTI and EXEC on the one node that owns
// all their keys.
func (r *Redis) transaction(ctx context.Context, cmds []redis.Cmder) error {
	uses, err := r.transactionUses(cmds)
	if err == nil && r.cfg.Replication.Factor > 1 {
		err = &UnsupportedError{Command: "MULTI", Reason: "a transaction runs on one node, and there are several copies"}
	}
	if err == nil && len(uses) == 0 {
		err = &UnsupportedError{Command: "MULTI", Reason: "without keys there is no node for the transaction"}
	}
	for err == nil {
		var n *redisNode
		if n, err = r.nodeOfAll("MULTI", namesOf(uses)); err == nil {
			defer n.leave()
			return r.fly(ctx, n, queued(ctx, n.client.TxPipeline(), cmds...), "MULTI")
		}
		if err != errMoving {
			break
		}
		var m *move
		if m, err = r.beginMove(ctx, multi, uses); m != nil {
			defer m.end()
			return m.transaction(ctx, cmds)
		}
	}
	setErrors(cmds, err)
	return err
}

// transactionUses returns the keys of a transaction, each once.
func (r *Redis) transactionUses(cmds []redis.Cmder) (uses []use, err error) {
	for _, cmd := range cmds {
		args := cmd.Args()
		c, known := r.table.Lookup(args)
		if !known {
			return nil, &UnknownCommandError{Command: cmd.FullName()}
		}
		if reason, refused := c.Refusal(args); refused {
			return nil, &UnsupportedError{Command: c.Name(), Reason: string(reason)}
		}
		if c.Route() == command.AllNodes {
			return nil, &UnsupportedError{Command: c.Name(), Reason: "it concerns every node, a transaction only one"}
		}
		if err := sendable(c, args); err != nil {
			return nil, err
		}
		its, err := r.usesOf(c, args)
		if err != nil {
			return nil, err
		}
		for _, u := range its {
			uses = addUse(uses, u)
		}
	}
	return uses, nil
}

func namesOf(uses []use) []string {
	names := make([]string, len(uses))
	for i, u := range uses {
		names[i] = u.key
	}
	return names
}
