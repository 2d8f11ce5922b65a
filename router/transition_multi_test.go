package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// TestKeysFromSeveralNodes: commands of many keys, some of which move, in each
// phase: the reply is that of one server.
func TestKeysFromSeveralNodes(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	for _, phase := range []membership.Phase{membership.PhaseAnnounced, membership.PhaseImporting} {
		r := s.router(phase, Config{})
		var keys []string
		var pairs []any
		want := make(map[string]string)
		for i := range 60 {
			key := fmt.Sprintf("%v:%d", phase, i)
			keys, pairs = append(keys, key), append(pairs, key, fmt.Sprint(i))
			want[key] = fmt.Sprint(i)
		}
		if err := r.MSet(ctx, pairs[:80]...).Err(); err != nil {
			t.Fatal(err)
		}
		for i := 40; i < 60; i++ { // from before the transition
			owner := slices.Index([]string{"node0", "node1"}, r.NodeFor(keys[i]))
			s.put(owner, keys[i], want[keys[i]])
		}
		values, err := r.MGet(ctx, append([]string{"absent", keys[3]}, keys...)...).Result()
		if err != nil || values[0] != nil || values[1] != "3" {
			t.Errorf("%v: MGET: %v, %v", phase, values[:2], err)
		}
		for i, v := range values[2:] {
			if v != fmt.Sprint(i) {
				t.Errorf("%v: MGET: %s is %v", phase, keys[i], v)
			}
		}
		if n, err := r.Exists(ctx, append([]string{"absent", keys[3]}, keys...)...).Result(); n != 61 || err != nil {
			t.Errorf("%v: EXISTS: %d, %v", phase, n, err)
		}
		if n, err := r.Del(ctx, append([]string{"absent", keys[3]}, keys...)...).Result(); n != 60 || err != nil {
			t.Errorf("%v: DEL: %d, %v", phase, n, err)
		}
		if n, err := r.Exists(ctx, keys...).Result(); n != 0 || err != nil {
			t.Errorf("%v: EXISTS after DEL: %d, %v", phase, n, err)
		}
	}
}

// TestKeysTogether: commands whose keys must be on one node. They run where the
// ring that is due has them together, with all of them brought there.
func TestKeysTogether(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	announced, importing := s.router(membership.PhaseAnnounced, Config{}), s.router(membership.PhaseImporting, Config{})
	for i, r := range []*actor{announced, importing} {
		tag := fmt.Sprintf("{%s}", s.moving(r, i))
		a, b, c := tag+"a", tag+"b", tag+"c"
		must(t, s.clients[0].SAdd(ctx, a, 1, 2, 3).Err())
		must(t, s.clients[0].SAdd(ctx, b, 2, 3, 4).Err())
		must(t, s.clients[0].Set(ctx, c, "x", 0).Err())
		if got, err := r.SInter(ctx, a, b).Result(); len(got) != 2 || err != nil {
			t.Errorf("%d: SINTER: %v, %v", i, got, err)
		}
		if n, err := r.SUnionStore(ctx, c, a, b).Result(); n != 4 || err != nil {
			t.Errorf("%d: SUNIONSTORE: %d, %v", i, n, err)
		}
		if moved, err := r.SMove(ctx, a, b, 1).Result(); !moved || err != nil {
			t.Errorf("%d: SMOVE: %v, %v", i, moved, err)
		}
		if err := r.Rename(ctx, c, a).Err(); err != nil {
			t.Errorf("%d: RENAME: %v", i, err)
		}
		if got, err := r.Eval(ctx, "return redis.call('SCARD',KEYS[1]) + redis.call('SCARD',KEYS[2])", []string{a, b}).Int(); got != 8 || err != nil {
			t.Errorf("%d: EVAL: %d, %v", i, got, err)
		}
		wantKept, wantGone := 0, 2
		if r == importing {
			wantKept, wantGone = 2, 0
		}
		for _, key := range []string{a, b} {
			if s.at(wantKept, key) != "set" || s.at(wantGone, key) != "" {
				t.Errorf("%d: %s: %q on node0, %q on node2", i, key, s.at(0, key), s.at(2, key))
			}
		}
		if s.at(0, c) != "" || s.at(2, c) != "" {
			t.Errorf("%d: what was renamed is still there", i)
		}
	}
}

