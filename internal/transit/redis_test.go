package transit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// everyType has a key of each type and encoding, and a command that shows it.
var everyType = []struct {
	name  string
	make  []string // commands, the key is K
	shows string
}{
	{"string", []string{"SET K value"}, "GET K"},
	{"number", []string{"SET K 12345"}, "GET K"},
	{"binary", []string{"SETRANGE K 70000 \x00\xff"}, "GET K"},
	{"list", []string{"RPUSH K a b c"}, "LRANGE K 0 -1"},
	{"long list", []string{"EVAL for\u00a0i=1,3000\u00a0do\u00a0redis.call('RPUSH',KEYS[1],'element'..i)\u00a0end 1 K"}, "LRANGE K 0 -1"},
	{"hash", []string{"HSET K f 1 g 2"}, "HGETALL K"},
	{"long hash", []string{"EVAL for\u00a0i=1,600\u00a0do\u00a0redis.call('HSET',KEYS[1],i,i)\u00a0end 1 K"}, "HLEN K"},
	{"set of numbers", []string{"SADD K 3 1 2"}, "SMEMBERS K"},
	{"set", []string{"EVAL for\u00a0i=1,600\u00a0do\u00a0redis.call('SADD',KEYS[1],'m'..i)\u00a0end 1 K"}, "SCARD K"},
	{"sorted set", []string{"ZADD K 1 a 2.5 b -inf c"}, "ZRANGE K 0 -1 WITHSCORES"},
	{"long sorted set", []string{"EVAL for\u00a0i=1,600\u00a0do\u00a0redis.call('ZADD',KEYS[1],i/7,i)\u00a0end 1 K"}, "ZRANGE K 0 -1 WITHSCORES"},
	{"geo", []string{"GEOADD K 13.4 52.5 berlin 2.35 48.85 paris"}, "GEOPOS K berlin paris"},
	{"bitmap", []string{"SETBIT K 7 1", "SETBIT K 100001 1"}, "BITPOS K 1 100"},
	{"hyperloglog", []string{"PFADD K a b c d"}, "PFCOUNT K"},
	{"stream", []string{"XADD K 1-1 f v", "XADD K 2-1 f w"}, "XRANGE K - +"},
	{"stream with groups", []string{"XADD K 1-1 f v", "XADD K 2-1 f w", "XGROUP CREATE K g 0", "XREADGROUP GROUP g c COUNT 1 STREAMS K >"}, "XPENDING K g"},
	{"empty stream", []string{"XADD K 5-5 f v", "XDEL K 5-5"}, "XADD K NOMKSTREAM 5-6 f v"},
}

// run runs a command that is written in words.
func run(t *testing.T, r Redis, command, key string) any {
	t.Helper()
	var args []any
	for word := range strings.SplitSeq(command, " ") {
		if word == "K" {
			word = key
		}
		args = append(args, strings.ReplaceAll(word, "\u00a0", " "))
	}
	v, err := r.Client.Do(context.Background(), args...).Result()
	if err != nil && err != redis.Nil {
		t.Fatalf("%s: %v", command, err)
	}
	return v
}

// TestEveryType: what a key is, and how long it lives, survives the copy.
func TestEveryType(t *testing.T) { bothWays(t, testEveryType) }

func testEveryType(t *testing.T, o, n Redis) {
	ctx := t.Context()
	for i, c := range everyType {
		for _, ttl := range []time.Duration{0, 100 * time.Second} {
			key := fmt.Sprintf("key%d:%v", i, ttl)
			for _, command := range c.make {
				run(t, o, command, key)
			}
			if ttl > 0 {
				must(t, o.Client.PExpire(ctx, key, ttl).Err())
			}
			values, results, err := o.Copy(ctx, n, 0, key)
			if err != nil || results[0] != (Result{Outcome: Copied}) {
				t.Fatalf("%s: %v, %v", c.name, results, err)
			}
			left, want := n.Client.PTTL(ctx, key).Val(), o.Client.PTTL(ctx, key).Val()
			if ttl == 0 && left != -1 || ttl > 0 && (left < want-time.Second || left > want+time.Second) {
				t.Errorf("%s: lives %v on N and %v on O", c.name, left, want)
			}
			digest := func(r Redis) string { return o.digest(t, r, key) }
			if digest(o) != digest(n) {
				t.Errorf("%s: not what it was", c.name)
			}
			removed, err := o.Remove(ctx, values...)
			if err != nil || removed[0].Outcome != Removed || o.Client.Exists(ctx, key).Val() != 0 {
				t.Errorf("%s: remove: %v, %v", c.name, removed, err)
			}
			if shown := run(t, n, c.shows, key); shown == nil || fmt.Sprint(shown) == "[]" {
				t.Errorf("%s: N shows %v", c.name, shown)
			}
		}
	}
}

