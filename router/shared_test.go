package router

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// pathHook notes which commands reached a node on the goroutine of their caller:
// those that have a connection to themselves.
type pathHook struct {
	mu    sync.Mutex // guards the following
	alone map[string]bool
}

func (h *pathHook) note(cmd redis.Cmder) {
	own := strings.Contains(string(debug.Stack()), "router.(*Redis).send(")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alone[cmd.Name()] = own
}

func (h *pathHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *pathHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.note(cmd)
		return next(ctx, cmd)
	}
}

func (h *pathHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			h.note(cmd)
		}
		return next(ctx, cmds)
	}
}

// What one caller's command makes of a reply must not fail others' commands: only
// what can read any reply of its command shares a packet with them.
func TestWhoSharesAPacket(t *testing.T) {
	source, _ := fleetOf(t, 1)
	hook := &pathHook{alone: make(map[string]bool)}
	r := newRedis(t, Config{
		Source: source, OnNewNode: func(_ string, c *redis.Client) { c.AddHook(hook) },
		Commands: []command.Definition{{Name: "MINE", Arity: -2, Route: command.OneNode, Keys: []command.KeySpec{{First: 1}}}},
	})
	crowd(t, r, "k")
	for _, bounded := range []bool{false, true} {
		ctx := context.Background()
		if bounded {
			ctx = t.Context()
		}
		for _, c := range []struct {
			name  string
			alone bool
			call  func()
		}{
			{"get", false, func() { r.Get(ctx, "k") }},
			{"set", false, func() { r.Set(ctx, "k", 1, 0) }},
			{"incr", false, func() { r.Do(ctx, "incr", "n") }},
			{"strlen", false, func() { r.Process(ctx, redis.NewCmd(ctx, "strlen", "k")) }},
			{"get", true, func() { r.Get(WithoutAutoPipeline(ctx), "k") }},
			{"get", true, func() { r.Process(ctx, redis.NewFloatCmd(ctx, "get", "k")) }},
			{"get", true, func() { r.Process(ctx, redis.NewStringCmd(ctx, "get", "k")) }},
			{"blpop", true, func() { r.BLPop(ctx, 10*time.Millisecond, "empty") }},
			{"eval", true, func() { r.Eval(ctx, "return 1", []string{"k"}) }},
			{"json.get", true, func() { r.JSONGet(ctx, "k") }},
			{"mine", true, func() { r.Do(ctx, "mine", "k") }},
		} {
			delete(hook.alone, c.name)
			c.call()
			if alone, sent := hook.alone[c.name]; alone != c.alone || !sent {
				t.Errorf("%s (bounded: %t): alone %t, sent %t; want alone %t", c.name, bounded, alone, sent, c.alone)
			}
		}
	}
}

// crowd makes as many others of the node of a key busy as it takes for the next
// caller to share a packet, until the test ends.
func crowd(t *testing.T, r *Redis, key string) *redisNode {
	t.Helper()
	var n *redisNode
	for range few {
		var err error
		if n, _, err = r.enter(key); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.leave)
	}
	return n
}

func TestFewCallersDoNotWaitForOthers(t *testing.T) {
	source, _ := fleetOf(t, 1)
	hook := &pathHook{alone: make(map[string]bool)}
	r := newRedis(t, Config{Source: source, OnNewNode: func(_ string, c *redis.Client) { c.AddHook(hook) }})
	for others := range few + 1 {
		r.Get(t.Context(), "k")
		if alone, want := hook.alone["get"], others < few; alone != want {
			t.Errorf("with %d others: alone %t, want %t", others, alone, want)
		}
		n, _, err := r.enter("k")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.leave)
	}
}

// Each of many callers counts for itself while another one reads texts as numbers.
func TestBadTypeFailsNobodyElse(t *testing.T) {
	source, _ := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	if err := r.Set(ctx, "text", "abc", 0).Err(); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for range 100 {
				if err := r.Incr(ctx, "n").Err(); err != nil {
					t.Errorf("INCR: %v", err)
				}
			}
		})
	}
	for range 4 {
		wait.Go(func() {
			for range 100 {
				if err := r.Process(ctx, redis.NewFloatCmd(ctx, "get", "text")); err == nil {
					t.Error("a text is no number, and there is no error")
				}
			}
		})
	}
	wait.Wait()
	if n, err := r.Get(ctx, "n").Int(); n != 1600 || err != nil {
		t.Errorf("1600 increments made %d, %v", n, err)
	}
}

func TestPipelineRefusesBlockingCommands(t *testing.T) {
	source, servers := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	var unsupported *UnsupportedError
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "n")
		p.BLPop(ctx, time.Second, "l")
		p.Do(ctx, "xread", "block", "0", "streams", "x", "$")
		return nil
	})
	if !errors.As(err, &unsupported) || cmds[0].Err() != nil || !errors.As(cmds[1].Err(), &unsupported) || !errors.As(cmds[2].Err(), &unsupported) {
		t.Errorf("%v, %v", cmds, err)
	}
	if n, _ := direct(t, servers[0]).Get(ctx, "n").Int(); n != 1 {
		t.Errorf("what can be sent was done %d times", n)
	}
}

// MULTI by hand would leave its commands without the results they wait for.
func TestPipelineRefusesTransactionsByHand(t *testing.T) {
	source, servers := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	for _, names := range [][]string{{"multi", "exec"}, {"MULTI", "DISCARD"}, {"watch k", "exec"}} {
		cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			var first []any
			for _, word := range strings.Fields(names[0]) {
				first = append(first, word)
			}
			p.Do(ctx, first...)
			p.Incr(ctx, "n")
			p.Do(ctx, names[1])
			return nil
		})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "TxPipelined") {
			t.Errorf("%v: %v", names, err)
		}
		for _, cmd := range cmds {
			if !errors.As(cmd.Err(), &unsupported) {
				t.Errorf("%v: %v", names, cmd)
			}
		}
	}
	if n := direct(t, servers[0]).Exists(ctx, "n").Val(); n != 0 {
		t.Error("what stood in between was done, and not as a transaction")
	}
}
