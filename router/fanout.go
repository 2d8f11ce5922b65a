package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/command"
)

// anyNode runs a command that concerns no key, on a node chosen at random
// among the healthy ones.
func (r *Redis) anyNode(ctx context.Context, c *command.Command, cmd redis.Cmder) error {
	nodes, err := r.enterAll()
	if err != nil {
		return err
	}
	defer leaveAll(nodes)
	n := anyOf(nodes)
	return r.exec(ctx, n, c, cmd, n.inFlight.Load())
}

// enterAll enters every node of the current snapshot, those included that keys
// are only being moved to.
func (r *Redis) enterAll() ([]*redisNode, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		if nodes := s.all(); enterEach(nodes) {
			return nodes, nil
		}
	}
}

func leaveAll(nodes []*redisNode) {
	for _, n := range nodes {
		n.leave()
	}
}

// allNodes runs a command on every node and combines the replies.
func (r *Redis) allNodes(ctx context.Context, c *command.Command, cmd redis.Cmder) error {
	nodes, err := r.enterAll()
	if err != nil {
		return err
	}
	defer leaveAll(nodes)
	ctx = r.routedBy(ctx, r.Epoch())
	switch c.Combine() {
	case command.Cursor:
		return r.scan(ctx, c, cmd, nodes)
	case command.FirstFound:
		return r.firstFound(ctx, c, cmd, nodes)
	}
	if !combinable(cmd) {
		return uncombinable(c, cmd)
	}
	if empties(c) && r.fleet.current.Load().moving.underWay() {
		if err := r.emptyFirst(ctx, c, cmd, nodes); err != nil {
			return err
		}
	}
	return r.onEach(ctx, c, cmd, nodes)
}

// empties reports a command that removes all keys.
func empties(c *command.Command) bool { return c.Name() == "FLUSHALL" || c.Name() == "FLUSHDB" }

// emptyFirst removes all keys once before the command itself does: copies that
// are under way when it comes would bring some of them back. When it returns the
// last of these has come to its end.
func (r *Redis) emptyFirst(ctx context.Context, c *command.Command, cmd redis.Cmder, nodes []*redisNode) error {
	first := redis.NewCmd(ctx, cmd.Args()...)
	if err := r.onEach(ctx, c, first, nodes); err != nil {
		return err
	}
	return untilCopiesEnd(ctx)
}

// untilCopiesEnd waits until no copy can arrive that was under way.
func untilCopiesEnd(ctx context.Context) error {
	timer := time.NewTimer(transit.CopyLimit)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onEach runs a command on every one of the nodes and combines the replies.
func (r *Redis) onEach(ctx context.Context, c *command.Command, cmd redis.Cmder, nodes []*redisNode) error {
	replies := make([]*redis.Cmd, len(nodes))
	errs := make([]error, len(nodes))
	r.crew.together(len(nodes), func(i int) {
		replies[i] = redis.NewCmd(ctx, cmd.Args()...)
		errs[i] = r.exec(ctx, nodes[i], c, replies[i], nodes[i].inFlight.Load())
	})
	return combineAll(c, cmd, nodes, replies, errs)
}

func combineAll(c *command.Command, cmd redis.Cmder, nodes []*redisNode, replies []*redis.Cmd, errs []error) error {
	failed := &MultiError{Command: c.Name(), Failed: map[string]error{}, Total: len(nodes)}
	var values []any
	for i, err := range errs {
		if err != nil && err != redis.Nil {
			failed.Failed[nodes[i].member().ID] = err
			continue
		}
		values = append(values, withoutMarkers(c, replies[i].Val()))
	}
	value, err := combineReplies(c.Combine(), values)
	switch {
	case c.Combine() == command.AnySucceeds && len(values) > 0:
	case len(failed.Failed) == 1 && len(nodes) == 1:
		return errs[0]
	case len(failed.Failed) > 0:
		err = failed
	}
	if len(values) > 0 && value != nil {
		if errSet := setAny(cmd, value); errSet != nil && err == nil {
			err = errSet
		}
	}
	return err
}

// combineReplies makes one value of those that nodes gave.
func combineReplies(how command.Combine, values []any) (any, error) {
	if len(values) == 0 {
		return nil, nil
	}
	switch how {
	case command.Sum, command.Max:
		total := int64(0)
		for i, v := range values {
			n, isInt := v.(int64)
			switch {
			case !isInt:
				return nil, errReply
			case how == command.Sum:
				total += n
			case i == 0 || n > total:
				total = n
			}
		}
		return total, nil
	case command.All:
		return allOf(values)
	case command.Union:
		return unionOf(values)
	}
	return values[0], nil
}

func allOf(values []any) (any, error) {
	var all []any
	for _, v := range values {
		list, isList := v.([]any)
		if !isList || all != nil && len(list) != len(all) {
			return nil, errReply
		}
		if all == nil {
			all = slices.Clone(list)
			continue
		}
		for i := range list {
			if list[i] != int64(1) {
				all[i] = int64(0)
			}
		}
	}
	return all, nil
}

func unionOf(values []any) (any, error) {
	if _, isMap := values[0].(map[any]any); isMap {
		return unionOfMaps(values)
	}
	seen := make(map[any]bool)
	union := []any{}
	for _, v := range values {
		list, isList := v.([]any)
		if !isList {
			return nil, errReply
		}
		for _, e := range list {
			if text, isText := e.(string); isText {
				if seen[text] {
					continue
				}
				seen[text] = true
			}
			union = append(union, e)
		}
	}
	return union, nil
}

// firstFound asks nodes in a random order until one has an answer: RANDOMKEY
// over nodes of which some are empty.
func (r *Redis) firstFound(ctx context.Context, c *command.Command, cmd redis.Cmder, nodes []*redisNode) error {
	var errs []error
	for _, i := range rand.Perm(len(nodes)) {
		err := r.exec(ctx, nodes[i], c, cmd, nodes[i].inFlight.Load())
		for tries := 0; err == nil && isMarker(cmd) && tries < maxMarkers; tries++ {
			err = r.exec(ctx, nodes[i], c, cmd, nodes[i].inFlight.Load())
		}
		if err == nil && isMarker(cmd) {
			err = redis.Nil
		}
		if err == nil {
			return nil
		}
		if err != redis.Nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return redis.Nil
}

// maxMarkers is how many tombstones in a row RANDOMKEY may draw before a node
// counts as one that has nothing else.
const maxMarkers = 16

// isMarker reports whether the result of RANDOMKEY is a tombstone.
func isMarker(cmd redis.Cmder) bool {
	switch cmd := cmd.(type) {
	case *redis.StringCmd:
		return transit.IsMarker(cmd.Val())
	case *redis.Cmd:
		text, _ := cmd.Val().(string)
		return transit.IsMarker(text)
	}
	return false
}

// withoutMarkers takes the tombstones out of a reply to KEYS.
func withoutMarkers(c *command.Command, reply any) any {
	list, isList := reply.([]any)
	if !isList || c.Name() != "KEYS" {
		return reply
	}
	return slices.DeleteFunc(list, func(e any) bool {
		text, _ := e.(string)
		return transit.IsMarker(text)
	})
}