// digest is the server's own of the value of a key, whatever its encoding.
func (Redis) digest(t *testing.T, r Redis, key string) string {
	t.Helper()
	list, err := r.Client.Do(context.Background(), "DEBUG", "DIGEST-VALUE", key).StringSlice()
	must(t, err)
	return list[0]
}

func TestStoreConditions(t *testing.T) { bothWays(t, testStoreConditions) }

func testStoreConditions(t *testing.T, o, n Redis) {
	ctx := t.Context()
	at := func(r Redis, key string) string { return r.Client.Get(ctx, key).Val() }
	n.Transition = 7
	bury := func(transition uint64, key string) {
		_, err := Redis{Client: n.Client, Transition: transition}.Bury(ctx, Closed, key)
		must(t, err)
	}
	for _, c := range []struct {
		name    string
		before  func(key string) // the look
		between func(key string) // look and store
		want    Outcome
		after   string // at N
	}{
		{"nothing there", nil, nil, Copied, "old"},
		{"the key is there", func(key string) { n.Client.Set(ctx, key, "new", 0) }, nil, Present, "new"},
		{"the key comes", nil, func(key string) { n.Client.Set(ctx, key, "new", 0) }, Present, "new"},
		{"closed before", func(key string) { n.Bury(ctx, Closed, key) }, nil, Blocked, ""},
		{"closed meanwhile", nil, func(key string) { n.Bury(ctx, Closed, key) }, Blocked, ""},
		{"open before", func(key string) { n.Bury(ctx, Open, key) }, nil, Copied, "old"},
		{"open meanwhile", nil, func(key string) { n.Bury(ctx, Open, key) }, Blocked, ""},
		{"open before, another meanwhile", func(key string) { n.Bury(ctx, Open, key) }, func(key string) { n.Bury(ctx, Open, key) }, Blocked, ""},
		{"open before, closed meanwhile", func(key string) { n.Bury(ctx, Open, key) }, func(key string) { n.Bury(ctx, Closed, key) }, Blocked, ""},
		{"closed before, open meanwhile", func(key string) { n.Bury(ctx, Closed, key) }, func(key string) { n.Bury(ctx, Open, key) }, Blocked, ""},
		{"closed, then open before", func(key string) { n.Bury(ctx, Closed, key); n.Bury(ctx, Open, key) }, nil, Copied, "old"},
		{"closed in another transition", func(key string) { bury(6, key) }, nil, Copied, "old"},
		{"closed in another transition meanwhile", nil, func(key string) { bury(6, key) }, Blocked, ""},
		{"closed in two", func(key string) { bury(6, key) }, func(key string) { bury(5, key) }, Blocked, ""},
		{"open before, gone meanwhile", func(key string) { n.Bury(ctx, Open, key) }, func(key string) { n.Client.Del(ctx, Marker(key)) }, Copied, "old"},
	} {
		key := "key " + c.name
		must(t, o.Client.Set(ctx, key, "old", time.Hour).Err())
		if c.before != nil {
			c.before(key)
		}
		looks, err := n.Look(ctx, key)
		must(t, err)
		values, err := o.Take(ctx, 0, key)
		must(t, err)
		if c.between != nil {
			c.between(key)
		}
		results, err := n.Store(ctx, looks, values)
		if err != nil || results[0].Outcome != c.want || at(n, key) != c.after {
			t.Errorf("%s: %v, %v, and N has %q; want %v and %q", c.name, results, err, at(n, key), c.want, c.after)
		}
	}
}

func TestStoreIsLate(t *testing.T) { bothWays(t, testStoreIsLate) }

