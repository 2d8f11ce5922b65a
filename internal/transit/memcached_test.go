package transit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

func TestMemcachedCopy(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	// Beyond 30 days a time to live is a point in time for the server, whose clock counts
	// seconds, and is behind by some more on a busy machine.
	const clocks = 30 * time.Second
	for _, ttl := range []time.Duration{0, 100 * time.Second, 40 * 24 * time.Hour} {
		key := "key:" + ttl.String()
		must(t, o.Client.Set(ctx, memcache.Item{Key: key, Value: []byte("v\r\n\x00"), Flags: 77, TTL: ttl}))
		v, outcome, err := o.Copy(ctx, n, key)
		if outcome != Copied || err != nil {
			t.Fatalf("%s: %v, %v", key, outcome, err)
		}
		got, err := n.Take(ctx, key)
		must(t, err)
		if string(got.Item.Value) != "v\r\n\x00" || got.Item.Flags != 77 || (got.Item.TTL == 0) != (ttl == 0) || (got.Item.TTL-ttl).Abs() > clocks {
			t.Errorf("%s: %+v", key, got.Item)
		}
		if outcome, err := o.Remove(ctx, v); outcome != Removed || err != nil {
			t.Errorf("%s: remove: %v, %v", key, outcome, err)
		}
		if outcome, err := o.Remove(ctx, v); outcome != Gone || err != nil {
			t.Errorf("%s: remove again: %v, %v", key, outcome, err)
		}
	}
	must(t, o.Client.Set(ctx, memcache.Item{Key: "changed", Value: []byte("v")}))
	v, err := o.Take(ctx, "changed")
	must(t, err)
	must(t, o.Client.Set(ctx, memcache.Item{Key: "changed", Value: []byte("v")}))
	if outcome, err := o.Remove(ctx, v); outcome != Changed || err != nil {
		t.Errorf("an item that was written again: %v, %v", outcome, err)
	}
}

func TestMemcachedStoreConditions(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	bury := func(kind Kind) func(string) {
		return func(key string) { _, err := n.Bury(ctx, kind, key); must(t, err) }
	}
	set := func(key string) { must(t, n.Client.Set(ctx, memcache.Item{Key: key, Value: []byte("new")})) }
	for _, c := range []struct {
		key             string
		before, between func(key string)
		want            Outcome
		after           string // at N
	}{
		{"nothing-there", nil, nil, Copied, "old"},
		{"there", set, nil, Present, "new"},
		{"comes", nil, set, Present, "new"},
		{"closed-before", bury(Closed), nil, Blocked, ""},
		{"closed-meanwhile", nil, bury(Closed), Present, ""},
		{"open-before", bury(Open), nil, Copied, "old"},
		{"open-meanwhile", nil, bury(Open), Present, ""},
		{"open-twice", bury(Open), bury(Open), Blocked, ""},
		{"open-closed", bury(Open), bury(Closed), Blocked, ""},
		{"open-set", bury(Open), set, Blocked, "new"},
		{"closed-open", bury(Closed), bury(Open), Blocked, ""},
	} {
		must(t, o.Client.Set(ctx, memcache.Item{Key: c.key, Value: []byte("old"), TTL: time.Hour}))
		if c.before != nil {
			c.before(c.key)
		}
		look, err := n.Look(ctx, c.key)
		must(t, err)
		v, err := o.Take(ctx, c.key)
		must(t, err)
		if c.between != nil {
			c.between(c.key)
		}
		outcome, cas, err := n.Store(ctx, look, v)
		item, _ := n.Client.Get(ctx, c.key)
		if err != nil || outcome != c.want || string(item.Value) != c.after || outcome == Copied && cas != item.CAS {
			t.Errorf("%s: %v, %v, and N has %q; want %v and %q", c.key, outcome, err, item.Value, c.want, c.after)
		}
	}
}

