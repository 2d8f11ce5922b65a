package router

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/modulo"
	"github.com/ringway/ringway/router/memcache"
)

func memcachedFleet(t testing.TB, n int, cfg Config) (*Memcached, []*servertest.Server) {
	t.Helper()
	var members []membership.Member
	var servers []*servertest.Server
	for i := range n {
		s := servertest.Memcached(t)
		servers = append(servers, s)
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Kind: membership.Memcached, Address: s.Addr()})
	}
	// A Redis node of the same fleet is none of this client's business.
	members = append(members, membership.Member{ID: "redis", Address: "127.0.0.1:1"})
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Source = source
	m, err := NewMemcached(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), source.Close()); err != nil {
			t.Error(err)
		}
	})
	return m, servers
}

// TestMemcachedOperations is a list of what each method does on real servers.
func TestMemcachedOperations(t *testing.T) {
	m, _ := memcachedFleet(t, 3, Config{})
	ctx := t.Context()
	item := func(key, value string) Item { return Item{Key: key, Value: []byte(value), Flags: 7} }
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	for i := range 20 { // keys of all nodes
		key := fmt.Sprint("key", i)
		_, err := m.Get(ctx, key)
		want("get of nothing", err, ErrCacheMiss)
		want("replace of nothing", m.Replace(ctx, item(key, "x")), ErrNotStored)
		want("append to nothing", m.Append(ctx, item(key, "x")), ErrNotStored)
		want("touch of nothing", m.Touch(ctx, key, time.Minute), ErrCacheMiss)
		want("delete of nothing", m.Delete(ctx, key), ErrCacheMiss)
		_, err = m.Increment(ctx, key, 1)
		want("increment of nothing", err, ErrCacheMiss)

		want("add", m.Add(ctx, item(key, "b")), nil)
		want("add again", m.Add(ctx, item(key, "b")), ErrNotStored)
		want("append", m.Append(ctx, item(key, "c")), nil)
		want("prepend", m.Prepend(ctx, item(key, "a")), nil)
		got, err := m.Get(ctx, key)
		if err != nil || string(got.Value) != "abc" || got.Flags != 7 || got.CAS == 0 {
			t.Errorf("get: %+v, %v", got, err)
		}
		want("set", m.Set(ctx, item(key, "10")), nil)
		got.Value = []byte("late")
		want("compare and swap", m.CompareAndSwap(ctx, got), ErrCASConflict)
		got, _ = m.GetAndTouch(ctx, key, time.Hour)
		got.Value = []byte("41")
		want("compare and swap", m.CompareAndSwap(ctx, got), nil)
		if n, err := m.Increment(ctx, key, 1); n != 42 || err != nil {
			t.Errorf("increment: %d, %v", n, err)
		}
		if n, err := m.Decrement(ctx, key, 100); n != 0 || err != nil {
			t.Errorf("decrement: %d, %v", n, err)
		}
		want("replace", m.Replace(ctx, item(key, "x")), nil)
		want("delete", m.Delete(ctx, key), nil)
	}
	want("a key with a line break", m.Set(ctx, item("a\r\nflush_all", "x")), ErrMalformedKey)
	want("ping", m.Ping(ctx), nil)
}

