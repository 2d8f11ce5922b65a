package router

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// A split over copies that was planned by a ring of a moment ago, whose nodes are
// no longer there, is planned anew.
func TestCopiesArePlannedAnew(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}})
	ctx := t.Context()
	keys := []string{"a", "b", "c", "d", "e", "f"}
	old := r.fleet.current.Load()
	if err := source.Set(membersOf(servers)[:2]...); err != nil {
		t.Fatal(err)
	}
	for _, n := range old.nodes[2:] { // until they are being retired
		for n.enter() > 0 && ctx.Err() == nil {
			n.leave()
		}
	}
	mset := redis.NewStatusCmd(ctx, "mset", "a", 1, "b", 1, "c", 1, "d", 1, "e", 1, "f", 1)
	c, _ := r.table.Lookup(mset.Args())
	if err := r.splitWrites(ctx, old, c, mset, keys); err != nil || mset.Val() != "OK" {
		t.Errorf("MSET: %v, %v", mset, err)
	}
	mget := redis.NewSliceCmd(ctx, "mget", "a", "b", "c", "d", "e", "f")
	c, _ = r.table.Lookup(mget.Args())
	if err := r.splitReads(ctx, old, c, mget, keys); err != nil || len(mget.Val()) != 6 || mget.Val()[5] != "1" {
		t.Errorf("MGET: %v, %v", mget, err)
	}
	for i, s := range servers {
		want := int64(6)
		if i >= 2 {
			want = 0
		}
		if n := direct(t, s).DBSize(ctx).Val(); n != want {
			t.Errorf("node%d has %d keys, want %d", i, n, want)
		}
	}
	for _, n := range old.nodes {
		if n.inFlight.Load() != 0 {
			t.Errorf("%s: %d still in flight", n.member().ID, n.inFlight.Load())
		}
	}
}

// Nodes come, go and move while operations run that concern several of them: no
// operation notices.
func TestFleetChangesUnderSplitLoad(t *testing.T) {
	source, servers := fleetOf(t, 4)
	one := newRedis(t, Config{Source: source})
	two := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bg := t.Context()
	loads := map[string]func() error{
		"MSET": func() error { return two.MSet(bg, "a", 1, "b", 1, "c", 2, "d", 3).Err() },
		"DEL":  func() error { return two.Del(bg, "a", "b", "c", "d").Err() },
		"MGET": func() error { return two.MGet(bg, "a", "b", "c", "d").Err() },
		"SET":  func() error { return two.Set(bg, "a", 1, 0).Err() },
		"pipeline": func() error {
			return exec(two.Pipelined(bg, func(p redis.Pipeliner) error {
				for i := range 20 {
					p.Set(bg, fmt.Sprint("p", i), i, 0)
				}
				return nil
			}))
		},
		"ForEachNode": func() error {
			return one.ForEachNode(bg, func(ctx context.Context, _ string, c *redis.Client) error { return c.Ping(ctx).Err() })
		},
		"SCAN": func() error {
			it := one.Scan(bg, 0, "*", 50).Iterator()
			for it.Next(bg) {
			}
			return it.Err()
		},
	}
	var wait sync.WaitGroup
	for name, load := range loads {
		wait.Go(func() {
			for ctx.Err() == nil {
				if err := load(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	for epoch := uint64(2); epoch <= 120; epoch++ {
		members := []membership.Member{{ID: "node0", Address: servers[0].Addr()}, {ID: "node1", Address: servers[1+epoch%2].Addr()}}
		if epoch%3 != 0 {
			members = append(members, membership.Member{ID: "node2", Address: servers[1+(epoch+1)%2].Addr()})
		}
		if epoch%5 < 2 {
			members = append(members, membership.Member{ID: "node3", Address: servers[3].Addr()})
		}
		if err := source.Set(members...); err != nil {
			t.Fatal(err)
		}
		for (one.Epoch() < epoch || two.Epoch() < epoch) && t.Context().Err() == nil {
			one.Get(bg, "x")
		}
	}
	cancel()
	wait.Wait()
}
