package router

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// cell is one line of the protocol's table: what is on the current and the next
// owner before, what a command returns, and what is there after it. "open" and
// "closed" are tombstones.
type cell struct {
	phase      membership.Phase
	name       string
	call       func(ctx context.Context, r *Redis, key string) gave
	now, next  string
	want       any // nil: redis.Nil
	now2       string
	next2      string
	tombstone2 string
}

func get(ctx context.Context, r *Redis, key string) gave    { return of(r.Get(ctx, key).Result()) }
func exists(ctx context.Context, r *Redis, key string) gave { return of(r.Exists(ctx, key).Result()) }
func set(ctx context.Context, r *Redis, key string) gave {
	return of(r.Set(ctx, key, "new", 0).Result())
}
func del(ctx context.Context, r *Redis, key string) gave  { return of(r.Del(ctx, key).Result()) }
func incr(ctx context.Context, r *Redis, key string) gave { return of(r.Incr(ctx, key).Result()) }
func appendX(ctx context.Context, r *Redis, key string) gave {
	return of(r.Append(ctx, key, "x").Result())
}
func getdel(ctx context.Context, r *Redis, key string) gave { return of(r.GetDel(ctx, key).Result()) }
func script(ctx context.Context, r *Redis, key string) gave {
	return of(r.Eval(ctx, "return redis.call('INCRBY', KEYS[1], ARGV[1])", []string{key}, 10).Int64())
}
func mget(ctx context.Context, r *Redis, key string) gave { return of(r.MGet(ctx, key).Result()) }
func mset(ctx context.Context, r *Redis, key string) gave {
	return of(r.MSet(ctx, key, "new").Result())
}
func transaction(ctx context.Context, r *Redis, key string) gave {
	var n *redis.IntCmd
	_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
		n = p.Incr(ctx, key)
		p.Get(ctx, key)
		return nil
	})
	return of(n.Val(), err)
}
func watched(ctx context.Context, r *Redis, key string) gave {
	var n int64
	err := r.Watch(ctx, func(tx *redis.Tx) error {
		old, err := tx.Get(ctx, key).Int64()
		if err != nil && err != redis.Nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, key, old+1, 0)
			return nil
		})
		n = old + 1
		return err
	}, key)
	return of(n, err)
}
func watchedRead(ctx context.Context, r *Redis, key string) gave {
	var v string
	err := r.Watch(ctx, func(tx *redis.Tx) (err error) {
		v, err = tx.Get(ctx, key).Result()
		return err
	}, key)
	return of(v, err)
}

