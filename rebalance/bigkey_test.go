package rebalance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// valuesOf are scripts that make the key KEYS[1] with ARGV[1] elements, or bytes.
var valuesOf = []struct {
	kind    string
	count   int // of a big one
	script  string
	inParts bool
}{
	{"string", 3 << 20, "redis.call('SETRANGE', KEYS[1], ARGV[1]-4, '\\0end') redis.call('SETRANGE', KEYS[1], 1000, 'middle')", true},
	{"list", 30_000, "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], 'element\\0' .. i) end", true},
	{"hash", 20_000, "for i = 1, ARGV[1] do redis.call('HSET', KEYS[1], 'field' .. i, 'value\\255' .. i) end", true},
	{"set", 20_000, "for i = 1, ARGV[1] do redis.call('SADD', KEYS[1], 'member' .. i) end", true},
	{"zset", 20_000, "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], i / 7, 'member' .. i) end redis.call('ZADD', KEYS[1], '-inf', 'x', 'inf', 'y', 1e300, 'z')", true},
	{"stream", 12_000, "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], i .. '-1', 'f', i) end redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '5-0')", false},
}

func fillValue(t testing.TB, c *redis.Client, script, key string, n int) {
	t.Helper()
	must(t, c.Eval(t.Context(), script+" return 1", []string{key}, n).Err())
}

func digestOf(t testing.TB, c *redis.Client, key string) string {
	t.Helper()
	list, err := c.Do(t.Context(), "DEBUG", "DIGEST-VALUE", key).StringSlice()
	must(t, err)
	return list[0]
}

// TestEveryTypeMoves: small and big, with a time to live and without.
func TestEveryTypeMoves(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	f.fence("b")
	a, b := f.redis("a"), f.redis("b")
	type original struct {
		digest  string
		expires time.Duration
	}
	all := make(map[string]original)
	for _, v := range valuesOf {
		for _, count := range []int{3000 / len(v.kind), v.count} {
			for i, key := range f.ownedBy("a", "b", fmt.Sprintf("%s\x00%d:", v.kind, count), 2) {
				fillValue(t, a, v.script, key, count)
				if i == 1 {
					must(t, a.PExpire(t.Context(), key, time.Hour).Err())
					// What the transition before has left is in nobody's way.
					before := transit.Redis{Client: b, Transition: testTransition - 1}
					_, err := before.Bury(t.Context(), transit.Closed, key)
					must(t, err)
				}
				all[key] = original{digestOf(t, a, key), a.PExpireTime(t.Context(), key).Val()}
			}
		}
	}
	m := f.mover("a")
	must(t, m.HandOver(within(t), f.view, testTransition))
	for key, want := range all {
		if got := b.PExpireTime(t.Context(), key).Val(); got != want.expires {
			t.Errorf("%q: expires at %v, want %v", key, got, want.expires)
		}
		if digestOf(t, b, key) != want.digest {
			t.Errorf("%q is not what it was", key)
		}
		if a.Exists(t.Context(), key).Val() != 0 {
			t.Errorf("%q is still at the source", key)
		}
	}
	p := m.Progress()
	if p.KeysMoved != int64(len(all)) || p.BigKeysMoved != int64(2*len(valuesOf)) || len(p.BigKeys) != 0 {
		t.Errorf("%+v, want %d keys, half of them big", p, len(all))
	}
	if parts := leftovers(t, b); len(parts) > 0 {
		t.Errorf("left at the receiver: %q", parts)
	}
}

