package router

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// history is a run of random operations through two routers, while a node joins
// and leaves again.
type history struct {
	*oracle
	t       *testing.T
	stage   *stage
	routers [2]*actor
	seed    uint64
	ops     atomic.Int64
	stop    atomic.Bool

	// sameView is read-locked by operations of which nothing is promised while
	// the routers are in different phases: those that depend on the value.
	sameView sync.RWMutex
	// under is read-locked by every operation. Who locks it knows that all those
	// are over that were under way before.
	under sync.RWMutex
}

// TestRandomHistory: no acknowledged write or delete is undone, and no key that is
// there is missed, whichever router is asked.
func TestRandomHistory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := newStage(t)
	h := &history{oracle: newOracle(), t: t, stage: s, seed: seed}
	for i := range h.routers {
		h.routers[i] = s.router(membership.Stable, Config{})
	}
	var workers sync.WaitGroup
	for i := range 6 {
		workers.Go(func() { h.writer(i) })
	}
	for i := range 3 {
		workers.Go(func() { h.reader(i) })
	}
	h.transition(membership.Announced, membership.Importing, membership.Active)
	h.transition(membership.Leaving, membership.Exporting, membership.Left)
	h.stop.Store(true)
	workers.Wait()
	for key := range h.keys {
		began := h.now()
		v, _ := h.routers[0].Get(t.Context(), key).Result()
		h.read("at last", key, v, began)
	}
	for i, wrong := range h.wrong {
		if i < 20 {
			t.Error(wrong)
		}
	}
	t.Logf("%d operations, %d wrong", h.ops.Load(), len(h.wrong))
	if h.ops.Load() < 1000 {
		t.Errorf("only %d operations", h.ops.Load())
	}
}

// transition takes both routers through a transition of node2, the first one
// always a step ahead, while a mover works.
func (h *history) transition(first, second, last membership.State) {
	h.sees(first)
	mover := make(chan struct{})
	h.mixed(func() {
		h.see(0, second)
		h.during(1500)
		h.see(1, second)
	})
	go func() { // once every router knows
		defer close(mover)
		for !h.pass() && h.t.Context().Err() == nil {
		}
	}()
	h.during(1500)
	<-mover
	h.under.Lock()
	//lint:ignore SA2001 the copies that are under way are waited for
	h.under.Unlock()
	h.sees(last)
}

func (h *history) sees(state membership.State) {
	h.mixed(func() {
		h.see(0, state)
		h.during(500)
		h.see(1, state)
	})
	h.during(500)
}

func (h *history) mixed(f func()) {
	h.sameView.Lock()
	defer h.sameView.Unlock()
	f()
}

// during lets n operations go by.
func (h *history) during(n int64) {
	for until := h.ops.Load() + n; h.ops.Load() < until && h.t.Context().Err() == nil; {
		time.Sleep(time.Millisecond) // makes room for them
	}
}

func (h *history) see(router int, state membership.State) {
	members := h.stage.members(done)
	members[2].State = state
	if state != membership.Active && state != membership.Left {
		members[2].Transition = 1
	}
	a := h.routers[router]
	before := a.Epoch()
	if err := a.source.Set(members...); err != nil {
		h.fail("see: %v", err)
	}
	for a.Epoch() == before && h.t.Context().Err() == nil {
	}
}

// pass goes once over all nodes, as the mover does, and reports whether there was
// nothing left to move.
func (h *history) pass() (finished bool) {
	ctx, r := h.t.Context(), h.routers[0]
	s := r.fleet.current.Load()
	if !s.moving.underWay() {
		h.fail("the mover works without a transition")
		return true
	}
	finished = true
	for i, c := range h.stage.clients {
		id := fmt.Sprint("node", i)
		for it := c.Scan(ctx, 0, "*", 10).Iterator(); it.Next(ctx); {
			key := it.Val()
			next := r.holdersOn(s, true, key)[0].member().ID
			if transit.IsMarker(key) || next == id {
				continue
			}
			finished = false
			h.moveOne(transit.Redis{Client: c}, transit.Redis{Client: h.stage.clients[next[4]-'0']}, key)
		}
	}
	return finished
}

func (h *history) moveOne(o, n transit.Redis, key string) {
	ctx := h.t.Context()
	looks, err := n.Look(ctx, key)
	if err != nil {
		h.fail("mover: %v", err)
		return
	}
	values, err := o.Take(ctx, 0, key)
	if err != nil {
		h.fail("mover: %v", err)
		return
	}
	h.pauseAtRandom()
	results, err := n.Store(ctx, looks, values)
	if err != nil {
		h.fail("mover: %v", err)
		return
	}
	h.pauseAtRandom()
	if results[0].Outcome == transit.Present { // a read has copied it, if it is the same
		there, err := n.Take(ctx, 0, key)
		if err != nil || there[0].Payload != values[0].Payload {
			return
		}
	} else if results[0].Outcome != transit.Copied {
		return
	}
	if _, err := o.Remove(ctx, values...); err != nil {
		h.fail("mover: %v", err)
	}
}

