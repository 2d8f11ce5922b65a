package router

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// TestCopyBackInFlight is TestCopyInFlight on the way back: one router knows that
// the transition was aborted and brings a key back to its old owner, while one that
// does not know it yet writes the key at what was to be the new one.
func TestCopyBackInFlight(t *testing.T) {
	s := newStage(t)
	d := newDirector(t)
	reader := s.router(back, Config{Tracer: d})
	other := s.router(back, Config{})
	unaware := s.router(membership.PhaseImporting, Config{})
	ctx := t.Context()
	key := ""
	for i, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"deleted", func() { unaware.Del(ctx, key) }, ""},
		{"overwritten", func() { unaware.Set(ctx, key, "new", 0) }, "new"},
		{"changed", func() { unaware.Append(ctx, key, "+") }, "old+"},
		{"taken", func() { unaware.GetDel(ctx, key) }, ""},
		{"overwritten by one that knows", func() { other.Set(ctx, key, "new", 0) }, "new"},
		{"overwritten, and deleted by one that knows", func() { unaware.Set(ctx, key, "new", 0); other.Del(ctx, key) }, ""},
		{"deleted, and overwritten by one that knows", func() { unaware.Del(ctx, key); other.Set(ctx, key, "new", 0) }, "new"},
		{"in a transaction", func() {
			unaware.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, "new", 0); return nil })
		}, "new"},
		{"only read", func() { unaware.Get(ctx, key) }, "old"},
	} {
		key = s.moving(unaware, i)
		s.put(2, key, "old")
		copying := d.hold("node0", "RESTORE")
		d.while(copying, func() {
			if v, err := reader.Get(ctx, key).Result(); v != "old" || err != nil {
				t.Errorf("%s: the reader got %q, %v", c.name, v, err)
			}
		}, c.do)
		for _, r := range []*actor{reader, other} {
			if v, err := r.Get(ctx, key).Result(); v != c.want || err != nil && err != redis.Nil {
				t.Errorf("%s: then %q is read, %v; want %q", c.name, v, err, c.want)
			}
		}
	}
}

// TestCopyInFlight stops a copy between the read at the current owner and the
// write at the next, and lets another router change the key meanwhile: what it
// did is not undone.
func TestCopyInFlight(t *testing.T) {
	s := newStage(t)
	d := newDirector(t)
	reader := s.router(membership.PhaseImporting, Config{Tracer: d})
	ahead := s.router(membership.PhaseImporting, Config{})
	behind := s.router(membership.PhaseAnnounced, Config{})
	ctx := t.Context()
	expired := func(node int, key string) {
		for s.clients[node].Exists(ctx, key).Val() != 0 && ctx.Err() == nil {
		}
	}
	key := ""
	for i, c := range []struct {
		name string
		do   func()
		want string // what is read afterwards
	}{
		{"deleted", func() { ahead.Del(ctx, key) }, ""},
		{"deleted by a router that is behind", func() { behind.Del(ctx, key) }, ""},
		{"overwritten", func() { ahead.Set(ctx, key, "new", 0) }, "new"},
		{"overwritten by a router that is behind", func() { behind.Set(ctx, key, "new", 0) }, "new"},
		{"changed", func() { ahead.Append(ctx, key, "+") }, "old+"},
		{"changed by a router that is behind", func() { behind.Append(ctx, key, "+") }, "old+"},
		{"taken", func() { ahead.GetDel(ctx, key) }, ""},
		{"taken by a router that is behind", func() { behind.GetDel(ctx, key) }, ""},
		{"overwritten for a moment", func() { ahead.Set(ctx, key, "new", time.Millisecond); expired(2, key) }, ""},
		{"overwritten for a moment by a router that is behind", func() { behind.Set(ctx, key, "new", time.Millisecond); expired(0, key) }, ""},
		{"given a short life", func() { ahead.PExpire(ctx, key, time.Millisecond); expired(2, key) }, ""},
		{"deleted, and the tombstone of a router that is behind on top", func() { ahead.Del(ctx, key); behind.Del(ctx, key) }, ""},
		{"set and deleted", func() { ahead.Set(ctx, key, "new", 0); ahead.Del(ctx, key) }, ""},
		{"in a transaction", func() {
			ahead.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Del(ctx, key); return nil })
		}, ""},
		{"only read", func() { ahead.Get(ctx, key) }, "old"},
	} {
		key = s.moving(reader, i)
		s.put(0, key, "old")
		copying := d.hold("node2", "RESTORE")
		d.while(copying, func() {
			if v, err := reader.Get(ctx, key).Result(); v != "old" || err != nil {
				t.Errorf("%s: the reader got %q, %v", c.name, v, err)
			}
		}, c.do)
		for _, r := range []*actor{ahead, reader} {
			if v, err := r.Get(ctx, key).Result(); v != c.want || (err != nil) != (c.want == "") {
				t.Errorf("%s: afterwards %q, %v, want %q", c.name, v, err, c.want)
			}
		}
	}
}

