package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// TestMemcachedCopyInFlight stops a copy between the read at the current owner and
// the write at the next, and lets another router change the item meanwhile.
func TestMemcachedCopyInFlight(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	reader := s.router(membership.Importing, Config{Tracer: d})
	ahead, behind := s.router(membership.Importing, Config{}), s.router(membership.Announced, Config{})
	ctx := t.Context()
	for i, c := range []struct {
		name string
		do   func(key string)
		want string // what is read afterwards
	}{
		{"deleted", func(key string) { ahead.Delete(ctx, key) }, ""},
		{"deleted by a router that is behind", func(key string) { behind.Delete(ctx, key) }, ""},
		{"deleted if unchanged", func(key string) { item, _ := ahead.Get(ctx, key); ahead.DeleteCAS(ctx, key, item.CAS) }, ""},
		{"overwritten", func(key string) { ahead.Set(ctx, item(key, "new")) }, "new"},
		{"overwritten by a router that is behind", func(key string) { behind.Set(ctx, item(key, "new")) }, "new"},
		{"changed", func(key string) { ahead.Append(ctx, item(key, "+")) }, "old+"},
		{"changed by a router that is behind", func(key string) { behind.Append(ctx, item(key, "+")) }, "old+"},
		{"ended", func(key string) { ahead.Touch(ctx, key, -1) }, ""},
		{"ended by a set", func(key string) { ahead.Set(ctx, Item{Key: key, TTL: -1}) }, ""},
		{"deleted by both", func(key string) { ahead.Delete(ctx, key); behind.Delete(ctx, key) }, ""},
		{"only read", func(key string) { ahead.Get(ctx, key) }, "old"},
	} {
		key := s.moving(reader, i)
		s.put(0, key, "old")
		d.while(d.hold("node2", "ms"), func() {
			if got, err := reader.Get(ctx, key); string(got.Value) != "old" || err != nil {
				t.Errorf("%s: the reader got %q, %v", c.name, got.Value, err)
			}
		}, func() { c.do(key) })
		for _, r := range []*memActor{ahead, reader} {
			if got, err := r.Get(ctx, key); string(got.Value) != c.want || errors.Is(err, ErrCacheMiss) != (c.want == "") {
				t.Errorf("%s: afterwards %q, %v, want %q", c.name, got.Value, err, c.want)
			}
		}
	}
}

// TestMemcachedMovedMeanwhile: an item that is missed on its next owner, and goes
// over before the current one is asked, is found.
func TestMemcachedMovedMeanwhile(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	r := s.router(membership.Importing, Config{Tracer: d})
	ctx := t.Context()
	for i, get := range []func(key string) (string, error){
		func(key string) (string, error) { got, err := r.Get(ctx, key); return string(got.Value), err },
		func(key string) (string, error) {
			got, err := r.GetMulti(ctx, []string{key})
			return string(got[key].Value), err
		},
	} {
		key := s.moving(r, i)
		s.put(0, key, "value")
		d.while(d.hold("node0", "get"), func() {
			if v, err := get(key); v != "value" || err != nil {
				t.Errorf("%d: %q, %v", i, v, err)
			}
		}, func() { s.move(0, 2, key) })
		if s.at(0, key) != "" || s.at(2, key) != "value" {
			t.Errorf("%d: it did not move", i)
		}
	}
}

// move copies an item and removes it, as the mover does, and reports whether it is
// gone.
func (s *memStage) move(from, to int, key string) bool {
	ctx := context.Background()
	o, n := transit.Memcached{Client: s.clients[from]}, transit.Memcached{Client: s.clients[to]}
	v, outcome, err := o.Copy(ctx, n, key)
	if err == nil && outcome == transit.Copied {
		outcome, err = o.Remove(ctx, v)
	}
	if err != nil {
		s.t.Error(err)
	}
	return err == nil && (outcome == transit.Removed || outcome == transit.Gone)
}

