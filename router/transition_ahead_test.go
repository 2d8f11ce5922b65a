package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// TestChangeDuringDelete: a router that is a step behind changes a key, while one that
// is ahead deletes it and is half done. A third one reads it in between: that does not
// bring it to where the delete has been already.
func TestChangeDuringDelete(t *testing.T) {
	s, d := newStage(t), newDirector(t)
	behind := s.router(membership.PhaseAnnounced, Config{Tracer: d})
	reader := s.router(membership.PhaseImporting, Config{})
	ctx := t.Context()
	for i, c := range []struct {
		command string // that is stopped at the current owner
		do      func(key string)
		between string // what is read before the delete is done
	}{
		{"INCR", func(key string) { behind.Incr(ctx, key) }, "42"},
		{"EVAL", func(key string) { script(ctx, behind.Redis, key) }, "51"},
		{"MULTI", func(key string) { transaction(ctx, behind.Redis, key) }, "42"},
	} {
		key := s.moving(behind, i)
		s.put(0, key, "41")
		d.while(d.hold("node0", c.command), func() { c.do(key) }, func() { s.put(2, key, "closed") })
		if got, err := reader.Get(ctx, key).Result(); got != c.between || err != nil {
			t.Errorf("%s: before the delete is done %q is read, %v; want %q", c.command, got, err, c.between)
		}
		s.put(0, key, "") // the other half
		if got, err := reader.Get(ctx, key).Result(); err != redis.Nil {
			t.Errorf("%s: %q is read after the delete, %v", c.command, got, err)
		}
	}
}

// TestLockWhileAhead: a lock that one router has released at its next owner, and one
// that is a step behind takes, is not there for a third to take.
func TestLockWhileAhead(t *testing.T) {
	s := newStage(t)
	behind := s.router(membership.PhaseAnnounced, Config{})
	ahead := s.router(membership.PhaseImporting, Config{})
	ctx, key := t.Context(), s.moving(behind, 0)
	s.put(0, key, "first")
	must(t, ahead.Del(ctx, key).Err())
	for _, c := range []struct {
		by    *actor
		taken bool
	}{{behind, true}, {ahead, false}, {behind, false}} {
		if taken, err := c.by.SetNX(ctx, key, "second", 0).Result(); taken != c.taken || err != nil {
			t.Errorf("taken: %v, %v; want %v", taken, err, c.taken)
		}
	}
}

// TestMemcachedChangeDuringDelete is TestChangeDuringDelete with Memcached.
func TestMemcachedChangeDuringDelete(t *testing.T) {
	s, d := newMemStage(t), newDirector(t)
	behind := s.router(membership.Announced, Config{Tracer: d})
	reader := s.router(membership.Importing, Config{})
	ctx := t.Context()
	for i, c := range []struct {
		command string // that is stopped at the current owner
		do      func(key string)
		between string // what is read before the delete is done
	}{
		{"incr", func(key string) { behind.Increment(ctx, key, 1) }, "42"},
		{"append", func(key string) { behind.Append(ctx, item(key, "1")) }, "411"},
		{"cas", func(key string) { memCalls["cas"](ctx, behind.Memcached, key) }, "new"},
		{"delete", func(key string) { behind.Delete(ctx, key) }, ""},
	} {
		key := s.moving(behind, i)
		s.put(0, key, "41")
		d.while(d.hold("node0", c.command), func() { c.do(key) }, func() { s.put(2, key, "closed") })
		if got, err := reader.Get(ctx, key); string(got.Value) != c.between || err != nil && !errors.Is(err, ErrCacheMiss) {
			t.Errorf("%s: before the delete is done %q is read, %v; want %q", c.command, got.Value, err, c.between)
		}
		s.put(0, key, "") // the other half
		if got, err := reader.Get(ctx, key); !errors.Is(err, ErrCacheMiss) {
			t.Errorf("%s: %q is read after the delete, %v", c.command, got.Value, err)
		}
	}
}

// TestNextOwnerHangs: a command that depends on the value runs at the current owner in the
// time that its caller has, though the next one says nothing.
func TestNextOwnerHangs(t *testing.T) {
	s := newStage(t)
	behind := s.router(membership.PhaseAnnounced, Config{Node: NodeConfig{ReadTimeout: 4 * time.Second}})
	key := s.moving(behind, 0)
	s.put(0, key, "41")
	s.servers[2].Stop()
	defer s.servers[2].Cont()
	ctx, cancel := context.WithTimeout(t.Context(), 10*lookLimit)
	defer cancel()
	if n, err := behind.Incr(ctx, key).Result(); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := s.at(0, key); got != "42" {
		t.Errorf("then it is %s", got)
	}
}
