package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/command"
)

// route sends one command where it belongs. It is the innermost hook of the
// embedded client, and the whole of the hot path: the command's key, its owner,
// the owner's client.
func (r *Redis) route(ctx context.Context, cmd redis.Cmder) error {
	args := cmd.Args()
	c, known := r.table.Lookup(args)
	if !known {
		return &UnknownCommandError{Command: cmd.FullName()}
	}
	if reason, refused := c.Refusal(args); refused {
		return &UnsupportedError{Command: c.Name(), Reason: string(reason)}
	}
	if err := sendable(c, args); err != nil {
		return err
	}
	if pos, single := c.Key(args); single && c.Route() <= command.SplitByKey {
		key, err := r.key(args[pos])
		if err != nil {
			return err
		}
		if r.cfg.Replication.Factor > 1 {
			return r.copies(ctx, c, cmd, []string{key})
		}
		n, inFlight, err := r.enter(key)
		if err == errMoving {
			return r.move(ctx, c, cmd)
		}
		if err != nil {
			return err
		}
		if r.cfg.Tracer != nil {
			ctx = r.routedBy(ctx, r.Epoch())
		}
		err = r.execAndLeave(ctx, n, c, cmd, inFlight)
		if err != nil && err != redis.Nil && r.cfg.Failure.Policy != FailFast {
			return r.afterFailure(ctx, c, cmd, []string{key}, err)
		}
		return err
	}
	switch c.Route() {
	case command.OneNode, command.SplitByKey:
		return r.routeKeys(ctx, c, cmd)
	case command.AnyNode:
		return r.anyNode(ctx, c, cmd)
	}
	return r.allNodes(ctx, c, cmd)
}

// names returns the keys of a command, and after them names that stand for the
// keys that the server makes up from patterns of SORT: they are where a key of
// the pattern's hash tag is.
func (r *Redis) names(c *command.Command, args []any) ([]string, error) {
	var buf [16]command.Key
	keys, err := c.Keys(buf[:0], args)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, keyless(c)
	}
	names := make([]string, len(keys), len(keys)+1)
	for i, k := range keys {
		if names[i], err = r.key(args[k.Pos]); err != nil {
			return nil, err
		}
	}
	return r.appendPatterns(names, c, args)
}

// keyless refuses scripts that may write and name no key: they would run on any
// node, each time another one.
func keyless(c *command.Command) error {
	switch c.Name() {
	case "EVAL", "EVALSHA", "FCALL":
		return &UnsupportedError{Command: c.Name(), Reason: "without keys there is no node for what the script writes: " +
			"name the keys that it uses, take the _RO form if it writes nothing, or use ForEachNode"}
	}
	return nil
}

func (r *Redis) appendPatterns(names []string, c *command.Command, args []any) ([]string, error) {
	var buf [4]int
	for _, pos := range c.Patterns(buf[:0], args) {
		pattern, _ := command.KeyString(args[pos])
		tag := ring.Tag(strings.SplitN(pattern, "*", 2)[0])
		if !command.Pinned(pattern) || !r.tagsHold(tag) {
			return nil, &UnsupportedError{Command: c.Name(), Reason: fmt.Sprintf(
				"the pattern %q names keys that may be on any node: give it and the key one hash tag, as in {user:1}:weight_*", pattern)}
		}
		names = append(names, "{"+tag+"}")
	}
	return names, nil
}

// tagsHold reports whether the placement puts keys of a hash tag together, which
// a placement of the caller's making need not do. It is found out by trying.
func (r *Redis) tagsHold(tag string) bool {
	s := r.fleet.current.Load()
	if s.placement == nil {
		return true // and nothing is routed
	}
	together := s.placement.OwnerIndex("{" + tag + "}")
	for i := range 32 {
		if s.placement.OwnerIndex("{"+tag+"}"+strconv.Itoa(i)) != together {
			return false
		}
	}
	return true
}

// key views an argument as a key and applies the guard.
func (r *Redis) key(arg any) (string, error) {
	key, sent := command.KeyString(arg)
	if !sent {
		return "", &KeyError{Reason: "a value that cannot be sent to Redis"}
	}
	if r.cfg.Keys.MaxLength > 0 || r.cfg.Keys.Allowed != nil {
		return key, r.cfg.Keys.check(key)
	}
	return key, nil
}