// TestMemcachedLateCopy: a copy that took too long is thrown away by its sender.
func TestMemcachedLateCopy(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	r := s.router(membership.Importing, Config{Tracer: d})
	ctx, key := t.Context(), s.moving(r, 0)
	s.put(0, key, "old")
	d.while(d.holdAfter(1, "node2", "ms"), func() { r.Get(ctx, key) }, func() { wait(t, transit.CopyLimit+100*time.Millisecond) })
	if got := s.at(2, key); got != "" {
		t.Errorf("the late copy was applied: %q", got)
	}
	if got, err := r.Get(ctx, key); string(got.Value) != "old" || err != nil {
		t.Errorf("got %q, %v", got.Value, err)
	}
}

// TestMemcachedBuriedMeanwhile: between the look and the change a tombstone comes.
func TestMemcachedBuriedMeanwhile(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	r := s.router(membership.Importing, Config{Tracer: d})
	ctx := t.Context()
	for i, c := range []struct {
		request string // that is stopped
		call    string
		before  string
		want    error
		after   string
	}{
		{"append", "append", "41", ErrNotStored, "closed"},
		{"replace", "replace", "41", ErrNotStored, "closed"},
		{"incr", "incr", "41", ErrCacheMiss, "closed"},
		{"touch", "touch", "41", ErrCacheMiss, "closed"},
		{"delete", "deleteCAS", "41", ErrCacheMiss, "closed"},
		{"add", "add", "", nil, "new"},
	} {
		key := s.moving(r, i)
		s.put(2, key, c.before)
		d.while(d.hold("node2", c.request), func() {
			if _, err := memCalls[c.call](ctx, r.Memcached, key); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.call, err, c.want)
			}
		}, func() { s.put(2, key, "closed") })
		if got := s.at(2, key); got != c.after {
			t.Errorf("%s: then there is %q, want %q", c.call, got, c.after)
		}
	}
}

// TestMemcachedOverwrittenForAMoment: what ends at the new owner while a copy of the
// value before is on its way leaves no room for that.
func TestMemcachedOverwrittenForAMoment(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	reader := s.router(membership.Importing, Config{Tracer: d})
	other := s.router(membership.Importing, Config{})
	ctx := t.Context()
	for i, change := range []func(key string) error{
		func(key string) error {
			return other.Set(ctx, Item{Key: key, Value: []byte("new"), TTL: time.Second})
		},
		func(key string) error { return other.Touch(ctx, key, time.Second) },
	} {
		key := s.moving(reader, i)
		s.put(0, key, "old")
		copied := d.holdAfter(1, "node2", "ms") // the first one keeps its place
		d.while(copied, func() { reader.Get(ctx, key) }, func() {
			must(t, change(key))
			eventually(t, "its time is over", func() bool { return s.at(2, key) == "" || s.at(2, key) == "open" })
		})
		if got, err := other.Get(ctx, key); err != ErrCacheMiss {
			t.Errorf("%d: %q, %v, want what has ended to stay so", i, got.Value, err)
		}
	}
}

// TestMemcachedRenewal: an item that was invalidated is given to the first who wants to
// make it anew, also while its key moves, though it is looked at before.
func TestMemcachedRenewal(t *testing.T) {
	s := newMemStage(t)
	r := s.router(membership.Importing, Config{})
	ctx, key := t.Context(), s.moving(r, 0)
	must(t, r.Set(ctx, item(key, "old")))
	must(t, r.Invalidate(ctx, key, time.Minute))
	for i, want := range []memcache.Lease{{Won: true, Stale: true}, {Pending: true, Stale: true}} {
		got, err := r.GetLease(ctx, key, time.Minute, 0)
		if err != nil || got.Won != want.Won || got.Pending != want.Pending || got.Stale != want.Stale || string(got.Item.Value) != "old" {
			t.Errorf("%d: %+v, %v, want %+v", i, got, err, want)
		}
	}
}

