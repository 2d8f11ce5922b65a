package router

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

// full has a server behave as one that has reached its maxmemory and evicts nothing.
func (s *stage) full(node int, is bool) {
	s.t.Helper()
	limit := "0"
	if is {
		limit = "1"
	}
	if err := s.clients[node].ConfigSet(s.t.Context(), "maxmemory", limit).Err(); err != nil {
		s.t.Fatal(err)
	}
}

var bothFull = []struct {
	name string
	node int
}{{"current owner", 0}, {"next owner", 2}}

// TestReadsOfFullServers: a server without memory takes no transaction; what is there is
// read all the same, wherever it lies.
func TestReadsOfFullServers(t *testing.T) {
	s := newStage(t)
	for _, phase := range []membership.Phase{membership.PhaseAnnounced, membership.PhaseImporting} {
		r := s.router(phase, Config{})
		here, moved, nowhere := s.moving(r, 0), s.moving(r, 1), s.moving(r, 2)
		for _, f := range bothFull {
			s.put(0, here, "here")
			s.put(2, moved, "moved")
			s.full(f.node, true)
			ctx := t.Context()
			for key, want := range map[string]string{here: "here", moved: "moved"} {
				if v, err := r.Get(ctx, key).Result(); v != want || err != nil {
					t.Errorf("%v, the %s is full: GET %q, %v, want %q", phase, f.name, v, err, want)
				}
				if n, err := r.StrLen(ctx, key).Result(); n != int64(len(want)) || err != nil {
					t.Errorf("%v, the %s is full: STRLEN %d, %v, want %d", phase, f.name, n, err, len(want))
				}
			}
			if v, err := r.Get(ctx, nowhere).Result(); err != redis.Nil {
				t.Errorf("%v, the %s is full: GET of what is not there: %q, %v", phase, f.name, v, err)
			}
			all, err := r.MGet(ctx, here, nowhere, moved).Result()
			if err != nil || all[0] != "here" || all[1] != nil || all[2] != "moved" {
				t.Errorf("%v, the %s is full: MGET %q, %v", phase, f.name, all, err)
			}
			s.full(f.node, false)
			for _, node := range []int{0, 2} {
				s.put(node, here, "")
				s.put(node, moved, "")
			}
		}
	}
}

// TestReadOfFullServerMeanwhile: between the looks of a read at a full server the key may
// go; then what it has read there is not taken for an answer.
func TestReadOfFullServerMeanwhile(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	key := s.moving(r, 0)
	s.put(2, key, "new")
	s.full(0, true)
	snap := r.fleet.current.Load()
	get, _ := command.Table{}.Named("GET")
	m := &move{Redis: r.Redis, s: snap, c: get}
	n := r.holdersOn(snap, false, key)[0]
	for _, tt := range []struct {
		name  string
		cmd   redis.Cmder
		there bool
	}{
		{"there all the time", redis.NewStringCmd(t.Context(), "get", key), true},
		{"gone in between", redis.NewIntCmd(t.Context(), "del", key), false},
		{"never there", redis.NewStringCmd(t.Context(), "get", key), false},
	} {
		if tt.there {
			s.full(0, false)
			s.put(0, key, "old")
			s.full(0, true)
		}
		look, err := m.readOnFull(t.Context(), n, tt.cmd, key)
		if look.Present != tt.there || err != nil {
			t.Errorf("%s: present %v, %v", tt.name, look.Present, err)
		}
	}
	if v, err := r.Get(t.Context(), key).Result(); v != "new" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// TestWritesBesideFullServers: a full current owner is what fleets are scaled out for; it
// loses its keys by writes and deletes as by the mover.
func TestWritesBesideFullServers(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	ctx := t.Context()
	key := s.moving(r, 0)
	begin := func() {
		t.Helper()
		s.full(0, false)
		s.put(2, key, "")
		s.put(0, key, "old")
		s.full(0, true)
	}
	for _, tt := range []struct {
		name  string
		write func() error
		want  string // "": absent
	}{
		{"SET", func() error { return r.Set(ctx, key, "new", 0).Err() }, "new"},
		{"APPEND", func() error { return r.Append(ctx, key, "er").Err() }, "older"},
		{"EXPIRE", func() error { return r.Expire(ctx, key, time.Hour).Err() }, "old"},
		{"DEL", func() error { return r.Del(ctx, key).Err() }, ""},
		{"GETDEL", func() error { return r.GetDel(ctx, key).Err() }, ""},
	} {
		begin()
		if err := tt.write(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		v, err := r.Get(ctx, key).Result()
		if tt.want == "" && err != redis.Nil || tt.want != "" && err != nil || v != tt.want {
			t.Errorf("%s: then GET %q, %v, want %q", tt.name, v, err, tt.want)
		}
		if n := s.clients[0].Exists(ctx, key).Val(); n != 0 {
			t.Errorf("%s: the current owner has the key still", tt.name)
		}
	}

	s.full(0, false)
	s.put(2, key, "")
	s.put(0, key, "old")
	s.full(2, true)
	if err := r.Set(ctx, key, "new", 0).Err(); !isFull(err) {
		t.Errorf("SET where the next owner is full: %v, want its answer", err)
	}
	if v, err := r.Get(ctx, key).Result(); v != "old" || err != nil {
		t.Errorf("then GET %q, %v, want what was there", v, err)
	}
	if n, err := r.Del(ctx, key).Result(); n != 1 || err != nil {
		t.Errorf("DEL where the next owner is full: %d, %v", n, err)
	}
	if v, err := r.Get(ctx, key).Result(); err != redis.Nil {
		t.Errorf("then GET %q, %v, want nothing", v, err)
	}
}
