//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
)

// stock is what a fleet holds: every fourth key is a hash, every second one has an
// expiry.
type stock struct {
	keys    []string
	expires time.Time
}

const stockSize = 400

func fill(t *testing.T, s *servertest.Server) stock {
	t.Helper()
	st := stock{expires: time.Now().Add(time.Hour).Truncate(time.Millisecond)}
	client := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer client.Close()
	pipe := client.Pipeline()
	for i := range stockSize {
		key := fmt.Sprintf("key-%d", i)
		st.keys = append(st.keys, key)
		if i%4 == 0 {
			pipe.HSet(t.Context(), key, "field", i)
		} else {
			pipe.Set(t.Context(), key, i, 0)
		}
		if i%2 == 0 {
			pipe.PExpireAt(t.Context(), key, st.expires)
		}
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

// check holds that every key is on its owner, as it was, and nowhere else.
func (st stock) check(t *testing.T, agent *agentProcess, servers map[string]*servertest.Server) {
	t.Helper()
	clients := make(map[string]*redis.Client)
	for id, s := range servers {
		clients[id] = redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer clients[id].Close()
	}
	where := owners(t, agent, st.keys)
	for i, key := range st.keys {
		client := clients[where[key]]
		if client == nil {
			t.Fatalf("%s belongs to %q, which has no server", key, where[key])
		}
		get := client.Get
		if i%4 == 0 {
			get = func(ctx context.Context, key string) *redis.StringCmd { return client.HGet(ctx, key, "field") }
		}
		if value, err := get(t.Context(), key).Result(); err != nil || value != fmt.Sprint(i) {
			t.Fatalf("%s on %s: %q, %v, want %d", key, where[key], value, err, i)
		}
		at, err := client.PExpireTime(t.Context(), key).Result()
		want := time.Duration(st.expires.UnixMilli()) * time.Millisecond
		if i%2 == 1 {
			want = -1
		}
		if err != nil || at != want {
			t.Fatalf("%s on %s expires at %v, want %v, %v", key, where[key], at, want, err)
		}
	}
	total := 0
	for _, client := range clients {
		keys, err := client.Keys(t.Context(), "key-*").Result()
		if err != nil {
			t.Fatal(err)
		}
		total += len(keys)
	}
	if total != len(st.keys) {
		t.Errorf("the servers hold %d keys, want %d", total, len(st.keys))
	}
}

// moversAnswer is what `ringway rebalance --format json` says.
type moversAnswer struct {
	Schema string
	Movers []struct {
		ID, Problem, State, Phase, Error string
		Paused, Rollback                 bool
		Transition                       uint64
		KeysMoved                        int64 `json:"keys_moved"`
		Limit                            int   `json:"limit_keys_per_second"`
	}
}

func rebalanceJSON(t *testing.T, args ...string) (m moversAnswer) {
	t.Helper()
	code, stdout, stderr := run(append([]string{"rebalance", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &m); code != 0 || err != nil || m.Schema != moversSchema {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	return m
}

func (m moversAnswer) moved() (n int64) {
	for _, one := range m.Movers {
		n += one.KeysMoved
	}
	return n
}

// Nodes join with keys in place, one is drained, one is rolled back half-way: every
// key is there afterwards, with its value and its expiry. Each command is given
// one agent, and reaches all.
func TestKeysMove(t *testing.T) {
	clearVariables(t)
	servers := make(map[string]*servertest.Server)
	for _, id := range []string{"a", "b", "c", "d"} {
		servers[id] = servertest.Redis(t)
	}
	only := func(ids ...string) map[string]*servertest.Server {
		some := make(map[string]*servertest.Server)
		for _, id := range ids {
			some[id] = servers[id]
		}
		return some
	}
	st := fill(t, servers["a"])
	a := begin(t, "a", redisURL(servers["a"]), "--bootstrap")
	b := begin(t, "b", redisURL(servers["b"]), "--join", a.gossip)
	c := begin(t, "c", redisURL(servers["c"]), "--join", a.gossip)
	allSay(t, "a ACTIVE, b ACTIVE, c ACTIVE", a, b, c)
	st.check(t, a, only("a", "b", "c"))
	if m := rebalanceJSON(t, "--agent", c.http); len(m.Movers) != 3 || m.Movers[0].Problem != "" || m.moved() == 0 {
		t.Errorf("%+v", m)
	}

	code, stdout, stderr := run("drain", "b", "--agent", a.http)
	if code != 0 || !strings.Contains(stdout, "b owns ") || !strings.Contains(stdout, "b is LEFT") {
		t.Fatalf("drain: exit %d, %s%s", code, stdout, stderr)
	}
	if code, why := b.exit(t); code != 0 {
		t.Errorf("b ended with %d, %s", code, why)
	}
	allSay(t, "a ACTIVE, b LEFT, c ACTIVE", a, c)
	st.check(t, a, only("a", "c"))
	if code, _, stderr := run("drain", "b", "--agent", a.http); code != 1 || !strings.Contains(stderr, "has left already") {
		t.Errorf("drain again: exit %d, %s", code, stderr)
	}

	// Slow enough to be caught half-way.
	if m := rebalanceJSON(t, "--keys-per-second", "5", "--agent", c.http); m.Movers[0].Limit != 5 || m.Movers[1].Limit != 5 {
		t.Errorf("limits: %+v", m)
	}
	d := begin(t, "d", redisURL(servers["d"]), "--join", a.gossip)
	eventually(t, "some keys have moved to d", func() (bool, any) {
		n := size(t, servers["d"])
		return n > 5, n
	})
	if code, _, stderr := run("rebalance", "--pause", "--agent", a.http); code != 0 {
		t.Errorf("pause: exit %d, %s", code, stderr)
	}
	if m := rebalanceJSON(t, "--agent", c.http); !m.Movers[0].Paused || !m.Movers[1].Paused || m.Movers[0].Phase != "importing" {
		t.Errorf("paused: %+v", m)
	}
	if code, _, stderr := run("rebalance", "--resume", "--keys-per-second", "0", "--agent", a.http); code != 0 {
		t.Errorf("resume: exit %d, %s", code, stderr)
	}
	if code, _, stderr := run("rebalance", "--abort", "--agent", c.http); code != 0 {
		t.Fatalf("abort: exit %d, %s", code, stderr)
	}
	if code, stdout, stderr := run("rebalance", "--watch", "--agent", c.http); code != 0 || !strings.Contains(stdout, "no transition under way") {
		t.Errorf("watch: exit %d, %s%s", code, stdout, stderr)
	}
	if code, why := d.exit(t); code != 0 || why != "" {
		t.Errorf("d ended with %d, %s", code, why)
	}
	allSay(t, "a ACTIVE, b LEFT, c ACTIVE, d LEFT", a, c)
	st.check(t, a, only("a", "c"))
	if code, _, stderr := run("rebalance", "--abort", "--agent", a.http); code != 1 || !strings.Contains(stderr, "no transition is under way") {
		t.Errorf("abort again: exit %d, %s", code, stderr)
	}
}
