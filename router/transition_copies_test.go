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
)

// TestCopiesInTransition: with a replication factor a command runs on all holders
// by the ring that is due, and the others are told.
func TestCopiesInTransition(t *testing.T) {
	s := &stage{t: t}
	for range 4 {
		server := servertest.Redis(t)
		s.servers, s.clients = append(s.servers, server), append(s.clients, direct(t, server))
	}
	s.newcomer = 3
	ctx := t.Context()
	cfg := Config{Replication: ReplicationConfig{Factor: 2}}
	announced, importing, after := s.router(membership.PhaseAnnounced, cfg), s.router(membership.PhaseImporting, cfg), s.router(done, cfg)
	for i, c := range []struct {
		r          *actor
		name       string
		call       func(ctx context.Context, r *Redis, key string) gave
		want       any
		now, next  string // on all current and all next holders afterwards, where they differ
		both       string // on nodes that are both
		tombstones string // on those that are only in the next
	}{
		{announced, "GET", get, "41", "41", "", "41", ""},
		{announced, "SET", set, "OK", "new", "", "new", "open"},
		{announced, "INCR", incr, int64(42), "42", "", "42", "open"},
		{announced, "DEL", del, int64(1), "", "", "", "open"},
		{announced, "MGET", mget, []any{"41"}, "41", "", "41", ""},
		{importing, "GET", get, "41", "41", "", "41", ""}, // the first holder has it
		{importing, "SET", set, "OK", "", "new", "new", "closed"},
		{importing, "INCR", incr, int64(42), "", "42", "42", "closed"},
		{importing, "DEL", del, int64(1), "", "", "", "closed"},
		{importing, "EXISTS", exists, int64(1), "41", "", "41", ""},
	} {
		for _, first := range []string{"owner", "other"} {
			key, now, next := s.changing(importing, first, fmt.Sprint(i))
			for _, n := range now {
				s.put(n, key, "41")
			}
			got := c.call(ctx, c.r.Redis, key)
			if fmt.Sprint(got) != fmt.Sprint(gave{Value: c.want}) {
				t.Errorf("%s %v, %s changes: got %v, want %v", c.name, c.r == importing, first, got, c.want)
			}
			for n := range 4 {
				inNow, inNext := slices.Contains(now, n), slices.Contains(next, n)
				want, tombstone := "", ""
				switch {
				case inNow && inNext:
					want = c.both
					if c.tombstones != "" { // a copy of the other holder may be on its way
						tombstone = "closed"
					}
				case inNow:
					want = c.now
					if c.r == importing && c.tombstones == "closed" {
						tombstone = "open" // for the way back
					}
				case inNext:
					want, tombstone = c.next, c.tombstones
				}
				if first == "owner" && c.r == importing && (c.name == "GET" || c.name == "EXISTS") && inNext && !inNow {
					want = "41" // it was asked first, missed, and has a copy
				}
				if s.at(n, key) != want || s.tombstone(n, key) != tombstone {
					t.Errorf("%s %v, %s changes: node%d has %q and tombstone %q, want %q and %q",
						c.name, c.r == importing, first, n, s.at(n, key), s.tombstone(n, key), want, tombstone)
				}
			}
			wanted, _ := announced.Get(ctx, key).Result()
			if v, err := importing.Get(ctx, key).Result(); v != wanted || err != nil && err != redis.Nil {
				t.Errorf("%s: then the routers read %q and %q, %v", c.name, wanted, v, err)
			}
			if c.r == importing && c.name != "GET" && c.name != "EXISTS" {
				if v, _ := after.Get(ctx, key).Result(); v != wanted {
					t.Errorf("%s: after the transition %q, want %q", c.name, v, wanted)
				}
			}
		}
	}
	var keys []string
	for i := range 30 {
		keys = append(keys, fmt.Sprint("many", i))
		must(t, importing.Set(ctx, keys[i], i, 0).Err())
	}
	values, err := importing.MGet(ctx, keys...).Result()
	if err != nil || slices.Contains(values, nil) {
		t.Errorf("MGET: %v, %v", values, err)
	}
	if _, err := importing.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Incr(ctx, key)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if n, err := importing.Del(ctx, keys...).Result(); n != 30 || err != nil {
		t.Errorf("DEL: %d, %v", n, err)
	}
	var unsupported *UnsupportedError
	key, _, _ := s.changing(importing, "owner", "x")
	if err := importing.SetNX(ctx, key, 1, 0).Err(); !errors.As(err, &unsupported) {
		t.Errorf("SETNX: %v", err)
	}
	if n, err := importing.Publish(ctx, key, "m").Result(); n != 0 || err != nil {
		t.Errorf("PUBLISH: %d, %v", n, err)
	}
}

// changing returns a key of which the owner, or the other holder, changes, and the
// numbers of its holders.
func (s *stage) changing(r *actor, first, prefix string) (key string, now, next []int) {
	s.t.Helper()
	snap := r.fleet.current.Load()
	numbers := func(nodes []*redisNode) (list []int) {
		for _, n := range nodes {
			list = append(list, int(n.member().ID[4]-'0'))
		}
		return list
	}
	for i := range 100_000 {
		key := fmt.Sprint(prefix, "k", i)
		now, next := numbers(r.holdersOn(snap, false, key)), numbers(r.holdersOn(snap, true, key))
		if now[0] == next[0] == (first == "other") && !slices.Equal(now, next) && (first == "other" || next[0] == s.newcomer) {
			return key, now, next
		}
	}
	s.t.Fatal("no such key")
	return "", nil, nil
}
