package transit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

var fence7 = Fence{Transition: 7}

func TestIsMarker(t *testing.T) {
	for key, want := range map[string]bool{
		Marker("key"): true, FenceKey(""): true, FenceKey("app:"): true, PartKey("key", "x"): true, MarkerPrefix: true,
		ProcessKey(""): true, ProcessKey("app:"): true,
		"": false, "key": false, "__ringway:": false, "__ringway:other": false, "x" + FencePrefix: false,
	} {
		if IsMarker(key) != want {
			t.Errorf("%q: %v, want %v", key, !want, want)
		}
	}
	if long := FenceKey(strings.Repeat("\x00", 1000)); len(long) > memcache.MaxEncodedKey {
		t.Errorf("a fence with a name of %d bytes", len(long))
	}
	if FenceKey("a") == FenceKey("b") {
		t.Error("two fleets share a fence")
	}
}

// fencer is what both kinds of server have.
type fencer interface {
	SetFence(context.Context, Fence) error
	DropFence(context.Context, string) error
	Fenced(context.Context, Fence) (bool, error)
}

func TestFence(t *testing.T) {
	_, r := twoRedis(t)
	_, m := twoMemcached(t)
	ctx := t.Context()
	for name, s := range map[string]fencer{"redis": r, "memcached": m} {
		is := func(f Fence, want bool) {
			t.Helper()
			if got, err := s.Fenced(ctx, f); got != want || err != nil {
				t.Errorf("%s: %+v: %v, %v, want %v", name, f, got, err, want)
			}
		}
		other, fleet := Fence{Transition: 8}, Fence{Prefix: "a b:", Transition: 7}
		is(fence7, false)
		must(t, s.SetFence(ctx, fence7))
		is(fence7, true)
		is(other, false)
		is(fleet, false)
		must(t, s.SetFence(ctx, fleet))
		must(t, s.SetFence(ctx, other))
		is(fence7, false)
		is(other, true)
		is(fleet, true)
		must(t, s.DropFence(ctx, ""))
		must(t, s.DropFence(ctx, ""))
		is(other, false)
		is(fleet, true)
	}
	must(t, r.Client.ConfigSet(ctx, "maxmemory", "1").Err())
	must(t, r.SetFence(ctx, fence7))
	must(t, r.Client.ConfigSet(ctx, "maxmemory", "0").Err())
	if left := r.Client.PTTL(ctx, FenceKey("a b:")).Val(); left <= 0 || left > FenceLife {
		t.Errorf("redis: a fence lives %v", left)
	}
	resp, err := m.Client.MetaGet(ctx, memcache.GetRequest{Key: FenceKey("a b:"), EncodeKey: true, Return: memcache.ReturnTTL})
	if err != nil || resp.TTL <= 0 || resp.TTL > FenceLife {
		t.Errorf("memcached: a fence lives %v, %v", resp.TTL, err)
	}
}

// TestStoppedRedisMover: what happens at N while a mover is stopped between two
// steps.
func TestStoppedRedisMover(t *testing.T) { bothWays(t, testStoppedRedisMover) }

