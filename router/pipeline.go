package router

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// routePipeline is the innermost hook for pipelines and transactions.
func (r *Redis) routePipeline(ctx context.Context, cmds []redis.Cmder) error {
	if isTransaction(cmds) {
		return r.transaction(ctx, cmds[1:len(cmds)-1])
	}
	b, err := r.plan(ctx, cmds)
	if err != nil {
		setErrors(cmds, err)
		return err
	}
	b.run(ctx)
	for _, finish := range b.finish { // in the order of the commands
		finish()
	}
	b.waiting.run(ctx, r)
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// isTransaction reports what TxPipeline makes. MULTI and EXEC by Do look the same
// but for their types, and would be left without results.
func isTransaction(cmds []redis.Cmder) bool {
	if len(cmds) < 2 {
		return false
	}
	first, last := cmds[0], cmds[len(cmds)-1]
	_, begins := first.(*redis.StatusCmd)
	_, ends := last.(*redis.SliceCmd)
	return begins && ends && strings.EqualFold(first.Name(), "multi") && strings.EqualFold(last.Name(), "exec")
}

// batches is a pipeline cut by node: one flight each.
type batches struct {
	router  *Redis
	epoch   uint64             // of the ring by which they were cut
	flights []flight           // each node entered once
	at      map[*redisNode]int // of flights; made when they are too many to look through
	finish  []func()           // puts the replies of split commands together
	waiting deferred           // what concerns keys on the move
	room    int                // for about as many commands as a flight will have
	refused error              // why nothing of it may be sent

	before *command.Command // of the command before, if its name alone says which it is
	name   string           // its name, as it was given
}

// flight is what goes to one node, in the pipeline that will send it.
type flight struct {
	node *redisNode
	pipe redis.Pipeliner
}

// blank makes room in pipelines: go-redis has no other way to ask for it.
var blank [256]redis.Cmder

// fewFlights are found faster by looking at each than in a map.
const fewFlights = 16

// plan routes every command of a pipeline by one snapshot. A command that cannot
// be routed has its error and goes nowhere; the others go all the same.
func (r *Redis) plan(ctx context.Context, cmds []redis.Cmder) (*batches, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		b := &batches{router: r, epoch: s.view.Epoch, room: len(cmds)/len(s.nodes) + 8}
		for _, cmd := range cmds {
			cmd.SetErr(nil)
			if err := b.add(ctx, s, cmd); err != nil {
				cmd.SetErr(err)
			}
		}
		if b.refused != nil {
			return nil, b.refused
		}
		entered := 0
		for entered < len(b.flights) && b.flights[entered].node.enter() > 0 {
			entered++
		}
		if entered == len(b.flights) {
			return b, nil
		}
		for _, f := range b.flights[:entered] { // the ring has just changed
			f.node.leave()
		}
	}
}

func (b *batches) put(ctx context.Context, n *redisNode, cmd redis.Cmder) {
	_ = b.flightTo(ctx, n).pipe.Process(ctx, cmd) // queues it
}

func (b *batches) flightTo(ctx context.Context, n *redisNode) *flight {
	if b.at == nil {
		for i := range b.flights {
			if b.flights[i].node == n {
				return &b.flights[i]
			}
		}
		if len(b.flights) == fewFlights {
			b.at = make(map[*redisNode]int)
			for i, f := range b.flights {
				b.at[f.node] = i
			}
		}
	} else if i, has := b.at[n]; has {
		return &b.flights[i]
	}
	if b.at != nil {
		b.at[n] = len(b.flights)
	}
	pipe := n.client.Pipeline()
	_ = pipe.BatchProcess(ctx, blank[:min(b.room, len(blank))]...)
	pipe.Discard() // and keeps the room
	b.flights = append(b.flights, flight{node: n, pipe: pipe})
	return &b.flights[len(b.flights)-1]
}

func (b *batches) add(ctx context.Context, s *snapshot[*redisNode], cmd redis.Cmder) error {
	r, args := b.router, cmd.Args()
	c, known := b.lookup(args)
	if !known {
		return &UnknownCommandError{Command: cmd.FullName()}
	}
	if reason, refused := c.Refusal(args); refused {
		err := &UnsupportedError{Command: c.Name(), Reason: string(reason)}
		if reason == command.ReasonTransaction { // without it the others would be no transaction
			b.refused = err
		}
		return err
	}
	if _, blocks := c.Blocking(args); blocks {
		return &UnsupportedError{Command: c.Name(), Reason: "a blocking command would hold up all that follow it in a pipeline: send it by itself"}
	}
	if err := sendable(c, args); err != nil {
		return err
	}
	if s.moving != nil {
		if waits, err := b.waiting.wait(r, s, c, cmd); waits || err != nil {
			return err
		}
	}
	if pos, single := c.Key(args); single && c.Route() <= command.SplitByKey && r.alone() {
		key, err := r.key(args[pos])
		if err == nil {
			b.put(ctx, s.nodes[s.placement.OwnerIndex(key)], cmd)
		}
		return err
	}
	switch c.Route() {
	case command.AnyNode:
		b.put(ctx, anyOf(s.nodes), cmd)
		return nil
	case command.AllNodes:
		return b.addAll(ctx, s, c, cmd)
	}
	names, err := r.names(c, args)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		b.put(ctx, anyOf(s.nodes), cmd)
		return nil
	}
	first, one := 0, true
	for i, name := range names {
		owner := s.placement.OwnerIndex(name)
		if i == 0 {
			first = owner
		}
		one = one && owner == first
	}
	if r.cfg.Replication.Factor > 1 {
		return b.addCopies(ctx, s, c, cmd, names)
	}
	if one {
		b.put(ctx, s.nodes[first], cmd)
		b.addPolicy(ctx, c, cmd, names)
		return nil
	}
	if c.Route() != command.SplitByKey {
		return s.crossing(c.Name(), names)
	}
	if !splittable(c, cmd) {
		return unsplittable(c, cmd)
	}
	b.addSplit(ctx, s, c, cmd, names)
	return nil
}

