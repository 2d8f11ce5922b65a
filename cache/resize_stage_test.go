package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// resize is a fleet of two servers that a third joins. Each client has a view of
// its own, so that a test decides who is how far. The third takes part when it is
// told to: its keys are moved by move, which does what the mover does.
type resize struct {
	t       *testing.T
	kind    membership.Kind
	servers []*servertest.Server
	last    uint64 // number of the transition; no two have the same
}

// The states of the third server, in the order in which a view goes through them.
var joining = []membership.State{membership.Joining, membership.Announced, membership.Importing, membership.Active}

func newResize(t *testing.T, kind membership.Kind) *resize {
	f := &resize{t: t, kind: kind, last: 5}
	for range 3 {
		if kind == membership.Redis {
			f.servers = append(f.servers, servertest.Redis(t))
		} else {
			f.servers = append(f.servers, servertest.Memcached(t))
		}
	}
	return f
}

func (f *resize) members(state membership.State) (members []membership.Member) {
	for i, server := range f.servers {
		members = append(members, membership.Member{ID: string(rune('a' + i)), Kind: f.kind, Address: server.Addr()})
	}
	members[2].State = state
	if state != membership.Active && state != membership.Left {
		members[2].Transition = f.last
	}
	return members
}

// resizeClient is a client of the fleet with a view of its own.
type resizeClient struct {
	allStores
	fleet  *resize
	source *membership.Manual
	epoch  func() uint64
	node   func(key string) string
}

func (f *resize) client(state membership.State) *resizeClient {
	f.t.Helper()
	source, err := membership.NewManual(f.members(state)...)
	if err != nil {
		f.t.Fatal(err)
	}
	c := &resizeClient{fleet: f, source: source}
	var end func() error
	if f.kind == membership.Redis {
		client, err := router.NewRedis(f.t.Context(), patient(source))
		if err != nil {
			f.t.Fatal(err)
		}
		c.allStores, c.epoch, c.node, end = OnRedis(client), client.Epoch, client.NodeFor, client.Close
	} else {
		client, err := router.NewMemcached(f.t.Context(), patient(source))
		if err != nil {
			f.t.Fatal(err)
		}
		c.allStores, c.epoch, c.node, end = OnMemcached(client), client.Epoch, client.NodeFor, client.Close
	}
	f.t.Cleanup(func() {
		if err := firstError(end(), source.Close()); err != nil {
			f.t.Error(err)
		}
	})
	return c
}

// sees shows the client another state of the third server, and returns when it
// works by it.
func (c *resizeClient) sees(state membership.State) {
	c.fleet.t.Helper()
	before := c.epoch()
	if err := c.source.Set(c.fleet.members(state)...); err != nil {
		c.fleet.t.Fatal(err)
	}
	eventually(c.fleet.t, "the client works by the new view", func() bool { return c.epoch() != before })
}

// moving returns users whose keys, in a space user/3, go from the first server to
// the third.
func (f *resize) moving(n int) (keys []userKey) {
	f.t.Helper()
	before, after := f.client(membership.Joining), f.client(membership.Active)
	for id := int64(0); len(keys) < n; id++ {
		key := userKey{"acme", id}
		if text := f.text(key); before.node(text) == "a" && after.node(text) == "c" {
			keys = append(keys, key)
		}
	}
	return keys
}

// text is the key of a user in the store.
func (f *resize) text(key userKey) string {
	f.t.Helper()
	k, err := storeKeyOf("user/3/", key, nil, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return k.text
}

// mover moves keys from one server to another. What the other has already, or must not
// get any more, is removed all the same, unless it has changed meanwhile.
func (f *resize) mover(from, to int) func(key string) error {
	f.t.Helper()
	ctx := context.Background()
	if f.kind == membership.Redis {
		o, n := transit.Redis{Client: f.redis(from)}, transit.Redis{Client: f.redis(to)}
		return func(key string) error {
			n.Transition = f.last
			values, _, err := o.Copy(ctx, n, 0, key)
			if err == nil {
				_, err = o.Remove(ctx, values...)
			}
			return err
		}
	}
	o, n := transit.Memcached{Client: f.memcached(from)}, transit.Memcached{Client: f.memcached(to)}
	return func(key string) error {
		v, _, err := o.Copy(ctx, n, key)
		if err == nil {
			_, err = o.Remove(ctx, v)
		}
		return err
	}
}

// sweep removes keys from a server that does not own them any more, as its agent does.
func (f *resize) sweep(server int, keys []userKey) {
	f.t.Helper()
	for _, key := range keys {
		var err error
		if f.kind == membership.Redis {
			err = f.redis(server).Del(context.Background(), f.text(key)).Err()
		} else if err = f.memcached(server).Delete(context.Background(), f.text(key)); errors.Is(err, memcache.ErrCacheMiss) {
			err = nil
		}
		if err != nil {
			f.t.Error(err)
		}
	}
}

// redis is a client of one of the servers, without a router.
func (f *resize) redis(server int) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: f.servers[server].Addr(), ReadTimeout: time.Minute})
	f.t.Cleanup(func() { _ = client.Close() })
	return client
}

// memcached is a client of one of the servers, without a router.
func (f *resize) memcached(server int) *memcache.Client {
	f.t.Helper()
	client, err := memcache.New(memcache.Config{Address: f.servers[server].Addr(), DialTimeout: time.Minute, ReplyTimeout: time.Minute})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = client.Close() })
	return client
}

// eachFleet runs the test over both kinds of servers.
func eachFleet(t *testing.T, test func(t *testing.T, f *resize)) {
	t.Run("redis", func(t *testing.T) { test(t, newResize(t, membership.Redis)) })
	t.Run("memcached", func(t *testing.T) { test(t, newResize(t, membership.Memcached)) })
}
