package router

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// memCall is one operation on a key. It returns what it gave as text, and an error.
type memCall func(ctx context.Context, m *Memcached, key string) (string, error)

func item(key, value string) Item {
	return Item{Key: key, Value: []byte(value), Flags: 7, TTL: time.Hour}
}

var memCalls = map[string]memCall{
	"get": func(ctx context.Context, m *Memcached, key string) (string, error) {
		i, err := m.Get(ctx, key)
		if err == nil && i.Flags != 7 {
			err = fmt.Errorf("flags %x", i.Flags)
		}
		return string(i.Value), err
	},
	"getMulti": func(ctx context.Context, m *Memcached, key string) (string, error) {
		items, err := m.GetMulti(ctx, []string{key})
		if _, has := items[key]; !has && err == nil {
			err = ErrCacheMiss
		}
		return string(items[key].Value), err
	},
	"gat": func(ctx context.Context, m *Memcached, key string) (string, error) {
		i, err := m.GetAndTouch(ctx, key, time.Hour)
		return string(i.Value), err
	},
	"touch": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Touch(ctx, key, time.Hour)
	},
	"end": func(ctx context.Context, m *Memcached, key string) (string, error) { return "", m.Touch(ctx, key, -1) },
	"set": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Set(ctx, item(key, "new"))
	},
	"setEnded": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Set(ctx, Item{Key: key, TTL: -1})
	},
	"setMulti": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.SetMulti(ctx, []Item{item(key, "new")})
	},
	"add": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Add(ctx, item(key, "new"))
	},
	"replace": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Replace(ctx, item(key, "new"))
	},
	"append": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Append(ctx, item(key, "0"))
	},
	"prepend": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Prepend(ctx, item(key, "9"))
	},
	"cas": func(ctx context.Context, m *Memcached, key string) (string, error) {
		i, err := m.Get(ctx, key)
		if err != nil {
			return "", err
		}
		i.Value = []byte("new")
		return "", m.CompareAndSwap(ctx, i)
	},
	"casWrong": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.CompareAndSwap(ctx, Item{Key: key, CAS: 1 << 60})
	},
	"delete": func(ctx context.Context, m *Memcached, key string) (string, error) { return "", m.Delete(ctx, key) },
	"deleteMulti": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.DeleteMulti(ctx, []string{key})
	},
	"deleteCAS": func(ctx context.Context, m *Memcached, key string) (string, error) {
		i, err := m.Get(ctx, key)
		if err != nil {
			return "", err
		}
		return "", m.DeleteCAS(ctx, key, i.CAS)
	},
	"incr": func(ctx context.Context, m *Memcached, key string) (string, error) {
		n, err := m.Increment(ctx, key, 1)
		return fmt.Sprint(n), err
	},
	"decr": func(ctx context.Context, m *Memcached, key string) (string, error) {
		n, err := m.Decrement(ctx, key, 1)
		return fmt.Sprint(n), err
	},
	"incrInit": func(ctx context.Context, m *Memcached, key string) (string, error) {
		n, err := m.IncrementWithInitial(ctx, key, 1, 5, time.Hour)
		return fmt.Sprint(n), err
	},
	"lease": func(ctx context.Context, m *Memcached, key string) (string, error) {
		l, err := m.GetLease(ctx, key, time.Minute, 0)
		if err == nil && l.Won {
			second, err := m.GetLease(ctx, key, time.Minute, 0)
			if err != nil || !second.Pending || second.Won {
				return "", fmt.Errorf("the second got %+v, %w", second, err)
			}
			l.Item.Value, l.Item.Flags, l.Item.TTL = []byte("made"), 7, time.Hour
			return "won", m.CompareAndSwap(ctx, l.Item)
		}
		return string(l.Item.Value), err
	},
	"invalidate": func(ctx context.Context, m *Memcached, key string) (string, error) {
		return "", m.Invalidate(ctx, key, time.Minute)
	},
}

