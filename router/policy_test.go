package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/rendezvous"
)

// keysOf returns n keys that the node owns.
func keysOf(r *Redis, node string, n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprint("key", i); r.NodeFor(key) == node {
			keys = append(keys, key)
		}
	}
	return keys
}

// direct returns a plain client of a server.
func direct(t testing.TB, s *servertest.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { c.Close() })
	return c
}

// quick are time-outs for tests in which a node does not answer.
var quick = NodeConfig{DialTimeout: 100 * time.Millisecond, ReadTimeout: 100 * time.Millisecond}

// patient is for tests in which nodes answer or refuse at once, however busy the
// machine is.
var patient = NodeConfig{DialTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second}

func TestFailFastIsByNode(t *testing.T) {
	source, servers := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source, Breaker: BreakerConfig{Delay: time.Hour}})
	ctx := t.Context()
	lost, kept := keysOf(r, "node0", 3), keysOf(r, "node1", 3)
	if err := r.MSet(ctx, lost[0], "a", kept[0], "b", kept[1], "c").Err(); err != nil {
		t.Fatal(err)
	}
	servers[0].Kill()
	var failed *NodeError
	var multi *MultiError
	values, err := r.MGet(ctx, kept[0], lost[0], kept[1]).Result()
	if !errors.As(err, &multi) || !errors.As(err, &failed) || failed.Node != "node0" || !slices.Equal(values, []any{"b", nil, "c"}) {
		t.Errorf("MGET: %v, %v", values, err)
	} else if len(multi.Keys) != 1 || multi.Keys[lost[0]] == nil || len(multi.Failed) != 1 || multi.Total != 2 {
		t.Errorf("MGET: keys %v, nodes %v of %d", multi.Keys, multi.Failed, multi.Total)
	}
	if _, err := r.MGet(ctx, lost...).Result(); !errors.As(err, &failed) {
		t.Errorf("MGET on the dead node alone: %v", err)
	}
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, kept[0])
		p.Get(ctx, lost[0])
		p.Incr(ctx, lost[1])
		p.Set(ctx, kept[2], 1, 0)
		p.MGet(ctx, lost[0], kept[0])
		return nil
	})
	if !errors.As(err, &failed) || cmds[0].Err() != nil || cmds[3].Err() != nil || cmds[0].(*redis.StringCmd).Val() != "b" {
		t.Errorf("a pipeline: %v, %v", cmds, err)
	}
	if !errors.As(cmds[1].Err(), &failed) || !errors.As(cmds[2].Err(), &failed) || !errors.As(cmds[4].Err(), &multi) {
		t.Errorf("a pipeline: %v", cmds)
	}
	if _, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, lost[0]); return nil }); !errors.As(err, &failed) {
		t.Errorf("a transaction: %v", err)
	}
	if err := r.Watch(ctx, func(*redis.Tx) error { return nil }, lost[0]); !errors.As(err, &failed) {
		t.Errorf("WATCH: %v", err)
	}
	for range 50 { // commands without a key find a node that is there
		if err := r.Echo(ctx, "x").Err(); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
	}
	for range 50 {
		if err := r.Echo(ctx, "x").Err(); err != nil {
			t.Fatalf("ECHO once the dead node is known: %v", err)
		}
	}
}

func exec(_ []redis.Cmder, err error) error { return err }