// TestMemcachedLeasedTombstone: others see a tombstone, and readers nothing; the lease
// ends with the tombstone's life, whatever was asked for.
func TestMemcachedLeasedTombstone(t *testing.T) {
	s := newMemStage(t)
	r, other := s.router(membership.Importing, Config{}), s.router(membership.Importing, Config{})
	ctx := t.Context()
	for i, kind := range []string{"open", "closed"} {
		key := s.moving(r, i)
		s.put(2, key, kind)
		won, err := r.GetLease(ctx, key, time.Hour, 0)
		if err != nil || !won.Won || won.Stale || len(won.Item.Value) != 0 || won.Item.Flags != 0 {
			t.Errorf("%s: %+v, %v", kind, won, err)
		}
		for range 3 { // whoever asks is not given it once more
			if _, err := other.Get(ctx, key); err != ErrCacheMiss {
				t.Errorf("%s: read: %v", kind, err)
			}
			if l, err := other.GetLease(ctx, key, time.Hour, 0); err != nil || l.Won || !l.Pending || l.Item.CAS != won.Item.CAS {
				t.Errorf("%s: %+v, %v", kind, l, err)
			}
		}
		if got := s.at(2, key); got != kind {
			t.Errorf("it is %q, want %q still", got, kind)
		}
		won.Item.Value = []byte("made")
		must(t, r.CompareAndSwap(ctx, won.Item))
		if got, err := other.Get(ctx, key); string(got.Value) != "made" || err != nil {
			t.Errorf("%s: %q, %v", kind, got.Value, err)
		}
	}
}

// TestMemcachedClientThatHasJustBegun: its first view may be of a fleet that has a
// transition behind it, and tombstones still stand.
func TestMemcachedClientThatHasJustBegun(t *testing.T) {
	s := newMemStage(t)
	s.generation = 1
	plan := s.router(membership.Importing, Config{})
	ctx := t.Context()
	for i, c := range []struct {
		call, want, after string
		state             membership.State
	}{
		{"get", "miss", "closed", membership.Active}, {"gat", "miss", "closed", membership.Active},
		{"touch", "miss", "closed", membership.Active}, {"add", "", "new", membership.Active},
		{"append", "not stored", "closed", membership.Active}, {"incr", "miss", "closed", membership.Active},
		{"delete", "miss", "closed", membership.Active}, {"lease", "won", "made", membership.Active},
		{"touch", "miss", "closed", membership.Leaving}, // the next one has begun already
	} {
		key, at := s.moving(plan, i), 2
		if c.state == membership.Leaving {
			key, at = s.keyOf(plan, "node0", "node0", 0), 0
		}
		s.put(at, key, "closed")
		fresh := s.router(c.state, Config{})
		got, err := memCalls[c.call](ctx, fresh.Memcached, key)
		switch {
		case errors.Is(err, ErrCacheMiss):
			got = "miss"
		case errors.Is(err, ErrNotStored):
			got = "not stored"
		case err != nil:
			got = err.Error()
		}
		if after := s.at(at, key); got != c.want || after != c.after {
			t.Errorf("%s: %q, then there is %q; want %q and %q", c.call, got, after, c.want, c.after)
		}
	}
}

// TestMemcachedLeaseAfterTheEnd: what ends a lease of a tombstone once the transition is
// over takes the tombstone away too.
func TestMemcachedLeaseAfterTheEnd(t *testing.T) {
	s := newMemStage(t)
	r := s.router(membership.Importing, Config{})
	ctx := t.Context()
	keys := []string{s.moving(r, 0), s.moving(r, 1)}
	for i, end := range []func(l memcache.Lease) error{
		func(l memcache.Lease) error { return r.DeleteCAS(ctx, l.Item.Key, l.Item.CAS) },
		func(l memcache.Lease) error { return r.Delete(ctx, l.Item.Key) },
	} {
		if i == 0 {
			r.see(membership.Active)
		}
		s.put(2, keys[i], "open")
		l, err := r.GetLease(ctx, keys[i], time.Minute, 0)
		if err != nil || !l.Won {
			t.Fatalf("%+v, %v", l, err)
		}
		if err := end(l); err != nil && !errors.Is(err, ErrCacheMiss) {
			t.Error(err)
		}
		if got := s.at(2, keys[i]); got != "" {
			t.Errorf("%d: there is %q, want nothing", i, got)
		}
	}
}