func testStoppedRedisMover(t *testing.T, o, n Redis) {
	ctx := t.Context()
	for i, c := range []struct {
		name string
		then func(key string) error
		late bool
		want Outcome
	}{
		{"nothing", nil, false, Copied},
		{"the transition ends, and the key is deleted", func(key string) error {
			return errors.Join(n.DropFence(ctx, ""), n.Client.Del(ctx, key).Err())
		}, false, Unfenced},
		{"another transition begins", func(string) error { return n.SetFence(ctx, Fence{Transition: 8}) }, false, Unfenced},
		{"the fence expires", func(string) error { return n.Client.PExpire(ctx, FenceKey(""), 0).Err() }, false, Unfenced},
		{"time passes", nil, true, Late},
		{"the key is buried", func(key string) error { _, err := n.Bury(ctx, Closed, key); return err }, false, Blocked},
		{"the key is written at O", func(key string) error { _, err := n.Bury(ctx, Open, key); return err }, false, Blocked},
		{"the key is written", func(key string) error { return n.Client.Set(ctx, key, "new", 0).Err() }, false, Present},
	} {
		key := fmt.Sprint("key", i)
		must(t, n.SetFence(ctx, fence7))
		must(t, o.Client.Set(ctx, key, "old", time.Hour).Err())
		looks, fenced, err := n.LookFenced(ctx, fence7, true, key)
		if err != nil || !fenced {
			t.Fatal(fenced, err)
		}
		values, err := o.TakeWithin(ctx, Bound{}, key)
		must(t, err)
		if c.then != nil {
			must(t, c.then(key))
		}
		if c.late {
			looks[0].Since -= CopyLimit.Milliseconds() + 1
		}
		results, err := n.StoreFenced(ctx, fence7, looks, values)
		if err != nil || results[0].Outcome != c.want || (n.Client.Get(ctx, key).Val() == "old") != (c.want == Copied) {
			t.Errorf("%s: %v, %v, and N has %q; want %v", c.name, results, err, n.Client.Get(ctx, key).Val(), c.want)
		}

		// The same for what was put together from parts.
		must(t, n.SetFence(ctx, fence7))
		must(t, n.Client.Del(ctx, key, Marker(key)).Err())
		part := PartKey(key, "1")
		must(t, n.Client.Set(ctx, part, "old", time.Minute).Err())
		looks, _, err = n.LookFenced(ctx, fence7, true, key)
		must(t, err)
		if c.then != nil {
			must(t, c.then(key))
		}
		if c.late {
			looks[0].Since -= CopyLimit.Milliseconds() + 1
		}
		result, err := n.PutFenced(ctx, fence7, looks[0], part, values[0])
		ttl := n.Client.PExpireTime(ctx, key).Val()
		if err != nil || result.Outcome != c.want || (n.Client.Get(ctx, key).Val() == "old") != (c.want == Copied) ||
			c.want == Copied && ttl.Milliseconds() != values[0].Expires || n.Client.Exists(ctx, part).Val() != 0 {
			t.Errorf("%s, in parts: %v, %v, and N has %q until %v; want %v", c.name, result, err, n.Client.Get(ctx, key).Val(), ttl, c.want)
		}
	}
	must(t, n.DropFence(ctx, ""))
	if _, fenced, err := n.LookFenced(ctx, fence7, true, "key"); fenced || err != nil {
		t.Errorf("no fence: %v, %v", fenced, err)
	}
}

// TestGlance: without a look at the keys a tombstone is in the way whatever its kind,
// and with one an open one is not.
func TestGlance(t *testing.T) { bothWays(t, testGlance) }

func testGlance(t *testing.T, o, n Redis) {
	ctx := t.Context()
	n.Transition = fence7.Transition
	keys := []string{"free", "open", "closed", "closed before", "there"}
	for _, key := range keys {
		must(t, o.Client.Set(ctx, key, "old", 0).Err())
	}
	if looks, fenced, err := n.GlanceFenced(ctx, fence7); fenced || looks != nil || err != nil {
		t.Errorf("no fence: %v, %v, %v", looks, fenced, err)
	}
	must(t, n.SetFence(ctx, Fence{Transition: 8}))
	if looks, fenced, err := n.GlanceFenced(ctx, fence7); fenced || looks != nil || err != nil {
		t.Errorf("another fence: %v, %v, %v", looks, fenced, err)
	}
	must(t, n.SetFence(ctx, fence7))
	for key, kind := range map[string]Kind{"open": Open, "closed": Closed} {
		_, err := n.Bury(ctx, kind, key)
		must(t, err)
	}
	_, err := Redis{Client: n.Client, Transition: 5}.Bury(ctx, Closed, "closed before")
	must(t, err)
	must(t, n.Client.Set(ctx, "there", "new", 0).Err())
	put := func(look func() (Looks, bool, error), want ...Outcome) {
		t.Helper()
		looks, fenced, err := look()
		if err != nil || !fenced {
			t.Fatal(fenced, err)
		}
		values, err := o.Take(ctx, 0, keys...)
		must(t, err)
		results, err := n.StoreFenced(ctx, fence7, looks, values)
		must(t, err)
		for i, key := range keys {
			if results[i].Outcome != want[i] {
				t.Errorf("%s: %v, want %v", key, results[i], want[i])
			}
		}
	}
	put(func() (Looks, bool, error) { return n.GlanceFenced(ctx, fence7) }, Copied, Blocked, Blocked, Blocked, Present)
	put(func() (Looks, bool, error) { return n.LookFenced(ctx, fence7, false, keys...) }, Present, Copied, Blocked, Copied, Present)
}