// enter returns the client of the key's owner, with the request counted: leave
// must follow. A client that is being retired belongs to an older snapshot than
// the current one, so the loop ends. errMoving: move has to do it.
func (r *Redis) enter(key string) (n *redisNode, inFlight int64, err error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, 0, r.empty(s)
		}
		n = s.nodes[s.placement.OwnerIndex(key)]
		if s.moving != nil && r.moved(s, n, key) {
			return nil, 0, errMoving
		}
		if inFlight = n.enter(); inFlight > 0 {
			return n, inFlight, nil
		}
	}
}

// sendable refuses arguments that go-redis cannot write. It would find out in
// the middle of a packet, and drop the connection with what other callers have
// in the same packet.
func sendable(c *command.Command, args []any) error {
	for i, arg := range args {
		switch arg.(type) {
		case string, []byte, int, int64, float64, bool, time.Duration, time.Time:
			continue
		}
		if _, sent := command.KeyString(arg); !sent {
			return &UnsupportedError{Command: c.Name(), Reason: fmt.Sprintf(
				"argument %d: a %T cannot be sent: give a string, a []byte, a number or an encoding.BinaryMarshaler", i, arg)}
		}
	}
	return nil
}

// execAndLeave is exec on a node that was entered. It leaves the node also if a
// hook panics.
func (r *Redis) execAndLeave(ctx context.Context, n *redisNode, c *command.Command, cmd redis.Cmder, inFlight int64) error {
	defer n.leave()
	return r.exec(ctx, n, c, cmd, inFlight)
}

// exec runs a command on a node. A read that met a broken connection is sent
// once more; nothing else is ever sent twice.
func (r *Redis) exec(ctx context.Context, n *redisNode, c *command.Command, cmd redis.Cmder, inFlight int64) error {
	_, blocks := c.Blocking(cmd.Args())
	err := r.send(ctx, n, c, cmd, inFlight, blocks)
	if err != nil && err != redis.Nil && ctx.Err() == nil && !blocks && !cmd.NoRetry() && brokenConnection(err) && c.Access(cmd.Args()) == command.Read {
		return r.send(ctx, n, c, cmd, inFlight, blocks)
	}
	return err
}

// brokenConnection reports a connection that had been there and failed, as those
// of a pool do after the server was restarted: to ask again on another one may
// help and does not cost much. A time-out or an open breaker is no such thing.
func brokenConnection(err error) bool {
	var failed *NodeError
	return errors.As(err, &failed) && kindOf(failed.Err) == network && !notSent(failed.Err)
}

func (r *Redis) send(ctx context.Context, n *redisNode, c *command.Command, cmd redis.Cmder, inFlight int64, blocks bool) (err error) {
	if r.cfg.Tracer != nil {
		traced, done := r.trace(ctx, n, c.Name(), 1)
		ctx = traced
		defer func() { done(answer(err)) }()
	}
	begun, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer begun.giveUp(&n.node)
	if blocks {
		return n.end(ctx, &begun, n.processBlocking(ctx, c, cmd), blocks)
	}
	// A few callers gain nothing from sharing packets, and would wait for the
	// goroutine that fills them and for the packet before.
	if n.pipe != nil && inFlight > few && !c.RepliesFreely() && ctx.Value(plainKey{}) == nil {
		err = n.sendShared(ctx, cmd)
	} else {
		err = n.client.Process(ctx, cmd)
	}
	return n.end(ctx, &begun, err, blocks)
}

// few is up to how many requests in flight on a node have a connection each.
const few = 4

// processBlocking waits as long as the server will. go-redis knows how long that
// is for its own methods, and not for Do.
func (n *redisNode) processBlocking(ctx context.Context, c *command.Command, cmd redis.Cmder) error {
	if _, plain := cmd.(*redis.Cmd); !plain {
		return n.client.Process(ctx, cmd)
	}
	timeout, _ := c.Blocking(cmd.Args())
	if timeout > 0 {
		timeout += blockingGrace
	}
	return n.client.Process(context.WithValue(ctx, patienceKey{}, timeout), cmd)
}

