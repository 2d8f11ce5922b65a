package router

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

// catchUp has a command that depends on the value of its keys run by the next phase, if
// a key's next owner shows that others are there already: a closed tombstone of this
// transition is set only by who has seen keys move, and so by now everybody knows that
// they will. What such a one has deleted, or written at the next owner, the command
// would not see on the current one. And what it left there would be lost: the tombstone
// lets no copy of it in.
//
// What comes after this look is another's command at the same time as this one, and
// stays: see debt.yields. A next owner that does not answer shows nothing.
func (m *move) catchUp(ctx context.Context) {
	if m.phase != membership.PhaseAnnounced {
		return
	}
	for _, k := range m.keys {
		if !k.moves() || k.access != command.ReadModifyWrite && m.c != watch {
			continue
		}
		for _, n := range without(k.next, k.now) {
			if m.isClosed(ctx, n, k.name) {
				m.phase = membership.PhaseImporting
				m.setRules()
				return
			}
		}
	}
}

// lookLimit is how long a command waits for that look: the next owner may hang, while the
// current one, which counts, does not.
const lookLimit = 200 * time.Millisecond

// isClosed reports a closed tombstone of this transition.
func (m *move) isClosed(ctx context.Context, n *redisNode, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	var marker string
	err := m.ask(ctx, n, "GET", func(ctx context.Context, client *redis.Client) (err error) {
		marker, err = client.Get(ctx, transit.Marker(key)).Result()
		if err == redis.Nil {
			err = nil
		}
		return err
	})
	return err == nil && transit.RedisLook{Marker: marker}.Closed(m.s.moving.number)
}
