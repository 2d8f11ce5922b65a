package router

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

func TestAddressesThatCannotBeDialled(t *testing.T) {
	for _, address := range []string{"rediss://h:1", "nonsense", "", ":1", "h:0", "h:70000", "h:redis", "unix://x", "a@h:1", "::1:6379"} {
		n, err := newRedisNode(membership.Member{ID: "a", Address: address}, Config{})
		if err == nil {
			n.client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), `"`+address+`"`) || !strings.Contains(err.Error(), "host:port") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"h:1", "[::1]:6379", "unix:///run/a b.sock"} {
		n, err := newRedisNode(membership.Member{ID: "a", Address: address}, Config{})
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		n.client.Close()
	}
}

func TestRedisOverAUnixSocket(t *testing.T) {
	var members []membership.Member
	for _, id := range []string{"a", "b"} {
		dir, err := os.MkdirTemp("", "rw") // the path of a socket has a limit of some hundred bytes
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		path := filepath.Join(dir, "redis.sock")
		servertest.Redis(t, "--unixsocket", path)
		members = append(members, membership.Member{ID: id, Address: "unix://" + path})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	owned := fill(t, r, 20)
	if len(owned["a"]) == 0 || len(owned["b"]) == 0 {
		t.Fatalf("one node has all: %v", owned)
	}
	if n, err := r.DBSize(ctx).Result(); n != 20 || err != nil {
		t.Errorf("DBSIZE: %d, %v", n, err)
	}
	if values, err := r.MGet(ctx, owned["a"][0], owned["b"][0]).Result(); slices.Contains(values, nil) || err != nil {
		t.Errorf("MGET: %v, %v", values, err)
	}
	sub := closing(t, r.Subscribe(ctx, "c"))
	confirmed(t, sub, 1)
	if n, err := r.Publish(ctx, "c", "x").Result(); n != 1 || err != nil {
		t.Errorf("PUBLISH: %d, %v", n, err)
	}
}

func TestTLSServerName(t *testing.T) {
	for _, c := range []struct{ address, given, want string }{
		{"cache.example:6380", "", "cache.example"}, {"[::1]:6380", "", "::1"}, {"10.0.0.1:6380", "cache.example", "cache.example"},
	} {
		given := &tls.Config{ServerName: c.given}
		o := redisOptions(membership.Member{Address: c.address}, Config{Node: NodeConfig{TLS: given}})
		if o.TLSConfig.ServerName != c.want || given.ServerName != c.given {
			t.Errorf("%s with %q: %q; the caller's own is %q", c.address, c.given, o.TLSConfig.ServerName, given.ServerName)
		}
	}
}

// dialHook counts dials.
type dialHook struct {
	panics
	n *atomic.Int64
}

func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		h.n.Add(1)
		return next(ctx, network, addr)
	}
}

// A node that refuses connections is dialled once a request: more would make
// every caller wait for them.
func TestOneDialARequest(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	source, err := membership.NewManual(membership.Member{ID: "a", Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var dials atomic.Int64
	never := false
	r := newRedis(t, Config{
		Source: source, Breaker: BreakerConfig{Disabled: true},
		OnNewNode: func(_ string, c *redis.Client) { c.AddHook(dialHook{panics{&never}, &dials}) },
	})
	for want := int64(1); want <= 3; want++ {
		if err := r.Incr(t.Context(), "k").Err(); !errors.As(err, new(*NodeError)) || dials.Load() != want {
			t.Errorf("%d dials for %d requests, %v", dials.Load(), want, err)
		}
	}
}

// An agent that says that its server does not answer is believed.
func TestUnhealthyNodeIsNotAsked(t *testing.T) {
	source, all := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	key, kept := keysOf(r, "node0", 1)[0], keysOf(r, "node1", 1)[0]
	members := membersOf(all)
	members[0].Health = membership.Unhealthy
	epoch := r.fleet.current.Load()
	if err := source.Set(members...); err != nil {
		t.Fatal(err)
	}
	<-epoch.superseded
	var failed *NodeError
	if err := r.Set(ctx, key, 1, 0).Err(); !errors.As(err, &failed) || failed.Node != "node0" || !errors.Is(err, ErrBreakerOpen) {
		t.Errorf("SET: %v", err)
	}
	if _, err := r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, 1, 0); return nil }); !errors.Is(err, ErrBreakerOpen) {
		t.Errorf("a pipeline: %v", err)
	}
	if n := direct(t, all[0]).DBSize(ctx).Val(); n != 0 {
		t.Error("it was asked")
	}
	if err := r.Set(ctx, kept, 1, 0).Err(); err != nil {
		t.Errorf("the other one: %v", err)
	}
	for range 20 {
		if err := r.Echo(ctx, "x").Err(); err != nil { // any node
			t.Errorf("ECHO: %v", err)
		}
	}
}

