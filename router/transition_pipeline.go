package router

import (
	"context"
	"hash/maphash"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// deferred are the commands of a pipeline that wait for its flights, in their
// order: those on keys that move, and every later one on a key of theirs.
type deferred struct {
	cmds []redis.Cmder
	uses [][]use
	keys map[string]bool // of all of them
	all  bool            // everything that follows waits too
}

// wait takes a command that has to wait, and reports whether it did. Commands on
// one key keep their order so: all before a command that waits are in flights,
// which go first, and all after it that share a key with it wait behind it.
func (d *deferred) wait(r *Redis, s *snapshot[*redisNode], c *command.Command, cmd redis.Cmder) (bool, error) {
	var uses []use
	waits := d.all
	switch c.Route() {
	case command.AllNodes: // concerns all keys
		d.all, waits = true, true
	case command.OneNode, command.SplitByKey:
		var err error
		if uses, err = r.usesOf(c, cmd.Args()); err != nil {
			return false, err
		}
		for _, u := range uses {
			waits = waits || d.keys[u.key] || r.anyMoved(s, []string{u.key})
		}
	}
	if !waits {
		return false, nil
	}
	if d.keys == nil {
		d.keys = make(map[string]bool)
	}
	for _, u := range uses {
		d.keys[u.key] = true
	}
	d.cmds, d.uses = append(d.cmds, cmd), append(d.uses, uses)
	return true, nil
}

// lanes is how many commands of one pipeline on keys that move are under way at a
// time.
const lanes = 16

// run runs the commands that have waited: those of one key one after the other,
// and those of different keys side by side up to a command that has several.
func (d *deferred) run(ctx context.Context, r *Redis) {
	if len(d.cmds) == 0 {
		return
	}
	seed := maphash.MakeSeed()
	var lane [lanes][]redis.Cmder
	flush := func() {
		r.crew.together(lanes, func(i int) {
			for _, cmd := range lane[i] {
				cmd.SetErr(r.route(ctx, cmd))
			}
			lane[i] = lane[i][:0]
		})
	}
	for i, cmd := range d.cmds {
		if len(d.uses[i]) == 1 {
			l := maphash.String(seed, d.uses[i][0].key) % lanes
			lane[l] = append(lane[l], cmd)
			continue
		}
		flush()
		cmd.SetErr(r.route(ctx, cmd))
	}
	flush()
}