// TestBigKeyIsNotInTheWay: others are served while a hash of 50,000 fields moves.
func TestBigKeyIsNotInTheWay(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	f.fence("b")
	a, b := f.redis("a"), f.redis("b")
	key := f.ownedBy("a", "b", "hash", 1)[0]
	fillValue(t, a, valuesOf[2].script, key, 50_000)
	want := digestOf(t, a, key)
	must(t, a.ConfigResetStat(t.Context()).Err())
	for _, c := range []*redis.Client{a, b} {
		// µs. A fifth of that is meant; a machine that is busy with others has a say.
		must(t, c.ConfigSet(t.Context(), "slowlog-log-slower-than", "500000").Err())
		must(t, c.Do(t.Context(), "slowlog", "reset").Err())
	}
	m := f.mover("a")
	wait, _ := f.inBackground(m)
	worst := make(chan time.Duration, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		var longest time.Duration
		for ctx.Err() == nil {
			began := time.Now()
			if err := a.Ping(context.WithoutCancel(ctx)).Err(); err != nil {
				t.Error(err)
			}
			longest = max(longest, time.Since(began))
		}
		worst <- longest
	}()
	err := wait()
	stop()
	longest := <-worst
	must(t, err)
	for id, c := range map[string]*redis.Client{"a": a, "b": b} {
		if n := c.Do(t.Context(), "slowlog", "len").Val(); n != int64(0) {
			t.Errorf("%s: commands that took too long: %v", id, c.SlowLogGet(t.Context(), 10).Val())
		}
		stats, err := c.Info(t.Context(), "commandstats").Result()
		must(t, err)
		for _, whole := range []string{"cmdstat_dump:", "cmdstat_restore:"} {
			if strings.Contains(stats, whole) {
				t.Errorf("%s was asked for the whole: %s", id, whole)
			}
		}
	}
	if digestOf(t, b, key) != want || a.Exists(t.Context(), key).Val() != 0 {
		t.Error("it did not move, or is not what it was")
	}
	t.Logf("the slowest PING took %v", longest)
}

// TestBigKeyChanges: what happens to a big key while its parts are on their way.
func TestBigKeyChanges(t *testing.T) {
	for _, tt := range []struct {
		name    string
		do      func(ctx context.Context, a, b *redis.Client, key string) error
		inA     bool
		inB     bool
		another string // field that it has in the end
	}{
		{"changed at the source", func(ctx context.Context, a, _ *redis.Client, key string) error {
			return a.HSet(ctx, key, "another", "1").Err()
		}, false, true, "another"},
		{"a field that was sent has changed", func(ctx context.Context, a, _ *redis.Client, key string) error {
			first, _, err := a.HScan(ctx, key, 0, "", 10).Result()
			if err != nil {
				return err
			}
			return a.HSet(ctx, key, first[0], "changed").Err()
		}, false, true, ""},
		{"given a time to live", func(ctx context.Context, a, _ *redis.Client, key string) error {
			return a.Expire(ctx, key, time.Hour).Err()
		}, false, true, ""},
		{"deleted at the source", func(ctx context.Context, a, _ *redis.Client, key string) error {
			return a.Unlink(ctx, key).Err()
		}, false, false, ""},
		{"written at the receiver", func(ctx context.Context, _, b *redis.Client, key string) error {
			return b.HSet(ctx, key, "another", "1").Err()
		}, false, true, "another"},
		{"deleted by a client", func(ctx context.Context, a, b *redis.Client, key string) error {
			if _, err := (transit.Redis{Client: b, Transition: testTransition}).Bury(ctx, transit.Closed, key); err != nil {
				return err
			}
			return a.Unlink(ctx, key).Err()
		}, false, false, ""},
		{"deleted by a client, and only the receiver has heard of it", func(ctx context.Context, _, b *redis.Client, key string) error {
			_, err := transit.Redis{Client: b, Transition: testTransition}.Bury(ctx, transit.Closed, key)
			return err
		}, false, false, ""},
		{"deleted at the receiver, in another transition", func(ctx context.Context, _, b *redis.Client, key string) error {
			_, err := transit.Redis{Client: b, Transition: testTransition - 1}.Bury(ctx, transit.Closed, key)
			return err
		}, false, true, ""},
		{"the transition ends", func(ctx context.Context, _, b *redis.Client, key string) error {
			return b.Set(ctx, transit.FenceKey(""), "8", 0).Err()
		}, true, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, membership.Redis, active("a"), coming("b"))
			must(t, f.store("b").SetFence(t.Context(), transit.Fence{Transition: testTransition}))
			f.config.Limits.Bytes = 100_000
			a, b := f.redis("a"), f.redis("b")
			key := f.ownedBy("a", "b", "hash", 1)[0]
			fillValue(t, a, valuesOf[2].script, key, 20_000)
			m := f.mover("a")
			wait, cut := f.inBackground(m)
			eventually(t, "parts are on their way", func() bool {
				p := m.Progress()
				return len(p.BigKeys) > 0 && p.BigKeys[0].Sent > 0 && p.BigKeys[0].InParts
			})
			must(t, tt.do(t.Context(), a, b, key))
			must(t, m.SetLimits(Limits{}))
			if tt.inA {
				waits(t, m, "b", "does not let")
				cut()
				_ = wait()
			} else {
				must(t, wait())
			}
			inA, inB := a.Exists(t.Context(), key).Val() == 1, b.Exists(t.Context(), key).Val() == 1
			if inA != tt.inA || inB != tt.inB {
				t.Errorf("at the source %v, at the receiver %v", inA, inB)
			}
			if tt.another != "" && b.HGet(t.Context(), key, tt.another).Val() != "1" {
				t.Error("what was written is lost")
			}
			if tt.name == "a field that was sent has changed" && !slices.Contains(b.HVals(t.Context(), key).Val(), "changed") {
				t.Error("the change is lost")
			}
			if tt.name == "given a time to live" && b.TTL(t.Context(), key).Val() <= 0 {
				t.Error("it lives for ever")
			}
			if parts := leftovers(t, b); len(parts) > 0 {
				t.Errorf("left at the receiver: %q", parts)
			}
		})
	}
}

