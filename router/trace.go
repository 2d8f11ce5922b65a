package router

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// Tracer is told of every request to a node: package tracing makes spans of them.
// It is called on the caller's goroutine, and for what is split over nodes on
// several at once.
type Tracer interface {
	// Start is called before a request is sent. The request runs with the
	// context that it returns, which must be derived from ctx, and done is
	// called once with its outcome: nil for an answer, which redis.Nil is, and of
	// memcached a miss and a condition that did not hold.
	Start(ctx context.Context, q Request) (traced context.Context, done func(error))
}

// Request describes one request to one node. A command that is split is one
// request a node, a pipeline one a node too.
type Request struct {
	Kind membership.Kind // of the node

	// Command is "GET"; "PIPELINE", "MULTI" or "WATCH" for what goes together. Of
	// memcached it is named as in the protocol: "get", "gat", "touch", "set",
	// "add", "replace", "append", "prepend", "cas", "delete", "incr", "decr",
	// "flush_all"; "ping"; and "mg", "ms", "md" and "ma" for the Meta methods and
	// what is made of them.
	Command string

	// Commands in the request; of memcached its keys, 0 for what concerns none.
	Commands int

	Node    string // ID
	Address string // of the node
	Zone    string // of the node; "" if it has none

	// Epoch is that of the ring by which the request was routed.
	Epoch uint64
}

func (r *Redis) trace(ctx context.Context, n *redisNode, name string, commands int) (context.Context, func(error)) {
	epoch, routed := ctx.Value(epochKey{}).(uint64)
	if !routed {
		epoch = r.Epoch()
	}
	return n.trace(ctx, r.cfg.Tracer, Request{Kind: membership.Redis, Command: name, Commands: commands, Epoch: epoch})
}

type epochKey struct{}

// routedBy notes the epoch of the ring that a command was routed by, for the
// tracer: by the time that a request is sent, or sent once more, there may be
// another ring.
func (r *Redis) routedBy(ctx context.Context, epoch uint64) context.Context {
	if r.cfg.Tracer == nil {
		return ctx
	}
	return context.WithValue(ctx, epochKey{}, epoch)
}

// trace tells the tracer of a request to this node.
func (n *node) trace(ctx context.Context, tracer Tracer, q Request) (context.Context, func(error)) {
	m := n.about.Load()
	q.Node, q.Address, q.Zone = m.ID, m.Address, m.Zone
	return tracer.Start(ctx, q)
}

// answer is the error of a request without redis.Nil, which is an answer.
func answer(err error) error {
	if err == redis.Nil {
		return nil
	}
	return err
}
