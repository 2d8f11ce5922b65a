package router

import (
	"fmt"
	"testing"
	"time"
)

// A node that stands still, and answers nothing: with copies every key is read, and
// with a quorum also written, as soon as the first calls have met their time-outs.
func TestCopiesOfANodeThatStandsStill(t *testing.T) {
	source, servers, _ := zonedFleet(t)
	r := newRedis(t, Config{
		Source: source, Replication: ReplicationConfig{Factor: 3, Quorum: true},
		Node:    impatient,
		Breaker: BreakerConfig{Failures: 2, Delay: time.Hour},
	})
	ctx := t.Context()
	var owned []string // by the node that will stand still
	for i := 0; len(owned) < 10; i++ {
		key := fmt.Sprint("key", i)
		if err := r.Set(ctx, key, "before", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if replicas(r, key)[0] == "node0" {
			owned = append(owned, key)
		}
	}
	servers["node0"].Stop()
	defer servers["node0"].Cont()
	for _, key := range owned {
		if got, err := r.Get(ctx, key).Result(); got != "before" || err != nil {
			t.Errorf("GET %s: %q, %v", key, got, err)
		}
		if err := r.Set(ctx, key, "after", 0).Err(); err != nil {
			t.Errorf("SET %s by a majority: %v", key, err)
		}
		if got, err := r.Get(ctx, key).Result(); got != "after" || err != nil {
			t.Errorf("GET %s after SET: %q, %v", key, got, err)
		}
	}
	values, err := r.MGet(ctx, owned...).Result()
	if err != nil {
		t.Errorf("MGET: %v", err)
	}
	for i, v := range values {
		if v != "after" {
			t.Errorf("MGET %s: %v", owned[i], v)
		}
	}
	for _, n := range r.Stats() {
		if n.Node != "node0" {
			continue
		}
		// It cost the calls that opened the breaker, and none since.
		if n.Breaker != "open" || n.Errors.Timeout == 0 || n.Errors.Timeout > 4 || n.Errors.Refused == 0 {
			t.Errorf("node0: breaker %s, %+v", n.Breaker, n.Errors)
		}
	}
}
