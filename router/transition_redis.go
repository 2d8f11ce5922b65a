package router

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/command"
)

// errMoving says that a key has two owners, or that one owes something on it: the
// short ways do not take it. It reaches no caller.
var errMoving = errors.New("router: the key is on the move")

// moved reports whether a key whose current owner is n must not take the short
// way.
func (r *Redis) moved(s *snapshot[*redisNode], n *redisNode, key string) bool {
	if t := s.moving; t.underWay() && t.nodes[t.placement.OwnerIndex(key)] != n {
		return true
	}
	return r.spool.owes(n.about.Load().ID, key)
}

// anyMoved reports whether one of the keys must not take the short way. With a
// replication factor all of a key's nodes count.
func (r *Redis) anyMoved(s *snapshot[*redisNode], keys []string) bool {
	if s.moving == nil {
		return false
	}
	return slices.ContainsFunc(keys, func(key string) bool {
		if r.cfg.Replication.Factor <= 1 {
			return r.moved(s, s.nodes[s.placement.OwnerIndex(key)], key)
		}
		now := r.holdersOn(s, false, key)
		return !sameNodes(now, r.holdersOn(s, true, key)) ||
			slices.ContainsFunc(now, func(n *redisNode) bool { return r.spool.owes(n.about.Load().ID, key) })
	})
}

// holdersOn returns the nodes that have a key by the current or by the next ring:
// its owner, and with a replication factor the others, the owner first.
func (r *Redis) holdersOn(s *snapshot[*redisNode], next bool, key string) []*redisNode {
	placement, nodes, index := s.placement, s.nodes, s.index
	if next && s.moving.underWay() {
		placement, nodes, index = s.moving.placement, s.moving.nodes, s.moving.index
	}
	if r.cfg.Replication.Factor <= 1 {
		i := placement.OwnerIndex(key)
		return nodes[i : i+1 : i+1]
	}
	var buf [8]ring.Node
	replicas := placement.(replicator).Replicas(buf[:0], key, r.cfg.Replication.Factor)
	holders := make([]*redisNode, len(replicas))
	for i, n := range replicas {
		holders[i] = nodes[index[n.ID]]
	}
	return holders
}

func sameNodes(a, b []*redisNode) bool { return len(without(a, b)) == 0 && len(without(b, a)) == 0 }

// without returns those of a that are not in b.
func without(a, b []*redisNode) []*redisNode {
	var rest []*redisNode
	for _, n := range a {
		if !slices.Contains(b, n) {
			rest = append(rest, n)
		}
	}
	return rest
}

// movedKey is a key of a command, with those who have it.
type movedKey struct {
	name   string
	access command.Access
	rule   rule
	now    []*redisNode // by the current ring
	next   []*redisNode // by the next; the same as now where the key does not move
}

func (k movedKey) moves() bool { return !sameNodes(k.now, k.next) }

// move is one command on its way through a transition, by one snapshot. The nodes
// that it may concern are entered.
type move struct {
	*Redis
	s     *snapshot[*redisNode]
	phase membership.Phase // by which it works: that of s, or a later one, see catchUp
	c     *command.Command
	keys  []movedKey
	nodes []*redisNode
}

// use is a key and what is done to it.
type use struct {
	key    string
	access command.Access
}

// usesOf returns the keys of an invocation. A key that is named twice is there
// once.
func (r *Redis) usesOf(c *command.Command, args []any) ([]use, error) {
	names, err := r.names(c, args)
	if err != nil {
		return nil, err
	}
	var buf [16]command.Key
	keys, err := c.Keys(buf[:0], args)
	if err != nil {
		return nil, err
	}
	var uses []use
	for i, name := range names {
		u := use{name, command.Read}
		if i < len(keys) { // what follows stands for patterns
			u.access = keys[i].Access
		}
		uses = addUse(uses, u)
	}
	return uses, nil
}

func addUse(uses []use, u use) []use {
	for i := range uses {
		if uses[i].key == u.key {
			if uses[i].access != u.access {
				uses[i].access = command.ReadModifyWrite
			}
			return uses
		}
	}
	return append(uses, u)
}

// beginMove takes the current snapshot and enters the nodes that the keys are on.
// end must follow. It returns nil without an error if no transition is, or was
// lately, under way.
func (r *Redis) beginMove(ctx context.Context, c *command.Command, uses []use) (*move, error) {
	for {
		s := r.fleet.current.Load()
		if s.placement == nil {
			return nil, r.empty(s)
		}
		if s.moving == nil {
			return nil, nil
		}
		m := &move{Redis: r, s: s, phase: s.moving.phase, c: c}
		m.keys = m.keysOf(uses)
		for _, k := range m.keys {
			m.nodes = append(m.nodes, without(k.now, m.nodes)...)
			m.nodes = append(m.nodes, without(k.next, m.nodes)...)
		}
		m.setRules()
		if enterEach(m.nodes) {
			m.catchUp(ctx)
			return m, nil
		}
	}
}

