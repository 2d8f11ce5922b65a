package router

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// requestLog is a Tracer that keeps what it is told.
type requestLog struct {
	begin func(Request) // called first, if there is one

	mu   sync.Mutex
	seen []string
	open int
}

func (r *requestLog) Start(ctx context.Context, q Request) (context.Context, func(error)) {
	if r.begin != nil {
		r.begin(q)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return ctx, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open--
		outcome := "answered"
		if err != nil {
			outcome = "failed"
		}
		r.seen = append(r.seen, fmt.Sprintf("%s %s %d %s@%d %s", q.Kind, q.Command, q.Commands, q.Node, q.Epoch, outcome))
	}
}

// take returns what was seen since the last call, sorted.
func (r *requestLog) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.seen)
	all := strings.Join(r.seen, ", ")
	if r.open != 0 {
		all += fmt.Sprintf(", %d not ended", r.open)
	}
	r.seen = nil
	return all
}

func TestMemcachedTracer(t *testing.T) {
	tracer := &requestLog{}
	m, servers := memcachedFleet(t, 2, Config{Tracer: tracer, Failure: FailureConfig{Policy: Successor}})
	ctx := t.Context()
	a, b := keyOf(t, m, "node0"), keyOf(t, m, "node1")
	item := Item{Key: a, Value: []byte("1"), CAS: 1}
	for want, do := range map[string]func() error{
		"get 1":     func() error { return errOf(m.Get(ctx, a)) },
		"gat 1":     func() error { return errOf(m.GetAndTouch(ctx, a, 0)) },
		"touch 1":   func() error { return m.Touch(ctx, a, 0) },
		"set 1":     func() error { return m.Set(ctx, item) },
		"add 1":     func() error { return m.Add(ctx, item) },
		"replace 1": func() error { return m.Replace(ctx, item) },
		"append 1":  func() error { return m.Append(ctx, item) },
		"prepend 1": func() error { return m.Prepend(ctx, item) },
		"cas 1":     func() error { return m.CompareAndSwap(ctx, item) },
		"delete 1":  func() error { return m.Delete(ctx, a) },
		"incr 1":    func() error { return errOf(m.Increment(ctx, a, 1)) },
		"decr 1":    func() error { return errOf(m.DecrementWithInitial(ctx, a, 1, 1, 0)) },
		"mg 1":      func() error { return errOf(m.MetaGet(ctx, memcache.GetRequest{Key: a})) },
		"ms 1":      func() error { return errOf(m.MetaSet(ctx, memcache.SetRequest{Key: a, Value: []byte("1")})) },
		"md 1":      func() error { return m.Invalidate(ctx, a, time.Minute) },
		"ma 1":      func() error { return errOf(m.MetaArithmetic(ctx, memcache.ArithmeticRequest{Key: a})) },
		"set 3":     func() error { return m.SetMulti(ctx, []Item{item, item, item}) },
		"delete 2":  func() error { return m.DeleteMulti(ctx, []string{a, a}) },
	} {
		do()
		if got, want := tracer.take(), "memcached "+want+" node0@1 answered"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	m.GetMulti(ctx, []string{a, b, a})
	if got, want := tracer.take(), "memcached get 1 node1@1 answered, memcached get 2 node0@1 answered"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.Ping(ctx)
	if got, want := tracer.take(), "memcached ping 0 node0@1 answered, memcached ping 0 node1@1 answered"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	servers[0].Kill()
	m.Set(ctx, item)
	if got, want := tracer.take(), "memcached set 1 node0@1 failed, memcached set 1 node1@1 answered"; got != want {
		t.Errorf("with a dead node: %q, want %q", got, want)
	}
	m.GetMulti(ctx, []string{a, b})
	if got, want := tracer.take(), "memcached get 1 node0@1 failed, memcached get 1 node1@1 answered, memcached get 1 node1@1 answered"; got != want {
		t.Errorf("with a dead node: %q, want %q", got, want)
	}
}

// TestMemcachedTracerIsToldTheEpochThatRouted: the ring changes while a batch is
// being sent, and all of the batch goes by the old one.
func TestMemcachedTracerIsToldTheEpochThatRouted(t *testing.T) {
	var members []membership.Member
	for i := range 2 {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Kind: membership.Memcached, Address: servertest.Memcached(t).Addr()})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	tracer := &requestLog{}
	m, err := NewMemcached(t.Context(), Config{Source: source, Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	var change sync.Once
	tracer.begin = func(Request) {
		change.Do(func() {
			if err := source.Set(members[1]); err != nil {
				t.Error(err)
			}
			for m.Epoch() == 1 && t.Context().Err() == nil {
				runtime.Gosched() // the test's own deadline bounds the wait
			}
		})
	}
	a, b := keyOf(t, m, "node0"), keyOf(t, m, "node1")
	_, errGet := m.GetMulti(t.Context(), []string{a, b})
	if err := errors.Join(errGet, errOf(m.Get(t.Context(), a))); !errors.Is(err, ErrCacheMiss) || errGet != nil {
		t.Error(err)
	}
	if got, want := tracer.take(), "memcached get 1 node0@1 answered, memcached get 1 node1@1 answered, memcached get 1 node1@2 answered"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestRedisTracerIsToldTheEpochThatRouted: the same with Redis.
func TestRedisTracerIsToldTheEpochThatRouted(t *testing.T) {
	for name, do := range map[string]func(r *Redis, a, b string) error{
		"MGET": func(r *Redis, a, b string) error { return r.MGet(t.Context(), a, b).Err() },
		"PIPELINE": func(r *Redis, a, b string) error {
			_, err := r.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				p.Exists(t.Context(), a)
				p.Exists(t.Context(), b)
				return nil
			})
			return err
		},
	} {
		source, servers := fleetOf(t, 2)
		tracer := &requestLog{}
		r := newRedis(t, Config{Source: source, Tracer: tracer})
		a, b := keysOf(r, "node0", 1)[0], keysOf(r, "node1", 1)[0]
		var change sync.Once
		tracer.begin = func(Request) {
			change.Do(func() {
				if err := source.Set(membership.Member{ID: "node1", Address: servers[1].Addr()}); err != nil {
					t.Error(err)
				}
				for r.Epoch() == 1 && t.Context().Err() == nil {
					runtime.Gosched() // the test's own deadline bounds the wait
				}
			})
		}
		if err := do(r, a, b); err != nil {
			t.Error(err)
		}
		want := fmt.Sprintf("redis %s 1 node0@1 answered, redis %[1]s 1 node1@1 answered", name)
		if got := tracer.take(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
