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
	"github.com/ringway/ringway/ring"
)

// zonedFleet starts two servers in each of three zones.
func zonedFleet(t *testing.T) (membership.Source, map[string]*servertest.Server, map[string]*redis.Client) {
	t.Helper()
	servers, clients := make(map[string]*servertest.Server), make(map[string]*redis.Client)
	var members []membership.Member
	for i := range 6 {
		s, id := servertest.Redis(t), fmt.Sprint("node", i)
		servers[id], clients[id] = s, direct(t, s)
		members = append(members, membership.Member{ID: id, Address: s.Addr(), Zone: fmt.Sprint("zone", i/2)})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source, servers, clients
}

// have returns the nodes that have a key, in order, and their zones.
func have(t *testing.T, clients map[string]*redis.Client, key string) (ids, zones []string) {
	t.Helper()
	for i := range len(clients) {
		id := fmt.Sprint("node", i)
		n, err := clients[id].Exists(context.Background(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			ids, zones = append(ids, id), append(zones, fmt.Sprint("zone", i/2))
		}
	}
	return ids, zones
}

// replicas returns the nodes that should have a key, the owner first.
func replicas(r *Redis, key string) (ids []string) {
	places := r.fleet.current.Load().placement.(*ring.Ring)
	for _, n := range places.Replicas(nil, key, r.cfg.Replication.Factor) {
		ids = append(ids, n.ID)
	}
	return ids
}

func TestCopiesAreOnDistinctZones(t *testing.T) {
	source, servers, clients := zonedFleet(t)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}, Node: patient})
	ctx := t.Context()
	var keys []string
	var pairs []any
	for i := range 60 {
		keys = append(keys, fmt.Sprint("key", i))
		pairs = append(pairs, keys[i], fmt.Sprint("value", i))
	}
	if err := r.MSet(ctx, pairs[:60]...).Err(); err != nil {
		t.Fatal(err)
	}
	for i := 30; i < 45; i++ {
		if err := r.Set(ctx, keys[i], pairs[2*i+1], 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := 45; i < 60; i++ {
			p.Set(ctx, keys[i], pairs[2*i+1], 0)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		ids, zones := have(t, clients, key)
		want := slices.Sorted(slices.Values(replicas(r, key)))
		if !slices.Equal(ids, want) || len(ids) != 2 || zones[0] == zones[1] {
			t.Errorf("%s is on %v in %v, want %v", key, ids, zones, want)
		}
	}
	if n, err := r.Exists(ctx, keys...).Result(); n != 60 || err != nil {
		t.Errorf("EXISTS counts %d of 60 keys, %v", n, err)
	}

	// One node dies: what it had is read from the others.
	servers["node0"].Kill()
	lost := 0
	for i, key := range keys {
		if got, err := r.Get(ctx, key).Result(); got != pairs[2*i+1] || err != nil {
			t.Fatalf("%s without node0: %q, %v", key, got, err)
		}
		if slices.Contains(replicas(r, key), "node0") {
			lost++
		}
	}
	if lost == 0 {
		t.Fatal("node0 had no key: nothing was tested")
	}
	values, err := r.MGet(ctx, keys...).Result()
	if err != nil || slices.Contains(values, nil) {
		t.Errorf("MGET without node0: %v, %v", values, err)
	}
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Get(ctx, key)
		}
		return nil
	})
	if err != nil {
		t.Errorf("a pipeline without node0: %v", err)
	}
	for i, cmd := range cmds {
		if got := cmd.(*redis.StringCmd).Val(); got != pairs[2*i+1] {
			t.Errorf("%s in a pipeline without node0: %q, %v", keys[i], got, cmd.Err())
		}
	}
	// Writes to its keys fail, and say what was not done.
	var multi *MultiError
	for _, key := range keys {
		err := r.Set(ctx, key, "new", 0).Err()
		if holders := replicas(r, key); slices.Contains(holders, "node0") != (err != nil) {
			t.Errorf("SET %s on %v: %v", key, holders, err)
		} else if err != nil && (!errors.As(err, &multi) || multi.Failed["node0"] == nil || multi.Keys[key] == nil || multi.Total != 2) {
			t.Errorf("SET %s on %v: %v", key, holders, err)
		}
	}
	servers["node0"].Restart()
	if n, err := r.Del(ctx, keys...).Result(); err == nil && n == 0 {
		t.Errorf("DEL: %d, %v", n, err)
	}
}

func TestDeletesReachAllCopies(t *testing.T) {
	source, _, clients := zonedFleet(t)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 3}})
	ctx := t.Context()
	keys := []string{"a", "b", "c", "d", "e"}
	for _, key := range keys {
		if err := r.Set(ctx, key, 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if ids, _ := have(t, clients, key); len(ids) != 3 {
			t.Errorf("%s is on %v", key, ids)
		}
	}
	if n, err := r.Incr(ctx, "a").Result(); n != 2 || err != nil {
		t.Errorf("INCR: %d, %v", n, err)
	}
	if n, err := r.Del(ctx, "a").Result(); n != 1 || err != nil {
		t.Errorf("DEL a: %d, %v", n, err)
	}
	if n, err := r.Unlink(ctx, append(keys, "absent")...).Result(); n != 4 || err != nil {
		t.Errorf("UNLINK: %d, %v", n, err)
	}
	for _, key := range keys {
		if ids, _ := have(t, clients, key); len(ids) != 0 {
			t.Errorf("%s is still on %v", key, ids)
		}
	}
	// Keys of one tag have the same nodes.
	if err := r.SAdd(ctx, "{t}1", "x", "y").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.SUnionStore(ctx, "{t}2", "{t}1").Err(); err != nil {
		t.Error(err)
	}
	if ids, _ := have(t, clients, "{t}2"); len(ids) != 3 {
		t.Errorf("{t}2 is on %v", ids)
	}
	if members, err := r.SInter(ctx, "{t}1", "{t}2").Result(); len(members) != 2 || err != nil {
		t.Errorf("SINTER: %v, %v", members, err)
	}
}