// lookup is that of the table, quicker for a command like the one before.
func (b *batches) lookup(args []any) (*command.Command, bool) {
	if name, is := text(args); is && b.before != nil && name == b.name {
		return b.before, true
	}
	c, known := b.router.table.Lookup(args)
	b.before = nil
	if name, is := text(args); is && known && len(name) == len(c.Name()) && !c.HasSubcommands() {
		b.before, b.name = c, name
	}
	return c, known
}

// text returns the name of a command where it is a string, as go-redis has it.
func text(args []any) (name string, is bool) {
	if len(args) > 0 {
		name, is = args[0].(string)
	}
	return name, is
}

// alone reports whether nothing but its owner has to do with a key: there are
// no copies, and no failure policy that would need the key once more.
func (r *Redis) alone() bool {
	return r.cfg.Replication.Factor <= 1 && r.cfg.Failure.Policy == FailFast
}

// addSplit puts the pieces of a command into the flights of their nodes.
func (b *batches) addSplit(ctx context.Context, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder, names []string) {
	shares := cut(s, names)
	for i := range shares {
		shares[i].cmd = redis.NewCmd(ctx, pieceArgs(c.Split(), cmd.Args(), shares[i].keys)...)
		b.put(ctx, shares[i].node, shares[i].cmd)
	}
	b.finish = append(b.finish, func() {
		for i := range shares {
			shares[i].err = shares[i].cmd.Err()
		}
		shares = b.router.afterSplit(ctx, c, cmd.Args(), names, shares)
		if err := b.router.gather(c, cmd, names, shares); err != nil {
			cmd.SetErr(err)
		}
	})
}

// addAll puts a copy of a command that concerns every node into each flight.
func (b *batches) addAll(ctx context.Context, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder) error {
	if c.Combine() == command.Cursor || c.Combine() == command.FirstFound {
		return &UnsupportedError{Command: c.Name(), Reason: "it asks one node after the other: send it by itself"}
	}
	if !combinable(cmd) {
		return uncombinable(c, cmd)
	}
	replies := make([]*redis.Cmd, len(s.nodes))
	for i, n := range s.nodes {
		replies[i] = redis.NewCmd(ctx, cmd.Args()...)
		b.put(ctx, n, replies[i])
	}
	b.finish = append(b.finish, func() {
		errs := make([]error, len(replies))
		for i, reply := range replies {
			errs[i] = reply.Err()
		}
		if err := combineAll(c, cmd, s.nodes, replies, errs); err != nil {
			cmd.SetErr(err)
		}
	})
	return nil
}

// run sends all flights at the same time and waits for them.
func (b *batches) run(ctx context.Context) {
	ctx = b.router.routedBy(ctx, b.epoch)
	b.router.crew.together(len(b.flights), func(i int) { b.fly(ctx, &b.flights[i]) })
}

func (b *batches) fly(ctx context.Context, f *flight) {
	defer f.node.leave()
	_ = b.router.fly(ctx, f.node, f.pipe, "PIPELINE") // each command has its error
}

// fly runs what a pipeline or transaction of the node has queued. Commands without
// a reply have the error of the flight.
func (r *Redis) fly(ctx context.Context, n *redisNode, pipe redis.Pipeliner, name string) (err error) {
	cmds := pipe.Cmds()
	if r.cfg.Tracer != nil {
		traced, done := r.trace(ctx, n, name, len(cmds))
		ctx = traced
		defer func() { done(answer(err)) }()
	}
	begun, err := n.begin(ctx)
	if err != nil {
		setErrors(cmds, err)
		return err
	}
	defer begun.giveUp(&n.node)
	_, err = pipe.Exec(ctx)
	err = n.end(ctx, &begun, err, false)
	if err != nil && !slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Err() != nil }) {
		// go-redis leaves the commands without an error if the server refuses
		// the connection with one: a wrong password.
		setErrors(cmds, err)
	}
	var failed *NodeError
	if errors.As(err, &failed) {
		for _, cmd := range cmds {
			if kind := kindOf(cmd.Err()); kind != reply && kind != fine {
				cmd.SetErr(err)
			}
		}
	}
	return err
}

// queued puts commands into a pipeline.
func queued(ctx context.Context, pipe redis.Pipeliner, cmds ...redis.Cmder) redis.Pipeliner {
	_ = pipe.BatchProcess(ctx, cmds...)
	return pipe
}

func setErrors(cmds []redis.Cmder, err error) {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}
