package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
)

// redisAt is a client of one server.
func redisAt(t *testing.T, address string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, ReadTimeout: time.Minute, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A server that is full and evicts nothing refuses what needs memory. To end an old
// value needs none.
func TestRedisWithoutMemory(t *testing.T) {
	client := redisAt(t, servertest.Redis(t, "--maxmemory-policy", "noeviction").Addr())
	s, ctx := OnRedis(client), t.Context()
	e := Entry{Value: []byte("old"), Version: 5, TTL: time.Hour}
	for _, key := range []string{"deleted", "held", "below", "matched", "replaced"} {
		set(t, s, key, e)
	}
	before := s.BumpTags(ctx, []string{"tag", "damaged", "endless"})
	for _, err := range []error{before[0].Err, before[1].Err, client.Set(ctx, "damaged", "x", 0).Err(), client.Persist(ctx, "endless").Err(),
		client.ConfigSet(ctx, "maxmemory", "1").Err()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Set(ctx, "new", e); err == nil {
		t.Fatal("the server has memory: the test shows nothing")
	}
	for name, err := range map[string]error{
		"Delete":             s.Delete(ctx, "deleted", AnyVersion, 0),
		"Delete, hold-off":   s.Delete(ctx, "held", AnyVersion, time.Hour),
		"Delete, version":    s.Delete(ctx, "below", 6, time.Hour),
		"DeleteMany":         s.DeleteMany(ctx, []string{"matched"}, time.Hour)[0],
		"hold-off once more": s.Delete(ctx, "held", AnyVersion, time.Hour),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range []string{"deleted", "held", "below", "matched"} {
		wantMiss(t, s, key)
	}
	for _, key := range []string{"held", "below", "matched"} {
		if g, err := s.Lease(ctx, key, LeaseRequest{Life: time.Minute}); err != nil || g.State != HoldOff {
			t.Errorf("Lease(%s): %v, %v; want HoldOff", key, g.State, err)
		}
	}
	if set(t, s, "replaced", Entry{Value: []byte("new"), Version: 6, TTL: time.Hour}); !t.Failed() {
		wantEntry(t, s, "replaced", "new", 6)
	}
	for i, v := range s.BumpTags(ctx, []string{"tag", "damaged", "endless", "not there"}) {
		if v.Err != nil || i < 3 && v.Version == before[i].Version {
			t.Errorf("BumpTags %d: %+v, before %+v", i, v, before[min(i, 2)])
		}
	}
	if left := client.PTTL(ctx, "endless").Val(); left != -1 {
		t.Errorf("a tag without an end ends in %v", left)
	}
	if v := s.MakeTags(ctx, []string{"made"})[0]; v.Err == nil {
		t.Error("a tag was made where there is no memory for new ones")
	}
}

// BumpEpoch ends all entries where there is no memory, too.
func TestEpochWithoutMemory(t *testing.T) {
	client, src := redisAt(t, servertest.Redis(t, "--maxmemory-policy", "noeviction").Addr()), newSource()
	m := newManager(t, OnRedis(client))
	defer m.Close()
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
	wantName(t, s, "Ada", FromLoader)
	wantName(t, s, "Ada", FromL2)
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.BumpEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantName(t, s, "Ada", FromLoader)
}

// What somebody else has put under a key, of whatever type, is no entry.
func TestRedisForeignTypes(t *testing.T) {
	client := redisAt(t, servertest.Redis(t).Addr())
	s, ctx := OnRedis(client), t.Context()
	foreign := func(key string) {
		t.Helper()
		if err := errors.Join(client.Del(ctx, key).Err(), client.RPush(ctx, key, "x").Err()); err != nil {
			t.Fatal(err)
		}
	}
	e := Entry{Value: []byte("v"), Version: 1, TTL: time.Hour}
	for name, do := range map[string]func(key string) error{
		"Delete":           func(key string) error { return s.Delete(ctx, key, AnyVersion, 0) },
		"Delete, hold-off": func(key string) error { return s.Delete(ctx, key, AnyVersion, time.Hour) },
		"Delete, version":  func(key string) error { return s.Delete(ctx, key, 5, 0) },
		"DeleteMany":       func(key string) error { return s.DeleteMany(ctx, []string{key}, 0)[0] },
		"Release":          func(key string) error { foreign("r"); return s.Release(ctx, "r", Lease{token: newToken()}) },
		"Set":              func(key string) error { _, err := s.Set(ctx, key, e); return err },
		"Lease and Fill": func(key string) error {
			g, err := s.Lease(ctx, key, LeaseRequest{Life: time.Minute})
			if err != nil || g.State != Won {
				return fmt.Errorf("%v, %w", g.State, err)
			}
			filled, err := s.Fill(ctx, key, g.Lease, e)
			if filled != Stored {
				return fmt.Errorf("filled %v, %w", filled, err)
			}
			return err
		},
		"BumpTags": func(key string) error { return s.BumpTags(ctx, []string{key})[0].Err },
	} {
		key := "key of " + name
		foreign(key)
		wantMiss(t, s, key)
		if r := s.GetMany(ctx, []string{key})[0]; !errors.Is(r.Err, ErrMiss) {
			t.Errorf("GetMany before %s: %v", name, r.Err)
		}
		if err := do(key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if is := client.Type(ctx, key).Val(); is == "list" && name != "Release" {
			t.Errorf("%s leaves it", name)
		}
	}
	m := newManager(t, s)
	defer m.Close()
	users := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = newSource().load })
	k, _ := storeKeyOf(users.prefix, ada, nil, nil)
	foreign(k.text)
	wantName(t, users, "Ada", FromLoader)
	wantName(t, users, "Ada", FromL2)
}

// Clients that route keys themselves have batches work too.
func TestRedisOtherClients(t *testing.T) {
	a, b := servertest.Redis(t).Addr(), servertest.Redis(t).Addr()
	slots := func(context.Context) ([]redis.ClusterSlot, error) {
		return []redis.ClusterSlot{{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: a}}},
			{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: b}}}}, nil
	}
	for name, client := range map[string]redis.UniversalClient{
		"cluster": redis.NewClusterClient(&redis.ClusterOptions{ClusterSlots: slots, ReadTimeout: time.Minute}),
		"ring": redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": a, "b": b}, ReadTimeout: time.Minute,
			HeartbeatFrequency: time.Hour}),
	} {
		t.Run(name, func(t *testing.T) {
			defer client.Close()
			s, ctx := OnRedis(client), t.Context()
			var keys, tags []string
			var writes []Write
			for i := range 40 {
				keys, tags = append(keys, fmt.Sprint(name, i)), append(tags, fmt.Sprint(name, "tag", i))
				writes = append(writes, Write{Key: keys[i], Entry: Entry{Value: []byte{byte(i)}, Version: 1, TTL: time.Hour}})
			}
			for i, r := range s.StoreMany(ctx, writes) {
				if r.Err != nil || r.Filled != Stored {
					t.Fatalf("StoreMany %d: %v, %v", i, r.Filled, r.Err)
				}
			}
			for _, address := range []string{a, b} {
				if n := redisAt(t, address).DBSize(ctx).Val(); n == 0 {
					t.Fatal("one server has all keys: the test shows nothing")
				}
			}
			made := s.MakeTags(ctx, tags)
			results, versions := s.GetTagged(ctx, keys, tags)
			for i, r := range s.GetMany(ctx, append(keys, "nothing")) {
				switch {
				case i == len(keys):
					if !errors.Is(r.Err, ErrMiss) {
						t.Errorf("GetMany of nothing: %v", r.Err)
					}
				case r.Err != nil || r.Entry.Value[0] != byte(i) || results[i].Err != nil:
					t.Errorf("GetMany %d: %v, GetTagged: %v", i, r.Err, results[i].Err)
				case made[i].Version == 0 || versions[i].Version != made[i].Version:
					t.Errorf("tag %d: %+v, made as %+v", i, versions[i], made[i])
				}
			}
			for i, err := range s.DeleteMany(ctx, keys, 0) {
				if err != nil {
					t.Errorf("DeleteMany %d: %v", i, err)
				}
			}
			for i, r := range s.LeaseMany(ctx, keys, LeaseRequest{Life: time.Minute}) {
				if r.Err != nil || r.Grant.State != Won {
					t.Errorf("LeaseMany %d: %v, %v", i, r.Grant.State, r.Err)
				}
			}
		})
	}
}