// TestMemcachedTransitionTable is the table of the protocol for memcached: what is
// on the current and the next owner before and after each operation. "miss",
// "not stored" and "conflict" are errors.
func TestMemcachedTransitionTable(t *testing.T) {
	const announced, importing, active = membership.Announced, membership.Importing, membership.Active
	s := newMemStage(t)
	ctx := t.Context()
	routers := map[membership.State]*memActor{
		announced: s.router(announced, Config{}), importing: s.router(importing, Config{}), active: s.router(membership.Importing, Config{}),
	}
	plan := routers[announced]
	routers[active].see(active)
	for i, c := range []struct {
		state       membership.State
		call        string
		now, next   string
		want        string // "miss", "not stored", "conflict" are errors
		now2, next2 string
	}{
		{announced, "get", "41", "", "41", "41", ""},
		{announced, "get", "41", "stale", "41", "41", "stale"},
		{announced, "get", "", "moved", "moved", "", "moved"},
		{announced, "get", "", "open", "miss", "", "open"},
		{announced, "getMulti", "41", "", "41", "41", ""},
		{announced, "set", "41", "stale", "", "new", "open"},
		{announced, "setMulti", "41", "stale", "", "new", "open"},
		{announced, "add", "", "stale", "", "new", "open"},
		{announced, "add", "41", "", "not stored", "41", ""},
		{announced, "replace", "41", "", "", "new", "open"},
		{announced, "append", "41", "stale", "", "410", "open"},
		{announced, "cas", "41", "", "", "new", "open"},
		{announced, "touch", "41", "stale", "", "41", "open"},
		{announced, "gat", "41", "", "41", "41", "open"},
		{announced, "incr", "41", "7", "42", "42", "open"},
		{announced, "incr", "", "7", "miss", "", "7"},
		{announced, "delete", "41", "stale", "", "", "open"},
		{announced, "delete", "", "stale", "", "", "open"},
		{announced, "delete", "", "", "miss", "", "open"},
		{announced, "deleteMulti", "41", "stale", "", "", "open"},
		{announced, "deleteCAS", "41", "stale", "", "", "open"},
		{announced, "lease", "", "", "won", "made", "open"},
		// What an earlier transition left on the current owner.
		{announced, "get", "closed", "", "miss", "closed", ""},
		{announced, "add", "closed", "", "", "new", "open"},
		{announced, "replace", "closed", "", "not stored", "closed", ""},
		{announced, "incr", "open", "", "miss", "open", ""},
		{announced, "delete", "closed", "", "miss", "closed", "open"},
		// Others are a step ahead: what they are deleting stays so.
		{announced, "set", "41", "closed", "", "new", "open"},
		{announced, "delete", "41", "closed", "", "", "closed"},
		{announced, "deleteCAS", "41", "closed", "", "", "closed"},
		{announced, "incr", "41", "closed", "42", "42", "closed"},
		{announced, "cas", "41", "closed", "", "new", "closed"},
		// A lease changes nothing, so that the next owner keeps what others wrote there.
		{announced, "lease", "41", "newer", "41", "41", "newer"},

		{importing, "get", "", "new", "new", "", "new"},
		{importing, "get", "stale", "new", "new", "stale", "new"},
		{importing, "get", "41", "", "41", "41", "41"},
		{importing, "get", "41", "open", "41", "41", "41"},
		{importing, "get", "41", "closed", "41", "41", "closed"},
		{importing, "get", "", "", "miss", "", ""},
		{importing, "get", "", "closed", "miss", "", "closed"},
		{importing, "get", "open", "", "miss", "open", ""},
		{importing, "getMulti", "41", "", "41", "41", "41"},
		{importing, "getMulti", "", "open", "miss", "", "open"},
		{importing, "set", "41", "", "", "open", "new"},
		{importing, "set", "41", "closed", "", "open", "new"},
		{importing, "setMulti", "41", "open", "", "open", "new"},
		{importing, "setEnded", "41", "", "", "open", "closed"},
		{importing, "add", "41", "", "not stored", "41", "41"},
		{importing, "add", "41", "closed", "", "open", "new"},
		{importing, "add", "", "", "", "open", "new"},
		{importing, "add", "", "open", "", "open", "new"},
		{importing, "replace", "41", "", "", "open", "new"},
		{importing, "replace", "", "closed", "not stored", "", "closed"},
		{importing, "replace", "", "", "not stored", "", ""},
		{importing, "append", "41", "", "", "open", "410"},
		{importing, "append", "41", "open", "", "open", "410"},
		{importing, "append", "", "closed", "not stored", "", "closed"},
		{importing, "prepend", "41", "", "", "open", "941"},
		{importing, "cas", "41", "", "", "open", "new"},
		{importing, "cas", "41", "closed", "conflict or miss", "41", "closed"},
		{importing, "casWrong", "41", "", "conflict", "41", "41"},
		{importing, "casWrong", "", "closed", "miss", "", "closed"},
		{importing, "touch", "41", "", "", "open", "41"},
		{importing, "touch", "", "closed", "miss", "", "closed"},
		{importing, "end", "41", "", "", "open", "closed"},
		{importing, "gat", "41", "", "41", "open", "41"},
		{importing, "gat", "", "open", "miss", "", "open"},
		{importing, "incr", "41", "", "42", "open", "42"},
		{importing, "incr", "41", "open", "42", "open", "42"},
		{importing, "incr", "41", "closed", "miss", "41", "closed"},
		{importing, "decr", "stale", "41", "40", "open", "40"},
		{importing, "incrInit", "41", "", "42", "open", "42"},
		{importing, "incrInit", "", "closed", "5", "open", "5"},
		{importing, "delete", "41", "", "", "open", "closed"},
		{importing, "delete", "", "41", "", "open", "closed"},
		{importing, "delete", "", "", "miss", "open", "closed"},
		{importing, "delete", "41", "open", "", "open", "closed"},
		{importing, "deleteMulti", "41", "41", "", "open", "closed"},
		{importing, "deleteCAS", "41", "", "", "open", "closed"},
		{importing, "lease", "41", "", "41", "open", "41"},
		{importing, "lease", "", "", "won", "open", "made"},
		{importing, "lease", "", "closed", "won", "open", "made"},
		{importing, "lease", "", "open", "won", "open", "made"},
		{importing, "invalidate", "41", "", "", "open", "41"},
		{importing, "invalidate", "", "closed", "miss", "", "closed"},

		// Done, and tombstones are still there.
		{active, "get", "stale", "closed", "miss", "stale", "closed"},
		{active, "getMulti", "stale", "open", "miss", "stale", "open"},
		{active, "add", "stale", "closed", "", "stale", "new"},
		{active, "replace", "stale", "open", "not stored", "stale", "open"},
		{active, "incr", "stale", "open", "miss", "stale", "open"},
		{active, "delete", "stale", "closed", "miss", "stale", "closed"},
		{active, "deleteMulti", "stale", "closed", "", "stale", "closed"},
		{active, "set", "stale", "closed", "", "stale", "new"},
		{active, "incr", "stale", "41", "42", "stale", "42"},
		{active, "delete", "stale", "41", "", "stale", ""},
	} {
		r, key := routers[c.state], s.moving(plan, i)
		s.put(0, key, c.now)
		s.put(2, key, c.next)
		got, err := memCalls[c.call](ctx, r.Memcached, key)
		switch {
		case errors.Is(err, ErrCacheMiss):
			got = "miss"
		case errors.Is(err, ErrNotStored):
			got = "not stored"
		case errors.Is(err, ErrCASConflict):
			got = "conflict"
		case err != nil:
			got = err.Error()
		}
		if c.want == "conflict or miss" && (got == "conflict" || got == "miss") {
			got = c.want
		}
		if now, next := s.at(0, key), s.at(2, key); got != c.want || now != c.now2 || next != c.next2 {
			t.Errorf("%s %s with %q and %q:\ngot  %q, then %q and %q\nwant %q, then %q and %q", c.state, c.call, c.now, c.next,
				got, now, next, c.want, c.now2, c.next2)
		}
		if s.at(1, key) != "" {
			t.Errorf("%s %s: a node that is not concerned has something", c.state, c.call)
		}
	}
	for state, r := range routers {
		if n := len(r.spool.accounts); n != 0 {
			t.Errorf("%s: %d reservations were not given back", state, n)
		}
		for _, stats := range r.Stats() {
			if stats.InFlight != 0 {
				t.Errorf("%s: %d in flight on %s", state, stats.InFlight, stats.Node)
			}
		}
	}
}

