package transit

import (
	"context"
	"math/rand/v2"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// MarkerPrefix begins the names of tombstones on Redis servers. It is reserved:
// an application must not use keys that begin with it.
const MarkerPrefix = "__ringway:tombstone:"

// closed returns the value of a closed tombstone of a transition.
func closed(transition uint64) string { return "closed:" + strconv.FormatUint(transition, 10) }

// open returns the value of an open tombstone, with a number that is drawn for it.
func open() string { return "open:" + strconv.FormatUint(rand.Uint64(), 36) }

// Marker returns the name of a key's tombstone.
func Marker(key string) string { return MarkerPrefix + key }

// Bury puts a tombstone in the place of a key at N, and returns whether the key
// was there.
func (r Redis) Bury(ctx context.Context, kind Kind, key string) (existed bool, err error) {
	value := closed(r.Transition)
	if kind == Open {
		value = open()
	}
	n, err := buryScript.Run(ctx, r.Client, []string{key, Marker(key)}, value, TombstoneLife.Milliseconds()).Int64()
	return n > 0, err
}

// BuryUnlessClosed is Bury with an open tombstone for those who may be a step behind: a
// closed one of this transition, or of the one that undoes it, stays. Whoever has placed
// that deletes the key, or writes it at N, and may not be done at O yet.
func (r Redis) BuryUnlessClosed(ctx context.Context, key string) (existed bool, err error) {
	of, _ := membership.IsRollback(r.Transition)
	n, err := buryUnlessClosedScript.Run(ctx, r.Client, []string{key, Marker(key)},
		open(), TombstoneLife.Milliseconds(), closed(of), closed(membership.RollbackOf(of))).Int64()
	return n > 0, err
}

// NewGuard returns a command that sets a closed tombstone beside a key and leaves
// the key as it is, not sent. It goes before a write at N, in one transaction with
// it, since what is written may end by itself: it may expire, be evicted, or be
// popped empty; a copy that was under way must not fill the gap.
func NewGuard(ctx context.Context, transition uint64, key string) *redis.StatusCmd {
	return redis.NewStatusCmd(ctx, "set", Marker(key), closed(transition), "px", TombstoneLife.Milliseconds())
}