// TestCrossingDependsOnTheRing: keys that only one of the two rings has together.
func TestCrossingDependsOnTheRing(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	announced, importing := s.router(membership.PhaseAnnounced, Config{}), s.router(membership.PhaseImporting, Config{})
	stays, goes0, goes1 := s.keyOf(announced, "node0", "node0", "", 0), s.moving(announced, 0), s.keyOf(announced, "node1", "node2", "", 0)
	for _, c := range []struct {
		r     *actor
		keys  []string
		nodes []string // nil: they are together
	}{
		{announced, []string{stays, goes0}, nil},
		{announced, []string{goes0, goes1}, []string{"node0", "node1"}},
		{importing, []string{stays, goes0}, []string{"node0", "node2"}},
		{importing, []string{goes0, goes1}, nil},
	} {
		var crossing *CrossNodeError
		for name, err := range map[string]error{
			"SINTER": c.r.SInter(ctx, c.keys...).Err(),
			"MULTI": exec(c.r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.SCard(ctx, c.keys[0])
				p.SCard(ctx, c.keys[1])
				return nil
			})),
			"WATCH": c.r.Watch(ctx, func(*redis.Tx) error { return nil }, c.keys...),
		} {
			if is := errors.As(err, &crossing); is != (c.nodes != nil) || is && !slices.Equal(crossing.Nodes, c.nodes) || !is && err != nil {
				t.Errorf("%s %v: %v", name, c.keys, err)
			}
		}
	}
}

// TestWatchInTransition: a transaction function may use keys that it does not
// watch, and does not finish if somebody else was faster.
func TestWatchInTransition(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	for i, r := range []*actor{s.router(membership.PhaseAnnounced, Config{}), s.router(membership.PhaseImporting, Config{})} {
		tag := fmt.Sprintf("{%s}", s.moving(r, i))
		a, b := tag+"a", tag+"b"
		s.put(0, a, "1")
		s.put(0, b, "2")
		attempts := 0
		work := func(tx *redis.Tx) error {
			attempts++
			n, err := tx.Get(ctx, a).Int()
			if err != nil {
				return err
			}
			if attempts == 1 {
				must(t, r.Set(ctx, a, "10", 0).Err())
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.IncrBy(ctx, b, int64(n))
				return nil
			})
			return err
		}
		if err := r.Watch(ctx, work, a); err != redis.TxFailedErr {
			t.Errorf("%d: a key that was changed meanwhile: %v", i, err)
		}
		if err := r.Watch(ctx, work, a); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if v, err := r.Get(ctx, b).Result(); v != "12" || err != nil {
			t.Errorf("%d: got %q, %v", i, v, err)
		}
		if on := s.at(2*i, b); on != "12" || s.at(2-2*i, b) != "" {
			t.Errorf("%d: it is %q on node0 and %q on node2", i, s.at(0, b), s.at(2, b))
		}
		var crossing *CrossNodeError
		elsewhere := s.keyOf(r, "node1", "node1", "", 0)
		if err := r.Watch(ctx, func(tx *redis.Tx) error { return tx.Set(ctx, elsewhere, 1, 0).Err() }, a); !errors.As(err, &crossing) {
			t.Errorf("%d: a key of another node: %v", i, err)
		}
		if left := len(r.spool.accounts); left != 0 {
			t.Errorf("%d: %d reservations were not given back", i, left)
		}
	}
}