// TestMetaInTransition: what was not asked for is not in a reply, and opaques come
// back.
func TestMetaInTransition(t *testing.T) {
	s := newMemStage(t)
	r := s.router(membership.Importing, Config{})
	ctx, key := t.Context(), s.moving(r, 0)
	s.put(0, key, "41")
	resp, err := r.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnTTL, Opaque: "o"})
	if err != nil || resp.Status != memcache.StatusOK || resp.ClientFlags != 0 || resp.CAS != 0 || resp.Size != 0 || resp.Value != nil ||
		resp.TTL < time.Hour-time.Minute || resp.Opaque != "o" {
		t.Errorf("mg t: %+v, %v", resp, err)
	}
	if resp, err = r.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: key, Delta: 1, Return: memcache.ReturnValue | memcache.ReturnTTL}); err != nil ||
		string(resp.Value) != "42" || resp.TTL < time.Hour-time.Minute {
		t.Errorf("ma: %+v, %v", resp, err)
	}
	if resp, err = r.MetaDelete(ctx, memcache.DeleteRequest{Key: key, Opaque: "d"}); err != nil || resp.Status != memcache.StatusOK || resp.Opaque != "d" {
		t.Errorf("md: %+v, %v", resp, err)
	}
	// A key that has to be encoded is so in every step.
	binary := "a b\r\n" + key
	for i := 0; r.now(binary) != "node0" || r.next(binary) != "node2"; i++ {
		binary = fmt.Sprintf("a b\r\n%d", i)
	}
	must(t, err)
	if _, err := s.clients[0].MetaSet(ctx, memcache.SetRequest{Key: binary, EncodeKey: true, Value: []byte("41")}); err != nil {
		t.Fatal(err)
	}
	if resp, err = r.MetaGet(ctx, memcache.GetRequest{Key: binary, EncodeKey: true, Return: memcache.ReturnValue}); err != nil || string(resp.Value) != "41" {
		t.Errorf("mg b: %+v, %v", resp, err)
	}
	if resp, err = r.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: binary, EncodeKey: true, Delta: 1}); err != nil || resp.Status != memcache.StatusOK {
		t.Errorf("ma b: %+v, %v", resp, err)
	}
	if resp, err = r.MetaDelete(ctx, memcache.DeleteRequest{Key: binary, EncodeKey: true}); err != nil || resp.Status != memcache.StatusOK {
		t.Errorf("md b: %+v, %v", resp, err)
	}
}

func (a *memActor) now(key string) string { return a.NodeFor(key) }

func (a *memActor) next(key string) string {
	t := a.fleet.current.Load().moving
	return t.nodes[t.placement.OwnerIndex(key)].member().ID
}
