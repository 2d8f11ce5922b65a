package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// share is the part of a split command that goes to one node.
type share struct {
	node *redisNode
	keys []int // which of the command's keys, in order
	cmd  *redis.Cmd
	err  error // nil and redis.Nil are answers
}

// split cuts a command into one for each node that owns some of its keys, runs
// them at the same time, and puts the replies together. A command whose keys
// have one owner goes there as it is.
func (r *Redis) split(ctx context.Context, c *command.Command, cmd redis.Cmder, keys []string) error {
	shares, err := r.shares(keys)
	if err == errMoving {
		return r.move(ctx, c, cmd)
	}
	if err != nil {
		return err
	}
	if len(shares) == 1 {
		return r.whole(ctx, shares[0].node, c, cmd, keys)
	}
	if !splittable(c, cmd) {
		for _, s := range shares {
			s.node.leave()
		}
		return unsplittable(c, cmd)
	}
	for i := range shares {
		shares[i].cmd = redis.NewCmd(ctx, pieceArgs(c.Split(), cmd.Args(), shares[i].keys)...)
	}
	ctx = r.routedBy(ctx, r.Epoch())
	r.crew.together(len(shares), func(i int) {
		s := &shares[i]
		s.err = r.execAndLeave(ctx, s.node, c, s.cmd, s.node.inFlight.Load())
	})
	return r.gather(c, cmd, keys, r.afterSplit(ctx, c, cmd.Args(), keys, shares))
}

// id names the node of a share; of one that failed, the node that failed.
func (s share) id() string {
	var failed *NodeError
	if errors.As(s.err, &failed) || s.node == nil {
		return failed.Node
	}
	return s.node.member().ID
}

// splittable reports whether the replies of pieces fit the command's type.
func splittable(c *command.Command, cmd redis.Cmder) bool {
	switch cmd.(type) {
	case *redis.Cmd:
		return true
	case *redis.IntCmd, *redis.BoolCmd:
		return c.Combine() == command.Sum
	case *redis.SliceCmd, *redis.StringSliceCmd, *redis.IntSliceCmd, *redis.JSONSliceCmd:
		return c.Combine() == command.InOrder
	case *redis.StatusCmd:
		return c.Combine() == command.AllSucceed
	case *redis.MapStringIntCmd: // PUBSUB NUMSUB
		return c.Combine() == command.Union
	}
	return false
}

func unsplittable(c *command.Command, cmd redis.Cmder) error {
	return &UnsupportedError{Command: c.Name(), Reason: fmt.Sprintf("its keys are on several nodes, whose replies cannot be made one %T", cmd)}
}

// shares groups the keys by owner. Every node in the result is entered.
// errMoving: move has to do it.
func (r *Redis) shares(keys []string) ([]share, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		if r.anyMoved(s, keys) {
			return nil, errMoving
		}
		shares := cut(s, keys)
		entered := 0
		for entered < len(shares) && shares[entered].node.enter() > 0 {
			entered++
		}
		if entered == len(shares) {
			return shares, nil
		}
		for _, sh := range shares[:entered] { // the ring has just changed
			sh.node.leave()
		}
	}
}

// cut groups the keys by owner, in the order of their first keys.
func cut(s *snapshot[*redisNode], keys []string) []share {
	shares := make([]share, 0, min(len(s.nodes), len(keys)))
	at := make([]int, len(s.nodes)) // 1 + the share of each node, 0 for none
	for i, key := range keys {
		owner := s.placement.OwnerIndex(key)
		if at[owner] == 0 {
			shares = append(shares, share{node: s.nodes[owner]})
			at[owner] = len(shares)
		}
		sh := &shares[at[owner]-1]
		sh.keys = append(sh.keys, i)
	}
	return shares
}

// cutBy groups keys, given by their positions, by node, in the order of their
// first keys.
func cutBy(keys []int, node func(int) *redisNode) []share {
	at := make(map[*redisNode]int)
	var shares []share
	for _, i := range keys {
		n := node(i)
		j, has := at[n]
		if !has {
			j = len(shares)
			at[n] = j
			shares = append(shares, share{node: n})
		}
		shares[j].keys = append(shares[j].keys, i)
	}
	return shares
}

