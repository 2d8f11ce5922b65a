package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A deadline ends a call to a node that does not answer, long before the
// client's own time-out would.
func TestDeadlinesOnTheWire(t *testing.T) {
	source, servers := fleetOf(t, 2)
	const patience = time.Minute // of the client: nothing here may wait that long
	r := newRedis(t, Config{
		Source: source, DrainTimeout: time.Second,
		Node:    NodeConfig{ReadTimeout: patience, DialTimeout: patience},
		Breaker: BreakerConfig{Disabled: true},
	})
	frozen, kept := keysOf(r, "node0", 8), keysOf(r, "node1", 2)
	if err := r.MSet(t.Context(), frozen[0], 1, kept[0], 1).Err(); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(context.Context) error{
		"GET":   func(ctx context.Context) error { return r.Get(ctx, frozen[0]).Err() },
		"SET":   func(ctx context.Context) error { return r.Set(ctx, frozen[0], 1, 0).Err() },
		"plain": func(ctx context.Context) error { return r.Get(WithoutAutoPipeline(ctx), frozen[0]).Err() },
		"MGET":  func(ctx context.Context) error { return r.MGet(ctx, frozen[0], kept[0]).Err() },
		"WATCH": func(ctx context.Context) error { return r.Watch(ctx, func(*redis.Tx) error { return nil }, frozen[0]) },
		"KEYS":  func(ctx context.Context) error { return r.Keys(ctx, "*").Err() },
		"BLPOP": func(ctx context.Context) error { return r.BLPop(ctx, time.Hour, frozen[1]).Err() },
		"pipeline": func(ctx context.Context) error {
			return exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, frozen[0]); return nil }))
		},
		"MULTI": func(ctx context.Context) error {
			return exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, frozen[0]); return nil }))
		},
	}
	for name := range calls { // the connections are there before the node freezes, or not
		if name != "BLPOP" {
			if err := calls[name](t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	servers[0].Stop()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := call(ctx)
			var failed *NodeError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) || failed.Node != "node0" {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took > patience/4 {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Run("shared", func(t *testing.T) {
		var wait sync.WaitGroup
		for g := range 32 {
			wait.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				err := r.Get(ctx, frozen[g%8]).Err()
				var failed *NodeError
				if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) {
					t.Errorf("%v", err)
				}
			})
		}
		start := time.Now()
		wait.Wait()
		if took := time.Since(start); took > patience/4 {
			t.Errorf("it took %v", took)
		}
	})
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	before := r.Stats()[0].Errors
	if err := r.Get(ended, frozen[0]).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that has ended: %v", err)
	}
	if after := r.Stats()[0].Errors; after.Canceled != before.Canceled+1 || after.Timeout != before.Timeout {
		t.Errorf("a context that has ended counts as %+v after %+v", after, before)
	}
	servers[0].Cont()
}

// A caller that leaves before its packet is written may use its buffers again,
// and nobody else gets what was meant for it.
func TestAbandonedCallsDisturbNobody(t *testing.T) {
	source, servers := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source, Breaker: BreakerConfig{Disabled: true}, Node: NodeConfig{ReadTimeout: time.Minute}})
	ctx := t.Context()
	servers[0].Stop()
	n, inFlight, err := r.enter("first") // so that the others share packets
	if err != nil || inFlight != 1 {
		t.Fatal(inFlight, err)
	}
	var leaving, staying sync.WaitGroup
	for g := range 16 {
		key := fmt.Sprint("key", g)
		leaving.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			value := []byte(fmt.Sprint("value", g))
			if err := r.Set(ctx, key, value, 0).Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("SET on a frozen node: %v", err)
			}
			for i := range value {
				value[i] = 'X'
			}
		})
		staying.Go(func() {
			own := fmt.Sprint("own", g)
			if err := r.Set(ctx, own, own, 0).Err(); err != nil {
				t.Errorf("a caller that stays: %v", err)
			}
			if got, err := r.Get(ctx, own).Result(); got != own || err != nil {
				t.Errorf("a caller that stays: %q, %v", got, err)
			}
		})
	}
	leaving.Wait()
	servers[0].Cont()
	staying.Wait()
	n.leave()
	written := 0
	for g := range 16 {
		switch got, err := r.Get(ctx, fmt.Sprint("key", g)).Result(); {
		case err == redis.Nil:
		case err != nil || got != fmt.Sprint("value", g):
			t.Errorf("key%d holds %q, %v", g, got, err)
		default:
			written++
		}
	}
	t.Logf("%d of 16 abandoned writes were done", written)
}

// One caller's argument that cannot be sent does not break the packet of others.
func TestUnsendableArguments(t *testing.T) {
	source, _ := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	var unsupported *UnsupportedError
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "a", 1, 0)
		p.Set(ctx, "b", struct{}{}, 0)
		p.Set(ctx, "c", 1, 0)
		return nil
	})
	if !errors.As(err, &unsupported) || cmds[0].Err() != nil || cmds[2].Err() != nil {
		t.Errorf("a pipeline: %v, %v", cmds, err)
	}
	if err := r.Set(ctx, "a", struct{}{}, 0).Err(); !errors.As(err, &unsupported) {
		t.Errorf("SET: %v", err)
	}
	if s := r.Stats()[0]; s.Errors != (ErrorCounts{}) {
		t.Errorf("the node is blamed: %+v", s.Errors)
	}
}