// TestMemcachedKeepsTheTimeLeft, to a second.
func TestMemcachedKeepsTheTimeLeft(t *testing.T) {
	s := newMemStage(t)
	r := s.router(membership.Importing, Config{})
	ctx := t.Context()
	for i, ttl := range []time.Duration{0, 100 * time.Second} {
		for j, call := range []string{"get", "append", "incr"} {
			key := s.moving(r, 10*i+j)
			must(t, s.clients[0].Set(ctx, Item{Key: key, Value: []byte("41"), Flags: 7, TTL: ttl}))
			if _, err := memCalls[call](ctx, r.Memcached, key); err != nil {
				t.Fatal(err)
			}
			resp, err := s.clients[2].MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnTTL | memcache.ReturnFlags})
			if err != nil || resp.ClientFlags != 7 || resp.TTL > ttl || resp.TTL < ttl-time.Second {
				t.Errorf("after %s: %+v, %v, want %v", call, resp, err, ttl)
			}
		}
	}
}

// TestMemcachedFollowUpsThatFail: as TestFollowUpsThatFail.
func TestMemcachedFollowUpsThatFail(t *testing.T) {
	s := newMemStage(t)
	ctx := t.Context()
	plan := s.router(membership.Announced, Config{})
	for i, c := range []struct {
		state membership.State
		call  string
		lost  int
		fails bool
		want  string // what is read then
	}{
		{membership.Announced, "set", 2, false, "new"},
		{membership.Announced, "delete", 2, false, ""},
		{membership.Announced, "append", 2, false, "old0"},
		{membership.Importing, "set", 0, false, "new"},
		{membership.Importing, "delete", 0, true, ""},
	} {
		key := s.moving(plan, i)
		s.put(0, key, "old")
		s.put(2, key, "old")
		r := s.router(c.state, Config{Node: impatient, Breaker: BreakerConfig{Disabled: true}})
		r.spool.close() // nobody pays by himself
		pay := r.spool.pay
		r.spool.pay = func(context.Context, debt) error { return errNotYet }
		s.servers[c.lost].Stop()
		_, err := memCalls[c.call](ctx, r.Memcached, key)
		s.servers[c.lost].Cont()
		if (err != nil) != c.fails {
			t.Errorf("%s %s: %v", c.state, c.call, err)
		}
		r.see(membership.Importing)
		got, err := r.Get(ctx, key)
		if string(got.Value) != c.want || errors.Is(err, ErrCacheMiss) != (c.want == "") {
			t.Errorf("%s %s: the node was not told yet: %q, %v, want %q", c.state, c.call, got.Value, err, c.want)
		}
		if c.lost == 2 {
			if err := r.Set(ctx, item(key, "late")); !errors.Is(err, errNotYet) {
				t.Errorf("%s %s: a write to a node that owes something: %v", c.state, c.call, err)
			}
		}
		r.spool.pay = pay
		if got, err := r.Get(ctx, key); string(got.Value) != c.want {
			t.Errorf("%s %s: at last %q, %v, want %q", c.state, c.call, got.Value, err, c.want)
		}
		if c.lost == 2 && r.spool.open.Load() != 0 {
			t.Errorf("%s %s: still owed", c.state, c.call)
		}
		r.spool.limit = sizeOf("x")
		if c.lost == 2 && r.spool.reserve("node0", "x") {
			if err := r.Set(ctx, item(key, "x")); !errors.Is(err, ErrBacklog) {
				t.Errorf("%s %s: without room: %v", c.state, c.call, err)
			}
		}
	}
}