// A key that would expire sooner than the gutter lets it, does.
func TestGutterKeepsAShorterLife(t *testing.T) {
	source, all := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Successor, GutterTTL: time.Hour}, Node: patient})
	ctx := t.Context()
	key := keysOf(r, "node0", 1)[0]
	all[0].Kill()
	if err := r.Set(ctx, key, "x", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if ttl := direct(t, all[1]).PTTL(ctx, key).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("a key for a minute lives %v on the successor", ttl)
	}
}

// With one of two copies missing a write is not done, and says of which keys.
func TestSplitWriteNeedsAllCopies(t *testing.T) {
	source, all := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}, Node: patient})
	ctx := t.Context()
	var pairs []any
	short := make(map[string]bool) // keys with a copy on the node that is lost
	for _, node := range []string{"node0", "node1", "node2"} {
		for _, key := range keysOf(r, node, 4) {
			pairs = append(pairs, key, "v")
			short[key] = slices.Contains(replicas(r, key), "node0")
		}
	}
	all[0].Kill()
	var multi *MultiError
	err := r.MSet(ctx, pairs...).Err()
	if !errors.As(err, &multi) || multi.Failed["node0"] == nil || len(multi.Failed) != 1 {
		t.Fatalf("MSET: %v", err)
	}
	for key, lost := range short {
		if (multi.Keys[key] != nil) != lost {
			t.Errorf("%s on %v: %v", key, replicas(r, key), multi.Keys[key])
		}
	}
}

// What arrives for a subject that is not wanted here, or not confirmed, is the
// message of another time.
func TestOnlyLiveMessagesAreHandedOn(t *testing.T) {
	subj := subject{toChannel, "c"}
	for _, c := range []struct{ wanted, active, heard bool }{
		{true, true, true}, {true, false, false}, {false, true, false}, {false, false, false},
	} {
		s := &session{out: newOutbox()}
		f := &feed{session: s, wanted: map[subject]bool{subj: c.wanted}, active: map[subject]bool{subj: c.active}}
		f.message(t.Context(), &redis.Message{Channel: "c", Payload: "x"})
		f.message(t.Context(), &redis.Message{Channel: "c", Pattern: "c*", Payload: "x"})
		s.out.mu.Lock()
		if heard := len(s.out.buf) > 0; heard != c.heard {
			t.Errorf("wanted %t, active %t: heard %t", c.wanted, c.active, heard)
		}
		s.out.mu.Unlock()
	}
}

// The panic of a hook on one of the router's own goroutines is the caller's.
func TestPanicsOfPiecesReachTheCaller(t *testing.T) {
	source, _ := fleetOf(t, 4)
	now := false
	r := newRedis(t, Config{Source: source, OnNewNode: func(_ string, c *redis.Client) { c.AddHook(panics{&now}) }})
	ctx := t.Context()
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for name, f := range map[string]func() error{
		"MGET":   func() error { return r.MGet(ctx, keys...).Err() },
		"DBSIZE": func() error { return r.DBSize(ctx).Err() },
		"ForEachNode": func() error {
			return r.ForEachNode(ctx, func(ctx context.Context, _ string, c *redis.Client) error { return c.Ping(ctx).Err() })
		},
	} {
		if err := f(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var what any
		func() {
			defer func() { what = recover() }()
			now = true
			f()
		}()
		now = false
		if what != "hook" {
			t.Errorf("%s: recovered %v", name, what)
		}
		for _, s := range r.Stats() {
			if s.InFlight != 0 {
				t.Errorf("%s: %d in flight on %s", name, s.InFlight, s.Node)
			}
		}
		if err := f(); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}
