package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Tracer is told of every request to a Redis node: package tracing makes spans of
// them. NewMemcached has none. It is called on the caller's goroutine, and for split commands on
// several at once.
type Tracer interface {
	// Start is called before a request is sent. The request runs with the
	// context that it returns, which must be derived from ctx, and done is
	// called once with its outcome: nil for an answer, redis.Nil included.
	Start(ctx context.Context, q Request) (traced context.Context, done func(error))
}

// Request describes one request to one node. A command that is split is one
// request a node, a pipeline one a node too.
type Request struct {
	Command  string // "GET"; "PIPELINE", "MULTI" or "WATCH" for what goes together
	Commands int    // in the request
	Node     string // ID
	Address  string // of the node
	Zone     string // of the node; "" if it has none

	// Epoch is that of the ring at the time of the request.
	Epoch uint64
}

func (r *Redis) trace(ctx context.Context, n *redisNode, name string, commands int) (context.Context, func(error)) {
	m := n.about.Load()
	return r.cfg.Tracer.Start(ctx, Request{
		Command: name, Commands: commands, Node: m.ID, Address: m.Address, Zone: m.Zone, Epoch: r.Epoch(),
	})
}

// answer is the error of a request without redis.Nil, which is an answer.
func answer(err error) error {
	if err == redis.Nil {
		return nil
	}
	return err
}