var cells = func() []cell {
	const announced, importing = membership.PhaseAnnounced, membership.PhaseImporting
	list := func(v any) []any { return []any{v} }
	return []cell{
		// Announced: everything happens on the current owner, and a change is
		// followed by a tombstone on the next.
		{announced, "GET", get, "old", "", "old", "old", "", ""},
		{announced, "GET", get, "old", "stale", "old", "old", "stale", ""},
		{announced, "GET", get, "", "moved", "moved", "", "moved", ""},
		{announced, "GET", get, "", "", nil, "", "", ""},
		{announced, "GET", get, "", "closed", nil, "", "", "closed"},
		{announced, "MGET", mget, "old", "", list("old"), "old", "", ""},
		{announced, "SET", set, "old", "", "OK", "new", "", "open"},
		{announced, "SET", set, "old", "stale", "OK", "new", "", "open"},
		{announced, "SET", set, "", "closed", "OK", "new", "", "open"},
		{announced, "MSET", mset, "old", "stale", "OK", "new", "", "open"},
		{announced, "DEL", del, "old", "", int64(1), "", "", "open"},
		{announced, "DEL", del, "", "stale", int64(1), "", "", "open"},
		{announced, "DEL", del, "old", "stale", int64(1), "", "", "open"},
		{announced, "DEL", del, "", "", int64(0), "", "", "open"},
		{announced, "INCR", incr, "41", "7", int64(42), "42", "", "open"},
		{announced, "GETDEL", getdel, "old", "stale", "old", "", "", "open"},
		{announced, "EVAL", script, "41", "7", int64(51), "51", "", "open"},
		{announced, "MULTI", transaction, "41", "7", int64(42), "42", "", "open"},
		{announced, "WATCH", watched, "41", "7", int64(42), "42", "", "open"},
		{announced, "WATCH to read", watchedRead, "41", "7", "41", "41", "7", ""},

		// The same where others are a step ahead. What they have deleted stays so, and
		// what depends on the value runs where they run it.
		{announced, "DEL", del, "old", "closed", int64(1), "", "", "closed"},
		{announced, "DEL", del, "old", "closed before", int64(1), "", "", "open"},
		{announced, "INCR", incr, "", "closed", int64(1), "", "1", "closed"},
		{announced, "INCR", incr, "41", "closed before", int64(42), "42", "", "open"},
		{announced, "GETDEL", getdel, "", "closed", nil, "", "", "closed"},
		{announced, "EVAL", script, "", "closed", int64(10), "", "10", "closed"},
		{announced, "MULTI", transaction, "", "closed", int64(1), "", "1", "closed"},
		{announced, "WATCH", watched, "", "closed", int64(1), "", "1", "closed"},

		// Importing. Reads: the next owner, and on a miss or a tombstone the
		// current one, with a copy if that is allowed.
		{importing, "GET", get, "", "new", "new", "", "new", ""},
		{importing, "GET", get, "stale", "new", "new", "stale", "new", ""},
		{importing, "GET", get, "old", "", "old", "old", "old", ""},
		{importing, "GET", get, "old", "open", "old", "old", "old", "open"},
		{importing, "GET", get, "old", "closed", "old", "old", "", "closed"},
		{importing, "GET", get, "old", "closed before", "old", "old", "old", "closed before"},
		{importing, "GET", get, "", "", nil, "", "", ""},
		{importing, "GET", get, "", "closed", nil, "", "", "closed"},
		{importing, "EXISTS", exists, "old", "", int64(1), "old", "old", ""},
		{importing, "EXISTS", exists, "", "", int64(0), "", "", ""},
		{importing, "MGET", mget, "old", "", list("old"), "old", "old", ""},
		{importing, "MGET", mget, "", "", list(nil), "", "", ""},
		{importing, "WATCH to read", watchedRead, "old", "", "old", "old", "old", ""},

		// Overwrites: the next owner, then a delete on the current one.
		{importing, "SET", set, "old", "", "OK", "", "new", "closed"},
		{importing, "SET", set, "old", "old", "OK", "", "new", "closed"},
		{importing, "SET", set, "old", "closed", "OK", "", "new", "closed"},
		{importing, "SET", set, "", "", "OK", "", "new", "closed"},
		{importing, "MSET", mset, "old", "", "OK", "", "new", "closed"},

		// Deletes: a tombstone on the next owner, then a delete on the current
		// one. A key counts once.
		{importing, "DEL", del, "old", "", int64(1), "", "", "closed"},
		{importing, "DEL", del, "", "new", int64(1), "", "", "closed"},
		{importing, "DEL", del, "old", "old", int64(1), "", "", "closed"},
		{importing, "DEL", del, "", "", int64(0), "", "", "closed"},
		{importing, "DEL", del, "old", "open", int64(1), "", "", "closed"},

		// What depends on the value: it is copied if that is allowed, changed on
		// the next owner, and deleted on the current one.
		{importing, "INCR", incr, "41", "", int64(42), "", "42", "closed"},
		{importing, "INCR", incr, "stale", "41", int64(42), "", "42", "closed"},
		{importing, "INCR", incr, "41", "open", int64(42), "", "42", "closed"},
		{importing, "INCR", incr, "41", "closed", int64(1), "", "1", "closed"},
		{importing, "INCR", incr, "41", "closed before", int64(42), "", "42", "closed"},
		{importing, "INCR", incr, "", "", int64(1), "", "1", "closed"},
		{importing, "APPEND", appendX, "old", "", int64(4), "", "oldx", "closed"},
		{importing, "GETDEL", getdel, "old", "", "old", "", "", "closed"},
		{importing, "GETDEL", getdel, "", "", nil, "", "", "closed"},
		{importing, "EVAL", script, "41", "", int64(51), "", "51", "closed"},
		{importing, "MULTI", transaction, "41", "", int64(42), "", "42", "closed"},
		{importing, "WATCH", watched, "41", "", int64(42), "", "42", "closed"},

		// Done: the next owner, now the only one.
		{done, "GET", get, "stale", "new", "new", "stale", "new", ""},
		{done, "GET", get, "stale", "", nil, "stale", "", ""},
		{done, "SET", set, "stale", "old", "OK", "stale", "new", ""},
		{done, "DEL", del, "stale", "old", int64(1), "stale", "", ""},
		{done, "INCR", incr, "stale", "41", int64(42), "stale", "42", ""},
	}
}()

// TestTransitionTable is the table of the protocol, and a little more: for each
// class of commands and each phase, where the key was and is.
func TestTransitionTable(t *testing.T) {
	const importing = membership.PhaseImporting
	s := newStage(t)
	routers := make(map[membership.Phase]*actor)
	for _, phase := range []membership.Phase{membership.PhaseAnnounced, membership.PhaseImporting, done} {
		routers[phase] = s.router(phase, Config{})
	}
	for i, c := range cells {
		r, key := routers[c.phase], s.moving(routers[membership.PhaseAnnounced], i)
		t.Run(fmt.Sprintf("%v/%s/%q %q", c.phase, c.name, c.now, c.next), func(t *testing.T) {
			s.t = t
			s.put(0, key, c.now)
			s.put(2, key, c.next)
			want := gave{Value: c.want}
			if c.want == nil {
				want = gave{"", redis.Nil.Error()}
			}
			if got := c.call(t.Context(), r.Redis, key); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if now, next, tombstone := s.at(0, key), s.at(2, key), s.tombstone(2, key); now != c.now2 || next != c.next2 || tombstone != c.tombstone2 {
				t.Errorf("after it: %q and %q, tombstone %q; want %q, %q, %q", now, next, tombstone, c.now2, c.next2, c.tombstone2)
			}
			// For the way back: what was read at the next owner before the write must
			// not arrive here after it.
			written := ""
			ahead := c.phase == importing || c.next == "closed" && c.name != "DEL"
			if ahead && c.tombstone2 == "closed" && c.name != "GET" {
				written = "open"
			}
			if got := s.tombstone(0, key); got != written {
				t.Errorf("tombstone %q on the current owner, want %q", got, written)
			}
			if s.at(1, key) != "" || s.tombstone(1, key) != "" {
				t.Error("a node that is not concerned has something")
			}
		})
	}
}
