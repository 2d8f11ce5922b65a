package agent

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// watched returns the restarts of an agent of node "a" that has just started beside
// a server.
func watched(t *testing.T, data dataserver.Server, stand standing, keep bool) *restarts {
	s := &server{data: data, log: quiet, counters: new(counters)}
	s.restarts = newRestarts(s, claim{cluster: "ringway", id: "a"}, keep, func() standing { return stand }, nobody)
	t.Cleanup(s.restarts.close)
	return s.restarts
}

func nobody(string) (owns, seen bool) { return false, false }

// settled returns what check says once nothing is under way any more.
func settled(t *testing.T, r *restarts) error {
	t.Helper()
	_ = r.check(t.Context())
	r.work.Wait()
	return r.check(t.Context())
}

func TestRestarts(t *testing.T) {
	for name, c := range map[string]struct {
		stand       standing
		keep        bool // the policy
		loses       bool // the server comes back empty
		purged, bad bool
	}{
		"emptied":          {stand: begun, purged: true, bad: true},
		"resumed, emptied": {stand: resumed, purged: true, bad: true},
		"empty by itself":  {stand: begun, loses: true},
		"has to join":      {stand: outside},
		"told to keep":     {stand: begun, keep: true},
	} {
		t.Run(name, func(t *testing.T) {
			data := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
			r := watched(t, data, begun, c.keep)
			for range 2 {
				if err := r.check(t.Context()); err != nil {
					t.Fatal("before:", err)
				}
			}
			r.standing = func() standing { return c.stand }
			data.Set("old")
			data.Restart(!c.loses)
			failing := &failingPurge{Server: data}
			failing.fails.Store(true)
			r.server.data = failing
			for range 2 {
				if err := r.check(t.Context()); (err != nil) != c.bad {
					t.Fatal("restarted:", err)
				}
			}
			r.work.Wait()
			if c.bad && len(data.Keys()) != 1 {
				t.Fatal("the purge that failed removed something")
			}
			failing.fails.Store(false)
			if err := settled(t, r); err != nil {
				t.Error("afterwards:", err)
			}
			if gone := len(data.Keys()) == 0; gone != (c.purged || c.loses) {
				t.Errorf("keys %q", data.Keys())
			}
		})
	}
}

// A mover may begin with the process that holds nothing old, and with no other.
func TestTrusts(t *testing.T) {
	data := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
	r := watched(t, data, begun, false)
	process := func() string {
		id, err := data.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := process()
	if err := r.trusts(t.Context(), before); err != nil {
		t.Error("the first:", err)
	}
	data.Set("old")
	data.Restart(true)
	if err := r.trusts(t.Context(), process()); !errors.Is(err, errRestarted) {
		t.Errorf("one that came back with keys: %v", err)
	}
	if err := settled(t, r); err != nil {
		t.Fatal(err)
	}
	if err := r.trusts(t.Context(), before); !errors.Is(err, errAnother) {
		t.Errorf("one that is no more: %v", err)
	}
	if err := r.trusts(t.Context(), process()); err != nil {
		t.Error("emptied:", err)
	}
}

// failingPurge is a server that cannot be emptied.
type failingPurge struct {
	dataserver.Server
	fails atomic.Bool
}

func (f *failingPurge) Purge(ctx context.Context, progress func(int64)) (int64, error) {
	if f.fails.Load() {
		return 0, errors.New("no answer")
	}
	return f.Server.Purge(ctx, progress)
}

// An agent that was started with its server knows by the mark what it holds.
func TestRestartedWithItsServer(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*dataservertest.Fake, *restarts) // from the first agent to the second
		kind   membership.Kind                       // empty: redis
		stand  standing
		keep   bool
		want   []string // keys
		err    error
	}{
		"agent alone":          {stand: resumed, want: []string{"key"}},
		"both":                 {before: restart, stand: resumed},
		"both, not known yet":  {before: restart, stand: unmet, want: []string{"key"}, err: errUnmet},
		"agent, not known yet": {stand: unmet, want: []string{"key"}},
		"no mark, not known yet": {
			before: func(f *dataservertest.Fake, _ *restarts) { _ = f.Mark(context.Background(), "") },
			stand:  unmet, want: []string{"key"},
		},
		"both, has to join":  {before: restart, stand: outside, want: []string{"key"}},
		"both, begins again": {before: restart, stand: begun},
		"both, told to keep": {before: restart, stand: resumed, keep: true, want: []string{"key"}},
		"a snapshot from before the mark": {
			before: func(f *dataservertest.Fake, _ *restarts) { _ = f.Mark(context.Background(), "") },
			stand:  resumed,
		},
		"keys to begin with": {
			before: func(f *dataservertest.Fake, _ *restarts) { _ = f.Mark(context.Background(), "") },
			stand:  begun, want: []string{"key"},
		},
		"keys of another node to begin with": {
			before: func(f *dataservertest.Fake, _ *restarts) {
				_ = f.Mark(context.Background(), claim{"ringway", "b", "start 1"}.String())
			},
			stand: begun, want: []string{"key"},
		},
		"keys of another node in place of its own": {
			before: func(f *dataservertest.Fake, _ *restarts) {
				_ = f.Mark(context.Background(), claim{"ringway", "b", "start 1"}.String())
			},
			stand: resumed,
		},
		"left in between": {
			before: func(f *dataservertest.Fake, r *restarts) { r.forget(context.Background()); f.Restart(true) },
			stand:  begun, want: []string{"key"},
		},
		"memcached whose mark was evicted": {
			before: func(f *dataservertest.Fake, _ *restarts) { _ = f.Mark(context.Background(), "") },
			kind:   membership.Memcached, stand: resumed, want: []string{"key"},
		},
		"memcached with a memory file": {before: restart, kind: membership.Memcached, stand: resumed},
	} {
		t.Run(name, func(t *testing.T) {
			kind := c.kind
			if kind == "" {
				kind = membership.Redis
			}
			data := dataservertest.New(kind, "127.0.0.1:1", "")
			first := watched(t, data, begun, false)
			if err := first.check(t.Context()); err != nil {
				t.Fatal(err)
			}
			data.Set("key")
			first.close()
			if c.before != nil {
				c.before(data, first)
			}
			if err := settled(t, watched(t, data, c.stand, c.keep)); !errors.Is(err, c.err) {
				t.Errorf("got %v, want %v", err, c.err)
			}
			if got := data.Keys(); len(got) != len(c.want) {
				t.Errorf("keys %q, want %q", got, c.want)
			}
		})
	}
}