// TestPipelineInTransition: every command has its own result, and commands on one
// key keep their order, those on keys that move and those of several keys
// included.
func TestPipelineInTransition(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	for _, phase := range []membership.Phase{membership.PhaseAnnounced, membership.PhaseImporting} {
		d := newDirector(t)
		r := s.router(phase, Config{Tracer: d})
		stays, goes := s.keyOf(r, "node0", "node0", fmt.Sprint(phase), 0), s.keyOf(r, "node0", "node2", fmt.Sprint(phase), 0)
		other := s.keyOf(r, "node1", "node1", fmt.Sprint(phase), 0)
		s.put(0, goes, "5")
		var got []redis.Cmder
		_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			got = append(got, p.Set(ctx, stays, 1, 0), p.Incr(ctx, goes), p.Incr(ctx, stays), p.MGet(ctx, goes, stays, other),
				p.Incr(ctx, stays), p.Incr(ctx, goes), p.Set(ctx, other, "o", 0), p.Get(ctx, stays), p.Get(ctx, goes),
				p.Do(ctx, "FROB"), p.Del(ctx, goes, stays), p.Exists(ctx, goes, stays, other), p.Get(ctx, goes), p.Get(ctx, other), p.DBSize(ctx), p.Echo(ctx, "e"))
			return nil
		})
		var unknown *UnknownCommandError
		if !errors.As(err, &unknown) {
			t.Errorf("%v: the pipeline: %v", phase, err)
		}
		var texts []string
		for _, cmd := range got {
			switch cmd := cmd.(type) {
			case *redis.StatusCmd:
				texts = append(texts, cmd.Val())
			case *redis.IntCmd:
				texts = append(texts, fmt.Sprint(cmd.Val()))
			case *redis.SliceCmd:
				texts = append(texts, fmt.Sprint(cmd.Val()))
			case *redis.StringCmd:
				texts = append(texts, cmd.Val())
			default:
				texts = append(texts, "-")
			}
		}
		texts[14] = "" // DBSIZE: there are other keys and tombstones
		want := []string{"OK", "6", "2", "[6 2 <nil>]", "3", "7", "OK", "3", "7", "-", "2", "1", "", "o", "", "e"}
		if !slices.Equal(texts, want) {
			t.Errorf("%v: got  %q\nwant %q", phase, texts, want)
		}
		// Commands that concern no key on the move go as they always do.
		if n := d.count("node0", "PIPELINE"); n == 0 {
			t.Errorf("%v: no flight to node0", phase)
		}
	}
}

// TestWholeFleetInTransition: what concerns all keys sees those on the move, and
// no tombstones.
func TestWholeFleetInTransition(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	r := s.router(membership.PhaseImporting, Config{})
	keys := []string{s.moving(r, 0), s.moving(r, 1), s.keyOf(r, "node1", "node1", "", 0)}
	slices.Sort(keys)
	for _, key := range keys[:2] {
		must(t, r.Set(ctx, key, 1, 0).Err())
	}
	must(t, r.Set(ctx, keys[2], 1, 0).Err())
	must(t, r.Del(ctx, s.moving(r, 2), s.moving(r, 3)).Err())
	found, err := r.Keys(ctx, "*").Result()
	if slices.Sort(found); err != nil || !slices.Equal(found, keys) {
		t.Errorf("KEYS: %q, %v, want %q", found, err, keys)
	}
	found = nil
	for it := r.Scan(ctx, 0, "*", 3).Iterator(); it.Next(ctx); {
		found = append(found, it.Val())
	}
	if slices.Sort(found); !slices.Equal(found, keys) {
		t.Errorf("SCAN: %q, want %q", found, keys)
	}
	for range 30 {
		if key, err := r.RandomKey(ctx).Result(); err != nil || transit.IsMarker(key) {
			t.Fatalf("RANDOMKEY: %q, %v", key, err)
		}
	}
	if n, err := r.DBSize(ctx).Result(); n < 3 || err != nil {
		t.Errorf("DBSIZE: %d, %v", n, err)
	}
	visited := make(chan string, 3)
	must(t, r.ForEachNode(ctx, func(_ context.Context, id string, _ *redis.Client) error { visited <- id; return nil }))
	if len(visited) != 3 || len(r.Stats()) != 3 {
		t.Errorf("%d nodes visited, %d in Stats", len(visited), len(r.Stats()))
	}
	sha, err := r.ScriptLoad(ctx, "return 7").Result()
	if got, err2 := r.EvalSha(ctx, sha, []string{keys[0]}).Int(); got != 7 || err != nil || err2 != nil {
		t.Errorf("a script that was loaded: %d, %v, %v", got, err, err2)
	}
}

