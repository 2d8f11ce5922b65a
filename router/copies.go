package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/command"
)

// replicator is a placement that knows the nodes that hold copies of a key:
// *ring.Ring.
type replicator interface {
	Replicas(dst []ring.Node, key string, n int) []ring.Node
}

func needsReplicas(p ring.Placement) error {
	if _, has := p.(replicator); !has {
		return errors.New("config Replication.Factor: got more than 1 with a placement that has no replicas, want *ring.Ring")
	}
	return nil
}

// holders returns the nodes that hold copies of all keys, the owner first, or
// nil if the keys differ in that.
func (r *Redis) holders(s *snapshot[*redisNode], keys []string) []*redisNode {
	placement := s.placement.(replicator) // checked when the snapshot was made
	var buf, other [8]ring.Node
	first := placement.Replicas(buf[:0], keys[0], r.cfg.Replication.Factor)
	for _, key := range keys[1:] {
		if !slices.Equal(first, placement.Replicas(other[:0], key, r.cfg.Replication.Factor)) {
			return nil
		}
	}
	nodes := make([]*redisNode, len(first))
	for i, n := range first {
		nodes[i] = s.nodes[s.index[n.ID]]
	}
	return nodes
}

// need is how many copies a write must reach.
func (c ReplicationConfig) need() int {
	if c.Quorum {
		return c.Factor/2 + 1
	}
	return c.Factor
}

// enough refuses a write that could not reach enough copies whatever happens.
func (r *Redis) enough(c *command.Command, holders int) error {
	if need := r.cfg.Replication.need(); holders < need {
		return fmt.Errorf("%w: %s needs %d copies, the fleet has %d", ErrTooFewNodes, c.Name(), need, holders)
	}
	return nil
}

// copies runs a command whose keys have copies on several nodes.
func (r *Redis) copies(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string) error {
	access := c.Access(cmd.Args())
	if access == command.NoAccess { // a channel, which lives on its owner alone
		n, err := r.nodeOfAll(c.Name(), keys)
		if err == errMoving {
			return r.move(ctx, c, cmd)
		}
		if err != nil {
			return err
		}
		return r.execAndLeave(ctx, n, c, cmd, n.inFlight.Load())
	}
	if access != command.Read {
		if err := replicable(c, cmd.Args()); err != nil {
			return err
		}
	}
	s := r.fleet.current.Load()
	if s.placement == nil {
		return r.empty(s)
	}
	if r.anyMoved(s, keys) {
		return r.move(ctx, c, cmd)
	}
	holders := r.holders(s, keys)
	switch {
	case holders == nil && c.Route() != command.SplitByKey:
		return s.crossing(c.Name(), keys)
	case holders == nil && !splittable(c, cmd):
		return unsplittable(c, cmd)
	case holders == nil && access == command.Read:
		return r.splitReads(ctx, s, c, cmd, keys)
	case holders == nil:
		return r.splitWrites(ctx, s, c, cmd, keys)
	case access == command.Read:
		return r.readCopy(ctx, c, cmd, keys, holders)
	}
	return r.writeCopies(ctx, c, cmd, keys)
}

