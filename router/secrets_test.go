package router

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
)

// logged holds what go-redis logged in all tests of the package: the logger is
// one for the whole program, and must not change while clients use it.
var logged recorder

func init() { redis.SetLogger(&logged) }

type recorder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *recorder) Printf(_ context.Context, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestTLS(t *testing.T) {
	s := servertest.RedisTLS(t)
	source := sourceOf(t, s)
	ctx := t.Context()
	r := newRedis(t, Config{Source: source, Node: NodeConfig{TLS: s.TLS()}})
	if err := r.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil })
	if err != nil || cmds[0].(*redis.StringCmd).Val() != "v" {
		t.Errorf("a pipeline over TLS: %v, %v", cmds, err)
	}
	var failed *NodeError
	stranger := newRedis(t, Config{Source: source, Node: NodeConfig{TLS: &tls.Config{}}})
	var unknown *tls.CertificateVerificationError
	if err := stranger.Get(ctx, "k").Err(); !errors.As(err, &failed) || !errors.As(err, &unknown) {
		t.Errorf("a server whose certificate nobody vouches for: %v", err)
	}
	plain := newRedis(t, Config{Source: source, Node: quick})
	if err := plain.Get(ctx, "k").Err(); !errors.As(err, &failed) {
		t.Errorf("a client without TLS: %v", err)
	}
}

func TestCredentialsByNodeAndInTime(t *testing.T) {
	servers := []*servertest.Server{
		servertest.RedisUsers(t, "alice on >first ~* &* +@all", "default off"),
		servertest.RedisUsers(t, "bob on >second ~* &* +@all", "default off"),
	}
	var current [2]atomic.Pointer[[2]string]
	set := func(node int, user, password string) { current[node].Store(&[2]string{user, password}) }
	set(0, "alice", "first")
	set(1, "bob", "second")
	r := newRedis(t, Config{Source: sourceOf(t, servers...), Node: NodeConfig{
		Credentials: func(_ context.Context, node string) (string, string, error) {
			c := current[node[len(node)-1]-'0'].Load()
			return c[0], c[1], nil
		},
	}})
	ctx := t.Context()
	a, b := keysOf(r, "node0", 1)[0], keysOf(r, "node1", 1)[0]
	if err := r.MSet(ctx, a, 1, b, 2).Err(); err != nil {
		t.Fatal(err)
	}
	// The password changes, and the server ends the old connections.
	if err := r.ForEachNode(ctx, func(ctx context.Context, id string, c *redis.Client) error {
		if id != "node0" {
			return nil
		}
		if err := c.Do(ctx, "ACL", "SETUSER", "alice", "resetpass", ">third").Err(); err != nil {
			return err
		}
		set(0, "alice", "third")
		return c.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no").Err()
	}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if v, err := r.MGet(ctx, a, b).Result(); err != nil || v[0] != "1" || v[1] != "2" {
			t.Fatalf("after the change: %v, %v", v, err)
		}
	}
	broken := errors.New("the vault is shut")
	r = newRedis(t, Config{Source: sourceOf(t, servers...), Node: NodeConfig{
		Credentials: func(context.Context, string) (string, string, error) { return "", "", broken },
	}})
	var failed *NodeError
	if err := r.Get(ctx, a).Err(); !errors.Is(err, broken) || !errors.As(err, &failed) {
		t.Errorf("credentials that cannot be had: %v", err)
	}
}

// Nothing that a program may print or log holds the password.
func TestNoPasswordIsShown(t *testing.T) {
	const secret = "s3cr3t-Pa55word"
	s := servertest.RedisUsers(t, "alice on >the-right-one ~* &* +@all", "default off")
	source := sourceOf(t, s)
	var shown []string
	var mu sync.Mutex
	show := func(values ...any) {
		mu.Lock()
		defer mu.Unlock()
		for _, v := range values {
			shown = append(shown, fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v))
		}
	}
	ctx := t.Context()
	cfgs := []Config{
		{Node: NodeConfig{Username: "alice", Password: secret}},
		{Node: NodeConfig{Password: secret}},
		{Node: NodeConfig{Credentials: func(context.Context, string) (string, string, error) { return "alice", secret, nil }}},
	}
	for _, cfg := range cfgs {
		cfg.Source = source
		cfg.OnError = func(err error) { show(err) }
		r := newRedis(t, cfg)
		_, pipelined := r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil })
		err := r.Get(ctx, "k").Err()
		if err == nil || pipelined == nil {
			t.Fatal("a wrong password was accepted")
		}
		show(err, pipelined, r.MGet(ctx, "a", "b", "c").Err(), r.Watch(ctx, func(*redis.Tx) error { return nil }, "k"))
		show(r, r.Stats(), r.PoolStats(), cfg, cfg.Node, &cfg)
		s.Kill()
		show(r.Get(ctx, "k").Err(), r.Stats())
		s.Restart()
	}
	shown = append(shown, logged.String())
	for _, text := range shown {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in %q", text)
		}
	}
	if !strings.Contains(fmt.Sprintf("%+v", cfgs[0]), "alice") {
		t.Error("a Config does not print")
	}
}

func TestKeyGuard(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Keys: KeyGuard{MaxLength: 8, Allowed: func(b byte) bool { return b > ' ' && b < 0x7f }}})
	ctx := t.Context()
	for _, key := range []string{"too long a key", "123456789", "new\nline", "sp ace", "\x00", "é"} {
		for name, err := range map[string]error{
			"SET":      r.Set(ctx, key, 1, 0).Err(),
			"Do":       r.Do(ctx, "SET", []byte(key), 1).Err(),
			"MSET":     r.MSet(ctx, "fine", 1, key, 1).Err(),
			"pipeline": exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, 1, 0); return nil })),
			"MULTI":    exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, 1, 0); return nil })),
			"WATCH":    r.Watch(ctx, func(*redis.Tx) error { return nil }, key),
			"EVAL":     r.Eval(ctx, "return 1", []string{key}).Err(),
		} {
			var refused *KeyError
			if !errors.As(err, &refused) || refused.Key != key {
				t.Errorf("%s %q: %v", name, key, err)
			}
		}
	}
	for _, s := range servers {
		if n := direct(t, s).DBSize(ctx).Val(); n != 0 {
			t.Errorf("something was written: %d keys", n)
		}
	}
	if err := r.Set(ctx, "12345678", 1, 0).Err(); err != nil {
		t.Error(err)
	}
}