// pauseAtRandom makes room between two steps for what others do.
func (h *history) pauseAtRandom() {
	if rand.IntN(3) == 0 {
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
	}
}

const keysOfWriter = 8

func keyOfWriter(writer, i int) string { return fmt.Sprintf("w%d:%d", writer, i) }

func (h *history) writer(id int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(id)))
	for n := 0; !h.stop.Load() && h.t.Context().Err() == nil; n++ {
		h.under.RLock()
		r := h.routers[rng.IntN(2)]
		key := keyOfWriter(id, rng.IntN(keysOfWriter))
		if rng.IntN(3) == 0 && h.sameView.TryRLock() {
			h.change(r.Redis, rng, key, n)
			h.sameView.RUnlock()
		} else {
			h.overwrite(r.Redis, rng, key, n)
		}
		h.ops.Add(1)
		h.under.RUnlock()
	}
}

// overwrite does something that does not depend on the value.
func (h *history) overwrite(r *Redis, rng *rand.Rand, key string, n int) {
	ctx, value, err := h.t.Context(), fmt.Sprintf("%s=%d", key, n), error(nil)
	switch rng.IntN(7) {
	case 0, 1:
		acknowledged := h.writes(key, value)
		err = r.Set(ctx, key, value, time.Duration(rng.IntN(2))*time.Hour).Err()
		acknowledged()
	case 2:
		before := h.latest(key)
		acknowledged := h.writes(key, "")
		var count int64
		if count, err = r.Del(ctx, key).Result(); (count == 1) != (before != "") && h.sameView.TryRLock() {
			h.fail("DEL %s returned %d, there was %q", key, count, before)
			h.sameView.RUnlock()
		}
		acknowledged()
	case 3:
		other := key + "+"
		first, second := h.writes(key, value), h.writes(other, value)
		err = r.MSet(ctx, key, value, other, value).Err()
		first()
		second()
	case 4:
		other := key + "+"
		first, second := h.writes(key, ""), h.writes(other, "")
		err = r.Unlink(ctx, key, other).Err()
		first()
		second()
	case 5:
		acknowledged := h.writes(key, value)
		_, err = r.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, key, "not for long", 0)
			p.Set(ctx, key, value, 0)
			return nil
		})
		acknowledged()
	case 6:
		h.readOne(r, rng, key)
	}
	if err != nil {
		h.fail("%s: %v", key, err)
	}
}

// change does something that depends on the value.
func (h *history) change(r *Redis, rng *rand.Rand, key string, n int) {
	ctx, before, err := h.t.Context(), h.latest(key), error(nil)
	value := before + "."
	if len(value) > 60 {
		value = ""
	}
	acknowledged := h.writes(key, value)
	defer acknowledged()
	switch {
	case value == "":
		var old string
		if old, err = r.GetDel(ctx, key).Result(); old != before {
			h.fail("GETDEL %s returned %q, there was %q", key, old, before)
		}
	case rng.IntN(3) == 0:
		_, err = r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Append(ctx, key, "."); return nil })
	case rng.IntN(2) == 0:
		err = r.Eval(ctx, "return redis.call('APPEND', KEYS[1], '.')", []string{key}).Err()
	default:
		err = r.Append(ctx, key, ".").Err()
	}
	if err != nil {
		h.fail("%s: %v", key, err)
	}
}

func (h *history) reader(id int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(100+id)))
	for !h.stop.Load() && h.t.Context().Err() == nil {
		h.under.RLock()
		h.readOne(h.routers[rng.IntN(2)].Redis, rng, keyOfWriter(rng.IntN(6), rng.IntN(keysOfWriter)))
		h.ops.Add(1)
		h.under.RUnlock()
	}
}

func (h *history) readOne(r *Redis, rng *rand.Rand, key string) {
	ctx, began := h.t.Context(), h.now()
	text := func(v any) string { s, _ := v.(string); return strings.TrimPrefix(s, "not for long") }
	switch rng.IntN(3) {
	case 0:
		v, err := r.Get(ctx, key).Result()
		h.checkRead("GET", key, v, err, began)
	case 1:
		keys := []string{key, key + "+"}
		values, err := r.MGet(ctx, keys...).Result()
		if err != nil || len(values) != 2 {
			h.fail("MGET %q: %v, %v", keys, values, err)
			return
		}
		for i, v := range values {
			if v != "not for long" {
				h.read("MGET", keys[i], text(v), began)
			}
		}
	case 2:
		var get *redis.StringCmd
		_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error { get = p.Get(ctx, key); return nil })
		h.checkRead("GET in a pipeline", key, get.Val(), err, began)
	}
}

func (h *history) checkRead(what, key, v string, err error, began int64) {
	switch {
	case err != nil && err != redis.Nil:
		h.fail("%s %s: %v", what, key, err)
	case v != "not for long": // of a pipeline under way
		h.read(what, key, v, began)
	}
}