// A lease to renew an entry is given back where there is no memory too: nobody waits for its
// end, and the entry is what it was, to the end that it had.
func TestReleaseWithoutMemory(t *testing.T) {
	client := redisAt(t, servertest.Redis(t, "--maxmemory-policy", "noeviction").Addr())
	s, ctx := OnRedis(client), t.Context()
	const life = time.Hour
	grants := make(map[string]Grant)
	for _, key := range []string{"released", "older", "refused"} {
		set(t, s, key, Entry{Value: []byte("before"), Version: 5, TTL: life})
		grants[key] = lease(t, s, key, LeaseRequest{Renew: true, Life: life / 2}, Won)
	}
	absent := lease(t, s, "absent", LeaseRequest{Life: life}, Won)
	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fill(ctx, "refused", grants["refused"].Lease, Entry{Value: []byte("new"), Version: 6, TTL: life}); err == nil {
		t.Fatal("the server has memory: the test shows nothing")
	}
	if err := s.Release(ctx, "refused", Lease{token: newToken()}); err != nil {
		t.Errorf("Release of another: %v", err)
	}
	lease(t, s, "refused", LeaseRequest{Renew: true}, Pending)
	for _, err := range []error{s.Release(ctx, "released", grants["released"].Lease), s.Release(ctx, "refused", grants["refused"].Lease),
		s.Release(ctx, "absent", absent.Lease)} {
		if err != nil {
			t.Errorf("Release: %v", err)
		}
	}
	fill(t, s, "older", grants["older"].Lease, Entry{Value: []byte("new"), Version: 4, TTL: life}, Older)
	if n := client.Exists(ctx, "absent").Val(); n != 0 {
		t.Error("a lease of no entry is still there")
	}
	for key := range grants {
		wantEntry(t, s, key, "before", 5)
		if left := client.PTTL(ctx, key).Val(); left <= life/2 || left > life {
			t.Errorf("%s ends in %v, want as before, within %v", key, left, life)
		}
	}
	if err := client.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for key := range grants {
		lease(t, s, key, LeaseRequest{Renew: true}, Won)
	}
	lease(t, s, "absent", LeaseRequest{}, Won)
}