func testStoreIsLate(t *testing.T, o, n Redis) {
	ctx := t.Context()
	must(t, o.Client.Set(ctx, "key", "old", 0).Err())
	for _, c := range []struct {
		since time.Duration
		want  Outcome
	}{
		{-CopyLimit - time.Second, Late},
		{time.Minute, Late}, // N's clock was set back
		{0, Copied},
	} {
		looks, err := n.Look(ctx, "key")
		must(t, err)
		values, err := o.Take(ctx, 0, "key")
		must(t, err)
		looks[0].Since += c.since.Milliseconds()
		results, err := n.Store(ctx, looks, values)
		if err != nil || results[0].Outcome != c.want || (n.Client.Exists(ctx, "key").Val() == 1) != (c.want == Copied) {
			t.Errorf("a copy that began %v ago: %v, %v", -c.since, results, err)
		}
	}
}

// TestStoreIsLateTogether: keys that are stored together have the age of the oldest
// look, and a clock that was set back is seen by the newest.
func TestStoreIsLateTogether(t *testing.T) { bothWays(t, testStoreIsLateTogether) }

func testStoreIsLateTogether(t *testing.T, o, n Redis) {
	ctx := t.Context()
	must(t, o.Client.MSet(ctx, "a", "v", "b", "v").Err())
	for _, since := range []time.Duration{-CopyLimit - time.Second, time.Minute} {
		looks, err := n.Look(ctx, "a", "b")
		must(t, err)
		values, err := o.Take(ctx, 0, "a", "b")
		must(t, err)
		looks[1].Since += since.Milliseconds()
		results, err := n.Store(ctx, looks, values)
		if err != nil || results[0].Outcome != Late || results[1].Outcome != Late || n.Client.DBSize(ctx).Val() != 0 {
			t.Errorf("one look is %v old: %v, %v", -since, results, err)
		}
	}
}

func TestTakeAndRemove(t *testing.T) { bothWays(t, testTakeAndRemove) }

