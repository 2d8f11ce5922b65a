package router

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/command"
)

// followUp is one invalidation that a command has to be followed by.
type followUp struct {
	node *redisNode
	debt debt
}

// followUps returns what has to follow the command. The nodes are those of one
// ring that are not in the other: what is in both has run the command.
func (m *move) followUps() []followUp {
	var all []followUp
	add := func(nodes []*redisNode, d debt) {
		for _, n := range nodes {
			d.node, d.transition = n.about.Load().ID, m.s.moving.number
			all = append(all, followUp{n, d})
		}
	}
	for _, k := range m.keys {
		switch k.rule.then {
		case buryNext:
			add(without(k.next, k.now), debt{key: k.name, bury: true, kind: transit.Open, yields: k.rule.yields})
		case removeCurrent:
			add(without(k.now, k.next), replaced(k.name, k.rule))
		}
	}
	return all
}

// replaced is what the old owner of a key is told when the new one has been written
// to. A delete alone would do on the way forth. But if the transition is aborted,
// clients that know it bring keys back at the same time: one that has read the new
// owner before this write must not arrive at the old one after it.
func replaced(key string, r rule) debt {
	return debt{key: key, bury: true, kind: transit.Open, yields: r.yields}
}

// reserve makes room for all follow-ups, in case their nodes cannot be reached.
// Nothing has been sent if there is none. release must follow.
func (m *move) reserve(all []followUp) error {
	for i, f := range all {
		if !m.spool.reserve(f.debt.node, f.debt.key) {
			m.release(all[:i])
			return f.node.fail(ErrBacklog)
		}
	}
	return nil
}

func (m *move) release(all []followUp) {
	for _, f := range all {
		if f.debt.node != "" { // it was not turned into a debt
			m.spool.release(f.debt.node, f.debt.key)
		}
	}
}

// follow does what has to follow, at the same time, whatever has become of the
// caller meanwhile: the first half is done. What cannot be done is owed. It
// returns how many of the keys were there, and the first error.
func (m *move) follow(ctx context.Context, all []followUp) (existed int64, err error) {
	ctx = context.WithoutCancel(ctx)
	was, errs := make([]bool, len(all)), make([]error, len(all))
	m.crew.together(len(all), func(i int) { was[i], errs[i] = m.place(ctx, all[i].node, all[i].debt) })
	for i := range all {
		if was[i] {
			existed++
		}
		if errs[i] == nil {
			continue
		}
		m.spool.owe(all[i].debt)
		all[i].debt.node = "" // the debt has the room now
		if err == nil {
			err = errs[i]
		}
	}
	return existed, err
}

// place does what a debt says on a node that was entered, and returns whether the
// key was there.
func (r *Redis) place(ctx context.Context, n *redisNode, d debt) (existed bool, err error) {
	name := "UNLINK"
	if d.bury {
		name = "TOMBSTONE"
	}
	err = r.ask(ctx, n, name, func(ctx context.Context, client *redis.Client) (err error) {
		if d.bury {
			server := transit.Redis{Client: client, Transition: d.transition}
			if d.yields {
				existed, err = server.BuryUnlessClosed(ctx, d.key)
				return err
			}
			existed, err = server.Bury(ctx, d.kind, d.key)
			return err
		}
		count, err := client.Unlink(ctx, d.key).Result()
		existed = count > 0
		return err
	})
	return existed, err
}

// payDebt is how the spool pays: see place. A node that owns the key has to be told
// however late it is, for it is asked. Long after the transition no copy is on its
// way, so that there is nothing to keep away with a tombstone.
func (r *Redis) payDebt(ctx context.Context, d debt) error {
	s := r.fleet.current.Load()
	if s.placement == nil {
		return ErrNoNodes
	}
	forgives := s.moving.forgives()
	if forgives || s.moving.swept(d.transition) {
		if !slices.ContainsFunc(r.holdersOn(s, false, d.key), func(n *redisNode) bool { return n.about.Load().ID == d.node }) {
			return errForgiven
		}
	}
	d.bury = d.bury && !forgives
	for _, n := range s.all() {
		if n.about.Load().ID != d.node {
			continue
		}
		if n.enter() == 0 {
			return n.fail(ErrClosed) // it has just been replaced
		}
		defer n.leave()
		_, err := r.place(ctx, n, d)
		return err
	}
	return errForgiven
}

// write runs any command but those of read and delete: its keys are brought over
// where that is due, it runs on the nodes of one ring, and those of the other are
// told.
func (m *move) write(ctx context.Context, cmd redis.Cmder) error {
	home, err := m.home()
	if err != nil {
		return err
	}
	if m.writes() && m.cfg.Replication.Factor > 1 {
		if err := replicable(m.c, cmd.Args()); err != nil {
			return err
		}
		if err := m.enough(m.c, len(home)); err != nil {
			return err
		}
	}
	all := m.followUps()
	if err := m.reserve(all); err != nil {
		return err
	}
	defer m.release(all)
	if err := m.prepare(ctx, home); err != nil {
		return err
	}
	if err = m.runOn(ctx, home, cmd); err != nil && err != redis.Nil {
		return err // what has become of it is not known: nobody is told of it
	}
	existed, _ := m.follow(ctx, all)
	if m.isDel() && existed > 0 && len(m.keys) == 1 {
		setResult(cmd, int64(1))
	}
	return err
}