func TestQuorum(t *testing.T) {
	source, servers, clients := zonedFleet(t)
	all := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 3}, Node: patient})
	most := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 3, Quorum: true}, Node: patient})
	ctx := t.Context()
	var owned string // by the node that will die
	for i := 0; owned == ""; i++ {
		if key := fmt.Sprint("key", i); replicas(all, key)[0] == "node0" {
			owned = key
		}
	}
	servers["node0"].Kill()
	delete(clients, "node0")
	var multi *MultiError
	if err := all.Set(ctx, owned, 1, 0).Err(); !errors.As(err, &multi) {
		t.Errorf("all copies: %v", err)
	}
	if err := most.Set(ctx, owned, "x", 0).Err(); err != nil {
		t.Errorf("a majority: %v", err)
	}
	if n, err := most.Append(ctx, owned, "y").Result(); n != 2 || err != nil {
		t.Errorf("APPEND by a majority: %d, %v", n, err)
	}
	if got, err := most.Get(ctx, owned).Result(); got != "xy" || err != nil {
		t.Errorf("GET: %q, %v", got, err)
	}
	cmds, err := most.Pipelined(ctx, func(p redis.Pipeliner) error { p.Append(ctx, owned, "z"); p.Get(ctx, owned); return nil })
	if err != nil || cmds[0].(*redis.IntCmd).Val() != 3 || cmds[1].(*redis.StringCmd).Val() != "xyz" {
		t.Errorf("a pipeline: %v, %v", cmds, err)
	}
	if err := most.MSet(ctx, owned, 1, "other1", 2, "other2", 3).Err(); err != nil {
		t.Errorf("MSET by a majority: %v", err)
	}
	second := replicas(most, owned)[1]
	servers[second].Kill()
	delete(clients, second)
	if err := most.Set(ctx, owned, "x", 0).Err(); !errors.As(err, &multi) || len(multi.Failed) != 2 {
		t.Errorf("one of three: %v", err)
	}
}

func TestReadsPreferTheirZone(t *testing.T) {
	source, _, clients := zonedFleet(t)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 3, Zone: "zone1"}})
	ctx := t.Context()
	zoned := 0
	for i := range 20 {
		key := fmt.Sprint("key", i)
		for _, id := range replicas(r, key) {
			clients[id].Set(ctx, key, id, 0)
		}
		got, err := r.Get(ctx, key).Result()
		if got != "node2" && got != "node3" || err != nil {
			t.Errorf("%s, which is on %v, was read from %q, %v", key, replicas(r, key), got, err)
		}
		if replicas(r, key)[0] != got {
			zoned++
		}
	}
	if zoned == 0 {
		t.Error("all keys have their owner in the zone: nothing was tested")
	}
}

func TestWhatCopiesCannotDo(t *testing.T) {
	source, _, clients := zonedFleet(t)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}})
	ctx := t.Context()
	for name, err := range map[string]error{
		"SPOP":       r.SPop(ctx, "k").Err(),
		"XADD":       r.XAdd(ctx, &redis.XAddArgs{Stream: "k", Values: []any{"a", 1}}).Err(),
		"EVAL":       r.Eval(ctx, "return 1", []string{"k"}).Err(),
		"SETNX":      r.SetNX(ctx, "k", 1, 0).Err(),
		"BLPOP":      r.BLPop(ctx, 1, "k").Err(),
		"WATCH":      r.Watch(ctx, func(*redis.Tx) error { return nil }, "k"),
		"MULTI":      exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "k", 1, 0); return nil })),
		"pipeline":   exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.MSet(ctx, "k", 1, "l", 1, "m", 1); return nil })),
		"XREADGROUP": r.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"k", ">"}, Block: -1}).Err(),
	} {
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var crossing *CrossNodeError
	if err := r.Rename(ctx, "k1", "k2").Err(); !errors.As(err, &crossing) {
		t.Errorf("RENAME: %v", err)
	}
	for id, c := range clients {
		if keys := c.Keys(ctx, "*").Val(); len(keys) > 0 {
			t.Errorf("%s has %v", id, keys)
		}
	}
	if err := r.XAdd(ctx, &redis.XAddArgs{Stream: "k", ID: "1-1", Values: []any{"a", 1}}).Err(); err != nil {
		t.Errorf("XADD with an ID: %v", err)
	}
}

func TestTooFewNodesForCopies(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 3}})
	ctx := t.Context()
	a, b := keysOf(r, "node0", 1)[0], keysOf(r, "node1", 1)[0]
	for name, err := range map[string]error{
		"SET":      r.Set(ctx, "k", 1, 0).Err(),
		"MSET":     r.MSet(ctx, a, 1, b, 2).Err(),
		"pipeline": exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "k", 1, 0); return nil })),
	} {
		if !errors.Is(err, ErrTooFewNodes) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Get(ctx, "k").Err(); err != redis.Nil {
		t.Errorf("GET: %v", err)
	}
}
