package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
)

// overRedis is a manager with a first level that would keep values for an hour, and
// a bus over the client.
func overRedis(t *testing.T, store Store, client redis.UniversalClient, cfg BusConfig, load Loader[userKey, user]) *Space[userKey, user] {
	t.Helper()
	bus, err := NewRedisBus(client, "test", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return overBus(t, store, bus, load)
}

// overBus is a manager with such a first level, that hears the bus.
func overBus(t *testing.T, store Store, bus Bus, load Loader[userKey, user]) *Space[userKey, user] {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store, Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Load, c.L1, c.Life.TTL = load, L1Config{MaxBytes: 1 << 20, TTL: time.Hour}, 10*time.Hour
	})
	eventually(t, "the bus is heard", func() bool { return !deaf(s) })
	return s
}

func deaf(s *Space[userKey, user]) bool { return s.l1.deaf.Load() }

// numbered is a source whose values count up.
type numbered struct{ n atomic.Int64 }

func (s *numbered) load(context.Context, userKey) (Loaded[user], error) {
	return Loaded[user]{Value: user{Name: fmt.Sprint(s.n.Load())}}, nil
}

func (s *numbered) name() string { return fmt.Sprint(s.n.Load()) }

// inL1 reads until the value comes from the first level, and returns it.
func inL1(t *testing.T, s *Space[userKey, user]) (v user) {
	t.Helper()
	eventually(t, "in the first level", func() bool {
		var meta Meta
		v, meta = mustGet(t, s, ada)
		return meta.Source == FromL1
	})
	return v
}

func wantSoon(t *testing.T, s *Space[userKey, user], name string) {
	t.Helper()
	eventually(t, "value "+name, func() bool { v, _ := mustGet(t, s, ada); return v.Name == name })
}

// Two processes over two servers: what one changes the other forgets, without
// forgetting all.
func TestRedisBus(t *testing.T) {
	addresses := []string{servertest.Redis(t).Addr(), servertest.Redis(t).Addr()}
	var src numbered
	var spaces []*Space[userKey, user]
	for range 2 {
		client := redisFleet(t, addresses)
		spaces = append(spaces, overRedis(t, OnRedis(client), client, BusConfig{}, src.load))
	}
	for range 5 {
		for i, s := range spaces {
			for _, s := range spaces {
				if v := inL1(t, s); v.Name != src.name() {
					t.Fatalf("%q in the first level, want %q", v.Name, src.name())
				}
			}
			src.n.Add(1)
			if err := s.Invalidate(t.Context(), ada); err != nil {
				t.Fatal(err)
			}
			wantName(t, s, src.name(), FromLoader)
			wantSoon(t, spaces[1-i], src.name())
		}
	}
}

// A client of one server, without a router, and a store that is no Redis.
func TestRedisBusBesideAnotherStore(t *testing.T) {
	server := servertest.Redis(t)
	store := NewMemory()
	var src numbered
	var spaces []*Space[userKey, user]
	for range 2 {
		client := redis.NewClient(&redis.Options{Addr: server.Addr()})
		t.Cleanup(func() { _ = client.Close() })
		spaces = append(spaces, overRedis(t, store, client, BusConfig{}, src.load))
	}
	inL1(t, spaces[1])
	src.n.Add(1)
	if err := spaces[0].Invalidate(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	wantSoon(t, spaces[1], "1")
}

// The connections that listen are killed, again and again: what was told meanwhile
// is not missed, for all is forgotten.
func TestRedisBusConnectionLost(t *testing.T) {
	server := servertest.Redis(t)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = admin.Close() })
	for name, open := range map[string]func() redis.UniversalClient{
		"router": func() redis.UniversalClient { return redisFleet(t, []string{server.Addr()}) },
		"plain":  func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: server.Addr()}) },
	} {
		t.Run(name, func(t *testing.T) {
			var src numbered
			store := NewMemory() // so that only the bus is disturbed
			client := open()
			t.Cleanup(func() { _ = client.Close() })
			// Digests would show it too, an hour later.
			reader := overRedis(t, store, client, BusConfig{Digest: time.Hour}, src.load)
			writer := newUsers(t, newManager(t, store), nil)
			for range 5 {
				inL1(t, reader)
				forgets := reader.Stats().L1Forgets
				eventually(t, "a connection to kill", func() bool {
					n, err := admin.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Int()
					return err == nil && n > 0
				})
				src.n.Add(1)
				if err := writer.Invalidate(t.Context(), ada); err != nil { // and its message is lost
					t.Fatal(err)
				}
				wantSoon(t, reader, src.name())
				eventually(t, "all was forgotten when there was a subscription again", func() bool { return reader.Stats().L1Forgets > forgets+1 })
			}
		})
	}
}

// A connection that is half open: nothing arrives, and no error either. The level
// that needs the bus is left out, until the bus is heard again.
func TestRedisBusHalfOpen(t *testing.T) {
	proxy := faultproxy.New(t, servertest.Redis(t).Addr())
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	var src numbered
	reader := overRedis(t, NewMemory(), client, BusConfig{Digest: 200 * time.Millisecond}, src.load)
	inL1(t, reader)
	forgets := reader.Stats().L1Forgets
	proxy.Hang()
	eventually(t, "silence is noticed", func() bool { return deaf(reader) && reader.Stats().L1Forgets > forgets })
	proxy.Reset()
	proxy.Heal()
	eventually(t, "the bus is heard again", func() bool { return !deaf(reader) })
}

// Whoever tells does not wait for a server that stands still.
func TestRedisBusServerStandsStill(t *testing.T) {
	server := servertest.Redis(t)
	client := redisFleet(t, []string{server.Addr()})
	store := NewMemory()
	var src numbered
	writer := overRedis(t, store, client, BusConfig{}, src.load)
	reader := overRedis(t, store, redisFleet(t, []string{server.Addr()}), BusConfig{}, src.load)
	inL1(t, reader)
	server.Stop()
	// A publish takes 1 s to fail: hours, if they were waited for.
	for range 20_000 {
		src.n.Add(1)
		if err := writer.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
	}
	server.Cont()
	wantSoon(t, reader, src.name())
}
