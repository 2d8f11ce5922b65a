package router

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// memcachedAt returns a client of nodes node0, node1 … at these addresses.
func memcachedAt(t testing.TB, cfg Config, addresses ...string) *Memcached {
	t.Helper()
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Kind: membership.Memcached, Address: address})
	}
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
	return m
}

// directly returns a client of one server, without a router.
func directly(t testing.TB, s *servertest.Server) *memcache.Client {
	t.Helper()
	c, err := memcache.New(memcache.Config{Address: s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func errOf[T any](_ T, err error) error { return err }

func keysAndItems(n int) (keys []string, items []Item) {
	for i := range n {
		keys = append(keys, fmt.Sprint("key", i))
		items = append(items, Item{Key: keys[i], Value: []byte(fmt.Sprint("value", i)), Flags: uint32(i)})
	}
	return keys, items
}

// TestMemcachedBatchPolicies: what the batches do while one of three nodes is away.
func TestMemcachedBatchPolicies(t *testing.T) {
	for _, c := range []struct {
		name     string
		policy   FailurePolicy
		fails    bool // the get and the set of the lost keys
		getFails bool
	}{
		{"FailFast", FailFast, true, true},
		{"Miss", Miss, true, false},
		{"Successor", Successor, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, servers := memcachedFleet(t, 3, Config{Failure: FailureConfig{Policy: c.policy, GutterTTL: time.Hour}})
			ctx := t.Context()
			keys, items := keysAndItems(60)
			lost := make(map[string]bool)
			for _, key := range keys {
				if m.NodeFor(key) == "node0" {
					lost[key] = true
				}
			}
			servers[0].Kill()
			check := func(what string, err error, fails bool) {
				t.Helper()
				var failed *MultiError
				switch {
				case !fails && err != nil:
					t.Errorf("%s: %v", what, err)
				case fails && (!errors.As(err, &failed) || len(failed.Keys) != len(lost) || failed.Failed["node0"] == nil):
					t.Errorf("%s: got %v, want a *MultiError with the %d keys of node0", what, err, len(lost))
				case fails:
					for key, err := range failed.Keys {
						if node := (*NodeError)(nil); !lost[key] || !errors.As(err, &node) || node.Node != "node0" {
							t.Errorf("%s: %s failed with %v", what, key, err)
						}
					}
				}
			}
			check("set", m.SetMulti(ctx, items), c.fails)
			got, err := m.GetMulti(ctx, keys)
			check("get", err, c.getFails)
			want := len(keys)
			if c.policy != Successor {
				want -= len(lost)
			}
			if len(got) != want {
				t.Errorf("got %d items, want %d", len(got), want)
			}
			for key, item := range got {
				if one, err := m.Get(ctx, key); err != nil || one.Flags != item.Flags || "value"+key[len("key"):] != string(item.Value) {
					t.Errorf("%s: batch %+v, alone %+v, %v", key, item, one, err)
				}
			}
			for key := range got {
				for i, s := range servers[1:] {
					resp, err := directly(t, s).MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnTTL})
					switch {
					case err != nil:
						t.Fatal(err)
					case lost[key] && resp.Found() && (resp.TTL == 0 || resp.TTL > time.Hour):
						t.Errorf("%s lives for %v in the gutter", key, resp.TTL)
					case !lost[key] && resp.Found() != (m.NodeFor(key) == fmt.Sprint("node", i+1)):
						t.Errorf("%s on node%d: %v", key, i+1, resp.Found())
					case !lost[key] && resp.TTL != 0:
						t.Errorf("%s, whose node is well, lives for %v", key, resp.TTL)
					}
				}
			}
			// A delete has failed where the owner did, and has been done behind it.
			check("delete", m.DeleteMulti(ctx, keys), true)
			if got, _ := m.GetMulti(ctx, keys); len(got) != 0 {
				t.Errorf("after the delete: %d items", len(got))
			}
			for _, s := range m.Stats() {
				if s.InFlight != 0 {
					t.Errorf("node %s: %d in flight", s.Node, s.InFlight)
				}
			}
		})
	}
}