// TestEmptyingInTransition: a copy that is under way when all keys are removed
// does not bring its key back.
func TestEmptyingInTransition(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	d := newDirector(t)
	reader, r := s.router(membership.PhaseImporting, Config{Tracer: d}), s.router(membership.PhaseImporting, Config{})
	early, late := s.moving(r, 0), s.moving(r, 1)
	s.put(0, early, "old")
	s.put(0, late, "old")
	s.put(2, "anything", "x")
	emptied := make(chan error, 1)
	first, second := d.hold("node2", "RESTORE"), make(chan struct{})
	go func() {
		defer close(second)
		reader.Get(ctx, early)
	}()
	<-first.reached
	go func() { emptied <- r.FlushAll(ctx).Err() }()
	eventually(t, "all is empty", func() bool {
		return s.clients[0].DBSize(ctx).Val() == 0 && s.clients[2].DBSize(ctx).Val() == 0
	})
	close(first.goOn) // what it has read stands there no more
	<-second
	if err := <-emptied; err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{early, late} {
		if v, err := r.Get(ctx, key).Result(); err != redis.Nil {
			t.Errorf("%s: %q, %v", key, v, err)
		}
	}
}

// TestBlockingInTransition: a command that waits does so where writers write.
func TestBlockingInTransition(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	r := s.router(membership.PhaseImporting, Config{})
	key, stream := s.moving(r, 0), s.moving(r, 1)
	must(t, s.clients[0].RPush(ctx, key, "a").Err())
	for _, want := range []string{"a", "b"} {
		if want == "b" {
			go func() {
				for !blocked(ctx, s.clients[2]) {
				}
				r.RPush(ctx, key, "b")
			}()
		}
		got, err := r.BLPop(ctx, 0, key).Result()
		if err != nil || got[1] != want {
			t.Errorf("BLPOP: %v, %v, want %s", got, err, want)
		}
	}
	must(t, s.clients[0].XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"f", "v"}}).Err())
	got, err := r.XRead(ctx, &redis.XReadArgs{Streams: []string{stream, "0"}, Block: 0}).Result()
	if err != nil || len(got) != 1 || s.at(2, stream) != "stream" {
		t.Errorf("XREAD: %v, %v", got, err)
	}
	// SORT reads keys that it does not name.
	var unsupported *UnsupportedError
	err = r.Sort(ctx, "{"+key+"}list", &redis.Sort{By: "{" + key + "}weight_*"}).Err()
	if !errors.As(err, &unsupported) {
		t.Errorf("SORT with a pattern: %v", err)
	}
}

// blocked reports whether a client waits for something on the server.
func blocked(ctx context.Context, c *redis.Client) bool {
	var n int
	for _, line := range strings.Split(c.Info(ctx, "clients").Val(), "\r\n") {
		fmt.Sscanf(line, "blocked_clients:%d", &n)
	}
	return n > 0
}

// A transaction that publishes, in whatever place, runs where its keys are to be: a
// channel stays on its current owner, and so the two do not go together.
func TestTransactionWithAChannel(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	ctx := t.Context()
	for i, publish := range []func(p redis.Pipeliner, channel string){
		func(p redis.Pipeliner, channel string) { p.Publish(ctx, channel, "x") },
		func(p redis.Pipeliner, channel string) { p.SPublish(ctx, channel, "x") },
	} {
		tag := s.moving(r, i)
		key, channel := "{"+tag+"}k", "{"+tag+"}c"
		s.put(0, key, "old")
		for _, first := range []bool{true, false} {
			_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				if first {
					publish(p, channel)
				}
				p.Set(ctx, key, "new", 0)
				if !first {
					publish(p, channel)
				}
				return nil
			})
			var crossing *CrossNodeError
			if !errors.As(err, &crossing) {
				t.Errorf("%d, first %v: %v, want a *CrossNodeError", i, first, err)
			}
			if v, err := r.Get(ctx, key).Result(); v != "old" || err != nil {
				t.Errorf("%d, first %v: then %q is read, %v", i, first, v, err)
			}
		}
	}
}
