package router

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
)

// maxReadCopy is the size in bytes above which a read does not copy what it has
// found on the current owner: the caller would wait for it, and so would everybody
// else on both servers. The mover brings such keys over.
const maxReadCopy = 1 << 20

// sighting is what a read saw on one node.
type sighting struct {
	node *redisNode // nil: none could be looked at
	look transit.RedisLook
}

// read asks one owner after the other, in the order of the rule.
func (m *move) read(ctx context.Context, cmd redis.Cmder, k movedKey) error {
	if !k.rule.onNext {
		return m.readCurrentFirst(ctx, cmd, k)
	}
	seen, err := m.readAt(ctx, cmd, k, k.next)
	if err != nil || seen.look.Present {
		return result(cmd, err)
	}
	there, err := m.readAt(ctx, cmd, k, k.now)
	if err != nil {
		return err
	}
	if there.look.Present {
		m.copyRead(ctx, k, seen, there.node)
		return cmd.Err()
	}
	// It may have gone over between the two.
	last, err := m.readAt(ctx, cmd, k, k.next)
	if err == nil && last.node == nil {
		return errOwed
	}
	return result(cmd, err)
}

// readCurrentFirst is read while the current owner counts. That the next one
// cannot be asked is no failure: the key is not expected there.
func (m *move) readCurrentFirst(ctx context.Context, cmd redis.Cmder, k movedKey) error {
	there, err := m.readAt(ctx, cmd, k, k.now)
	if err != nil || there.look.Present {
		return result(cmd, err)
	}
	ahead, err := m.readAt(ctx, cmd, k, k.next)
	if err == nil && ahead.look.Present {
		return cmd.Err()
	}
	if there.node == nil {
		return errOwed
	}
	// It may have been written here between the two, and buried there.
	_, err = m.readAt(ctx, cmd, k, k.now)
	return result(cmd, err)
}

// result returns the outcome of a command that has run.
func result(cmd redis.Cmder, err error) error {
	if err == nil {
		err = cmd.Err()
	}
	return err
}

// errOwed: what the nodes have under the key is no longer true, and they cannot
// be told. For the caller it is a miss.
var errOwed = errors.New("router: the key is absent")

// readAt runs a read on the first of the nodes that answers, and looks in the
// same step whether the key is there: the reply alone does not tell. A node that
// owes something on the key, and cannot be reached for it, counts as without it.
func (m *move) readAt(ctx context.Context, cmd redis.Cmder, k movedKey, nodes []*redisNode) (sighting, error) {
	var first error
	for _, n := range m.byZone(append([]*redisNode(nil), nodes...)) {
		if m.spool.settle(ctx, n.about.Load().ID, k.name) != nil {
			continue
		}
		look, err := m.readOn(ctx, n, cmd, k.name)
		if brokenConnection(err) && ctx.Err() == nil { // as in exec
			look, err = m.readOn(ctx, n, cmd, k.name)
		}
		var failed *NodeError
		if err == nil || !errors.As(err, &failed) || ctx.Err() != nil {
			return sighting{n, look}, err
		}
		if first == nil {
			first = err
		}
	}
	return sighting{}, first
}

func (m *move) readOn(ctx context.Context, n *redisNode, cmd redis.Cmder, key string) (transit.RedisLook, error) {
	cmd.SetErr(nil)
	looker := transit.NewLooker(ctx, key)
	err := m.fly(ctx, n, queued(ctx, n.client.TxPipeline(), append(looker.Cmds(), cmd)...), m.c.Name())
	var failed *NodeError
	if errors.As(err, &failed) {
		return transit.RedisLook{}, err
	}
	look, err := looker.Look()
	if isFull(err) {
		return m.readOnFull(ctx, n, cmd, key)
	}
	if aborted(err) { // nothing has run: the command has the reason
		return look, cmd.Err()
	}
	return look, err
}

// isFull reports the answer of a server that has no memory left.
func isFull(err error) bool { return redis.HasErrorPrefix(err, "OOM") }

// readOnFull is readOn for a server that has reached its maxmemory and evicts nothing:
// such a one takes no command into a transaction, reads neither. So it is asked whether
// the key is there before the command and after it, and the command saw the key if it
// was there both times. One that came or went meanwhile is as good as absent: whoever
// did that was at it while this read was under way, and the other owner is asked next.
func (m *move) readOnFull(ctx context.Context, n *redisNode, cmd redis.Cmder, key string) (transit.RedisLook, error) {
	cmd.SetErr(nil)
	looker, after := transit.NewLooker(ctx, key), redis.NewIntCmd(ctx, "exists", key)
	err := m.fly(ctx, n, queued(ctx, n.client.Pipeline(), append(looker.Cmds(), cmd, after)...), m.c.Name())
	var failed *NodeError
	if errors.As(err, &failed) {
		return transit.RedisLook{}, err
	}
	look, err := looker.Look()
	if err == nil {
		err = after.Err()
	}
	look.Present = look.Present && after.Val() > 0
	return look, err
}

// copyRead copies a key that a read has found on its current owner. It is no
// failure of the read if that does not work: the key stays where it is.
func (m *move) copyRead(ctx context.Context, k movedKey, seen sighting, from *redisNode) {
	if seen.node == nil || seen.look.Closed(m.s.moving.number) || len(without([]*redisNode{seen.node}, k.now)) == 0 {
		return
	}
	_, _ = m.carry(ctx, k.name, from, seen.node, seen.look, maxReadCopy)
}