// writes reports whether the command changes any of its keys.
func (m *move) writes() bool {
	for _, k := range m.keys {
		if k.access != command.Read && k.access != command.NoAccess {
			return true
		}
	}
	return false
}

// prepare makes the nodes ready to run the command: they owe nothing on its keys,
// and have them if they may.
func (m *move) prepare(ctx context.Context, home []*redisNode) error {
	for _, k := range m.keys {
		for _, n := range home {
			if err := m.spool.settle(ctx, n.about.Load().ID, k.name); err != nil {
				if !m.writes() {
					return errOwed
				}
				var failed *NodeError
				if !errors.As(err, &failed) {
					err = n.fail(err)
				}
				return err
			}
		}
		if k.rule.bring || k.rule.second && k.rule.onNext {
			if err := m.bring(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// runOn runs the command on the nodes. A read needs one of them.
func (m *move) runOn(ctx context.Context, nodes []*redisNode, cmd redis.Cmder) error {
	cmd.SetErr(nil)
	switch {
	case len(nodes) == 1:
		return m.guarded(ctx, nodes[0], cmd)
	case !m.writes():
		names := make([]string, len(m.keys))
		for i, k := range m.keys {
			names[i] = k.name
		}
		return m.readCopy(ctx, m.c, cmd, names, append([]*redisNode(nil), nodes...))
	}
	cmds := twins(ctx, cmd, len(nodes))
	m.crew.together(len(nodes), func(i int) { cmds[i].SetErr(m.guarded(ctx, nodes[i], cmds[i])) })
	names := make([]string, len(m.keys))
	for i, k := range m.keys {
		names[i] = k.name
	}
	return m.settle(m.c, cmds, names, nodes)
}

// guarded runs the command on one node, in one step with the guards of those of
// its keys that this node acquires. A command that waits cannot be part of a
// transaction: its guards are set before, and once more after it.
func (m *move) guarded(ctx context.Context, n *redisNode, cmd redis.Cmder) error {
	guards := m.guards(ctx, n)
	if len(guards) == 0 {
		return m.exec(ctx, n, m.c, cmd, n.inFlight.Load())
	}
	if _, blocks := m.c.Blocking(cmd.Args()); !blocks {
		_ = m.fly(ctx, n, queued(ctx, n.client.TxPipeline(), append(guards, cmd)...), m.c.Name()) // the command has its error
		if err := cmd.Err(); !aborted(err) {
			return err
		}
		return firstError(append(guards, cmd))
	}
	if err := m.fly(ctx, n, queued(ctx, n.client.Pipeline(), guards...), "TOMBSTONE"); err != nil {
		return err
	}
	err := m.exec(ctx, n, m.c, cmd, n.inFlight.Load())
	if err == nil {
		_ = m.fly(context.WithoutCancel(ctx), n, queued(ctx, n.client.Pipeline(), m.guards(ctx, n)...), "TOMBSTONE")
	}
	return err
}

// guards returns the guards of the keys that a node acquires. With a replication
// factor also of those that it has by both rings: another holder's copy may be on its
// way to it, as it is where this node was found without the key.
func (m *move) guards(ctx context.Context, n *redisNode) []redis.Cmder {
	var guards []redis.Cmder
	for _, k := range m.keys {
		copied := m.cfg.Replication.Factor > 1 && (k.rule.guard || k.rule.then == buryNext) && slices.Contains(k.next, n)
		if copied || k.rule.guard && !slices.Contains(k.now, n) {
			guards = append(guards, transit.NewGuard(ctx, m.s.moving.number, k.name))
		}
	}
	return guards
}

// firstError returns the first error that is a reason and no consequence.
func firstError(cmds []redis.Cmder) (err error) {
	for _, cmd := range cmds {
		if err = cmd.Err(); err != nil && !aborted(err) {
			return err
		}
	}
	return err
}

// delete puts a tombstone on the next owner, and then deletes the key on the
// current one. It has not succeeded before both are done: a reader who finds the
// tombstone asks the current owner.
func (m *move) delete(ctx context.Context, cmd redis.Cmder, k movedKey) error {
	all := m.followUps()
	if err := m.reserve(all); err != nil {
		return err
	}
	defer m.release(all)
	cmd.SetErr(nil)
	var existed bool
	for _, n := range k.next {
		d := debt{node: n.about.Load().ID, key: k.name, bury: true, kind: transit.Closed, transition: m.s.moving.number}
		was, err := m.place(ctx, n, d)
		if err != nil {
			return err
		}
		existed = existed || was
	}
	count, err := m.follow(ctx, all)
	if err != nil {
		return err // it is owed, so that it will be done
	}
	if existed || count > 0 {
		count = 1
	}
	setResult(cmd, count)
	return nil
}
