package router

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/command"
)

// afterFailure applies the failure policy to a command of one node that could
// not run it. Replies of the server, and calls that the caller gave up, are
// nobody's failure.
func (r *Redis) afterFailure(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string, err error) error {
	var failed *NodeError
	if !errors.As(err, &failed) || ctx.Err() != nil {
		return err
	}
	if c.Route() == command.SplitByKey { // its keys may have different successors
		whole := share{keys: make([]int, len(keys)), cmd: redis.NewCmd(ctx, cmd.Args()...), err: err}
		for i := range keys {
			whole.keys[i] = i
		}
		shares := r.afterSplit(ctx, c, cmd.Args(), keys, []share{whole})
		if len(shares) == 1 && shares[0].err == err {
			return err // as it was, and not a *MultiError of one
		}
		cmd.SetErr(nil)
		return r.gather(c, cmd, keys, shares)
	}
	access := c.Access(cmd.Args())
	switch r.cfg.Failure.Policy {
	case Miss:
		if access == command.Read {
			return redis.Nil
		}
	case Successor:
		return r.onSuccessor(ctx, c, cmd, keys, failed, err)
	}
	return err
}

// afterSplit applies the failure policy to the pieces of a split command, and
// returns the pieces that count.
func (r *Redis) afterSplit(ctx context.Context, c *command.Command, args []any, keys []string, shares []share) []share {
	if r.cfg.Failure.Policy == FailFast || ctx.Err() != nil {
		return shares
	}
	after := make([]share, 0, len(shares))
	for _, s := range shares {
		var failed *NodeError
		switch {
		case !errors.As(s.err, &failed):
			after = append(after, s)
		case r.cfg.Failure.Policy == Successor:
			after = append(after, r.splitOverSuccessors(ctx, c, args, keys, s, failed)...)
		case c.Access(args) == command.Read:
			after = append(after, missing(ctx, c, s))
		default:
			after = append(after, s)
		}
	}
	return after
}

// missing is the share as if its keys were absent.
func missing(ctx context.Context, c *command.Command, s share) share {
	s.err = nil
	s.cmd = redis.NewCmd(ctx, s.cmd.Args()...)
	if c.Combine() == command.Sum {
		s.cmd.SetVal(int64(0))
	} else {
		s.cmd.SetVal(make([]any, len(s.keys)))
	}
	return s
}

// notSent reports a failure before anything reached the server. After any other
// a write may have been done, and doing it elsewhere could do it twice.
func notSent(err error) bool {
	var dial *net.OpError
	return errors.Is(err, ErrBreakerOpen) || errors.Is(err, ErrBacklog) || errors.Is(err, ErrNotMoved) || errors.As(err, &dial) && dial.Op == "dial" || notReady(err)
}

// mayMove reports whether an operation that failed may be done on another node.
// Doing it a second time must make no difference, or there was no first time.
func mayMove(access command.Access, failure error) bool {
	if kindOf(failure) == local {
		return false // the owner may be well, and goes on with what it has
	}
	switch access {
	case command.NoAccess: // the channel of a PUBLISH: its subscribers are elsewhere
		return false
	case command.Read, command.Overwrite, command.Delete:
		return true
	}
	return notSent(failure)
}

// walker is a placement that knows the successors of a key: *ring.Ring.
type walker interface {
	EachOwner(key string, yield func(node int) bool)
}

func needsSuccessors(p ring.Placement) error {
	if _, walks := p.(walker); !walks {
		return errors.New("config Failure.Policy: got Successor with a placement that has no successors, want *ring.Ring")
	}
	return nil
}

// successor returns the first node on the ring after the one that failed, and
// whether it owns the key: the ring may have changed since.
func successor(s *snapshot[*redisNode], key, failed string) (n *redisNode, owns bool) {
	w, walks := s.placement.(walker)
	if !walks {
		return nil, false
	}
	rank := 0
	w.EachOwner(key, func(node int) bool {
		if s.nodes[node].member().ID != failed {
			n, owns = s.nodes[node], rank == 0
			return false
		}
		rank++
		return true
	})
	return n, owns
}

// onSuccessor runs a command of one node on the node after it, if all of its
// keys have the same one.
func (r *Redis) onSuccessor(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string, failed *NodeError, failure error) error {
	s := r.fleet.current.Load()
	ctx = r.routedBy(ctx, s.view.Epoch)
	n, owns := successor(s, keys[0], failed.Node)
	for _, key := range keys[1:] {
		if m, o := successor(s, key, failed.Node); m != n || o != owns {
			return failure
		}
	}
	return r.gutter(ctx, c, cmd, keys, n, owns, failed, failure)
}

// splitOverSuccessors cuts a piece that failed by the nodes after its own.
func (r *Redis) splitOverSuccessors(ctx context.Context, c *command.Command, args []any, keys []string, lost share, failed *NodeError) []share {
	s := r.fleet.current.Load()
	ctx = r.routedBy(ctx, s.view.Epoch)
	type target struct {
		node *redisNode
		owns bool
	}
	at := make(map[target]int)
	var shares []share
	var targets []target
	for _, i := range lost.keys {
		node, owns := successor(s, keys[i], failed.Node)
		t := target{node, owns}
		j, has := at[t]
		if !has {
			j = len(shares)
			at[t] = j
			shares, targets = append(shares, share{node: node}), append(targets, t)
		}
		shares[j].keys = append(shares[j].keys, i)
	}
	r.crew.together(len(shares), func(j int) {
		sh := &shares[j]
		sh.cmd = redis.NewCmd(ctx, pieceArgs(c.Split(), args, sh.keys)...)
		names := make([]string, len(sh.keys))
		for k, i := range sh.keys {
			names[k] = keys[i]
		}
		sh.err = r.gutter(ctx, c, sh.cmd, names, sh.node, targets[j].owns, failed, lost.err)
	})
	for j := range shares {
		if shares[j].err == lost.err {
			shares[j].node = lost.node // it is the owner that failed
		}
	}
	return shares
}

// gutter runs a command on a node that does not own its keys, in place of one
// that failed. What it writes there expires soon: once the owner is back nobody
// looks there again. The life is cut in the same transaction, so that no value
// stays if the client dies in between.
//
// A delete is done there too, lest the old value be read, and fails all the
// same: the owner may come back with it.
func (r *Redis) gutter(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string, n *redisNode, owns bool, failed *NodeError, failure error) error {
	access := c.Access(cmd.Args())
	_, blocks := c.Blocking(cmd.Args())
	if n == nil || blocks || !mayMove(access, failed.Err) || n.enter() == 0 {
		return failure
	}
	defer n.leave()
	cmd.SetErr(nil)
	if owns || access == command.Read || access == command.Delete {
		err := r.exec(ctx, n, c, cmd, 1)
		if access == command.Delete && !owns {
			return failure
		}
		return err
	}
	cmds := []redis.Cmder{cmd}
	for _, key := range keys {
		cmds = append(cmds, redis.NewIntCmd(ctx, "PEXPIRE", key, r.cfg.Failure.GutterTTL.Milliseconds(), "LT"))
	}
	_ = r.fly(ctx, n, queued(ctx, n.client.TxPipeline(), cmds...), "MULTI") // each command has its error
	return cmd.Err()
}
