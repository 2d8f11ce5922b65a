package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleetOf starts n redis-servers and returns a source of them.
func fleetOf(t testing.TB, n int) (*membership.Manual, []*servertest.Server) {
	t.Helper()
	var servers []*servertest.Server
	for range n {
		servers = append(servers, servertest.Redis(t))
	}
	return sourceOf(t, servers...), servers
}

// membersOf makes node0, node1 … of redis-servers.
func membersOf(servers []*servertest.Server) (members []membership.Member) {
	for i, s := range servers {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: s.Addr()})
	}
	return members
}

// sourceOf returns a source of these servers.
func sourceOf(t testing.TB, servers ...*servertest.Server) *membership.Manual {
	t.Helper()
	source, err := membership.NewManual(membersOf(servers)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source
}

func newRedis(t testing.TB, cfg Config) *Redis {
	t.Helper()
	r, err := NewRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRoutesToOwners(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	want := make(map[string]string)
	for i := range 200 {
		key := fmt.Sprint("key", i)
		if err := r.Set(ctx, key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		want[key] = r.NodeFor(key)
	}
	// Ask the servers themselves: each key is on its owner and nowhere else.
	for i, s := range servers {
		keys, err := direct(t, s).Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) < 20 {
			t.Errorf("node%d has %d of 200 keys", i, len(keys))
		}
		for _, key := range keys {
			if want[key] != fmt.Sprint("node", i) {
				t.Errorf("%s is on node%d, its owner is %s", key, i, want[key])
			}
			delete(want, key)
		}
	}
	if len(want) > 0 {
		t.Errorf("on no server: %v", want)
	}
}

func TestSplitAndFleetWide(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	var keys []string
	var pairs []any
	for i := range 100 {
		keys = append(keys, fmt.Sprint("key", i))
		pairs = append(pairs, keys[i], fmt.Sprint("value", i))
	}
	if err := r.MSet(ctx, pairs...).Err(); err != nil {
		t.Fatal(err)
	}
	values, err := r.MGet(ctx, append(keys, "absent")...).Result()
	if err != nil || len(values) != 101 || values[7] != "value7" || values[99] != "value99" || values[100] != nil {
		t.Errorf("MGET: %v, %v", values, err)
	}
	if n, err := r.Exists(ctx, append(keys, "absent", "key1")...).Result(); n != 101 || err != nil {
		t.Errorf("EXISTS: %d, %v", n, err)
	}
	if n, err := r.DBSize(ctx).Result(); n != 100 || err != nil {
		t.Errorf("DBSIZE: %d, %v", n, err)
	}
	found, err := r.Keys(ctx, "key*").Result()
	slices.Sort(found)
	sorted := slices.Sorted(slices.Values(keys))
	if err != nil || !slices.Equal(found, sorted) {
		t.Errorf("KEYS: %d keys, %v", len(found), err)
	}
	var scanned []string
	it := r.Scan(ctx, 0, "key*", 7).Iterator()
	for it.Next(ctx) {
		scanned = append(scanned, it.Val())
	}
	slices.Sort(scanned)
	if it.Err() != nil || !slices.Equal(slices.Compact(scanned), sorted) {
		t.Errorf("SCAN: %d keys, %v", len(scanned), it.Err())
	}
	if n, err := r.Del(ctx, keys[:50]...).Result(); n != 50 || err != nil {
		t.Errorf("DEL: %d, %v", n, err)
	}
	if pong, err := r.Ping(ctx).Result(); pong != "PONG" || err != nil {
		t.Errorf("PING: %q, %v", pong, err)
	}
	if key, err := r.RandomKey(ctx).Result(); key == "" || err != nil {
		t.Errorf("RANDOMKEY: %q, %v", key, err)
	}
	if err := r.FlushAll(ctx).Err(); err != nil {
		t.Error(err)
	}
	if n, err := r.DBSize(ctx).Result(); n != 0 || err != nil {
		t.Errorf("DBSIZE after FLUSHALL: %d, %v", n, err)
	}
	if err := r.RandomKey(ctx).Err(); err != redis.Nil {
		t.Errorf("RANDOMKEY of an empty fleet: %v", err)
	}
}

func TestOneNodeOrCrossNodeError(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	a, b := "a", ""
	for i := 0; b == ""; i++ {
		if key := fmt.Sprint("b", i); r.NodeFor(key) != r.NodeFor(a) {
			b = key
		}
	}
	for name, run := range map[string]func() error{
		"RENAME": func() error { return r.Rename(ctx, a, b).Err() },
		"MSETNX": func() error { return r.MSetNX(ctx, a, 1, b, 2).Err() },
		"EVAL":   func() error { return r.Eval(ctx, "return 1", []string{a, b}).Err() },
		"MULTI": func() error {
			_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, a, 1, 0)
				p.Set(ctx, b, 1, 0)
				return nil
			})
			return err
		},
		"WATCH": func() error { return r.Watch(ctx, func(*redis.Tx) error { return nil }, a, b) },
	} {
		var crossing *CrossNodeError
		if err := run(); !errors.As(err, &crossing) || crossing.Command != name || !slices.Equal(crossing.Keys, []string{a, b}) || crossing.Nodes[0] == crossing.Nodes[1] {
			t.Errorf("%s over nodes: %v", name, err)
		}
	}
	if n, err := r.DBSize(ctx).Result(); n != 0 || err != nil {
		t.Errorf("something was written: %d keys, %v", n, err)
	}
	// A hash tag keeps keys together.
	cmds, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "{t}1", "x", 0)
		p.Incr(ctx, "{t}2")
		return nil
	})
	if err != nil || len(cmds) != 2 || cmds[1].(*redis.IntCmd).Val() != 1 {
		t.Errorf("a transaction with a tag: %v, %v", cmds, err)
	}
	if err := r.Rename(ctx, "{t}1", "{t}3").Err(); err != nil {
		t.Error(err)
	}
	var unknown *UnknownCommandError
	if err := r.Do(ctx, "FROB", "a").Err(); !errors.As(err, &unknown) {
		t.Errorf("an unknown command: %v", err)
	}
}

