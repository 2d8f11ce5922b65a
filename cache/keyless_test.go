package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// grace is a key that says who somebody is.
var grace = userKey{"grace@example.org", 1}

// wantKeyless checks that the errors are some, and that none shows the key.
func wantKeyless(t *testing.T, what string, errs ...error) {
	t.Helper()
	if len(errs) == 0 {
		t.Errorf("%s: no error: the test shows nothing", what)
	}
	for _, err := range errs {
		if err == nil || strings.Contains(err.Error(), "grace") {
			t.Errorf("%s: %v, want an error without the key", what, err)
		}
	}
}

// saidTo is an error of a server, as go-redis has it.
type saidTo string

func (s saidTo) Error() string { return string(s) }
func (saidTo) RedisError()     {}

// What each error says that has a key in its text, alone and within others, and that it is
// still there for errors.As.
func TestKeyless(t *testing.T) {
	tooLarge := &memcache.InputError{Err: memcache.ErrValueTooLarge, Field: `value of "grace"`, Value: 9, Want: "at most 8 bytes"}
	for _, c := range []struct {
		err  error
		want string // of what is alone
	}{
		{tooLarge, "memcache: value too large: value: got 9, want at most 8 bytes"},
		{&memcache.KeyError{Key: "grace", Problem: "empty"}, "memcache: malformed key: empty"},
		{&memcache.ProtocolError{Problem: "not a reply", Line: "VALUE grace"}, "memcache: protocol violation: not a reply"},
		{&router.KeyError{Key: "grace", Reason: "5 bytes, want at most 4"}, "router: key: 5 bytes, want at most 4"},
		{&router.CrossNodeError{Command: "RENAME", Keys: []string{"grace"}, Nodes: []string{"a"}}, "router: RENAME: its keys are on different nodes"},
		{saidTo("ERR unknown command 'EVALSHA', with args beginning with: '5' '1' 'grace' "), "ERR unknown command 'EVALSHA'"},
	} {
		for format, around := range map[string]error{
			"%s":                                  c.err,
			"router: node \"a\" (h:1): %s (then)": fmt.Errorf("%w (then)", &router.NodeError{Node: "a", Address: "h:1", Err: c.err}),
			"first\n%s\n%[1]s":                    errors.Join(errors.New("first"), c.err, c.err),
			"router: get: 1 of 2 nodes failed: a: memcache: no reply from h:1, outcome unknown: %s": &router.MultiError{Command: "get", Total: 2,
				Failed: map[string]error{"a": &memcache.NoReplyError{Addr: "h:1", Sent: true, Err: c.err}}},
		} {
			if !strings.Contains(around.Error(), "grace") {
				t.Errorf("%v: the test shows nothing", around)
			}
			got := keyless(around)
			if want := fmt.Sprintf(format, c.want); got.Error() != want || !errors.Is(got, c.err) {
				t.Errorf("%v\nsays %v\nwant %v", around, got, want)
			}
		}
	}
	var input *memcache.InputError
	if !errors.As(keyless(tooLarge), &input) || input.Field != tooLarge.Field {
		t.Errorf("the client's own error is lost: %+v", input)
	}
	for _, err := range []error{nil, ErrMiss, &memcache.NoReplyError{Addr: "h:1", Err: context.Canceled}, saidTo("OOM command not allowed"),
		&memcache.InputError{Err: memcache.ErrInvalidRequest, Field: "Mode", Value: 9, Want: "a mode"}} {
		if got := keyless(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// A value that is too large for Memcached is told, without whose it is.
func TestTooLargeIsToldWithoutTheKey(t *testing.T) {
	large := Loaded[user]{Value: user{Name: strings.Repeat("x", 2<<20)}}
	client := memcachedFleet(t, []string{servertest.Memcached(t).Addr()})
	load := func(context.Context, userKey) (Loaded[user], error) { return large, nil }
	s, told := usersOf(t, OnMemcached(client), func(c *SpaceConfig[userKey, user]) {
		c.Load, c.LoadMany = load, manyOf(load)
		c.Save = func(context.Context, userKey, user) (uint64, error) { return 7, nil }
	})
	defer s.m.Close()
	_, _, err := s.Get(t.Context(), grace)
	for _, a := range s.GetMany(t.Context(), []userKey{grace}) {
		err = errors.Join(err, a.Err)
	}
	if err = errors.Join(err, s.Put(t.Context(), grace, large.Value)); err != nil {
		t.Fatal(err)
	}
	if n := told.count(memcache.ErrValueTooLarge); n != 3 {
		t.Errorf("told %d times, want 3: %v", n, told.all)
	}
	wantKeyless(t, "OnError", told.all...)
	var input *memcache.InputError
	if !errors.As(told.all[0], &input) || !strings.Contains(input.Field, "grace") {
		t.Errorf("%v: the client's own error is lost", told.all[0])
	}
}

// guarded is a fleet whose client refuses every key.
func guarded(t *testing.T, kind membership.Kind) Store {
	t.Helper()
	address := ""
	if kind == membership.Redis {
		address = servertest.Redis(t).Addr()
	} else {
		address = servertest.Memcached(t).Addr()
	}
	cfg := patient(sourceOf(t, kind, []string{address}))
	cfg.Keys.MaxLength = 3
	if kind == membership.Redis {
		client, err := router.NewRedis(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return OnRedis(client)
	}
	client, err := router.NewMemcached(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return OnMemcached(client)
}

// Whatever is done with a client that puts the key into its error: OnError, of a manager and
// of two stores, is not given it, nor are those who call.
func TestErrorsOfClientsShowNoKey(t *testing.T) {
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		for _, tiered := range []bool{false, true} {
			store, far := guarded(t, kind), &toldErrors{}
			if tiered {
				two, err := NewTiered(NewMemory(), store, TieredConfig{OnError: func(err error) { far.add("", err) }})
				if err != nil {
					t.Fatal(err)
				}
				defer two.Close()
				store = two
			}
			src := newSource()
			s, told := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
				c.Load = src.load
				c.Save = func(context.Context, userKey, user) (uint64, error) { return 7, nil }
			})
			src.set(grace, Loaded[user]{Value: user{Name: "Grace"}})
			_, _, err := s.Get(t.Context(), grace)
			for _, a := range s.GetMany(t.Context(), []userKey{grace, {"grace", 2}}) {
				if !errors.Is(a.Err, ErrNotFound) {
					err = errors.Join(err, a.Err)
				}
			}
			if err != nil {
				t.Errorf("%v: %v", kind, err)
			}
			put, one, many := s.Put(t.Context(), grace, user{}), s.Invalidate(t.Context(), grace), s.InvalidateMany(t.Context(), []userKey{grace})
			_, counted := s.Incr(t.Context(), grace, 1)
			wantKeyless(t, fmt.Sprint("what callers get, ", kind), put, one, many)
			var refused *router.KeyError
			if tiered {
				wantKeyless(t, fmt.Sprint("TieredConfig.OnError, ", kind), far.all...)
			} else if wantKeyless(t, fmt.Sprint("Incr, ", kind), counted); !errors.As(put, &refused) || !strings.Contains(refused.Key, "grace") {
				t.Errorf("%v: the client's own error is lost", put)
			}
			if !tiered || len(told.all) > 0 {
				wantKeyless(t, fmt.Sprint("OnError, ", kind), told.all...)
			}
			_ = s.m.Close()
		}
	}
}

// A Redis that does not have a command repeats what it was sent.
func TestUnknownCommandShowsNoKey(t *testing.T) {
	client := redisAt(t, servertest.Redis(t, "--rename-command", "EVALSHA", "", "--rename-command", "EVAL", "").Addr())
	if err := client.Do(t.Context(), "EVALSHA", "x", 1, "grace").Err(); err == nil || !strings.Contains(err.Error(), "grace") {
		t.Fatalf("%v: the test shows nothing", err)
	}
	src := newSource()
	src.set(grace, Loaded[user]{Value: user{Name: "Grace"}})
	s, told := usersOf(t, OnRedis(client), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	defer s.m.Close()
	mustGet(t, s, grace)
	wantKeyless(t, "Invalidate", s.Invalidate(t.Context(), grace))
	wantKeyless(t, "OnError", told.all...)
}

// telling is a store of somebody's own, whose errors have the key.
type telling struct{ *Memory }

func (telling) Get(_ context.Context, key string) (Entry, error) {
	return Entry{}, &memcache.KeyError{Key: key, Problem: "refused"}
}

var _ redis.Error = saidTo("")

// What a store of somebody's own passes on of a client is told without keys.
func TestForeignStoresAreToldWithoutKeys(t *testing.T) {
	src := newSource()
	src.set(grace, Loaded[user]{Value: user{Name: "Grace"}})
	for _, far := range []bool{false, true} {
		var store Store = telling{NewMemory()}
		tiers := &toldErrors{}
		if far {
			two, err := NewTiered(NewMemory(), store, TieredConfig{OnError: func(err error) { tiers.add("", err) }})
			if err != nil {
				t.Fatal(err)
			}
			defer two.Close()
			store = two
		}
		s, told := usersOf(t, store, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		mustGet(t, s, grace)
		wantKeyless(t, "OnError", append(told.all, tiers.all...)...)
		_ = s.m.Close()
	}
}
