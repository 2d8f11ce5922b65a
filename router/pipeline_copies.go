package router

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// anyOf returns a node for a command that any may run: one drawn at random,
// among those that would not refuse it where there are such.
func anyOf(nodes []*redisNode) *redisNode {
	first := rand.IntN(len(nodes))
	for i := range nodes {
		if n := nodes[(first+i)%len(nodes)]; n.healthy() {
			return n
		}
	}
	return nodes[first]
}

// addPolicy has the failure policy applied to a command once the flights are
// over: one command after the other, so that those of a key keep their order.
func (b *batches) addPolicy(ctx context.Context, c *command.Command, cmd redis.Cmder, names []string) {
	if b.router.cfg.Failure.Policy == FailFast {
		return
	}
	b.finish = append(b.finish, func() {
		if err := cmd.Err(); err != nil && err != redis.Nil {
			cmd.SetErr(b.router.afterFailure(ctx, c, cmd, names, err))
		}
	})
}

// addCopies puts a command into the flights of the nodes that hold copies of
// its keys: a read into one of them.
func (b *batches) addCopies(ctx context.Context, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder, names []string) error {
	r, access := b.router, c.Access(cmd.Args())
	holders := r.holders(s, names)
	switch {
	case holders == nil && c.Route() == command.SplitByKey:
		return &UnsupportedError{Command: c.Name(), Reason: "with a replication factor above 1 its keys have different nodes: send it by itself, or a command for each key"}
	case holders == nil:
		return s.crossing(c.Name(), names)
	case access == command.NoAccess:
		b.put(ctx, holders[0], cmd)
		return nil
	case access == command.Read:
		b.addRead(ctx, c, cmd, names, r.byZone(holders))
		return nil
	}
	if err := replicable(c, cmd.Args()); err != nil {
		return err
	}
	if err := r.enough(c, len(holders)); err != nil {
		return err
	}
	cmds := twins(ctx, cmd, len(holders))
	for i, n := range holders {
		b.put(ctx, n, cmds[i])
	}
	b.finish = append(b.finish, func() { cmd.SetErr(r.settle(c, cmds, names, holders)) })
	return nil
}

// addRead asks the first holder that would not refuse, and when the flight has
// failed the others.
func (b *batches) addRead(ctx context.Context, c *command.Command, cmd redis.Cmder, names []string, holders []*redisNode) {
	first := 0
	for i, n := range holders {
		if n.healthy() {
			first = i
			break
		}
	}
	b.put(ctx, holders[first], cmd)
	b.finish = append(b.finish, func() {
		var failed *NodeError
		if err := cmd.Err(); errors.As(err, &failed) && ctx.Err() == nil {
			others := append(holders[:first:first], holders[first+1:]...)
			if len(others) == 0 {
				cmd.SetErr(b.router.afterFailure(ctx, c, cmd, names, err))
				return
			}
			cmd.SetErr(b.router.readCopy(ctx, c, cmd, names, others))
		}
	})
}