// TestPutFencedConditions: what is particular to parts.
func TestPutFencedConditions(t *testing.T) {
	_, n := twoRedis(t)
	ctx := t.Context()
	must(t, n.SetFence(ctx, fence7))
	looks, _, err := n.LookFenced(ctx, fence7, true, "key")
	must(t, err)
	put := func(expires int64) Outcome {
		t.Helper()
		r, err := n.PutFenced(ctx, fence7, looks[0], "part", RedisValue{Key: "key", Expires: expires})
		must(t, err)
		return r.Outcome
	}
	if got := put(-1); got != Late {
		t.Errorf("the parts are gone: %v", got)
	}
	must(t, n.Client.Set(ctx, "part", "v", time.Minute).Err())
	if got := put(looks[0].Since); got != Gone || n.Client.Exists(ctx, "key", "part").Val() != 0 {
		t.Errorf("expired: %v", got)
	}
	must(t, n.Client.Set(ctx, "part", "v", time.Minute).Err())
	if got := put(-1); got != Copied || n.Client.TTL(ctx, "key").Val() != -1 {
		t.Errorf("for ever: %v, lives %v", got, n.Client.TTL(ctx, "key").Val())
	}
}

// TestTakeWithin: bounds of one key and of all.
func TestTakeWithin(t *testing.T) { bothWays(t, testTakeWithin) }

func testTakeWithin(t *testing.T, o, _ Redis) {
	ctx := t.Context()
	must(t, o.Client.Set(ctx, "small", "v", 0).Err())
	must(t, o.Client.Set(ctx, "200k", strings.Repeat("x", 200_000), 0).Err())
	must(t, o.Client.Eval(ctx, "for i = 1, 3000 do redis.call('RPUSH', KEYS[1], 'some text of a fair length ' .. i) end return 1", []string{"list"}).Err())
	for _, c := range []struct {
		b    Bound
		keys []string
		want []Outcome
	}{
		{Bound{}, []string{"small", "200k", "list", "none"}, []Outcome{0, 0, 0, Gone}},
		{Bound{Bytes: 150_000}, []string{"small", "200k", "list", "none"}, []Outcome{0, TooBig, 0, Gone}},
		{Bound{Bytes: 1 << 20, Elements: 2999}, []string{"small", "200k", "list"}, []Outcome{0, 0, TooBig}},
		{Bound{Bytes: 1 << 20, Elements: 3000}, []string{"list"}, []Outcome{0}},
		{Bound{Total: 1}, []string{"small", "200k", "small", "none"}, []Outcome{0, Later, Later, Later}},
		{Bound{Total: 500}, []string{"small", "200k", "small"}, []Outcome{0, 0, Later}},
	} {
		values, err := o.TakeWithin(ctx, c.b, c.keys...)
		must(t, err)
		for i, v := range values {
			if v.State != c.want[i] || v.Key != c.keys[i] || (v.State == TooBig) != (v.Size > 0) || (v.State == 0) != (v.Payload != "") {
				t.Errorf("%+v: %s: %v of %d bytes, want %v", c.b, c.keys[i], v.State, v.Size, c.want[i])
			}
		}
	}
}
