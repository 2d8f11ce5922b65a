package router

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// splitReads cuts a read of several keys by the first holder of each. The keys
// of a piece that fails are asked of their next holders.
func (r *Redis) splitReads(ctx context.Context, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder, keys []string) error {
	holders := make([][]*redisNode, len(keys))
	left := make([]int, len(keys)) // keys that nobody has answered yet
	most := 0
	for i, key := range keys {
		holders[i], left[i] = r.byZone(r.holders(s, []string{key})), i
		most = max(most, len(holders[i]))
	}
	var done []share
	for rank := 0; rank < most && len(left) > 0; rank++ {
		shares := cutBy(left, func(i int) *redisNode { return holders[i][min(rank, len(holders[i])-1)] })
		if !enterShares(shares) {
			return r.copies(ctx, c, cmd, keys) // there is another ring
		}
		r.runShares(ctx, c, cmd.Args(), shares)
		left = left[:0]
		for _, sh := range shares {
			var failed *NodeError
			if errors.As(sh.err, &failed) && rank+1 < most && ctx.Err() == nil {
				left = append(left, sh.keys...)
				continue
			}
			done = append(done, sh)
		}
	}
	return r.gather(c, cmd, keys, r.afterSplit(ctx, c, cmd.Args(), keys, done))
}

// splitWrites cuts a write of several keys once for each rank: by their owners,
// by their second holders, and so on. The reply is that of the owners, so that
// a key counts once.
func (r *Redis) splitWrites(ctx context.Context, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder, keys []string) error {
	all, ranks := make([]int, len(keys)), 0
	holders := make([][]*redisNode, len(keys))
	for i, key := range keys {
		holders[i], all[i] = r.holders(s, []string{key}), i
		ranks = len(holders[i]) // the same for all
	}
	if err := r.enough(c, ranks); err != nil {
		return err
	}
	var shares []share
	byOwner := 0
	for rank := range ranks {
		shares = append(shares, cutBy(all, func(i int) *redisNode { return holders[i][rank] })...)
		if rank == 0 {
			byOwner = len(shares)
		}
	}
	if !enterShares(shares) {
		return r.copies(ctx, c, cmd, keys) // there is another ring
	}
	r.runShares(ctx, c, cmd.Args(), shares)
	return r.settleSplit(c, cmd, keys, shares, byOwner)
}

// settleSplit counts the copies of each key that were written. byOwner is how
// many of the shares are the owners'.
func (r *Redis) settleSplit(c *command.Command, cmd redis.Cmder, keys []string, shares []share, byOwner int) error {
	written := make([]int, len(keys))
	sum, values, status := int64(0), make([]any, len(keys)), "OK"
	failed := &MultiError{Command: c.Name(), Failed: map[string]error{}, Keys: map[string]error{}, Total: len(shares)}
	var lost []share
	for i := len(shares) - 1; i >= 0; i-- { // the owners last: their values stay
		sh, ofOther := shares[i], int64(0)
		to := &ofOther
		if i < byOwner {
			to = &sum
		}
		if sh.err == nil || sh.err == redis.Nil {
			sh.err = merge(c, sh, to, values, &status)
		}
		if sh.err != nil {
			lost = append(lost, sh)
			continue
		}
		for _, k := range sh.keys {
			written[k]++
		}
	}
	for _, sh := range lost {
		for _, k := range sh.keys {
			if written[k] < r.cfg.Replication.need() {
				failed.Keys[keys[k]] = sh.err
				failed.Failed[sh.id()] = sh.err
			}
		}
	}
	switch c.Combine() {
	case command.Sum:
		setResult(cmd, sum)
	case command.InOrder:
		setResult(cmd, values)
	default:
		if len(failed.Keys) == 0 {
			setResult(cmd, status)
		}
	}
	if len(failed.Keys) > 0 {
		return failed
	}
	return nil
}

// enterShares enters the node of every piece, or none.
func enterShares(shares []share) bool {
	nodes := make([]*redisNode, len(shares))
	for i, sh := range shares {
		nodes[i] = sh.node
	}
	return enterEach(nodes)
}

// runShares sends all pieces, whose nodes were entered, at the same time and waits
// for them.
func (r *Redis) runShares(ctx context.Context, c *command.Command, args []any, shares []share) {
	r.crew.together(len(shares), func(i int) {
		sh := &shares[i]
		sh.cmd = redis.NewCmd(ctx, pieceArgs(c.Split(), args, sh.keys)...)
		sh.err = r.execAndLeave(ctx, sh.node, c, sh.cmd, sh.node.inFlight.Load())
	})
}
