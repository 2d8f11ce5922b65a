package router

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// What a transaction and Watch are to the rules: commands of many keys.
var (
	multi, _ = command.Table{}.Named("MULTI")
	watch, _ = command.Table{}.Named("WATCH")
)

// transaction runs the commands between MULTI and EXEC by the ring that is due,
// with their keys brought over before.
func (m *move) transaction(ctx context.Context, cmds []redis.Cmder) error {
	n, all, err := m.beginTransaction(ctx)
	if err != nil {
		setErrors(cmds, err)
		return err
	}
	defer m.release(all)
	guards := m.guards(ctx, n)
	err = m.fly(ctx, n, queued(ctx, n.client.TxPipeline(), append(guards, cmds...)...), "MULTI")
	if aborted(err) {
		err = firstError(append(guards, cmds...))
	}
	if anyDone(cmds) {
		_, _ = m.follow(ctx, all)
	}
	return err
}

// anyDone reports whether EXEC has run the commands.
func anyDone(cmds []redis.Cmder) bool {
	for _, cmd := range cmds {
		if err := cmd.Err(); err == nil || err == redis.Nil {
			return true
		}
	}
	return false
}

// beginTransaction makes the one node ready that is to run several commands.
// release of what is returned must follow.
func (m *move) beginTransaction(ctx context.Context) (*redisNode, []followUp, error) {
	home, err := m.home()
	if err != nil {
		return nil, nil, err
	}
	all := m.followUps()
	if err := m.reserve(all); err != nil {
		return nil, nil, err
	}
	if err := m.prepare(ctx, home); err != nil {
		m.release(all)
		return nil, nil, err
	}
	return home[0], all, nil
}

// watching is a transaction function on its way through a transition. What it
// reads and writes shows only as it goes.
type watching struct {
	*move
	node *redisNode

	mu      sync.Mutex // guards the following, and the move
	brought map[string]bool
	follows map[string][]followUp // of keys that it has tried to write; room is reserved
	written map[string]bool       // keys that it has written
}

// readsOf returns keys that are read.
func readsOf(keys []string) (uses []use) {
	for _, key := range keys {
		uses = addUse(uses, use{key, command.Read})
	}
	return uses
}

// watch runs a transaction function on the node that has its keys, by the ring
// that is due.
func (m *move) watch(ctx context.Context, fn func(*redis.Tx) error, keys []string) error {
	home, err := m.home()
	if err != nil {
		return err
	}
	w := &watching{move: m, node: home[0],
		brought: make(map[string]bool), follows: make(map[string][]followUp), written: make(map[string]bool)}
	defer func() {
		for _, all := range w.follows {
			m.release(all)
		}
	}()
	if err := m.prepare(ctx, home); err != nil {
		return err
	}
	for _, k := range m.keys {
		w.brought[k.name] = true
	}
	err = m.watchOn(ctx, w.node, fn, keys, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.written {
		_, _ = m.follow(ctx, w.follows[key])
	}
	return err
}

// admit makes a command of the function ready to run: its keys belong on the node
// and have been brought there, and those that it writes have their guards.
func (w *watching) admit(ctx context.Context, c *command.Command, args []any) error {
	uses, err := w.usesOf(c, args)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	its := &move{Redis: w.Redis, s: w.s, phase: w.phase, c: c, keys: w.keysOf(uses)}
	its.setRules()
	if len(its.keys) == 0 {
		return nil
	}
	home, err := its.home()
	if err != nil {
		return err
	}
	if home[0] != w.node {
		return its.crossing()
	}
	for _, k := range its.keys {
		one := &move{Redis: w.Redis, s: w.s, phase: w.phase, c: c, keys: []movedKey{k}}
		if !w.brought[k.name] {
			if err := w.join(k); err != nil {
				return err
			}
			one.keys[0].rule.bring = k.moves() && k.rule.onNext // it may be read later
			if err := one.prepare(ctx, home); err != nil {
				return err
			}
			w.brought[k.name] = true
		}
		if err := w.arm(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// join enters the nodes of a key that was not watched.
func (w *watching) join(k movedKey) error {
	more := without(k.now, w.nodes)
	more = append(more, without(without(k.next, w.nodes), more)...)
	if !enterEach(more) {
		return w.node.fail(ErrClosed)
	}
	w.nodes = append(w.nodes, more...)
	return nil
}

// arm reserves what has to follow a write of one key, and sets its guard.
func (w *watching) arm(ctx context.Context, one *move) error {
	key := one.keys[0].name
	if all := one.followUps(); len(all) > 0 && w.follows[key] == nil {
		if err := w.reserve(all); err != nil {
			return err
		}
		w.follows[key] = all
	}
	if guards := one.guards(ctx, w.node); len(guards) > 0 {
		return w.fly(ctx, w.node, queued(ctx, w.node.client.Pipeline(), guards...), "TOMBSTONE")
	}
	return nil
}

// ran notes what the function has written.
func (w *watching) ran(cmds ...redis.Cmder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil {
			continue
		}
		c, known := w.table.Lookup(cmd.Args())
		if !known {
			continue
		}
		uses, _ := w.usesOf(c, cmd.Args())
		for _, u := range uses {
			if w.follows[u.key] != nil && u.access != command.Read {
				w.written[u.key] = true
			}
		}
	}
}