func TestMissPolicy(t *testing.T) {
	source, servers := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Miss}, Node: quick})
	ctx := t.Context()
	lost, kept := keysOf(r, "node0", 3), keysOf(r, "node1", 2)
	if err := r.MSet(ctx, lost[0], "a", kept[0], "b", kept[1], "c").Err(); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct {
		name string
		do   func()
	}{{"frozen", servers[0].Stop}, {"killed", servers[0].Kill}} {
		name := fault.name
		fault.do()
		if err := r.Get(ctx, lost[0]).Err(); err != redis.Nil {
			t.Errorf("%s: GET: %v", name, err)
		}
		if values, err := r.MGet(ctx, kept[0], lost[0], kept[1]).Result(); err != nil || !slices.Equal(values, []any{"b", nil, "c"}) {
			t.Errorf("%s: MGET over nodes: %v, %v", name, values, err)
		}
		if values, err := r.MGet(ctx, lost[0], lost[1]).Result(); err != nil || !slices.Equal(values, []any{nil, nil}) {
			t.Errorf("%s: MGET on the lost node: %v, %v", name, values, err)
		}
		if n, err := r.Exists(ctx, lost[0], kept[0]).Result(); n != 1 || err != nil {
			t.Errorf("%s: EXISTS: %d, %v", name, n, err)
		}
		if n, err := r.Exists(ctx, lost[0]).Result(); n != 0 || err != nil {
			t.Errorf("%s: EXISTS on the lost node: %d, %v", name, n, err)
		}
		var failed *NodeError
		for what, err := range map[string]error{
			"SET":   r.Set(ctx, lost[0], 1, 0).Err(),
			"INCR":  r.Incr(ctx, lost[0]).Err(),
			"DEL":   r.Del(ctx, lost[0], kept[1]).Err(),
			"MSET":  r.MSet(ctx, lost[0], 1, kept[1], "c").Err(),
			"MULTI": exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, lost[0]); return nil })),
			"KEYS":  r.Keys(ctx, "*").Err(),
		} {
			if !errors.As(err, &failed) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		r.Set(ctx, kept[1], "c", 0)
		cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Get(ctx, lost[0])
			p.Get(ctx, kept[0])
			p.MGet(ctx, lost[0], kept[0])
			p.MGet(ctx, lost[0], lost[1])
			p.Incr(ctx, lost[0])
			return nil
		})
		if cmds[0].Err() != redis.Nil || cmds[1].Err() != nil || cmds[2].Err() != nil || cmds[3].Err() != nil || !errors.As(cmds[4].Err(), &failed) {
			t.Errorf("%s: a pipeline: %v, %v", name, cmds, err)
		}
		if v := cmds[2].(*redis.SliceCmd).Val(); !slices.Equal(v, []any{nil, "b"}) {
			t.Errorf("%s: MGET in a pipeline: %v", name, v)
		}
	}
}

func TestSuccessorPolicy(t *testing.T) {
	source, servers := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Successor, GutterTTL: time.Minute}, Node: patient})
	ctx := t.Context()
	lost, kept := keysOf(r, "node0", 6), keysOf(r, "node1", 1)
	places := r.fleet.current.Load().placement.(*ring.Ring)
	second := make(map[string]*redis.Client) // of the node after the owner
	for _, key := range lost {
		id := places.Successors(nil, key, 1)[0].ID
		second[key] = direct(t, servers[id[len(id)-1]-'0'])
	}
	servers[0].Kill()
	capped := func(key, want string) {
		t.Helper()
		got, err := second[key].Get(ctx, key).Result()
		ttl := second[key].PTTL(ctx, key).Val()
		if got != want || err != nil || ttl <= 0 || ttl > time.Minute {
			t.Errorf("%s on its successor: %q, %v, for %v; want %q for a minute at most", key, got, err, ttl, want)
		}
	}
	if err := r.Set(ctx, lost[0], "a", 0).Err(); err != nil {
		t.Fatal(err)
	}
	capped(lost[0], "a")
	if err := r.Set(ctx, lost[1], "b", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	capped(lost[1], "b")
	if got, err := r.Get(ctx, lost[0]).Result(); got != "a" || err != nil {
		t.Errorf("GET: %q, %v", got, err)
	}
	if n, err := r.Incr(ctx, lost[2]).Result(); n != 1 || err != nil {
		t.Errorf("INCR: %d, %v", n, err)
	}
	capped(lost[2], "1")
	if err := r.Incr(ctx, lost[0]).Err(); err == nil || errors.As(err, new(*NodeError)) {
		t.Errorf("INCR of a text: %v, want the server's own error", err)
	}
	if err := r.MSet(ctx, lost[3], "d", kept[0], "k", lost[4], "e").Err(); err != nil {
		t.Errorf("MSET: %v", err)
	}
	capped(lost[3], "d")
	capped(lost[4], "e")
	values, err := r.MGet(ctx, lost[3], kept[0], lost[5], lost[4]).Result()
	if err != nil || !slices.Equal(values, []any{"d", "k", nil, "e"}) {
		t.Errorf("MGET: %v, %v", values, err)
	}
	values, err = r.MGet(ctx, lost[3], lost[4]).Result()
	if err != nil || !slices.Equal(values, []any{"d", "e"}) {
		t.Errorf("MGET of lost keys only: %v, %v", values, err)
	}
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, lost[5], "f", 0)
		p.Append(ctx, lost[5], "g")
		p.Get(ctx, lost[5])
		p.MGet(ctx, lost[5], kept[0], lost[0])
		return nil
	})
	if err != nil || cmds[2].(*redis.StringCmd).Val() != "fg" || !slices.Equal(cmds[3].(*redis.SliceCmd).Val(), []any{"fg", "k", "a"}) {
		t.Errorf("a pipeline: %v, %v", cmds, err)
	}
	capped(lost[5], "fg")
	// A delete takes the copy away, and says that the owner was not reached.
	var failed *NodeError
	if err := r.Del(ctx, lost[0]).Err(); !errors.As(err, &failed) || failed.Node != "node0" {
		t.Errorf("DEL: %v", err)
	}
	if n := second[lost[0]].Exists(ctx, lost[0]).Val(); n != 0 {
		t.Error("DEL left the copy on the successor")
	}
	if _, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, lost[0]); return nil }); !errors.As(err, &failed) {
		t.Errorf("a transaction: %v", err)
	}
	if err := r.BLPop(ctx, time.Second, lost[1]).Err(); !errors.As(err, &failed) {
		t.Errorf("BLPOP: %v", err)
	}
	if err := r.Publish(ctx, lost[0], "x").Err(); !errors.As(err, &failed) {
		t.Errorf("PUBLISH: %v", err)
	}
}