func TestMemcachedMulti(t *testing.T) {
	m, servers := memcachedFleet(t, 4, Config{})
	ctx := t.Context()
	var keys []string
	var items []Item
	for i := range 100 {
		keys = append(keys, fmt.Sprint("key", i))
		items = append(items, Item{Key: keys[i], Value: []byte(fmt.Sprint("value", i))})
	}
	if err := m.SetMulti(ctx, items); err != nil {
		t.Fatal(err)
	}
	// Each item is on its owner and nowhere else: asked of the servers directly.
	for i, s := range servers {
		direct, err := memcache.New(memcache.Config{Address: s.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			_, err := direct.Get(ctx, key)
			if owns := m.NodeFor(key) == fmt.Sprint("node", i); owns != (err == nil) {
				t.Errorf("%s on node%d: %v; its owner is %s", key, i, err, m.NodeFor(key))
			}
		}
		direct.Close()
	}
	got, err := m.GetMulti(ctx, append(keys, "absent", "key1"))
	if err != nil || len(got) != 100 || string(got["key42"].Value) != "value42" {
		t.Errorf("%d items, %v", len(got), err)
	}
	if none, err := m.GetMulti(ctx, nil); len(none) != 0 || err != nil {
		t.Errorf("no keys: %v, %v", none, err)
	}
	servers[0].Kill()
	got, err = m.GetMulti(ctx, keys)
	var failed *MultiError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed["node0"] == nil || len(got)+len(failed.Keys) != 100 || len(got) == 0 {
		t.Fatalf("with a dead node: %d items, %v", len(got), err)
	}
	for key := range failed.Keys {
		if m.NodeFor(key) != "node0" {
			t.Errorf("%s failed, but its owner is %s", key, m.NodeFor(key))
		}
	}
	servers[0].Restart()
	if err := m.FlushAll(ctx); err != nil { // a first call may meet the old connection
		err = m.FlushAll(ctx)
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := m.GetMulti(ctx, keys); len(got) != 0 || err != nil {
		t.Errorf("after FlushAll: %d items, %v", len(got), err)
	}
}

func keyOf(t testing.TB, m *Memcached, node string) string {
	t.Helper()
	for i := range 1000 {
		if key := fmt.Sprint("key", i); m.NodeFor(key) == node {
			return key
		}
	}
	t.Fatalf("no key of %s", node)
	return ""
}

func TestMemcachedFailurePolicies(t *testing.T) {
	for _, c := range []struct {
		policy       FailurePolicy
		read, set    error // nil: it succeeds
		readsWritten bool
	}{
		{FailFast, errAnyNode, errAnyNode, false},
		{Miss, ErrCacheMiss, errAnyNode, false},
		{Successor, ErrCacheMiss, nil, true},
	} {
		m, servers := memcachedFleet(t, 2, Config{Failure: FailureConfig{Policy: c.policy, GutterTTL: time.Hour}})
		ctx := t.Context()
		lost, kept := keyOf(t, m, "node0"), keyOf(t, m, "node1")
		servers[0].Kill()
		check := func(what string, err, want error) {
			t.Helper()
			var node *NodeError
			switch {
			case want == errAnyNode && (!errors.As(err, &node) || node.Node != "node0"):
				t.Errorf("policy %d: %s: got %v, want a *NodeError of node0", c.policy, what, err)
			case want != errAnyNode && !errors.Is(err, want):
				t.Errorf("policy %d: %s: got %v, want %v", c.policy, what, err, want)
			}
		}
		for range 8 { // before the breaker opens, and after
			_, err := m.Get(ctx, lost+"-other")
			if m.NodeFor(lost+"-other") == "node0" {
				check("read", err, c.read)
			}
			_, err = m.Get(ctx, lost)
			check("read", err, c.read)
		}
		check("set", m.Set(ctx, Item{Key: lost, Value: []byte("x")}), c.set)
		if _, err := m.Get(ctx, lost); c.readsWritten != (err == nil) {
			t.Errorf("policy %d: read after the set: %v", c.policy, err)
		}
		if err := m.Set(ctx, Item{Key: kept, Value: []byte("x")}); err != nil {
			t.Errorf("policy %d: the other node: %v", c.policy, err)
		}
		if c.readsWritten {
			direct, err := memcache.New(memcache.Config{Address: servers[1].Addr()})
			if err != nil {
				t.Fatal(err)
			}
			resp, err := direct.MetaGet(ctx, memcache.GetRequest{Key: lost, Return: memcache.ReturnTTL})
			if err != nil || resp.TTL <= 0 || resp.TTL > time.Hour {
				t.Errorf("what the gutter holds lives %v, %v; want at most an hour", resp.TTL, err)
			}
			direct.Close()
		}
		check("delete", m.Delete(ctx, lost), errAnyNode)
		if _, err := m.Get(ctx, lost); err == nil {
			t.Errorf("policy %d: what the gutter held is read after a delete", c.policy)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if got, err := m.GetMulti(ended, []string{lost, kept}); len(got) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("policy %d: GetMulti with a context that has ended: %v, %v", c.policy, got, err)
		}
	}
}

func TestMemcachedRefusesAPlacementWithoutSuccessors(t *testing.T) {
	source, err := membership.Static(membership.Member{ID: "a", Kind: membership.Memcached, Address: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	_, err = NewMemcached(t.Context(), Config{Source: source, Failure: FailureConfig{Policy: Successor}, Placement: PlacementConfig{
		New: func(nodes []ring.Node) (ring.Placement, error) { return modulo.New(nodes, modulo.Config{}) },
	}})
	if err == nil || !strings.Contains(err.Error(), "Successor") {
		t.Errorf("got %v, want an error about Successor", err)
	}
}

var errAnyNode = errors.New("any *NodeError")

func TestMemcachedFollowsTheFleetAndEnds(t *testing.T) {
	s := servertest.Memcached(t)
	source, err := membership.NewManual(membership.Member{ID: "a", Kind: membership.Memcached, Address: s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	m, err := NewMemcached(t.Context(), Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := m.Set(ctx, Item{Key: "k", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if err := source.Set(); err != nil {
		t.Fatal(err)
	}
	for m.Epoch() != 2 && ctx.Err() == nil {
		runtime.Gosched() // the test's own deadline bounds the wait
	}
	if _, err := m.Get(ctx, "k"); !errors.Is(err, ErrNoNodes) || err.Error() != ErrNoNodes.Error() {
		t.Errorf("an empty fleet: %v", err)
	}
	if err := source.Set(membership.Member{ID: "a", Address: "127.0.0.1:1"}, membership.Member{ID: "b", Address: "127.0.0.1:2"}); err != nil {
		t.Fatal(err)
	}
	for m.Epoch() != 3 && ctx.Err() == nil {
		runtime.Gosched()
	}
	if _, err := m.Get(ctx, "k"); !errors.Is(err, ErrNoNodes) || err.Error() != "router: the fleet has no nodes of kind memcached: it has 2 of redis" {
		t.Errorf("a fleet of Redis alone: %v", err)
	}
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	if _, err := m.Get(ctx, "k"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestMemcachedDeadline: a node that stands still costs a caller its deadline,
// not the reply time-out.
func TestMemcachedDeadline(t *testing.T) {
	m, servers := memcachedFleet(t, 1, Config{Node: NodeConfig{ReadTimeout: time.Hour}})
	if err := m.Set(t.Context(), Item{Key: "k", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	servers[0].Stop()
	defer servers[0].Cont()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var failed *NodeError
	if _, err := m.Get(ctx, "k"); !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestMemcachedConfig(t *testing.T) {
	source, err := membership.NewManual()
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, cfg := range []Config{{}, {Source: source, Replication: ReplicationConfig{Factor: 2}}, {Source: source, Failure: FailureConfig{GutterTTL: -1}}} {
		if m, err := NewMemcached(t.Context(), cfg); m != nil || err == nil {
			t.Errorf("%+v: got %v, %v", cfg.Replication, m, err)
		}
	}
}

// TestMemcachedBatchIsRefusedAsAWhole: one key or value that cannot be sent, and
// no node is asked anything.
func TestMemcachedBatchIsRefusedAsAWhole(t *testing.T) {
	m, _ := memcachedFleet(t, 3, Config{})
	var keys []string
	var items []Item
	for i := range 30 {
		keys = append(keys, fmt.Sprint("key", i))
		items = append(items, Item{Key: keys[i], Value: []byte("v")})
	}
	if err := m.SetMulti(t.Context(), append(items, Item{Key: "bad key"})); !errors.Is(err, ErrMalformedKey) {
		t.Errorf("SetMulti with a malformed key: %v", err)
	}
	huge := Item{Key: "huge", Value: make([]byte, memcache.DefaultMaxValueSize+1)}
	if err := m.SetMulti(t.Context(), append(items, huge)); !errors.Is(err, memcache.ErrValueTooLarge) {
		t.Errorf("SetMulti with a value that is too large: %v", err)
	}
	if got, err := m.GetMulti(t.Context(), keys); len(got) != 0 || err != nil {
		t.Errorf("after two refused batches: %d items, %v", len(got), err)
	}
	if err := m.SetMulti(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if got, err := m.GetMulti(t.Context(), append(keys, "bad\nkey")); len(got) != 0 || !errors.Is(err, ErrMalformedKey) {
		t.Errorf("GetMulti with a malformed key: %d items, %v", len(got), err)
	}
	if err := m.SetMulti(t.Context(), nil); err != nil {
		t.Errorf("SetMulti of nothing: %v", err)
	}
	for _, s := range m.Stats() {
		if s.InFlight != 0 {
			t.Errorf("node %s: %d in flight", s.Node, s.InFlight)
		}
	}
}