// TestMemcachedLateDebts: as the end of TestWriteAfterADebt. What the node is told
// long after the transition is a delete: a tombstone would be taken for an item.
func TestMemcachedLateDebts(t *testing.T) {
	s := newMemStage(t)
	r := s.router(membership.Importing, Config{})
	ctx, key := t.Context(), s.moving(r, 0)
	r.spool.close() // nobody pays by himself
	pay := r.spool.pay
	r.spool.pay = func(context.Context, debt) error { return errNotYet }
	r.spool.reserve("node2", key)
	r.spool.owe(debt{node: "node2", key: key, bury: true})
	s.put(2, key, "old")
	r.see(membership.Active)
	note := r.fleet.calm(r.fleet.current.Load().moving)
	if item, err := r.Get(ctx, key); note == nil || err != ErrCacheMiss {
		t.Errorf("long after the end: %q, %v", item.Value, err)
	}
	r.spool.pay = pay
	item, err := r.Get(ctx, key)
	raw, errRaw := s.clients[2].Get(ctx, key)
	if err != ErrCacheMiss || errRaw != memcache.ErrCacheMiss || r.fleet.calm(note) != nil {
		t.Errorf("the node can be told again: %q, %v, and there is %+v, %v", item.Value, err, raw, errRaw)
	}
}

// TestMemcachedOwnersThatAreDown: reads are misses where the policy says so.
func TestMemcachedOwnersThatAreDown(t *testing.T) {
	s := newMemStage(t)
	ctx := t.Context()
	plan := s.router(membership.Importing, Config{})
	for i, lost := range []int{2, 0} {
		for _, policy := range []FailurePolicy{FailFast, Miss, Successor} {
			key := s.moving(plan, 3*i+int(policy))
			s.put(0, key, "old")
			s.servers[lost].Stop()
			r := s.router(membership.Importing, Config{Node: impatient, Failure: FailureConfig{Policy: policy}, Breaker: BreakerConfig{Failures: 1, Delay: time.Hour}})
			_, err := r.Get(ctx, key)
			items, errMulti := r.GetMulti(ctx, []string{key})
			var failed *NodeError
			var multi *MultiError
			switch {
			case policy == FailFast && (!errors.As(err, &failed) || !errors.As(errMulti, &multi) || multi.Keys[key] == nil):
				t.Errorf("node%d: %v, %v", lost, err, errMulti)
			case policy != FailFast && (!errors.Is(err, ErrCacheMiss) || errMulti != nil || len(items) != 0):
				t.Errorf("node%d, policy %d: %v, %v", lost, policy, err, errMulti)
			}
			for _, call := range []string{"incr", "append", "delete", "setMulti"} {
				if lost == 0 && call == "setMulti" {
					continue // what could not be done is owed
				}
				if _, err := memCalls[call](ctx, r.Memcached, key); !errors.As(err, &failed) {
					t.Errorf("node%d, policy %d: %s: %v", lost, policy, call, err)
				}
			}
			s.servers[lost].Cont()
			// The breaker stays open: what is owed cannot be told.
			if err := r.Close(); (err != nil) != (lost == 0) {
				t.Errorf("node%d, policy %d: Close: %v", lost, policy, err)
			}
		}
	}
}

// TestMemcachedFlushInTransition: a copy that is under way does not come through.
func TestMemcachedFlushInTransition(t *testing.T) {
	s := newMemStage(t)
	d := newDirector(t)
	reader, r := s.router(membership.Importing, Config{Tracer: d}), s.router(membership.Importing, Config{})
	ctx, key := t.Context(), s.moving(r, 0)
	s.put(0, key, "old")
	s.put(2, "anything", "x")
	emptied := make(chan error, 1)
	d.while(d.hold("node2", "ms"), func() { reader.Get(ctx, key) }, func() {
		go func() { emptied <- r.FlushAll(ctx) }()
		eventually(t, "all is empty", func() bool { return s.at(0, key) == "" && s.at(2, "anything") == "" })
	})
	must(t, <-emptied)
	if got, err := r.Get(ctx, key); !errors.Is(err, ErrCacheMiss) {
		t.Errorf("%q, %v", got.Value, err)
	}
	visited := make(chan string, 3)
	must(t, r.ForEachNode(ctx, func(_ context.Context, id string, _ *memcache.Client) error { visited <- id; return nil }))
	if len(visited) != 3 || len(r.Stats()) != 3 {
		t.Errorf("%d nodes visited, %d in Stats", len(visited), len(r.Stats()))
	}
}
