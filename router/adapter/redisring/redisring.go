// Package redisring gives go-redis's own redis.Ring the placement of this
// project's ring, for programs that stay with redis.Ring.
//
//	client := redis.NewRing(&redis.RingOptions{
//		Addrs:             map[string]string{"cache-a": "10.0.0.1:6379", "cache-b": "10.0.0.2:6379"},
//		NewConsistentHash: redisring.New(ring.Config{}),
//	})
//
// Keys then go where router.NewRedis sends them in a fleet whose nodes have the
// shards' names as IDs and weight 1, so that a program can change from one to
// the other without moving a key. redis.Ring applies hash tags itself.
//
// What stays as it is in redis.Ring: it builds its hash from the shards that
// answer its heartbeat. While one is away its keys have other owners, each
// client by its own opinion, and when it comes back it serves what it held
// before. The router does neither.
package redisring

import (
	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/ring"
)

// New returns a function for redis.RingOptions.NewConsistentHash. The Config is
// that of every other client of the fleet; its Hasher.HashTags makes no
// difference, since redis.Ring has cut the tag out before it asks.
//
// redis.Ring has no place for an error: shards from which no ring can be built
// (none at all, names over 255 bytes, a bad Config) own nothing, and redis.Ring
// then reports that all shards are down.
func New(cfg ring.Config) func(shards []string) redis.ConsistentHash {
	return func(shards []string) redis.ConsistentHash {
		r, err := ring.New(ring.Nodes(shards...), cfg)
		if err != nil {
			return hash{new(ring.Ring)}
		}
		return hash{r}
	}
}

// hash is a ring as redis.Ring asks it: immutable, and rebuilt by redis.Ring
// whenever a shard comes or goes.
type hash struct{ ring *ring.Ring }

// Get returns the name of the shard that owns the key, "" if there is none.
func (h hash) Get(key string) string { return h.ring.Owner(key).ID }