// TestMemcachedItemIsRefused: one item that its server refuses fails, and the
// others of the batch are stored, and known to be.
func TestMemcachedItemIsRefused(t *testing.T) {
	for _, policy := range []FailurePolicy{FailFast, Miss, Successor} {
		m, _ := memcachedFleet(t, 2, Config{Failure: FailureConfig{Policy: policy}})
		keys, items := keysAndItems(300) // more than one flight a node
		for _, i := range []int{3, 4, 290} {
			items[i].Value = make([]byte, 1<<20) // with its key too large for the server, not for the client
		}
		err := m.SetMulti(t.Context(), items)
		var failed *MultiError
		if !errors.As(err, &failed) || len(failed.Keys) != 3 || !errors.Is(err, ErrServerError) {
			t.Fatalf("policy %d: got %v, want a *MultiError of three keys", policy, err)
		}
		for _, i := range []int{3, 4, 290} {
			var refused *memcache.ServerError
			if err := failed.Keys[keys[i]]; !errors.As(err, &refused) || refused.Ambiguous || failed.Failed[m.NodeFor(keys[i])] == nil {
				t.Errorf("policy %d: %s: %v", policy, keys[i], err)
			}
		}
		if got, err := m.GetMulti(t.Context(), keys); len(got) != 297 || err != nil {
			t.Errorf("policy %d: got %d items, %v", policy, len(got), err)
		}
	}
}