func pieceArgs(p command.Pieces, args []any, keys []int) []any {
	piece := make([]any, 0, p.Head+len(keys)*p.Step+p.Tail)
	piece = append(piece, args[:p.Head]...)
	for _, i := range keys {
		piece = append(piece, args[p.Head+i*p.Step:p.Head+(i+1)*p.Step]...)
	}
	return append(piece, args[len(args)-p.Tail:]...)
}

// gather sets the command's result from the shares. If some failed the error is
// a *MultiError, and the result holds what the others gave: nil for the values
// of keys that could not be read, a sum over the rest.
func (r *Redis) gather(c *command.Command, cmd redis.Cmder, keys []string, shares []share) error {
	var failed *MultiError
	sum, values, status := int64(0), make([]any, len(keys)), "OK"
	for _, s := range shares {
		err := s.err
		if err == nil || err == redis.Nil {
			err = merge(c, s, &sum, values, &status)
		}
		if err == nil {
			continue
		}
		if failed == nil {
			failed = &MultiError{Command: c.Name(), Failed: map[string]error{}, Keys: map[string]error{}, Total: len(shares)}
		}
		s.err = err
		failed.Failed[s.id()] = err
		for _, i := range s.keys {
			failed.Keys[keys[i]] = err
		}
	}
	switch c.Combine() {
	case command.Sum:
		setResult(cmd, sum)
	case command.InOrder:
		setResult(cmd, values)
	case command.Union:
		setCounts(cmd, keys, values)
	default:
		if failed == nil {
			setResult(cmd, status)
		}
	}
	if failed != nil {
		return failed
	}
	return nil
}

var errReply = errors.New("a reply of an unexpected type")

func merge(c *command.Command, s share, sum *int64, values []any, status *string) error {
	switch c.Combine() {
	case command.Sum:
		n, isInt := s.cmd.Val().(int64)
		if !isInt {
			return errReply
		}
		*sum += n
	case command.InOrder:
		list, isList := s.cmd.Val().([]any)
		if !isList || len(list) != len(s.keys) {
			return errReply
		}
		for i, key := range s.keys {
			values[key] = list[i]
		}
	case command.Union: // of PUBSUB NUMSUB: a name and a count for each
		list, isList := s.cmd.Val().([]any)
		if !isList || len(list) != 2*len(s.keys) {
			return errReply
		}
		for i, key := range s.keys {
			values[key] = list[2*i+1]
		}
	default:
		if text, isText := s.cmd.Val().(string); isText {
			*status = text
		}
	}
	return nil
}

// setResult sets a command's result from a plain value, as far as the types go
// together.
func setResult(cmd redis.Cmder, value any) {
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		cmd.SetVal(value)
	case *redis.IntCmd:
		if n, ok := value.(int64); ok {
			cmd.SetVal(n)
		}
	case *redis.BoolCmd:
		if n, ok := value.(int64); ok {
			cmd.SetVal(n != 0)
		}
	case *redis.SliceCmd:
		if list, ok := value.([]any); ok {
			cmd.SetVal(list)
		}
	case *redis.StatusCmd:
		if text, ok := value.(string); ok {
			cmd.SetVal(text)
		}
	case *redis.StringSliceCmd:
		if list, ok := value.([]any); ok {
			texts := make([]string, len(list))
			for i, v := range list {
				texts[i], _ = v.(string)
			}
			cmd.SetVal(texts)
		}
	case *redis.IntSliceCmd:
		if list, ok := value.([]any); ok {
			numbers := make([]int64, len(list))
			for i, v := range list {
				numbers[i], _ = v.(int64)
			}
			cmd.SetVal(numbers)
		}
	case *redis.JSONSliceCmd:
		if list, ok := value.([]any); ok {
			cmd.SetVal(list)
		}
	}
}
