package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// split runs a command that may be cut by keys: those that do not move in one
// piece a node, as always, and each that moves in a piece of its own.
func (m *move) split(ctx context.Context, cmd redis.Cmder) error {
	if !splittable(m.c, cmd) {
		if _, err := m.home(); err != nil {
			return unsplittable(m.c, cmd)
		}
		return m.orMiss(ctx, cmd, m.write(ctx, cmd))
	}
	names, err := m.names(cmd.Args())
	if err != nil {
		return err
	}
	shares, still := m.pieces(names)
	for i := range shares {
		shares[i].cmd = redis.NewCmd(ctx, pieceArgs(m.c.Split(), cmd.Args(), shares[i].keys)...)
	}
	m.crew.abreast(len(shares), func(i int) {
		sh := &shares[i]
		if i < still {
			sh.err = m.exec(ctx, sh.node, m.c, sh.cmd, sh.node.inFlight.Load())
			return
		}
		*sh = m.piece(ctx, *sh, names[sh.keys[0]])
	})
	after := m.afterSplit(ctx, m.c, cmd.Args(), names, shares[:still])
	return m.gather(m.c, cmd, names, append(after, shares[still:]...))
}

// names returns the keys in the order of the arguments, where one that is named
// twice is there twice.
func (m *move) names(args []any) ([]string, error) {
	keys, err := m.c.Keys(nil, args)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		if names[i], err = m.key(args[k.Pos]); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// pieces cuts the keys, given by their positions. The first pieces, as many as
// still says, are of keys that do not move.
func (m *move) pieces(names []string) (shares []share, still int) {
	byName := make(map[string]movedKey, len(m.keys))
	for _, k := range m.keys {
		byName[k.name] = k
	}
	var stays []int
	var moves []share
	for i, name := range names {
		k := byName[name]
		if m.cfg.Replication.Factor <= 1 && !k.moves() && !m.spool.owes(k.now[0].about.Load().ID, name) {
			stays = append(stays, i)
			continue
		}
		at := k.now[0]
		if k.rule.onNext {
			at = k.next[0]
		}
		moves = append(moves, share{node: at, keys: []int{i}})
	}
	shares = cutBy(stays, func(i int) *redisNode { return byName[names[i]].now[0] })
	return append(shares, moves...), len(shares)
}

// piece runs the piece of one key.
func (m *move) piece(ctx context.Context, sh share, name string) share {
	one := &move{Redis: m.Redis, s: m.s, phase: m.phase, c: m.c, nodes: m.nodes}
	for _, k := range m.keys {
		if k.name == name {
			one.keys = []movedKey{k}
		}
	}
	if uses, err := m.usesOf(m.c, sh.cmd.Args()); err == nil {
		one.keys[0].access = uses[0].access // not as part of a larger command
	}
	one.setRules()
	sh.err = one.run(ctx, sh.cmd)
	if one.isMiss(ctx, sh.cmd, sh.err) {
		return missing(ctx, m.c, sh)
	}
	return sh
}