// TestCopyOfWhatExpires: a key whose time ends while it is copied does not come
// back.
func TestCopyOfWhatExpires(t *testing.T) {
	s := newStage(t)
	d := newDirector(t)
	r := s.router(membership.PhaseImporting, Config{Tracer: d})
	ctx, key := t.Context(), s.moving(r, 0)
	must(t, s.clients[0].Set(ctx, key, "old", 100*time.Millisecond).Err())
	d.while(d.hold("node2", "RESTORE"), func() { r.Get(ctx, key) }, func() {
		for s.clients[0].Exists(ctx, key).Val() != 0 && ctx.Err() == nil {
		}
	})
	if v, err := r.Get(ctx, key).Result(); err != redis.Nil || s.at(2, key) != "" {
		t.Errorf("got %q, %v", v, err)
	}
}

// TestCopyKeepsTheTimeLeft, also that of a key that has none.
func TestCopyKeepsTheTimeLeft(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	ctx := t.Context()
	for i, ttl := range []time.Duration{0, 100 * time.Second} {
		for j, call := range []func(key string) error{
			func(key string) error { return r.Get(ctx, key).Err() },
			func(key string) error { return r.Append(ctx, key, "+").Err() },
		} {
			key := s.moving(r, 10*i+j)
			must(t, s.clients[0].Set(ctx, key, "old", ttl).Err())
			must(t, call(key))
			left := s.clients[2].PTTL(ctx, key).Val()
			if ttl == 0 && left != -1 || ttl > 0 && (left > ttl || left < ttl-time.Second) {
				t.Errorf("after %d: lives %v, want %v", j, left, ttl)
			}
		}
	}
}

// TestMovedMeanwhile: a key that is missed on its next owner, and goes over before
// the current one is asked, is found.
func TestMovedMeanwhile(t *testing.T) {
	s := newStage(t)
	d := newDirector(t)
	r := s.router(membership.PhaseImporting, Config{Tracer: d})
	ctx := t.Context()
	for i, c := range []struct {
		name string
		call func(key string) (string, error)
	}{
		{"GET", func(key string) (string, error) { return r.Get(ctx, key).Result() }},
		{"MGET", func(key string) (string, error) {
			v, err := r.MGet(ctx, key, s.keyOf(r, "node1", "node1", "", 0)).Result()
			text, _ := v[0].(string)
			return text, err
		}},
	} {
		key := s.moving(r, i)
		s.put(0, key, "value")
		d.while(d.hold("node0", c.name), func() {
			if v, err := c.call(key); v != "value" || err != nil {
				t.Errorf("%s: %q, %v", c.name, v, err)
			}
		}, func() { s.mover(0, 2).move(key) })
	}
}

// mover moves keys as the mover of a fleet does, from one node to another.
type mover struct {
	stage *stage
	o, n  transit.Redis
}

func (s *stage) mover(from, to int) mover {
	number := uint64(7)
	if from == s.newcomer {
		number = membership.RollbackOf(number)
	}
	return mover{s, transit.Redis{Client: s.clients[from]}, transit.Redis{Client: s.clients[to], Transition: number}}
}

// move copies a key and removes it, and reports whether it is gone.
func (m mover) move(key string) bool {
	ctx := context.Background()
	values, results, err := m.o.Copy(ctx, m.n, 0, key)
	if err == nil && results[0].Outcome == transit.Copied {
		results, err = m.o.Remove(ctx, values...)
	}
	if err != nil {
		m.stage.t.Error(err)
	}
	return err == nil && (results[0].Outcome == transit.Removed || results[0].Outcome == transit.Gone)
}

// TestLateCopy: a copy that arrives after CopyLimit, since the next owner stood
// still, is not applied. Its client has given up long before.
func TestLateCopy(t *testing.T) {
	s := newStage(t)
	d := newDirector(t)
	r := s.router(membership.PhaseImporting, Config{Tracer: d, Node: quick})
	ctx, key := t.Context(), s.moving(r, 0)
	r.Set(ctx, s.moving(r, 1), "x", 0) // the scripts are there, and a connection
	s.put(0, key, "old")
	s.put(0, s.moving(r, 2), "old")
	r.Get(ctx, s.moving(r, 2))
	calls := func() int {
		info := s.clients[2].Info(ctx, "commandstats").Val()
		_, rest, _ := strings.Cut(info, "cmdstat_evalsha:calls=")
		n := 0
		for _, digit := range rest {
			if digit < '0' || digit > '9' {
				break
			}
			n = 10*n + int(digit-'0')
		}
		return n
	}
	before := calls()
	d.while(d.hold("node2", "RESTORE"), func() {
		if v, err := r.Get(ctx, key).Result(); v != "old" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
	}, s.servers[2].Stop)
	// What follows would undo a delete whose tombstone had expired meanwhile.
	wait(t, transit.CopyLimit+100*time.Millisecond)
	s.servers[2].Cont()
	for calls() == before && ctx.Err() == nil {
	}
	if got := s.at(2, key); got != "" {
		t.Errorf("the late copy was applied: %q", got)
	}
}

// wait lets time pass: it is what the test is about.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("no time left")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