func (m *move) keysOf(uses []use) []movedKey {
	keys := make([]movedKey, len(uses))
	for i, u := range uses {
		keys[i] = movedKey{name: u.key, access: u.access, now: m.holdersOn(m.s, false, u.key), next: m.holdersOn(m.s, true, u.key)}
	}
	return keys
}

func (m *move) end() { leaveAll(m.nodes) }

// setRules looks up what becomes of each key. A delete whose reply is not that of
// DEL needs the key where it runs.
func (m *move) setRules() {
	for i := range m.keys {
		k := &m.keys[i]
		if k.access == command.Delete && !(len(m.keys) == 1 && m.isDel()) {
			k.access = command.ReadModifyWrite
		}
		k.rule = m.policy.rule(m.phase, k.access)
		if !k.moves() {
			k.rule = rule{onNext: k.rule.onNext}
		}
	}
}

// isDel reports a command that deletes and returns how many keys were there.
func (m *move) isDel() bool { return m.c.Name() == "DEL" || m.c.Name() == "UNLINK" }

// onNext reports whether commands run by the next ring: a channel among the keys, which
// stays where it is, does not decide that.
func (m *move) onNext() bool {
	return slices.ContainsFunc(m.keys, func(k movedKey) bool { return k.rule.onNext })
}

// home returns the nodes that run the command, the owner first.
func (m *move) home() ([]*redisNode, error) {
	first := m.holders(m.keys[0])
	for _, k := range m.keys[1:] {
		if !slices.Equal(m.holders(k), first) {
			return nil, m.crossing()
		}
	}
	return first, nil
}

// holders returns who has a key by the ring that commands run by.
func (m *move) holders(k movedKey) []*redisNode {
	switch {
	case k.access == command.NoAccess: // a channel has no copies
		return k.now[:1]
	case m.onNext():
		return k.next
	}
	return k.now
}

func (m *move) crossing() error {
	e := &CrossNodeError{Command: m.c.Name()}
	for _, k := range m.keys {
		e.Keys, e.Nodes = append(e.Keys, k.name), append(e.Nodes, m.holders(k)[0].member().ID)
	}
	return e
}

// move runs a command of which some key may be on the move.
func (r *Redis) move(ctx context.Context, c *command.Command, cmd redis.Cmder) error {
	uses, err := r.usesOf(c, cmd.Args())
	if err != nil {
		return err
	}
	m, err := r.beginMove(ctx, c, uses)
	if err != nil {
		return err
	}
	if m == nil { // it has just ended
		return r.route(ctx, cmd)
	}
	defer m.end()
	if err := m.canBring(cmd); err != nil {
		return err
	}
	if len(m.keys) > 1 && c.Route() == command.SplitByKey {
		return m.split(ctx, cmd)
	}
	return m.orMiss(ctx, cmd, m.run(ctx, cmd))
}

// canBring refuses a command that reads keys which it does not name: they may
// still be on the current owner, and nobody knows which they are.
func (m *move) canBring(cmd redis.Cmder) error {
	if len(m.c.Patterns(nil, cmd.Args())) == 0 || !m.onNext() {
		return nil
	}
	if _, err := m.home(); err != nil {
		return err
	}
	for _, k := range m.keys {
		if k.moves() {
			return &UnsupportedError{Command: m.c.Name(), Reason: "keys are being moved, and which of them its pattern stands for is not known: it can be run again once they have arrived"}
		}
	}
	return nil
}

// orMiss applies the failure policy: while a key moves there is no other node
// that might have it, so that Successor is a miss for reads too.
func (m *move) orMiss(ctx context.Context, cmd redis.Cmder, err error) error {
	if m.isMiss(ctx, cmd, err) {
		return redis.Nil
	}
	return err
}

func (m *move) isMiss(ctx context.Context, cmd redis.Cmder, err error) bool {
	var failed *NodeError
	return err == errOwed || m.cfg.Failure.Policy != FailFast && errors.As(err, &failed) && ctx.Err() == nil &&
		m.c.Access(cmd.Args()) == command.Read
}

// run runs a command on the nodes that its keys share.
func (m *move) run(ctx context.Context, cmd redis.Cmder) error {
	_, blocks := m.c.Blocking(cmd.Args())
	switch k := m.keys[0]; {
	case len(m.keys) == 1 && k.rule.second && !blocks:
		return m.read(ctx, cmd, k)
	case len(m.keys) == 1 && k.rule.bury:
		return m.delete(ctx, cmd, k)
	}
	return m.write(ctx, cmd)
}

// aborted reports the error of a command that the server did not even queue since
// another one of the transaction was refused.
func aborted(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "EXECABORT") }
