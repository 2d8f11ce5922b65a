package router

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// TestMemcachedMeta: the meta commands and what is made of them, over keys of all
// nodes.
func TestMemcachedMeta(t *testing.T) {
	m, _ := memcachedFleet(t, 3, Config{})
	ctx := t.Context()
	for i := range 12 {
		key := fmt.Sprint("key", i)
		status := func(what string, got memcache.Response, err error, want memcache.Status) {
			t.Helper()
			if err != nil || got.Status != want {
				t.Errorf("%s: %v, %v, want %v", what, got.Status, err, want)
			}
		}
		resp, err := m.MetaGet(ctx, memcache.GetRequest{Key: key})
		status("mg of nothing", resp, err, memcache.StatusMiss)
		resp, err = m.MetaSet(ctx, memcache.SetRequest{Key: key, Mode: memcache.ModeReplace})
		status("ms of nothing", resp, err, memcache.StatusNotStored)
		resp, err = m.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
		status("md of nothing", resp, err, memcache.StatusNotFound)
		resp, err = m.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key, Delta: 1})
		status("ma of nothing", resp, err, memcache.StatusNotFound)

		resp, err = m.MetaGet(ctx, memcache.GetRequest{Key: key, Vivify: memcache.ExpireIn(time.Minute), Return: memcache.ReturnCAS})
		status("mg that vivifies", resp, err, memcache.StatusOK)
		if !resp.Won || resp.CAS == 0 {
			t.Errorf("mg that vivifies: %+v", resp)
		}
		resp, err = m.MetaSet(ctx, memcache.SetRequest{Key: key, Value: []byte("10"), CompareCAS: resp.CAS, Return: memcache.ReturnCAS})
		status("ms", resp, err, memcache.StatusOK)
		old := resp.CAS
		resp, err = m.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key, Delta: 3, Decrement: true, Return: memcache.ReturnValue})
		status("ma", resp, err, memcache.StatusValue)
		if string(resp.Value) != "7" {
			t.Errorf("ma: %q", resp.Value)
		}
		resp, err = m.MetaSet(ctx, memcache.SetRequest{Key: key, Value: []byte("8"), CompareCAS: old, Invalidate: true})
		status("ms with an old CAS, as stale", resp, err, memcache.StatusOK)
		resp, err = m.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnValue})
		status("mg of what is stale", resp, err, memcache.StatusValue)
		if !resp.Stale || !resp.Won || string(resp.Value) != "8" {
			t.Errorf("mg of what is stale: %+v", resp)
		}
		resp, err = m.MetaDelete(ctx, memcache.DeleteRequest{Key: key, CompareCAS: old})
		status("md with an old CAS", resp, err, memcache.StatusExists)
		resp, err = m.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
		status("md", resp, err, memcache.StatusOK)

		if n, err := m.IncrementWithInitial(ctx, key, 5, 1, time.Hour); n != 1 || err != nil {
			t.Errorf("IncrementWithInitial of nothing: %d, %v", n, err)
		}
		if n, err := m.IncrementWithInitial(ctx, key, 5, 1, 0); n != 6 || err != nil {
			t.Errorf("IncrementWithInitial: %d, %v", n, err)
		}
		if n, err := m.DecrementWithInitial(ctx, key, 2, 1, 0); n != 4 || err != nil {
			t.Errorf("DecrementWithInitial: %d, %v", n, err)
		}
		if n, err := m.DecrementWithInitial(ctx, key+"new", 2, 9, 0); n != 9 || err != nil {
			t.Errorf("DecrementWithInitial of nothing: %d, %v", n, err)
		}

		item, err := m.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ err, want error }{
			{m.DeleteCAS(ctx, key, old), ErrCASConflict},
			{m.DeleteCAS(ctx, key, 0), memcache.ErrInvalidRequest},
			{m.DeleteCAS(ctx, key, item.CAS), nil},
			{m.DeleteCAS(ctx, key, item.CAS), ErrCacheMiss},
			{m.Invalidate(ctx, key, time.Minute), ErrCacheMiss},
			{m.DeleteMulti(ctx, []string{key, key + "new", "absent"}), nil},
			{errOf(m.Get(ctx, key+"new")), ErrCacheMiss},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("got %v, want %v", c.err, c.want)
			}
		}
	}
}

