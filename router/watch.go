package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// watchOn runs a transaction function on a node that was entered.
func (r *Redis) watchOn(ctx context.Context, n *redisNode, fn func(*redis.Tx) error, keys []string) (err error) {
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
		inner = fn(tx)
		return nil
	}, keys...)
	if err = n.end(ctx, &begun, err, true); err != nil {
		return err
	}
	return inner
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