func testTakeAndRemove(t *testing.T, o, n Redis) {
	ctx := t.Context()
	big := strings.Repeat("x", 1<<16)
	for key, value := range map[string]string{"same": "v", "value": "v", "expiry": "v", "deleted": "v", "big": big} {
		must(t, o.Client.Set(ctx, key, value, time.Hour).Err())
	}
	must(t, o.Client.Set(ctx, "expired", "v", time.Millisecond).Err())
	for o.Client.PTTL(ctx, "expired").Val() != -2 {
		if ctx.Err() != nil {
			t.Fatal("it never expires")
		}
	}
	keys := []string{"same", "value", "expiry", "deleted", "big", "expired", "never was"}
	values, results, err := o.Copy(ctx, n, 1<<10, keys...)
	must(t, err)
	must(t, o.Client.Set(ctx, "value", "w", redis.KeepTTL).Err())
	must(t, o.Client.Persist(ctx, "expiry").Err())
	must(t, o.Client.Del(ctx, "deleted").Err())
	removed, err := o.Remove(ctx, values...)
	must(t, err)
	var got []string
	for i, key := range keys {
		got = append(got, fmt.Sprintf("%s: %v, %v", key, results[i].Outcome, removed[i].Outcome))
	}
	want := []string{"same: copied, removed", "value: copied, changed", "expiry: copied, changed", "deleted: copied, gone",
		"big: too big, too big", "expired: gone, gone", "never was: gone, gone"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	left, err := o.Client.Keys(ctx, "*").Result()
	slices.Sort(left)
	if err != nil || !slices.Equal(left, []string{"big", "expiry", "value"}) {
		t.Errorf("left at O: %v, %v", left, err)
	}
	if results, err := n.Store(ctx, nil, nil); len(results) != 0 || err != nil {
		t.Errorf("store of nothing: %v, %v", results, err)
	}
	if results, err := o.Remove(ctx); len(results) != 0 || err != nil {
		t.Errorf("remove of nothing: %v, %v", results, err)
	}
}

// TestRemoveCompares: what looks like what was copied stays. Strings are compared
// by themselves, and what is no string by its DUMP.
func TestRemoveCompares(t *testing.T) { bothWays(t, testRemoveCompares) }

func testRemoveCompares(t *testing.T, o, _ Redis) {
	ctx := t.Context()
	long := strings.Repeat("content ", 10)
	for _, c := range []struct {
		name, was, is string
		kind          string // a command that makes what is there; empty: SET
		want          Outcome
	}{
		{"the same", "v", "v", "", Removed},
		{"the same, and long", long, long, "", Removed},
		{"the same, and empty", "", "", "", Removed},
		{"long, and as long", long, strings.Replace(long, "c", "C", 1), "", Changed},
		{"longer", "v", "v\x00", "", Changed},
		{"a list", "v", "v", "rpush", Changed},
	} {
		must(t, o.Client.Set(ctx, "key", c.was, time.Hour).Err())
		values, err := o.Take(ctx, 0, "key")
		must(t, err)
		if c.kind == "" {
			must(t, o.Client.Set(ctx, "key", c.is, redis.KeepTTL).Err())
		} else {
			must(t, o.Client.Del(ctx, "key").Err())
			must(t, o.Client.Do(ctx, c.kind, "key", c.is).Err())
			must(t, o.Client.PExpireAt(ctx, "key", time.UnixMilli(values[0].Expires)).Err())
		}
		results, err := o.Remove(ctx, values...)
		if err != nil || results[0].Outcome != c.want || (o.Client.Exists(ctx, "key").Val() == 0) != (c.want == Removed) {
			t.Errorf("%s: %v, %v, want %v", c.name, results, err, c.want)
		}
		must(t, o.Client.Del(ctx, "key").Err())
	}
}

// TestStoreMixed: strings, other types, tombstones and what is not here in one
// batch keep their places.
func TestStoreMixed(t *testing.T) { bothWays(t, testStoreMixed) }

func testStoreMixed(t *testing.T, o, n Redis) {
	ctx := t.Context()
	must(t, o.Client.RPush(ctx, "list", "v").Err())
	must(t, o.Client.MSet(ctx, "string", "v", "open", "v", "closed", "v", "there", "v", "reopened", "v").Err())
	must(t, o.Client.HSet(ctx, "hash", "f", "v").Err())
	for key, kind := range map[string]Kind{"open": Open, "closed": Closed, "reopened": Open, "hash": Open} {
		_, err := n.Bury(ctx, kind, key)
		must(t, err)
	}
	must(t, o.Client.RPush(ctx, "list there", "old").Err())
	must(t, n.Client.RPush(ctx, "list there", "new").Err())
	must(t, n.Client.Set(ctx, "there", "new", 0).Err())
	keys := []string{"list", "string", "none", "open", "hash", "closed", "there", "reopened", "list there"}
	looks, err := n.Look(ctx, keys...)
	must(t, err)
	values, err := o.Take(ctx, 0, keys...)
	must(t, err)
	_, err = n.Bury(ctx, Open, "reopened")
	must(t, err)
	results, err := n.Store(ctx, looks, values)
	must(t, err)
	want := []Outcome{Copied, Copied, Gone, Copied, Copied, Blocked, Present, Blocked, Present}
	if got := n.Client.LIndex(ctx, "list there", 0).Val(); got != "new" {
		t.Errorf("N's list has %q", got)
	}
	for i, key := range keys {
		if results[i].Outcome != want[i] {
			t.Errorf("%s: %v, want %v", key, results[i], want[i])
		}
	}
	removed, err := o.Remove(ctx, values...)
	must(t, err)
	for i, key := range keys {
		if want := map[bool]Outcome{true: Removed, false: Gone}[key != "none"]; removed[i].Outcome != want {
			t.Errorf("%s: %v, want %v", key, removed[i], want)
		}
	}
}

// TestRefused: an error of RESTORE is that of its key, and the others go over.
func TestRefused(t *testing.T) { bothWays(t, testRefused) }

func testRefused(t *testing.T, _, n Redis) {
	ctx := t.Context()
	looks, err := n.Look(ctx, "bad", "good")
	must(t, err)
	must(t, n.Client.Set(ctx, "model", "v", 0).Err())
	good, err := n.Take(ctx, 0, "model")
	must(t, err)
	results, err := n.Store(ctx, looks, []RedisValue{
		{Key: "bad", Payload: "no dump", Expires: -1}, {Key: "good", Payload: good[0].Payload, Plain: true, Expires: -1}})
	must(t, err)
	if results[0].Outcome != Refused || results[0].Err == nil || results[1].Outcome != Copied {
		t.Errorf("got %v", results)
	}
	if err := n.Client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	defer n.Client.ConfigSet(ctx, "maxmemory", "0")
	results, err = n.Store(ctx, []RedisLook{{Since: time.Now().UnixMilli()}}, []RedisValue{{Key: "full", Payload: good[0].Payload, Plain: true, Expires: -1}})
	if err != nil || results[0].Outcome != Refused || !strings.Contains(results[0].Err.Error(), "memory") {
		t.Errorf("a server without memory: %v, %v", results, err)
	}
	// It still deletes what must not be there any more, and keeps copies away.
	for _, key := range []string{"good", "never was"} {
		_, err := n.Bury(ctx, Closed, key)
		if err != nil || n.Client.Exists(ctx, key).Val() != 0 || n.Client.Exists(ctx, Marker(key)).Val() != 1 {
			t.Errorf("a tombstone on a server without memory: %v", err)
		}
	}
}

func TestBury(t *testing.T) {
	_, n := twoRedis(t)
	n.Transition = 7
	ctx := t.Context()
	must(t, n.Client.Set(ctx, "key", "v", 0).Err())
	for i, c := range []struct {
		kind    Kind
		existed bool
		want    string // beginning of the marker
	}{{Open, true, "open:"}, {Closed, false, "closed:7"}, {Open, false, "open:"}} {
		existed, err := n.Bury(ctx, c.kind, "key")
		marker := n.Client.Get(ctx, Marker("key")).Val()
		left := n.Client.PTTL(ctx, Marker("key")).Val()
		if err != nil || existed != c.existed || !strings.HasPrefix(marker, c.want) || left <= 0 || left > TombstoneLife {
			t.Errorf("%d: %v, %v, %q for %v", i, existed, err, marker, left)
		}
	}
	if !IsMarker(Marker("key")) || IsMarker("key") || IsMarker("") {
		t.Error("IsMarker is wrong")
	}
	guard := NewGuard(ctx, 7, "guarded")
	must(t, n.Client.Process(ctx, guard))
	looks, err := n.Look(ctx, "guarded")
	if err != nil || !looks[0].Closed(7) || looks[0].Closed(8) || looks[0].Present {
		t.Errorf("a guard: %+v, %v", looks, err)
	}
}

// TestBuryUnlessClosed: a closed tombstone of this transition, and of the one that
// undoes it, stays.
func TestBuryUnlessClosed(t *testing.T) {
	_, n := twoRedis(t)
	ctx := t.Context()
	here, undone, before := uint64(7), membership.RollbackOf(7), uint64(6)
	for i, c := range []struct {
		marker uint64 // whose closed tombstone is there; 0: an open one
		by     uint64
		stays  bool
	}{{here, here, true}, {undone, here, true}, {here, undone, true}, {before, here, false}, {0, here, false}} {
		key := fmt.Sprint("key", i)
		must(t, n.Client.Set(ctx, key, "value", 0).Err())
		marker := "open:x"
		if c.marker > 0 {
			marker = closed(c.marker)
		}
		must(t, n.Client.Set(ctx, Marker(key), marker, time.Second).Err())
		existed, err := Redis{Client: n.Client, Transition: c.by}.BuryUnlessClosed(ctx, key)
		if !existed || err != nil || n.Client.Exists(ctx, key).Val() != 0 {
			t.Errorf("%s: existed %v, %v; and now %d", marker, existed, err, n.Client.Exists(ctx, key).Val())
		}
		got := n.Client.Get(ctx, Marker(key)).Val()
		if (got == marker) != c.stays || !c.stays && !strings.HasPrefix(got, "open:") {
			t.Errorf("%s, buried in %d: then %s", marker, c.by, got)
		}
		if left := n.Client.PTTL(ctx, Marker(key)).Val(); left <= TombstoneLife/2 {
			t.Errorf("%s: stays for %v", marker, left)
		}
	}
}