// byZone puts the nodes of the router's own zone first, and keeps the order
// otherwise.
func (r *Redis) byZone(holders []*redisNode) []*redisNode {
	if zone := r.cfg.Replication.Zone; zone != "" {
		slices.SortStableFunc(holders, func(a, b *redisNode) int {
			return boolRank(a.member().Zone != zone) - boolRank(b.member().Zone != zone)
		})
	}
	return holders
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// readCopy asks one holder after the other until one answers. One whose breaker
// is open costs nothing.
func (r *Redis) readCopy(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string, holders []*redisNode) error {
	var first error
	ctx = r.routedBy(ctx, r.Epoch())
	for _, n := range r.byZone(holders) {
		inFlight := n.enter()
		if inFlight == 0 { // it has just left the fleet
			continue
		}
		cmd.SetErr(nil)
		err := r.execAndLeave(ctx, n, c, cmd, inFlight)
		var failed *NodeError
		if !errors.As(err, &failed) || ctx.Err() != nil {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return r.copies(ctx, c, cmd, keys) // all have left: there is another ring
	}
	return r.afterFailure(ctx, c, cmd, keys, first)
}

// errApart: keys that had the same nodes no longer have.
var errApart = errors.New("the ring has changed")

// enterHolders enters the nodes that hold copies of the keys. errMoving: move has
// to do it. errApart: they have to be routed anew.
func (r *Redis) enterHolders(keys []string) ([]*redisNode, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		if r.anyMoved(s, keys) {
			return nil, errMoving
		}
		holders := r.holders(s, keys)
		if holders == nil {
			return nil, errApart
		}
		if enterEach(holders) {
			return holders, nil
		}
	}
}

// enterEach enters all nodes, or none.
func enterEach(nodes []*redisNode) bool {
	for i, n := range nodes {
		if n.enter() == 0 {
			leaveAll(nodes[:i])
			return false
		}
	}
	return true
}

// writeCopies runs a command on all holders at the same time. It waits for all
// of them, also where a majority is enough: the arguments belong to the caller
// again when it returns.
func (r *Redis) writeCopies(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string) error {
	holders, err := r.enterHolders(keys)
	switch err {
	case errMoving:
		return r.move(ctx, c, cmd)
	case errApart:
		return r.copies(ctx, c, cmd, keys)
	}
	if err != nil {
		return err
	}
	defer leaveAll(holders)
	if err := r.enough(c, len(holders)); err != nil {
		return err
	}
	cmds := twins(ctx, cmd, len(holders))
	errs := make([]error, len(holders))
	r.crew.together(len(holders), func(i int) {
		errs[i] = r.exec(ctx, holders[i], c, cmds[i], holders[i].inFlight.Load())
		cmds[i].SetErr(errs[i])
	})
	return r.settle(c, cmds, keys, holders)
}

// twins returns the command and as many copies as are missing to n. They share
// the arguments.
func twins(ctx context.Context, cmd redis.Cmder, n int) []redis.Cmder {
	cmds := make([]redis.Cmder, n)
	cmds[0] = cmd
	for i := 1; i < n; i++ {
		var typed bool
		if cmds[i], typed = cloneResultless(cmd); !typed {
			cmds[i] = redis.NewCmd(ctx, cmd.Args()...)
		}
	}
	return cmds
}

// settle makes one outcome of those of the copies: the first answer, in the
// order of the holders, if there are enough of them. The result is in cmds[0].
func (r *Redis) settle(c *command.Command, cmds []redis.Cmder, keys []string, holders []*redisNode) error {
	failed := &MultiError{Command: c.Name(), Failed: map[string]error{}, Keys: map[string]error{}, Total: len(cmds)}
	answers, replies, best := 0, 0, -1
	for i, cmd := range cmds {
		err := cmd.Err()
		if err == nil || err == redis.Nil {
			answers++
			if best < 0 {
				best = i
			}
			continue
		}
		if kindOf(err) == reply {
			replies++
		}
		failed.Failed[holders[i].member().ID] = err
		for _, key := range keys {
			if failed.Keys[key] == nil {
				failed.Keys[key] = err
			}
		}
	}
	switch {
	case replies == len(cmds): // all of them refuse it, and for the same reason
		return cmds[0].Err()
	case answers < r.cfg.Replication.need():
		return failed
	case best == 0:
		return cmds[0].Err()
	}
	if _, typed := cloneResultless(cmds[0]); !typed {
		return failed
	}
	copyResult(cmds[0], cmds[best])
	return cmds[0].Err()
}

// replicable refuses writes of which copies would differ even if nothing failed
// and nobody else wrote.
func replicable(c *command.Command, args []any) error {
	refuse := func(why string) error {
		return &UnsupportedError{Command: c.Name(), Reason: "with a replication factor above 1: " + why}
	}
	if _, blocks := c.Blocking(args); blocks {
		return refuse("a blocking command would take from each copy what came there first")
	}
	switch c.Name() {
	case "SPOP":
		return refuse("each copy would lose other members: use SRANDMEMBER and SREM")
	case "XADD":
		for _, arg := range args {
			if text, _ := command.KeyString(arg); text == "*" || strings.HasSuffix(text, "-*") {
				return refuse("each copy would choose another ID: give the whole ID")
			}
		}
	case "XREADGROUP", "XCLAIM", "XAUTOCLAIM":
		return refuse("who was given an entry, and when, would differ between the copies")
	case "EVAL", "EVALSHA", "FCALL", "MIGRATE":
		return refuse("what it does may differ between the copies")
	case "SETNX", "MSETNX":
		return refuse("a condition has to be decided by one node")
	case "SET":
		for _, arg := range args[min(3, len(args)):] {
			if text, _ := command.KeyString(arg); strings.EqualFold(text, "NX") {
				return refuse("a condition has to be decided by one node")
			}
		}
	}
	return nil
}