// A write that may have reached the owner is not done on the successor if twice
// is not the same as once.
func TestSuccessorDoesNothingTwice(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Successor}, Node: quick, Breaker: BreakerConfig{Disabled: true}})
	ctx := t.Context()
	key := keysOf(r, "node0", 1)[0]
	if err := direct(t, servers[0]).Set(ctx, key, 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.Get(ctx, key).Val() == "1" }) // over a connection that stays
	other := direct(t, servers[1])
	servers[0].Stop()
	var failed *NodeError
	if err := r.Incr(ctx, key).Err(); !errors.As(err, &failed) {
		t.Errorf("INCR that the frozen owner may yet do: %v", err)
	}
	if n := other.Exists(ctx, key).Val(); n != 0 {
		t.Error("it was done on the successor too")
	}
	// In as many attempts as a busy machine needs.
	waitFor(t, func() bool { return r.Set(ctx, key, 7, 0).Err() == nil })
	if got, err := other.Get(ctx, key).Result(); got != "7" || err != nil {
		t.Errorf("SET, which may be done twice: %q, %v", got, err)
	}
	servers[0].Cont()
}

// The ring may change between a failure and its consequences.
func TestSuccessorAfterAChange(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Successor}})
	ctx := t.Context()
	key := keysOf(r, "node0", 1)[0]
	if err := source.Set(membership.Member{ID: "node1", Address: servers[1].Addr()}); err != nil {
		t.Fatal(err)
	}
	for r.Epoch() != 2 && ctx.Err() == nil {
	}
	c, _ := r.table.Lookup([]any{"set", key, "x"})
	cmd := redis.NewStatusCmd(ctx, "set", key, "x")
	lost := &NodeError{Node: "node0", Err: ErrBreakerOpen}
	if err := r.afterFailure(ctx, c, cmd, []string{key}, lost); err != nil {
		t.Fatal(err)
	}
	if ttl := direct(t, servers[1]).PTTL(ctx, key).Val(); ttl != -1 {
		t.Errorf("a key on its new owner expires in %v", ttl)
	}
}

func TestPoliciesNeedTheirPlacement(t *testing.T) {
	source, _ := membership.NewManual(membership.Member{ID: "a", Address: "127.0.0.1:1"})
	defer source.Close()
	other := PlacementConfig{New: func(nodes []ring.Node) (ring.Placement, error) {
		return rendezvous.New(nodes, rendezvous.Config{})
	}}
	for name, cfg := range map[string]Config{
		"successors of rendezvous": {Placement: other, Failure: FailureConfig{Policy: Successor}},
		"replicas of rendezvous":   {Placement: other, Replication: ReplicationConfig{Factor: 2}},
		"successor and replicas":   {Replication: ReplicationConfig{Factor: 2}, Failure: FailureConfig{Policy: Successor}},
		"negative factor":          {Replication: ReplicationConfig{Factor: -1}},
		"unknown policy":           {Failure: FailureConfig{Policy: 9}},
		"life of a microsecond":    {Failure: FailureConfig{GutterTTL: time.Microsecond}},
	} {
		cfg.Source = source
		if r, err := NewRedis(context.Background(), cfg); err == nil {
			r.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	cfg := Config{Source: source, Placement: other}
	r, err := NewRedis(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}
