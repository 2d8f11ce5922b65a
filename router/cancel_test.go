package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// cancelled runs a call on a node that does not answer, cancels it when the
// node has been given it, and returns its error.
func cancelled(t *testing.T, underWay func() bool, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // without a deadline that would end it too
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	patience := time.After(20 * time.Second)
	for ticker := time.NewTicker(time.Millisecond); !underWay(); {
		select {
		case <-ticker.C:
		case <-patience:
			t.Fatal("the call is not under way")
		}
	}
	cancel()
	select {
	case err := <-done:
		return err
	case <-patience:
		t.Fatal("the call does not end")
		return nil
	}
}

// Calls that share packets end with a cancellation at once, whatever the node's
// time-outs are.
func TestCancelOfSharedCalls(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{
		Source: source, DrainTimeout: time.Second, Breaker: BreakerConfig{Disabled: true},
		Node: NodeConfig{ReadTimeout: time.Hour},
	})
	frozen, kept := keysOf(r, "node0", 1)[0], keysOf(r, "node1", 1)[0]
	if err := r.MSet(t.Context(), frozen, 1, kept, 1).Err(); err != nil {
		t.Fatal(err)
	}
	servers[0].Stop()
	defer servers[0].Cont()
	other := crowd(t, r, frozen)
	for name, call := range map[string]func(context.Context) error{
		"GET":    func(ctx context.Context) error { return r.Get(ctx, frozen).Err() },
		"SET":    func(ctx context.Context) error { return r.Set(ctx, frozen, 1, 0).Err() },
		"MGET":   func(ctx context.Context) error { return r.MGet(ctx, frozen, kept).Err() },
		"DBSIZE": func(ctx context.Context) error { return r.DBSize(ctx).Err() },
	} {
		inFlight := other.inFlight.Load()
		err := cancelled(t, func() bool { return other.inFlight.Load() > inFlight }, call)
		var failed *NodeError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || failed.Node != "node0" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A call that has a connection to itself is not interrupted: it ends when the
// node answers, or with ReadTimeout. doc.go says so.
func TestCancelOfPlainCalls(t *testing.T) {
	source, servers := fleetOf(t, 1)
	r := newRedis(t, Config{
		Source: source, Breaker: BreakerConfig{Disabled: true},
		Node: NodeConfig{ReadTimeout: 100 * time.Millisecond, DialTimeout: 100 * time.Millisecond},
	})
	waitFor(t, func() bool { return r.Set(t.Context(), "k", 1, 0).Err() == nil })
	servers[0].Stop()
	defer servers[0].Cont()
	n := r.fleet.all()[0]
	for name, call := range map[string]func(context.Context) error{
		"alone": func(ctx context.Context) error { return r.Get(ctx, "k").Err() },
		"plain": func(ctx context.Context) error { return r.Get(WithoutAutoPipeline(ctx), "k").Err() },
		"pipeline": func(ctx context.Context) error {
			return exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil }))
		},
		"MULTI": func(ctx context.Context) error {
			return exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil }))
		},
		"WATCH": func(ctx context.Context) error { return r.Watch(ctx, func(*redis.Tx) error { return nil }, "k") },
	} {
		err := cancelled(t, func() bool { return n.inFlight.Load() > 0 }, call)
		var failed *NodeError
		if !errors.As(err, &failed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A memcached call ends with a cancellation, alone or not.
func TestCancelOfMemcachedCalls(t *testing.T) {
	m, servers := memcachedFleet(t, 1, Config{Node: NodeConfig{ReadTimeout: time.Hour}, Breaker: BreakerConfig{Disabled: true}})
	if err := m.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	servers[0].Stop()
	defer servers[0].Cont()
	n := m.fleet.all()[0]
	for name, call := range map[string]func(context.Context) error{
		"Get":      func(ctx context.Context) error { _, err := m.Get(ctx, "k"); return err },
		"Set":      func(ctx context.Context) error { return m.Set(ctx, Item{Key: "k"}) },
		"GetMulti": func(ctx context.Context) error { _, err := m.GetMulti(ctx, []string{"k", "l"}); return err },
		"FlushAll": m.FlushAll,
	} {
		err := cancelled(t, func() bool { return n.inFlight.Load() > 0 }, call)
		var failed *NodeError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := m.Stats()[0].Errors; n.Canceled != 4 || n.Timeout+n.Network != 0 {
		t.Errorf("the node is blamed: %+v", n)
	}
}
