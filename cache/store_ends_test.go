package cache

import (
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

// A counter has an end from its first increment on, and the next do not put it off.
func TestRedisCounterEnds(t *testing.T) {
	client := redisFleet(t, []string{servertest.Redis(t).Addr()})
	store := OnRedis(client)
	incr := func(atMost time.Duration) {
		t.Helper()
		if _, err := store.Incr(t.Context(), "count", 1, longTTL); err != nil {
			t.Fatal(err)
		}
		if left, err := client.PTTL(t.Context(), "count").Result(); err != nil || left <= 0 || left > atMost {
			t.Errorf("%v left, %v; want %v at most", left, err, atMost)
		}
	}
	incr(longTTL)
	if err := client.PExpire(t.Context(), "count", longTTL/2).Err(); err != nil {
		t.Fatal(err)
	}
	incr(longTTL / 2)
}

// Memcached never says of an item again that it is to be renewed, once it has said so:
// who declares its holder dead takes the lease over, and the holder has lost it.
func TestMemcachedDeadHolder(t *testing.T) {
	store := OnMemcached(memcachedFleet(t, []string{servertest.Memcached(t).Addr()}))
	for _, there := range []bool{false, true} {
		key := "missing"
		if there {
			key = "there"
			set(t, store, key, stored("old", 0))
		}
		dead := lease(t, store, key, LeaseRequest{Renew: there}, Won)
		seen := lease(t, store, key, LeaseRequest{Renew: there}, Pending)
		next := lease(t, store, key, LeaseRequest{Renew: there, Void: seen.Lease}, Won)
		lease(t, store, key, LeaseRequest{Renew: there, Void: seen.Lease}, Pending) // of two who say so one wins
		fill(t, store, key, dead.Lease, stored("dead", 0), Lost)
		fill(t, store, key, next.Lease, stored("new", 0), Stored)
	}
}