func TestPipelineSplits(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	var gets []*redis.StringCmd
	var mget *redis.SliceCmd
	var size *redis.IntCmd
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 100 {
			p.Set(ctx, fmt.Sprint("key", i), i, 0)
		}
		for i := range 100 {
			gets = append(gets, p.Get(ctx, fmt.Sprint("key", i)))
		}
		mget = p.MGet(ctx, "key1", "key2", "key3", "key4", "key5", "absent")
		size = p.DBSize(ctx)
		return nil
	})
	if err != nil || len(cmds) != 202 {
		t.Fatalf("%d commands, %v", len(cmds), err)
	}
	for i, get := range gets {
		if get.Val() != fmt.Sprint(i) {
			t.Errorf("key%d: %q, %v", i, get.Val(), get.Err())
		}
	}
	if v := mget.Val(); len(v) != 6 || v[0] != "1" || v[4] != "5" || v[5] != nil {
		t.Errorf("MGET in a pipeline: %v", v)
	}
	if size.Val() != 100 {
		t.Errorf("DBSIZE in a pipeline: %d", size.Val())
	}
	// One bad command does not stop the others.
	var bad, good redis.Cmder
	_, err = r.Pipelined(ctx, func(p redis.Pipeliner) error {
		bad = p.Do(ctx, "FROB")
		good = p.Set(ctx, "good", 1, 0)
		return nil
	})
	var unknown *UnknownCommandError
	if !errors.As(err, &unknown) || !errors.As(bad.Err(), &unknown) || good.Err() != nil {
		t.Errorf("a pipeline with an unknown command: %v, %v, %v", err, bad.Err(), good.Err())
	}
}

func TestFollowsTheFleet(t *testing.T) {
	source, servers := fleetOf(t, 3)
	opened := make(map[string]int)
	r := newRedis(t, Config{Source: source, OnNewNode: func(id string, _ *redis.Client) { opened[id]++ }})
	ctx := t.Context()
	for i := range 50 {
		if err := r.Set(ctx, fmt.Sprint("key", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	members := []membership.Member{
		{ID: "node0", Address: servers[0].Addr()},
		{ID: "node1", Address: servers[2].Addr()}, // another address, the same keys
	}
	if err := source.Set(members...); err != nil {
		t.Fatal(err)
	}
	for r.Epoch() != 2 {
		if ctx.Err() != nil {
			t.Fatal("the change never arrived")
		}
	}
	if opened["node0"] != 1 || opened["node1"] != 2 || opened["node2"] != 1 {
		t.Errorf("clients opened: %v", opened)
	}
	for i := range 50 {
		if err := r.Set(ctx, fmt.Sprint("key", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.Set(); err != nil {
		t.Fatal(err)
	}
	for r.Epoch() != 3 {
		if ctx.Err() != nil {
			t.Fatal("the change never arrived")
		}
	}
	if err := r.Get(ctx, "key1").Err(); !errors.Is(err, ErrNoNodes) {
		t.Errorf("an empty fleet: %v", err)
	}
}

func TestDeadNode(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	servers[0].Kill()
	var lost, kept string
	for i := 0; lost == "" || kept == ""; i++ {
		if key := fmt.Sprint("key", i); r.NodeFor(key) == "node0" {
			lost = key
		} else {
			kept = key
		}
	}
	for range 20 {
		var failed *NodeError
		if err := r.Set(ctx, lost, 1, 0).Err(); !errors.As(err, &failed) || failed.Node != "node0" {
			t.Fatalf("a key of the dead node: %v", err)
		}
		if err := r.Set(ctx, kept, 1, 0).Err(); err != nil {
			t.Fatalf("a key of the other node: %v", err)
		}
	}
	if err := r.Set(ctx, lost, 1, 0).Err(); !errors.Is(err, ErrBreakerOpen) {
		t.Errorf("after many failures: %v", err)
	}
}

func TestSharedPacketsGiveEveryoneTheirOwn(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	done := make(chan error)
	for g := range 64 {
		go func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if g%2 == 0 {
				ctx = context.Background()
			}
			for i := range 200 {
				key := fmt.Sprintf("g%d-%d", g, i)
				if err := r.Set(ctx, key, key, 0).Err(); err != nil {
					done <- err
					return
				}
				if got, err := r.Get(ctx, key).Result(); got != key || err != nil {
					done <- fmt.Errorf("%s: got %q, %v", key, got, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 64 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