func TestMemcachedLimits(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	must(t, o.Client.Set(ctx, memcache.Item{Key: "key", Value: []byte("old"), TTL: time.Minute}))
	look, err := n.Look(ctx, "key")
	must(t, err)
	v, err := o.Take(ctx, "key")
	must(t, err)
	late := look
	late.At = time.Now().Add(-CopyLimit - time.Millisecond)
	if outcome, _, err := n.Store(ctx, late, v); outcome != Late || err != nil {
		t.Errorf("a copy that took too long: %v, %v", outcome, err)
	}
	ended := v
	ended.At = time.Now().Add(-2 * time.Minute)
	if outcome, _, err := n.Store(ctx, look, ended); outcome != Gone || err != nil {
		t.Errorf("an item that has expired meanwhile: %v, %v", outcome, err)
	}
	if _, err := n.Client.Get(ctx, "key"); !errors.Is(err, memcache.ErrCacheMiss) {
		t.Errorf("it arrived: %v", err)
	}
	must(t, o.Client.Invalidate(ctx, "key", time.Minute))
	if v, err := o.Take(ctx, "key"); v.State != Gone || err != nil {
		t.Errorf("a stale item: %+v, %v", v, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := o.Copy(cancelled, n, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestMemcachedBury(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	must(t, n.Client.Set(ctx, memcache.Item{Key: "key", Value: []byte("v")}))
	for i, c := range []struct {
		kind    Kind
		existed bool
		want    Kind
	}{{Open, true, Open}, {Closed, false, Closed}, {Open, false, Open}} {
		existed, err := n.Bury(ctx, c.kind, "key")
		must(t, err)
		look, err := n.Look(ctx, "key")
		if err != nil || existed != c.existed || !look.Tombstone || look.Present || look.Kind != c.want {
			t.Errorf("%d: %v, %+v, %v", i, existed, look, err)
		}
		resp, err := n.Client.MetaGet(ctx, memcache.GetRequest{Key: "key", Return: memcache.ReturnTTL | memcache.ReturnSize})
		if err != nil || resp.Size != 0 || resp.TTL <= 0 || resp.TTL > TombstoneLife {
			t.Errorf("%d: %+v, %v", i, resp, err)
		}
	}
	if err := n.Client.Add(ctx, memcache.Item{Key: "key"}); !errors.Is(err, memcache.ErrNotStored) {
		t.Errorf("an add on a tombstone: %v", err)
	}
	// A tombstone is no value that could be copied.
	if v, outcome, err := n.Copy(ctx, o, "key"); outcome != Gone || err != nil {
		t.Errorf("a copy of a tombstone: %+v, %v, %v", v, outcome, err)
	}
	for _, c := range []struct {
		flags uint32
		size  int
		want  bool
	}{{FlagsClosed, 0, true}, {FlagsOpen, 0, true}, {FlagsOpen, 1, false}, {0, 0, false}} {
		if _, is := TombstoneOf(c.flags, c.size); is != c.want {
			t.Errorf("flags %x with %d bytes: %v", c.flags, c.size, is)
		}
	}
}

// A value that somebody is to renew is taken like any other; a lease alone is nothing.
func TestMemcachedLeased(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	must(t, o.Client.Set(ctx, memcache.Item{Key: "renewed", Value: []byte("v"), TTL: time.Minute}))
	for _, key := range []string{"renewed", "lease"} {
		if l, err := o.Client.GetLease(ctx, key, time.Minute, time.Hour); err != nil || !l.Won {
			t.Fatalf("%s: %+v, %v", key, l, err)
		}
	}
	if v, outcome, err := o.Copy(ctx, n, "renewed"); outcome != Copied || string(v.Item.Value) != "v" || err != nil {
		t.Errorf("a value under a lease: %+v, %v, %v", v, outcome, err)
	}
	if v, err := o.Take(ctx, "lease"); v.State != Gone || err != nil {
		t.Errorf("a lease: %+v, %v", v, err)
	}
}

// TestMemcachedBuryUnlessClosed: what was there, and what is there after it.
func TestMemcachedBuryUnlessClosed(t *testing.T) {
	_, n := twoMemcached(t)
	ctx := t.Context()
	for i, c := range []struct {
		flags   uint32 // of what is there
		value   string
		existed bool
		want    uint32
	}{
		{0, "", false, FlagsOpen}, // nothing: see below
		{7, "value", true, FlagsOpen},
		{FlagsClosed, "value", true, FlagsOpen}, // of an application
		{FlagsOpen, "", false, FlagsOpen},
		{FlagsOpenLeased, "", false, FlagsOpen},
		{FlagsClosed, "", false, FlagsClosed},
		{FlagsClosedLeased, "", false, FlagsClosed},
	} {
		key := fmt.Sprint("key", i)
		if i > 0 {
			must(t, n.Client.Set(ctx, memcache.Item{Key: key, Flags: c.flags, Value: []byte(c.value)}))
		}
		before, err := n.Look(ctx, key)
		must(t, err)
		existed, err := n.BuryUnlessClosed(ctx, key)
		if existed != c.existed || err != nil {
			t.Errorf("%x %q: existed %v, %v; want %v", c.flags, c.value, existed, err, c.existed)
		}
		resp, err := n.Client.MetaGet(ctx, LookRequest(key))
		must(t, err)
		if resp.ClientFlags != c.want || resp.Size != 0 {
			t.Errorf("%x %q: then there is %x of %d bytes, want %x", c.flags, c.value, resp.ClientFlags, resp.Size, c.want)
		}
		if stays := c.flags == FlagsClosed && c.value == ""; (resp.CAS == before.CAS) != stays {
			t.Errorf("%x %q: CAS %d, before %d", c.flags, c.value, resp.CAS, before.CAS)
		}
	}
}