// A server that refuses a read of one key without saying which: the others of the
// exchange are read all the same.
func TestMemcachedReadIsRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { refuseSick(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	m := memcachedAt(t, Config{}, listener.Addr().String())
	got, err := m.GetMulti(t.Context(), []string{"absent1", "sick", "absent2", "there"})
	var failed *MultiError
	if !errors.As(err, &failed) || len(failed.Keys) != 1 || !errors.Is(failed.Keys["sick"], ErrServerError) || errors.Is(err, memcache.ErrOutcomeUnknown) {
		t.Errorf("got %v, want a *MultiError of one key", err)
	}
	if len(got) != 1 || string(got["there"].Value) != "v" {
		t.Errorf("got %v", got)
	}
}

// refuseSick is a server that has one key, and no memory for another one.
func refuseSick(conn net.Conn) {
	defer conn.Close()
	for in := bufio.NewScanner(conn); in.Scan(); {
		words := append(strings.Fields(in.Text()), "", "")
		opaque, quiet := "", false
		for _, w := range words[2:] {
			if strings.HasPrefix(w, "O") {
				opaque = " " + w
			}
			quiet = quiet || w == "q"
		}
		answer := "EN\r\n"
		switch {
		case words[0] == "mn":
			answer = "MN\r\n"
		case words[1] == "sick":
			answer = "SERVER_ERROR out of memory writing get response\r\n"
		case words[1] == "there":
			answer = "VA 1 c1 f0" + opaque + "\r\nv\r\n"
		case quiet:
			continue
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// TestMemcachedNothingMovesThatMayHaveBeenDone: with Successor, after a reply was
// lost, the next node is not asked to do what depends on what was there. If the
// request was never sent, it is.
func TestMemcachedNothingMovesThatMayHaveBeenDone(t *testing.T) {
	for name, do := range map[string]func(m *Memcached, key string) error{
		"add":       func(m *Memcached, key string) error { return m.Add(t.Context(), Item{Key: key}) },
		"append":    func(m *Memcached, key string) error { return m.Append(t.Context(), Item{Key: key, Value: []byte("0")}) },
		"increment": func(m *Memcached, key string) error { return errOf(m.Increment(t.Context(), key, 1)) },
		"initial":   func(m *Memcached, key string) error { return errOf(m.IncrementWithInitial(t.Context(), key, 1, 1, 0)) },
		"touch":     func(m *Memcached, key string) error { return m.Touch(t.Context(), key, time.Hour) },
		"lease":     func(m *Memcached, key string) error { return errOf(m.GetLease(t.Context(), key, time.Minute, 0)) },
		"ms append": func(m *Memcached, key string) error {
			return errOf(m.MetaSet(t.Context(), memcache.SetRequest{Key: key, Mode: memcache.ModeAppend}))
		},
		"ma": func(m *Memcached, key string) error {
			return errOf(m.MetaArithmetic(t.Context(), memcache.ArithmeticRequest{Key: key, Delta: 1, Create: memcache.ExpireIn(0)}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			owner, other := servertest.Memcached(t), servertest.Memcached(t)
			proxy := faultproxy.New(t, owner.Addr())
			m := memcachedAt(t, Config{
				Failure: FailureConfig{Policy: Successor}, Breaker: BreakerConfig{Disabled: true},
			}, proxy.Addr(), other.Addr())
			key := keyOf(t, m, "node0")
			if err := directly(t, other).Set(t.Context(), Item{Key: key, Value: []byte("10")}); err != nil {
				t.Fatal(err)
			}
			if err := m.Set(t.Context(), Item{Key: key, Value: []byte("20")}); err != nil { // the connection is there
				t.Fatal(err)
			}
			proxy.CutOneReply(1)
			err := do(m, key)
			var failed *NodeError
			if !errors.As(err, &failed) || failed.Node != "node0" || !errors.Is(err, memcache.ErrOutcomeUnknown) {
				t.Errorf("got %v, want a *NodeError of node0 that says that the outcome is unknown", err)
			}
			if n := m.Stats()[1].Operations; n != 0 {
				t.Errorf("the next node was asked %d times", n)
			}
			proxy.Heal()
			owner.Kill()
			m.Ping(t.Context()) // the old connection is found to be dead
			asked := m.Stats()[1].Operations
			if err := do(m, key); errors.As(err, &failed) {
				t.Errorf("never sent, and %v", err)
			}
			if m.Stats()[1].Operations != asked+1 {
				t.Error("never sent, and the next node was not asked")
			}
		})
	}
}

func TestMemcachedKeyGuard(t *testing.T) {
	m, _ := memcachedFleet(t, 2, Config{Keys: KeyGuard{MaxLength: 8, Allowed: func(b byte) bool { return b != '!' }}})
	ctx := t.Context()
	for _, key := range []string{"no!", "much-too-long"} {
		item := Item{Key: key, CAS: 1}
		for name, err := range map[string]error{
			"Get":                  errOf(m.Get(ctx, key)),
			"GetAndTouch":          errOf(m.GetAndTouch(ctx, key, 0)),
			"GetMulti":             errOf(m.GetMulti(ctx, []string{"ok", key})),
			"GetLease":             errOf(m.GetLease(ctx, key, time.Minute, 0)),
			"Touch":                m.Touch(ctx, key, 0),
			"Set":                  m.Set(ctx, item),
			"SetMulti":             m.SetMulti(ctx, []Item{{Key: "ok"}, item}),
			"Add":                  m.Add(ctx, item),
			"Replace":              m.Replace(ctx, item),
			"Append":               m.Append(ctx, item),
			"Prepend":              m.Prepend(ctx, item),
			"CompareAndSwap":       m.CompareAndSwap(ctx, item),
			"Delete":               m.Delete(ctx, key),
			"DeleteCAS":            m.DeleteCAS(ctx, key, 1),
			"DeleteMulti":          m.DeleteMulti(ctx, []string{"ok", key}),
			"Invalidate":           m.Invalidate(ctx, key, 0),
			"Increment":            errOf(m.Increment(ctx, key, 1)),
			"Decrement":            errOf(m.Decrement(ctx, key, 1)),
			"IncrementWithInitial": errOf(m.IncrementWithInitial(ctx, key, 1, 1, 0)),
			"DecrementWithInitial": errOf(m.DecrementWithInitial(ctx, key, 1, 1, 0)),
			"MetaGet":              errOf(m.MetaGet(ctx, memcache.GetRequest{Key: key})),
			"MetaSet":              errOf(m.MetaSet(ctx, memcache.SetRequest{Key: key})),
			"MetaDelete":           errOf(m.MetaDelete(ctx, memcache.DeleteRequest{Key: key})),
			"MetaArithmetic":       errOf(m.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key})),
		} {
			var refused *KeyError
			if !errors.As(err, &refused) || refused.Key != key {
				t.Errorf("%s of %q: got %v, want a *KeyError", name, key, err)
			}
		}
	}
	for _, s := range m.Stats() {
		if s.Operations != 0 {
			t.Errorf("node %s was asked %d times", s.Node, s.Operations)
		}
	}
}
