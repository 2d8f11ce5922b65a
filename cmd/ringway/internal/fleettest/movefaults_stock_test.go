//go:build unix

package fleettest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/memcache"
)

// stock is keys that nobody writes: whatever happens, each is on its owner, as it
// was, and nowhere else.
type stock struct {
	redis   map[string]*piece
	items   map[string]bool // of Memcached; true: with a time to live
	expires time.Time
}

// piece is a key of a Redis server.
type piece struct {
	timed bool
	dump  string            // what DUMP returned; empty: it is big
	hash  map[string]string // of a big one
}

const (
	redisStock     = 1200 // keys
	memcachedStock = 600
	bigFields      = 12_000 // more than what the mover takes in one piece
	itemFlags      = 7
)

// fill writes a stock to the servers of its owners.
func (f *fleet) fill() *stock {
	f.t.Helper()
	s := &stock{redis: make(map[string]*piece), items: make(map[string]bool), expires: time.Now().Add(time.Hour).Truncate(time.Millisecond)}
	all := f.present()
	for i := range redisStock {
		f.put(s, fmt.Sprint("stock:", i), i, all.redis)
	}
	for i := range memcachedStock {
		key := fmt.Sprint("stock:", i)
		request := memcache.SetRequest{Key: key, Value: []byte(key), ClientFlags: itemFlags}
		if s.items[key] = i%2 == 0; s.items[key] {
			request.TTL = time.Until(s.expires)
		}
		c := f.memcachedOf(f.node(all.memcached.Owner(key).ID))
		if _, err := c.MetaSet(context.Background(), request); err != nil {
			f.t.Fatal(err)
		}
	}
	return s
}

// put writes one small key, of each type in turn.
func (f *fleet) put(s *stock, key string, i int, owners *ring.Ring) {
	f.t.Helper()
	ctx, c := context.Background(), f.redisOf(f.node(owners.Owner(key).ID))
	pipe := c.Pipeline()
	switch i % 6 {
	case 0:
		pipe.Set(ctx, key, strings.Repeat(key, 10), 0)
	case 1:
		pipe.HSet(ctx, key, "a", key, "b", i)
	case 2:
		pipe.RPush(ctx, key, key, i)
	case 3:
		pipe.SAdd(ctx, key, i, i+1)
	case 4:
		pipe.ZAdd(ctx, key, redis.Z{Score: 0.1, Member: key})
	case 5:
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: "7-7", Values: []any{"a", key}})
	}
	p := &piece{timed: i%3 > 0}
	if p.timed {
		pipe.PExpireAt(ctx, key, s.expires)
	}
	dump := pipe.Dump(ctx, key)
	if _, err := pipe.Exec(ctx); err != nil {
		f.t.Fatal(err)
	}
	p.dump, s.redis[key] = dump.Val(), p
}

// putBig writes a big key that goes from one node to another when that has joined.
func (f *fleet) putBig(s *stock, from, to string) {
	f.t.Helper()
	now := f.present().redis
	next, err := ring.New(append(slices.Clone(now.Nodes()), ring.Nodes(to)...), placement)
	if err != nil {
		f.t.Fatal(err)
	}
	key := ""
	for i := 0; key == "" || now.Owner(key).ID != from || next.Owner(key).ID != to; i++ {
		key = fmt.Sprint("big:", to, ":", i)
	}
	p := &piece{timed: true, hash: make(map[string]string)}
	ctx, pipe := context.Background(), f.redisOf(f.node(from)).Pipeline()
	for i := range bigFields {
		field := fmt.Sprint("field", i)
		p.hash[field] = strings.Repeat(field, 3)
		pipe.HSet(ctx, key, field, p.hash[field])
	}
	pipe.PExpireAt(ctx, key, s.expires)
	if _, err := pipe.Exec(ctx); err != nil {
		f.t.Fatal(err)
	}
	s.redis[key] = p
}

// present is the rings of the nodes that have not left.
func (f *fleet) present() rings {
	f.t.Helper()
	var left []string
	for _, n := range f.nodes {
		if n.left {
			left = append(left, n.id)
		}
	}
	return f.ringsWithout(left...)
}