// TestMemcachedLease: of many callers one makes the value.
func TestMemcachedLease(t *testing.T) {
	m, _ := memcachedFleet(t, 3, Config{})
	ctx := t.Context()
	for i := range 12 {
		key := fmt.Sprint("key", i)
		won, err := m.GetLease(ctx, key, time.Minute, 0)
		if err != nil || !won.Won {
			t.Fatalf("first: %+v, %v", won, err)
		}
		if lease, err := m.GetLease(ctx, key, time.Minute, 0); err != nil || lease.Won || !lease.Pending {
			t.Errorf("second: %+v, %v", lease, err)
		}
		won.Item.Value = []byte("v")
		if err := m.CompareAndSwap(ctx, won.Item); err != nil {
			t.Error(err)
		}
		if err := m.Invalidate(ctx, key, time.Minute); err != nil {
			t.Error(err)
		}
		if lease, err := m.GetLease(ctx, key, time.Minute, 0); err != nil || !lease.Won || !lease.Stale || string(lease.Item.Value) != "v" {
			t.Errorf("of what is stale: %+v, %v", lease, err)
		}
	}
	if _, err := m.GetLease(ctx, "k", -1, 0); !errors.Is(err, memcache.ErrInvalidRequest) {
		t.Errorf("a lease of no life: %v", err)
	}
}

// TestMemcachedMetaPolicies: what the failure policies make of the meta commands.
func TestMemcachedMetaPolicies(t *testing.T) {
	ctx := t.Context()
	failing := func(policy FailurePolicy) (m *Memcached, next *memcache.Client, key string) {
		m, servers := memcachedFleet(t, 2, Config{Failure: FailureConfig{Policy: policy, GutterTTL: time.Hour}})
		servers[0].Kill()
		return m, directly(t, servers[1]), keyOf(t, m, "node0")
	}
	wantNode := func(what string, err error) {
		t.Helper()
		var failed *NodeError
		if !errors.As(err, &failed) || failed.Node != "node0" {
			t.Errorf("%s: got %v, want a *NodeError of node0", what, err)
		}
	}
	m, _, key := failing(Miss)
	if resp, err := m.MetaGet(ctx, memcache.GetRequest{Key: key}); err != nil || resp.Status != memcache.StatusMiss {
		t.Errorf("Miss: %+v, %v", resp, err)
	}
	wantNode("Miss, and a lease", errOf(m.GetLease(ctx, key, time.Minute, 0)))
	wantNode("Miss, and ms", errOf(m.MetaSet(ctx, memcache.SetRequest{Key: key})))

	m, next, key := failing(Successor)
	for what, do := range map[string]func() error{
		"ms": func() error { return errOf(m.MetaSet(ctx, memcache.SetRequest{Key: key})) },
		"ma": func() error {
			return errOf(m.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key, Create: memcache.ExpireIn(0)}))
		},
		"mg": func() error {
			return errOf(m.MetaGet(ctx, memcache.GetRequest{Key: key, Vivify: memcache.ExpireIn(0)}))
		},
		"mg T":       func() error { return errOf(m.MetaGet(ctx, memcache.GetRequest{Key: key, Touch: memcache.ExpireIn(0)})) },
		"a lease":    func() error { return errOf(m.GetLease(ctx, key, 2*time.Hour, 0)) },
		"an initial": func() error { return errOf(m.IncrementWithInitial(ctx, key, 1, 1, 0)) },
	} {
		if what == "mg T" {
			if err := next.Set(ctx, Item{Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		if err := do(); err != nil {
			t.Errorf("Successor, and %s: %v", what, err)
		}
		resp, err := next.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnTTL})
		if err != nil || resp.TTL == 0 || resp.TTL > time.Hour {
			t.Errorf("Successor, and %s: on the next node for %v (%v, %v), want at most an hour", what, resp.TTL, resp.Status, err)
		}
		resp, err = m.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
		wantNode("Successor, and md", err)
		if resp.Status != memcache.StatusNone {
			t.Errorf("Successor, and md: %+v with an error", resp)
		}
		if _, err := next.Get(ctx, key); !errors.Is(err, ErrCacheMiss) {
			t.Errorf("Successor, and md: on the next node %v", err)
		}
	}
}
