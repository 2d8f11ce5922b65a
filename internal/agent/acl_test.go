package agent

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/rebalance"
)

// aclRules returns what docs/deploy tells operators to permit: the long list, and
// the short one.
func aclRules(t *testing.T) (long, short string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "- **Redis ACL for the agent**")
	paragraph, _, _ := strings.Cut(after, "\n- **")
	var lists []string
	for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(paragraph, -1) {
		if strings.HasPrefix(quoted[1], "+") && strings.Contains(quoted[1], " ") {
			lists = append(lists, quoted[1])
		}
	}
	if len(lists) < 3 {
		t.Fatalf("docs/deploy/README.md: found the lists %q, want some for the long way and one for the short way", lists)
	}
	last := len(lists) - 1
	return strings.Join(lists[:last], " "), lists[last]
}

// aclFleet is what the agents of a test of permissions have.
type aclFleet struct {
	t      *testing.T
	prefix string
	rules  string
	admins map[string]*redis.Client
}

// begin starts a server with that one user, beside a default user for the test, and
// an agent that has no other rights.
func (f *aclFleet) begin(id string, join ...string) *running {
	f.t.Helper()
	s := servertest.RedisUsers(f.t, "default on nopass ~* &* +@all", "ringway on >secret "+f.rules)
	f.admins[id] = redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, DisableIdentity: true,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute}) // for a machine that is busy
	f.t.Cleanup(func() { f.admins[id].Close() })
	cfg := config(id, join...)
	cfg.Gossip.Node.Bootstrap = len(join) == 0
	cfg.Server = dataserver.Config{URL: "redis://ringway:secret@" + s.Addr(), Prefix: f.prefix}
	cfg.Move.Limits = rebalance.Limits{}
	return startReal(f.t, cfg)
}

// fill stores keys of all types, one of them big, and returns how many.
func (f *aclFleet) fill(c *redis.Client) int {
	f.t.Helper()
	ctx := f.t.Context()
	pipe := c.Pipeline()
	n := 0
	key := func(kind string) string { n++; return fmt.Sprint(f.prefix, kind, n) }
	for range 40 {
		pipe.Set(ctx, key("string"), "value", time.Hour)
		pipe.HSet(ctx, key("hash"), "field", "value")
		pipe.RPush(ctx, key("list"), "a", "b")
		pipe.SAdd(ctx, key("set"), "a", "b")
		pipe.ZAdd(ctx, key("sorted"), redis.Z{Score: 1, Member: "a"})
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: key("stream"), Values: []string{"a", "b"}})
	}
	for range 3 {
		big := key("big-string")
		pipe.Set(ctx, big, strings.Repeat("x", 5<<20), time.Hour)
		list, set, sorted, hash := key("big-list"), key("big-set"), key("big-sorted"), key("big-hash")
		var members, fields []any
		var scored []redis.Z
		for i := range 6000 {
			member := fmt.Sprint("member", i)
			members, fields = append(members, member), append(fields, member, "value")
			scored = append(scored, redis.Z{Score: float64(i), Member: member})
		}
		pipe.RPush(ctx, list, members...)
		pipe.SAdd(ctx, set, members...)
		pipe.ZAdd(ctx, sorted, scored...)
		pipe.HSet(ctx, hash, fields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// check counts the keys of each server, and looks for what was denied.
func (f *aclFleet) check(when string, want int) {
	f.t.Helper()
	total := 0
	for id, c := range f.admins {
		keys, err := c.Keys(f.t.Context(), f.prefix+"*").Result()
		if err != nil {
			f.t.Fatal(err)
		}
		for _, key := range keys {
			if !strings.HasPrefix(key, "__ringway:") {
				total++
			}
		}
		denied, err := c.ACLLog(f.t.Context(), 100).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		for _, d := range denied {
			f.t.Errorf("%s: the server of %s denied %s for want of a %s", when, id, d.Object, d.Reason)
		}
	}
	if total != want {
		f.t.Errorf("%s: %d keys, want %d", when, total, want)
	}
}

// The lists of permissions in docs/deploy are enough: agents that have these alone
// probe, join, purge, hand keys of all kinds over, and leave, and nothing that they
// ask for is denied.
func TestPermissionsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	long, short := aclRules(t)
	for name, f := range map[string]*aclFleet{
		"long list":  {prefix: "app:", rules: "~app:* ~__ringway:* " + long},
		"short list": {rules: "~* " + short},
	} {
		t.Run(name, func(t *testing.T) {
			f.t, f.admins = t, make(map[string]*redis.Client)
			a := f.begin("a")
			a.active(t)
			want := f.fill(f.admins["a"])
			b := f.begin("b", a.GossipAddr())
			b.active(t)
			f.check("b has joined", want)
			if n := f.admins["b"].DBSize(t.Context()).Val(); n < 20 {
				t.Errorf("b was brought %d keys", n)
			}
			b.Leave()
			if err := b.wait(t); err != nil {
				t.Error(err)
			}
			f.check("b has left", want)
			if err := f.admins["b"].Set(t.Context(), f.prefix+"left over", "x", 0).Err(); err != nil {
				t.Fatal(err)
			}
			cfg := b.cfg
			cfg.Gossip.Bind, cfg.Mover, cfg.Gossip.Node.Purge = "127.0.0.1:0", nil, true
			again := startReal(t, cfg)
			again.active(t)
			f.check("b is back", want)
		})
	}
}