// TestBigItem: Memcached has no parts, but big items are told of as well.
func TestBigItem(t *testing.T) {
	f := newFleet(t, membership.Memcached, active("a"), coming("b"))
	f.fence("b")
	f.config.Limits.BigKeyBytes = 100_000
	items := map[string]testItem{f.ownedBy("a", "b", "big", 1)[0]: {value: strings.Repeat("x", 500_000), ttl: time.Hour}}
	for _, key := range f.ownedBy("a", "b", "small", 10) {
		items[key] = testItem{value: "v"}
	}
	began := time.Now()
	f.spread(items)
	m := f.mover("a")
	must(t, m.HandOver(within(t), f.view, testTransition))
	_, next := f.rings()
	f.check(items, next, began)
	if p := m.Progress(); p.BigKeysMoved != 1 || p.KeysMoved != 11 {
		t.Errorf("%+v", p)
	}
}

func TestTimedFields(t *testing.T) {
	for info, want := range map[string]bool{
		"": false, "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n": false,
		"db0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\ndb3:keys=1,expires=0,avg_ttl=0,subexpiry=2\r\n": true,
		"db0:keys=1,subexpiry=0\r\n": false, "subexpiry=": false,
	} {
		if got := hasTimedFields(info); got != want {
			t.Errorf("%q: %v", info, got)
		}
	}
}

// afterScript calls then once the first script has run.
type afterScript struct{ then func() }

func (h *afterScript) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *afterScript) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *afterScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if strings.HasPrefix(cmd.Name(), "eval") && err == nil && h.then != nil {
			then := h.then
			h.then = nil
			then()
		}
		return err
	}
}

// TestBigKeyChangesAtTheEnd: a change between the arrival of a big key and its
// removal at the source keeps it there.
func TestBigKeyChangesAtTheEnd(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	f.fence("b")
	a, b := f.redis("a"), f.redis("b")
	m := f.mover("a")
	for _, v := range []int{2, 5} { // in parts, and as a whole
		key := f.ownedBy("a", "b", valuesOf[v].kind, 1)[0]
		fillValue(t, a, valuesOf[v].script, key, valuesOf[v].count)
		to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
		must(t, err)
		h, err := m.take(within(t), f.view, to, testTransition)
		must(t, err)
		r := h.receivers["b"]
		h.carrier.(*redisCarrier).targets[r].Client.AddHook(&afterScript{func() {
			if b.Exists(t.Context(), key).Val() != 1 {
				t.Errorf("%s has not arrived", key)
			}
			must(t, a.Expire(t.Context(), key, time.Hour).Err())
		}})
		got, _, err := h.carrier.single(within(t), &parcel{keys: []dataserver.Found{{Key: key}}, to: []*receiver{r}, leave: true})
		if got != again || err != nil || a.TTL(t.Context(), key).Val() <= 0 {
			t.Errorf("%s: fate %d, %v, and it lives %v at the source", key, got, err, a.TTL(t.Context(), key).Val())
		}
		h.close()
		m.release(false)
	}
}