// patienceKey is of the context of a blocking command: how long its reply may take,
// 0 for ever.
type patienceKey struct{}

// patientHook gives such commands to a client that waits so long. It is the
// innermost of the hooks that a node's client has from the start, since the
// client that waits has none of them.
type patientHook struct{ client *redis.Client }

func (h patientHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h patientHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h patientHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, by := cmd.(*redis.Cmd); by {
			if patience, is := ctx.Value(patienceKey{}).(time.Duration); is {
				return h.client.WithTimeout(patience).Process(ctx, cmd)
			}
		}
		return next(ctx, cmd)
	}
}

// blockingGrace is how much later than a blocking command's own time-out its
// reply is given up: what go-redis allows its methods.
const blockingGrace = 10 * time.Second

// sendShared lets the command ride with those of other callers. The
// auto-pipeliner cannot give a command back before it has run, so a caller whose
// context can end lends it a copy: if the caller leaves early, the copy is
// written to and nobody looks.
func (n *redisNode) sendShared(ctx context.Context, cmd redis.Cmder) error {
	if ctx.Done() == nil {
		return n.pipe.Process(ctx, cmd)
	}
	twin, ok := cloneResultless(cmd)
	if !ok {
		return n.client.Process(ctx, cmd)
	}
	keepArgs(twin.Args())
	future := n.queue.Submit(context.WithoutCancel(ctx), twin)
	if err := future.WaitContext(ctx); err != nil && err == ctx.Err() {
		return err
	}
	copyResult(cmd, twin)
	return twin.Err()
}

// keepArgs replaces arguments that the caller could change by copies: one that
// left early may fill its buffer anew before the packet is written.
func keepArgs(args []any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case string, int, int64, float64, bool, time.Duration, time.Time:
		case []byte:
			args[i] = bytes.Clone(v)
		default:
			args[i], _ = command.KeyString(v)
		}
	}
}

// routeKeys routes a command with several keys, or with keys at places that
// depend on its arguments.
func (r *Redis) routeKeys(ctx context.Context, c *command.Command, cmd redis.Cmder) error {
	names, err := r.names(c, cmd.Args())
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return r.anyNode(ctx, c, cmd)
	}
	if r.cfg.Replication.Factor > 1 {
		return r.copies(ctx, c, cmd, names)
	}
	if c.Route() == command.SplitByKey {
		return r.split(ctx, c, cmd, names)
	}
	n, err := r.nodeOfAll(c.Name(), names)
	if err == errMoving {
		return r.move(ctx, c, cmd)
	}
	if err != nil {
		return err
	}
	return r.whole(ctx, n, c, cmd, names)
}

// whole runs a command on the one node that has all its keys, and was entered.
func (r *Redis) whole(ctx context.Context, n *redisNode, c *command.Command, cmd redis.Cmder, keys []string) error {
	ctx = r.routedBy(ctx, r.Epoch())
	err := r.execAndLeave(ctx, n, c, cmd, n.inFlight.Load())
	if err != nil && err != redis.Nil && r.cfg.Failure.Policy != FailFast {
		return r.afterFailure(ctx, c, cmd, keys, err)
	}
	return err
}

// nodeOfAll returns the client of the one node that owns all keys, with the
// request counted, or a *CrossNodeError. errMoving: move has to do it.
func (r *Redis) nodeOfAll(name string, keys []string) (*redisNode, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		if r.anyMoved(s, keys) {
			return nil, errMoving
		}
		first := s.placement.OwnerIndex(keys[0])
		for _, key := range keys[1:] {
			if s.placement.OwnerIndex(key) != first {
				return nil, s.crossing(name, keys)
			}
		}
		if n := s.nodes[first]; n.enter() > 0 {
			return n, nil
		}
	}
}

func (s *snapshot[P]) crossing(name string, keys []string) error {
	e := &CrossNodeError{Command: name, Keys: keys}
	for _, key := range keys {
		e.Nodes = append(e.Nodes, s.nodes[s.placement.OwnerIndex(key)].member().ID)
	}
	return e
}