func restart(f *dataservertest.Fake, _ *restarts) { f.Restart(true) }

// What was found empty before it was let in is empty, unless it was restarted since.
func TestCountedEmpty(t *testing.T) {
	for name, restarted := range map[string]bool{"the same process": false, "another one": true} {
		data := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
		r := watched(t, data, outside, false)
		if n, err := r.count(t.Context()); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if data.Set("key"); restarted {
			data.Restart(true)
		}
		r.standing = func() standing { return begun }
		if err := settled(t, r); err != nil || (len(data.Keys()) == 0) != restarted {
			t.Errorf("%s: %v, keys %q", name, err, data.Keys())
		}
	}
}

// The mark is set again when it is lost, and takes no part in a join.
func TestMarkIsKept(t *testing.T) {
	data := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
	r := watched(t, data, begun, false)
	for range 2 {
		if err := r.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text, _ := data.Marked(t.Context()); text != `"ringway" "a" start 1` {
			t.Errorf("marked %q", text)
		}
		if _, err := data.Purge(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// The agent of a node that is in the ring does so by its probes.
func TestRestartedServerIsEmptied(t *testing.T) {
	cfg := config("a")
	a := start(t, cfg)
	a.active(t)
	eventually(t, "the server is marked", func() bool { text, _ := a.data.Marked(t.Context()); return text != "" })
	a.data.Set("one", "two")
	a.data.Restart(true)
	eventually(t, "it is empty", func() bool { return len(a.data.Keys()) == 0 })
	eventually(t, "it answers again", func() bool { return a.Status().Probe == nil })
}

// A machine boots: server and agent come back, the server with a snapshot that is
// older than what clients wrote last. The fleet has gone on with the node.
func TestMachineBoots(t *testing.T) {
	t.Parallel()
	redisServer := servertest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: redisServer.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	begin := func(policy string, seed string) *running {
		cfg := config("b", seed)
		cfg.Server.URL, cfg.KeepAfterRestart = "redis://"+redisServer.Addr(), policy == "keep"
		return startReal(t, cfg)
	}
	first := config("a")
	first.Server.URL = "redis://" + servertest.Redis(t).Addr()
	a := startReal(t, first)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a.active(t)
	b := begin("purge", a.GossipAddr())
	b.active(t)
	must(client.Set(t.Context(), "key", "old", 0).Err())
	eventually(t, "the server is marked", func() bool { return client.Exists(t.Context(), transit.ProcessKey("")).Val() == 1 })
	must(client.Save(t.Context()).Err())
	must(client.Set(t.Context(), "key", "new", 0).Err())

	crash := func() { b.cut(); <-b.ended }
	for _, c := range []struct {
		policy, want string
		reboot       bool
	}{
		{"purge", "new", false}, // the agent alone: nothing is lost
		{"keep", "old", true},
		{"purge", "", true},
	} {
		crash()
		if c.reboot {
			redisServer.Kill()
			redisServer.Restart()
			if got := client.Get(t.Context(), "key").Val(); got != "old" {
				t.Fatalf("the server came back with %q: the snapshot is not %s", got, filepath.Join(redisServer.Dir(), "dump.rdb"))
			}
		}
		b = begin(c.policy, a.GossipAddr())
		b.active(t)
		eventually(t, "the server answers", func() bool { return b.Status().Healthy })
		time.Sleep(2 * gossipProbe) // a purge that must not be would have begun
		eventually(t, "the key is "+c.want, func() bool { return client.Get(t.Context(), "key").Val() == c.want })
		if b.Status().Node.Generation == 0 || b.Status().Node.State != membership.Active {
			t.Errorf("%+v: %+v", c, b.Status())
		}
	}
	b.Leave()
	if err := b.wait(t); err != nil {
		t.Error(err)
	}
	if n := client.Exists(t.Context(), transit.ProcessKey("")).Val(); n != 0 {
		t.Error("a node that has left leaves its mark behind")
	}
}

const gossipProbe = 200 * time.Millisecond // between two probes with gossip.Local
