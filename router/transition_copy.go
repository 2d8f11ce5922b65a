package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
)

// bringAttempts is how often a key is tried to be brought over before a command
// fails: a copy may be late, or meet a tombstone that has just been placed.
const bringAttempts = 5

// bring copies a key to those of its next holders that do not have it, if that is
// allowed: the command is then run on what is there.
func (m *move) bring(ctx context.Context, k movedKey) error {
	for _, to := range without(k.next, k.now) {
		if err := m.bringTo(ctx, k, to); err != nil {
			return err
		}
	}
	return nil
}

func (m *move) bringTo(ctx context.Context, k movedKey, to *redisNode) error {
	for range bringAttempts {
		var looks []transit.RedisLook
		err := m.ask(ctx, to, "EXISTS", func(ctx context.Context, client *redis.Client) (err error) {
			looks, err = transit.Redis{Client: client}.Look(ctx, k.name)
			return err
		})
		if err != nil || looks[0].Present || looks[0].Closed(m.s.moving.number) {
			return err
		}
		result, err := m.carryFromAny(ctx, k, to, looks[0])
		if err != nil || result.Outcome == transit.Gone {
			return err
		}
		switch result.Outcome {
		case transit.Copied, transit.Present:
			return nil
		case transit.Refused:
			return fmt.Errorf("router: %s: %w", m.c.Name(), to.fail(errors.Join(ErrNotMoved, result.Err)))
		}
	}
	return to.fail(ErrNotMoved)
}

// carryFromAny copies a key from the first of its current holders that answers.
// One that owes something on the key does not count: what it has is no longer
// true.
func (m *move) carryFromAny(ctx context.Context, k movedKey, to *redisNode, look transit.RedisLook) (transit.Result, error) {
	var first error
	for _, from := range k.now {
		if m.spool.settle(ctx, from.about.Load().ID, k.name) != nil {
			continue
		}
		result, err := m.carry(ctx, k.name, from, to, look, 0)
		var failed *NodeError
		if err == nil && result.Outcome == transit.Gone && len(k.now) > 1 {
			continue // another copy may be there
		}
		if !errors.As(err, &failed) || failed.Node != from.about.Load().ID || ctx.Err() != nil {
			return result, err
		}
		if first == nil {
			first = err
		}
	}
	return transit.Result{Outcome: transit.Gone}, first
}

// carry copies one key of at most limit bytes, 0 for any, that was looked at on
// its destination before.
func (m *move) carry(ctx context.Context, key string, from, to *redisNode, look transit.RedisLook, limit int64) (result transit.Result, err error) {
	var values []transit.RedisValue
	err = m.ask(ctx, from, "DUMP", func(ctx context.Context, client *redis.Client) (err error) {
		values, err = transit.Redis{Client: client}.Take(ctx, limit, key)
		return err
	})
	if err != nil || values[0].State != 0 {
		if err == nil {
			result.Outcome = values[0].State
		}
		return result, err
	}
	err = m.ask(ctx, to, "RESTORE", func(ctx context.Context, client *redis.Client) error {
		to := transit.Redis{Client: client, Transition: m.s.moving.number}
		results, err := to.Store(ctx, []transit.RedisLook{look}, values)
		if err == nil {
			result = results[0]
		}
		return err
	})
	return result, err
}

// ask makes a request of the router's own to a node that was entered: allowed,
// timed, traced, and its error put into the router's terms.
func (r *Redis) ask(ctx context.Context, n *redisNode, name string, request func(context.Context, *redis.Client) error) (err error) {
	if r.cfg.Tracer != nil {
		traced, done := r.trace(ctx, n, name, 1)
		ctx = traced
		defer func() { done(answer(err)) }()
	}
	begun, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer begun.giveUp(&n.node)
	return n.end(ctx, &begun, request(ctx, n.client), false)
}
