package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// watchOn runs a transaction function on a node that was entered; w, if not nil,
// takes it through a transition.
func (r *Redis) watchOn(ctx context.Context, n *redisNode, fn func(*redis.Tx) error, keys []string, w *watching) (err error) {
	if r.cfg.Tracer != nil {
		traced, done := r.trace(ctx, n, "WATCH", 1)
		ctx = traced
		defer func() { done(answer(err)) }()
	}
	begun, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer begun.giveUp(&n.node)
	inner := error(nil) // what fn returned is the caller's affair, not the node's
	err = n.client.Watch(ctx, func(tx *redis.Tx) error {
		tx.AddHook(txGuard{r, n, w})
		inner = fn(tx)
		return nil
	}, keys...)
	if err = n.end(ctx, &begun, err, true); err != nil {
		return err
	}
	return inner
}

// txGuard refuses, inside a transaction function, what does not belong on the
// node of the transaction: what would be written there nobody would ever find.
type txGuard struct {
	r *Redis
	n *redisNode
	w *watching // nil: no key is on the move
}

func (g txGuard) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g txGuard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := g.check(ctx, cmd); err != nil {
			return err
		}
		err := next(ctx, cmd)
		if g.w != nil {
			g.w.ran(cmd)
		}
		return err
	}
}

func (g txGuard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if err := g.check(ctx, cmd); err != nil {
				setErrors(cmds, err)
				return err
			}
		}
		err := next(ctx, cmds)
		if g.w != nil {
			g.w.ran(cmds...)
		}
		return err
	}
}

// check is what route does for a command, short of sending it. What go-redis
// sends by itself, and what concerns the connection, passes.
func (g txGuard) check(ctx context.Context, cmd redis.Cmder) error {
	args := cmd.Args()
	c, known := g.r.table.Lookup(args)
	if !known {
		return &UnknownCommandError{Command: cmd.FullName()}
	}
	switch c.Name() {
	case "WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD":
		if c.Name() != "WATCH" {
			return nil
		}
	default:
		if reason, refused := c.Refusal(args); refused {
			return &UnsupportedError{Command: c.Name(), Reason: string(reason)}
		}
	}
	if err := sendable(c, args); err != nil {
		return err
	}
	names, err := g.r.names(c, args)
	if err != nil || len(names) == 0 {
		return err
	}
	if g.w != nil {
		return g.w.admit(ctx, c, args)
	}
	s := g.r.fleet.current.Load()
	if s.placement == nil {
		return g.r.empty(s)
	}
	for _, name := range names {
		// A ring that has changed since the transaction began may have the
		// watched keys elsewhere too: the client is then another one's.
		if s.nodes[s.placement.OwnerIndex(name)] != g.n {
			return s.crossing(c.Name(), names)
		}
	}
	return nil
}

// watchable refuses what WATCH cannot do, before anything is sent.
func (r *Redis) watchable(keys []string) error {
	if len(keys) == 0 {
		return &UnsupportedError{Command: "WATCH", Reason: "without keys there is no node to watch them on"}
	}
	if r.cfg.Replication.Factor > 1 {
		return &UnsupportedError{Command: "WATCH", Reason: "a transaction runs on one node, and there are several copies"}
	}
	for _, key := range keys {
		if _, err := r.key(key); err != nil {
			return err
		}
	}
	return nil
}