// intact fails the test if a key of the stock is not on its owner as it was, or is
// anywhere else too. It is called once after each transition.
func (f *fleet) intact(when string, s *stock) {
	f.t.Helper()
	f.copies++
	all, trouble := f.present(), []string(nil)
	for _, n := range f.nodes {
		held := f.heldBy(n)
		owners, keys := all.redis, slices.Sorted(maps.Keys(s.redis))
		if n.kind == membership.Memcached {
			owners, keys = all.memcached, slices.Sorted(maps.Keys(s.items))
		}
		for _, key := range keys {
			switch owner := owners.Owner(key).ID; {
			case held[key] && owner != n.id:
				trouble = append(trouble, fmt.Sprintf("%s is on %s, and is %s's", key, n.id, owner))
			case !held[key] && owner == n.id:
				trouble = append(trouble, fmt.Sprintf("%s is not on %s", key, n.id))
			case owner == n.id:
				if wrong := f.wrong(n, s, key); wrong != "" {
					trouble = append(trouble, fmt.Sprintf("%s on %s: %s", key, n.id, wrong))
				}
			}
		}
	}
	if len(trouble) > 0 {
		f.t.Errorf("%s: of %d keys that nobody has written:\n%s", when, len(s.redis)+len(s.items), Summary(trouble))
		return
	}
	f.t.Logf("%s: %d keys that nobody has written are where they belong, as they were", when, len(s.redis)+len(s.items))
}

// wrong says what is not as it was in a key that is there.
func (f *fleet) wrong(n *node, s *stock, key string) string {
	ctx := context.Background()
	if n.kind == membership.Memcached {
		resp, err := f.memcachedOf(n).MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnValue | memcache.ReturnTTL | memcache.ReturnFlags})
		want := time.Duration(0)
		if s.items[key] {
			want = time.Until(s.expires)
		}
		if err != nil || !bytes.Equal(resp.Value, []byte(key)) || resp.ClientFlags != itemFlags || (resp.TTL-want).Abs() > slackOf(f.copies) {
			return fmt.Sprintf("%+v, want %v to live, %v", resp, want, err)
		}
		return ""
	}
	p, c := s.redis[key], f.redisOf(n)
	at, err := c.PExpireTime(ctx, key).Result()
	want := time.Duration(-1)
	if p.timed {
		want = time.Duration(s.expires.UnixMilli()) * time.Millisecond
	}
	if err != nil || at != want {
		return fmt.Sprintf("expires at %v, want %v, %v", at, want, err)
	}
	if p.hash != nil {
		hash, err := c.HGetAll(ctx, key).Result()
		if err != nil || !maps.Equal(hash, p.hash) {
			return fmt.Sprintf("%d fields, want %d, %v", len(hash), len(p.hash), err)
		}
		return ""
	}
	if dump, err := c.Dump(ctx, key).Result(); err != nil || dump != p.dump {
		return fmt.Sprintf("DUMP returns %q, want %q, %v", dump, p.dump, err)
	}
	return ""
}

// tidy waits until no server has a key that is another node's.
func (f *fleet) tidy(when string) {
	f.t.Helper()
	all := f.present()
	for _, n := range f.nodes {
		owners := all.redis
		if n.kind == membership.Memcached {
			owners = all.memcached
		}
		eventually(f.t, fmt.Sprintf("%s: %s holds only what is its own", when, n.id), func() (bool, string) {
			var strays []string
			for key := range f.heldBy(n) {
				if owners.Owner(key).ID != n.id {
					strays = append(strays, key)
				}
			}
			return len(strays) == 0, fmt.Sprintf("%d strays: %s", len(strays), Summary(strays))
		})
	}
}

// heldBy returns the keys on a node's server; tombstones and fences are none.
func (f *fleet) heldBy(n *node) map[string]bool {
	f.t.Helper()
	s, err := dataserver.Open(dataserver.Config{URL: n.url()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer s.Close()
	held := make(map[string]bool)
	err = dataserver.Each(context.Background(), s,
		func(key string) bool { return !held[key] && !transit.IsMarker(key) },
		func(found []dataserver.Found) error {
			for _, one := range found {
				held[one.Key] = true
			}
			return nil
		})
	if err != nil {
		f.t.Fatalf("%s: %v", n.id, err)
	}
	return held
}

// redisOf and memcachedOf return the test's own client of a node's server.
func (f *fleet) redisOf(n *node) *redis.Client {
	if n.redis == nil {
		n.redis = redisOf(f.t, n)
	}
	return n.redis
}

func (f *fleet) memcachedOf(n *node) *memcache.Client {
	f.t.Helper()
	if n.memcached == nil {
		c, err := dataserver.MemcachedClient(dataserver.Config{URL: n.url()}, 1)
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(func() { _ = c.Close() })
		n.memcached = c
	}
	return n.memcached
}
