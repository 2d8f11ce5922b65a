//go:build unix

package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// mark puts a key on a Redis server that is the node's own, so that a purge
// removes it and a sweep does not. With save it is in the file that the server
// reads when it is started again, as are the keys of the routers.
func (f *fleet) mark(n *node, save bool) (key string) {
	f.t.Helper()
	all := f.ringsWithout().redis
	for i := 0; key == "" || all.Owner(key).ID != n.id; i++ {
		key = fmt.Sprint("mark:", i)
	}
	c := redisOf(f.t, n)
	defer c.Close()
	err := c.Set(context.Background(), key, "old", 0).Err()
	if err == nil && save {
		err = c.Save(context.Background()).Err()
	}
	if err != nil {
		f.t.Fatalf("%s: %v", n.id, err)
	}
	return key
}

// has reports whether the node's server holds a key.
func (n *node) has(t *testing.T, key string) bool {
	t.Helper()
	c := redisOf(t, n)
	defer c.Close()
	count, err := c.Exists(context.Background(), key).Result()
	if err != nil {
		t.Fatalf("%s: %v", n.id, err)
	}
	return count == 1
}

// purges returns how many purges an agent's process has logged, and how many keys
// they removed.
func (p *process) purges() (times, removed int) {
	for line := range strings.Lines(p.log.String()) {
		var entry struct {
			Msg     string
			Removed int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "server purged" {
			times++
			removed += entry.Removed
		}
	}
	return times, removed
}

// swept waits until no Redis server holds a key of another node: what a node had
// before it handed it over must not come back to life.
func (f *fleet) swept(when string) {
	f.t.Helper()
	all := f.ringsWithout().redis
	for _, n := range f.nodes {
		if n.kind != membership.Redis {
			continue
		}
		eventually(f.t, fmt.Sprintf("%s: %s holds what it owns", when, n.id), func() (bool, string) {
			keys := keysOf(f.t, n)
			strays := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return all.Owner(key).ID == n.id })
			return len(strays) == 0 && len(keys) > 0, fmt.Sprintf("%d keys, of others: %q", len(keys), strays)
		})
	}
}

// counts are what each router has counted, by router and kind.
type counts map[string]Load

func (f *fleet) counts() counts {
	f.t.Helper()
	all := make(counts)
	for _, r := range f.routers {
		s := r.status(f.t)
		all[r.name+" redis"], all[r.name+" memcached"] = s.Redis, s.Memcached
	}
	return all
}

// working waits until every router has read and written a good deal more without
// an error.
func (f *fleet) working(when string) {
	f.t.Helper()
	const enough = 100 // operations, of which a node has its part
	before := f.counts()
	eventually(f.t, when+": all routers work", func() (bool, string) {
		now := f.counts()
		for who, l := range now {
			b := before[who]
			if !maps.Equal(l.Failures, b.Failures) || !maps.Equal(l.Timeouts, b.Timeouts) {
				before = now
				return false, fmt.Sprintf("%s has had errors: %v, timeouts %v", who, l.Failures, l.Timeouts)
			}
			if l.Reads < b.Reads+enough || l.Writes < b.Writes+enough {
				return false, fmt.Sprintf("%s: %d reads, %d writes more", who, l.Reads-b.Reads, l.Writes-b.Writes)
			}
		}
		return true, ""
	})
}

// onlyFailed fails the test if operations failed on any other node than these.
// Timeouts do not count: a machine that is busy enough has some.
func (f *fleet) onlyFailed(when string, nodes ...string) {
	f.t.Helper()
	for who, l := range f.counts() {
		for node, n := range l.Failures {
			if !slices.Contains(nodes, node) {
				f.t.Errorf("%s: %s: %d operations failed on %s", when, who, n, node)
			}
		}
		if len(l.Timeouts) > 0 {
			f.t.Logf("%s: %s: took too long, or not sent: %v", when, who, l.Timeouts)
		}
	}
}

// rewritten waits until the routers have written anew, on other nodes, keys of a
// node that is out: what its server holds of them is old then.
func (f *fleet) rewritten(n *node) {
	f.t.Helper()
	before, without := f.ringsWithout().redis, f.ringsWithout(n.id).redis
	eventually(f.t, "keys of "+n.id+" are written elsewhere", func() (bool, string) {
		count := 0
		for _, other := range f.nodes {
			if other.kind != membership.Redis || other.down || other == n {
				continue
			}
			count += countOwned(keysOf(f.t, other), before, n.id, without, other.id)
		}
		return count >= 20, fmt.Sprint(count)
	})
}

// countOwned counts the keys that belonged to one node and belong to another now.
func countOwned(keys []string, before *ring.Ring, old string, now *ring.Ring, owner string) (count int) {
	for _, key := range keys {
		if before.Owner(key).ID == old && now.Owner(key).ID == owner {
			count++
		}
	}
	return count
}
