package router

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
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

// enterAll enters every node of the current snapshot.
func (r *Redis) enterAll() ([]*redisNode, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		entered := 0
		for entered < len(s.nodes) && s.nodes[entered].enter() > 0 {
			entered++
		}
		if entered == len(s.nodes) {
			return s.nodes, nil
		}
		leaveAll(s.nodes[:entered])
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
	switch c.Combine() {
	case command.Cursor:
		return r.scan(ctx, c, cmd, nodes)
	case command.FirstFound:
		return r.firstFound(ctx, c, cmd, nodes)
	}
	if !combinable(cmd) {
		return uncombinable(c, cmd)
	}
	replies := make([]*redis.Cmd, len(nodes))
	errs := make([]error, len(nodes))
	together(len(nodes), func(i int) {
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
		values = append(values, replies[i].Val())
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

// A composite cursor holds, in its upper 16 bits, the tag of the node that the
// scan is at, and below the cursor of that node. Nodes are scanned in the order
// of their tags, which are hashes of their IDs: a node that joins or leaves in
// the middle of a scan shifts none of the others.
const (
	cursorBits = 48
	cursorMask = 1<<cursorBits - 1
)

// ErrCursor reports a cursor that no SCAN of this client has returned, or a
// node's cursor beyond 48 bits, which Redis reaches at 2^48 keys.
var ErrCursor = errors.New("router: invalid SCAN cursor")

// scanOrder returns the nodes in the order of their tags, and the tags: 1 to
// 65535, different from each other.
func scanOrder(nodes []*redisNode) ([]*redisNode, []uint64) {
	tag := func(n *redisNode) uint64 {
		h := fnv.New64a()
		h.Write([]byte(n.member().ID))
		return h.Sum64()%65535 + 1
	}
	ordered := slices.Clone(nodes)
	slices.SortFunc(ordered, func(a, b *redisNode) int {
		if x, y := tag(a), tag(b); x != y {
			return int(x) - int(y)
		}
		if a.member().ID < b.member().ID {
			return -1
		}
		return 1
	})
	tags := make([]uint64, len(ordered))
	for i, n := range ordered {
		tags[i] = tag(n)
		if i > 0 && tags[i] <= tags[i-1] {
			tags[i] = tags[i-1] + 1
		}
	}
	return ordered, tags
}

func (r *Redis) scan(ctx context.Context, c *command.Command, cmd redis.Cmder, nodes []*redisNode) error {
	args := cmd.Args()
	text, _ := command.KeyString(args[1])
	cursor, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: got %q, want 0 or what SCAN returned", ErrCursor, clip(text))
	}
	ordered, tags := scanOrder(nodes)
	at, inNode := 0, uint64(0)
	if cursor != 0 {
		// The node may have left since: its successor in order is the one to go
		// on with, from its beginning.
		at, _ = slices.BinarySearch(tags, cursor>>cursorBits)
		if at < len(tags) && tags[at] == cursor>>cursorBits {
			inNode = cursor & cursorMask
		}
		if cursor>>cursorBits == 0 {
			return fmt.Errorf("%w: got %d, want 0 or what SCAN returned", ErrCursor, cursor)
		}
	}
	if at == len(ordered) {
		return setPage(cmd, []string{}, 0)
	}
	piece := redis.NewCmd(ctx, append([]any{args[0], inNode}, args[2:]...)...)
	if err := r.exec(ctx, ordered[at], c, piece, ordered[at].inFlight.Load()); err != nil {
		return err
	}
	page, next, err := pageOf(piece.Val())
	if err != nil {
		return err
	}
	switch {
	case next > cursorMask:
		return fmt.Errorf("%w: node %s gave %d", ErrCursor, ordered[at].member().ID, next)
	case next != 0:
		next |= tags[at] << cursorBits
	case at+1 < len(ordered):
		next = tags[at+1] << cursorBits
	}
	return setPage(cmd, page, next)
}

func pageOf(reply any) (page []string, cursor uint64, err error) {
	list, isList := reply.([]any)
	if !isList || len(list) != 2 {
		return nil, 0, errReply
	}
	text, isText := list[0].(string)
	cursor, err = strconv.ParseUint(text, 10, 64)
	keys, areKeys := list[1].([]any)
	if !isText || err != nil || !areKeys {
		return nil, 0, errReply
	}
	page = make([]string, len(keys))
	for i, k := range keys {
		page[i], _ = k.(string)
	}
	return page, cursor, nil
}

func setPage(cmd redis.Cmder, page []string, cursor uint64) error {
	switch cmd := cmd.(type) {
	case *redis.ScanCmd:
		cmd.SetVal(page, cursor)
		return nil
	case *redis.Cmd:
		keys := make([]any, len(page))
		for i, k := range page {
			keys[i] = k
		}
		cmd.SetVal([]any{strconv.FormatUint(cursor, 10), keys})
		return nil
	}
	return &UnsupportedError{Command: "SCAN", Reason: fmt.Sprintf("its result does not fit a %T", cmd)}
}
