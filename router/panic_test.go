package router

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// A connection that breaks after the first replies of a pipeline is a failure
// of the node, also if the first reply is an error of the server's own.
func TestPipelineCutAfterAnErrorReply(t *testing.T) {
	proxy := faultproxy.New(t, servertest.Redis(t).Addr())
	source, err := membership.NewManual(membership.Member{ID: "node0", Address: proxy.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	pipeline := func() ([]redis.Cmder, error) {
		return r.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.LPush(ctx, "text", 1)
			for i := range 5 {
				p.Incr(ctx, fmt.Sprint("n", i))
			}
			return nil
		})
	}
	if err := r.Set(ctx, "text", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	first, _ := pipeline() // opens the connection
	const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
	proxy.CutReplies(len(wrongType) + len(":2\r\n") + 1)
	cmds, err := pipeline()
	var failed *NodeError
	if first[0].Err() == nil || first[1].Err() != nil || err == nil || cmds[0].Err().Error() != first[0].Err().Error() {
		t.Errorf("%v, then %v: %v", first, cmds, err)
	}
	for i, cmd := range cmds[1:] {
		if answered := cmd.Err() == nil && cmd.(*redis.IntCmd).Val() == 2; i < 1 && answered {
			continue
		}
		if !errors.As(cmd.Err(), &failed) || failed.Node != "node0" {
			t.Errorf("what was not answered: %v", cmd)
		}
	}
	if e := r.Stats()[0].Errors; e.Network != 1 || e.Replies != 1 {
		t.Errorf("counted as %+v", e)
	}
}

// panics is a hook of a node's client that panics when told to.
type panics struct{ now *bool }

func (h panics) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h panics) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if *h.now {
			panic("hook")
		}
		return next(ctx, cmd)
	}
}
func (h panics) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Whoever recovers from the panic of a hook, or of a transaction function, can
// go on, and close the client at once.
func TestPanicsLeaveNothingBehind(t *testing.T) {
	source, _ := fleetOf(t, 1)
	now := false
	r := newRedis(t, Config{
		Source: source, OnNewNode: func(_ string, c *redis.Client) { c.AddHook(panics{&now}) },
		Breaker: BreakerConfig{Failures: 1, Delay: time.Nanosecond, Probes: 1},
	})
	ctx := t.Context()
	recovered := func(f func()) (what any) {
		defer func() { what = recover() }()
		f()
		return nil
	}
	if err := r.Set(ctx, "k", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	n := r.fleet.current.Load().nodes[0]
	fail := func() { n.breaker.record(probe(t, n.breaker), true, 0) } // its next request is a probe
	for name, f := range map[string]func(){
		"a hook": func() { now = true; r.Get(ctx, "k") },
		"Watch":  func() { r.Watch(ctx, func(*redis.Tx) error { panic("fn") }, "k") },
	} {
		fail()
		if recovered(f) == nil {
			t.Fatalf("%s: no panic", name)
		}
		now = false
		if n := n.inFlight.Load(); n != 0 {
			t.Errorf("%s: %d still in flight", name, n)
		}
		for range 2 {
			if err := r.Get(ctx, "k").Err(); err != nil {
				t.Errorf("%s: afterwards: %v", name, err)
			}
		}
	}
}
