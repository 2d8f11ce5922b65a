package router

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// impatient gives up on a node that stands still before the test's patience ends.
var impatient = NodeConfig{DialTimeout: 400 * time.Millisecond, ReadTimeout: 400 * time.Millisecond}

var errNotYet = errors.New("the node does not answer yet")

// eventually waits for something that happens by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		if t.Context().Err() != nil {
			t.Fatal("never: ", what)
		}
	}
}

// TestFollowUpsThatFail: the second half of an operation cannot be done. What
// could be done before is acknowledged, the rest is repeated, and until then this
// router shows nobody the value that is no longer true.
func TestFollowUpsThatFail(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	plan := s.router(membership.PhaseAnnounced, Config{})
	for i, c := range []struct {
		name      string
		phase     membership.Phase
		call      func(ctx context.Context, r *Redis, key string) gave
		lost      int  // the node that does not answer
		fails     bool // the operation
		other     string
		otherNext string // and what it will be once the node answers
	}{
		{"SET, announced", membership.PhaseAnnounced, set, 2, false, "new", ""},
		{"DEL, announced", membership.PhaseAnnounced, del, 2, false, "", ""},
		{"APPEND, announced", membership.PhaseAnnounced, appendX, 2, false, "oldx", ""},
		{"SET, importing", membership.PhaseImporting, set, 0, false, "new", ""},
		{"DEL, importing", membership.PhaseImporting, del, 0, true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := s.moving(plan, i)
			s.put(0, key, "old")
			s.put(2, key, "old")
			r := s.router(c.phase, Config{Node: impatient, Breaker: BreakerConfig{Disabled: true}})
			// The node is cut off from this router alone.
			pay := r.spool.pay
			away := true
			gate := make(chan struct{}, 1)
			gate <- struct{}{}
			r.spool.pay = func(ctx context.Context, d debt) error {
				<-gate
				defer func() { gate <- struct{}{} }()
				if away {
					return errNotYet
				}
				return pay(ctx, d)
			}
			s.servers[c.lost].Stop()
			err := errorOf(c.call(ctx, r.Redis, key))
			s.servers[c.lost].Cont()
			if (err != "") != c.fails {
				t.Errorf("the operation: %q", err)
			}
			if owed := r.Stats(); owed[0].Owed+owed[1].Owed+owed[2].Owed != 1 {
				t.Errorf("owed: %+v", owed)
			}
			// Now the node answers, but was not told yet. What it has is stale.
			for _, phase := range []membership.Phase{c.phase, membership.PhaseImporting} {
				r.see(phase)
				if v, err := r.Get(ctx, key).Result(); v != c.other || (c.other == "") != (err == redis.Nil) {
					t.Errorf("in phase %v: %q, %v; want %q", phase, v, err, c.other)
				}
				if n := r.Exists(ctx, key, s.keyOf(r, "node1", "node1", "", 0)).Val(); (n == 1) != (c.other != "") {
					t.Errorf("in phase %v: EXISTS counts %d", phase, n)
				}
			}
			<-gate
			away = false
			gate <- struct{}{}
			eventually(t, "the debt is paid", func() bool { return r.spool.open.Load() == 0 })
			if got := s.at(c.lost, key); got != "" && got != c.other {
				t.Errorf("after the debt was paid the node has %q", got)
			}
			if v, _ := r.Get(ctx, key).Result(); v != c.other {
				t.Errorf("at last: %q, want %q", v, c.other)
			}
		})
	}
}

func errorOf(g gave) string { return g.Err }

// TestWriteAfterADebt: a node is told first, and written to then: a tombstone
// that came late would bury the value.
func TestWriteAfterADebt(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	ctx, key := t.Context(), s.moving(r, 0)
	s.put(2, key, "old")
	pay := r.spool.pay
	r.spool.pay = func(ctx context.Context, d debt) error { return errNotYet }
	r.spool.reserve("node2", key)
	r.spool.owe(debt{node: "node2", key: key, bury: true, transition: 7})
	if err := r.Set(ctx, key, "new", 0).Err(); !errors.Is(err, errNotYet) {
		t.Errorf("a write to a node that owes something on the key: %v", err)
	}
	if v, err := r.Get(ctx, key).Result(); err != redis.Nil {
		t.Errorf("a read of it: %q, %v", v, err)
	}
	r.spool.close() // nobody else pays, from here on
	r.spool.pay = pay
	if err := r.Set(ctx, key, "new", 0).Err(); err != nil || s.at(2, key) != "new" || r.spool.open.Load() != 0 {
		t.Errorf("%v, and there is %q", err, s.at(2, key))
	}
	// The transition ends with a debt: the new owner is not asked until it is
	// told, and after a while nobody cares.
	r.spool.pay = func(ctx context.Context, d debt) error {
		if err := r.payDebt(ctx, d); err == errForgiven {
			return err
		}
		return errNotYet
	}
	r.spool.reserve("node2", key)
	r.spool.owe(debt{node: "node2", key: key, bury: true, transition: 7})
	s.put(2, key, "old")
	r.see(done)
	if v, err := r.Get(ctx, key).Result(); err != redis.Nil {
		t.Errorf("after the end: %q, %v", v, err)
	}
	if v, err := r.MGet(ctx, key).Result(); err != nil && err != redis.Nil || len(v) > 0 && v[0] != nil {
		t.Errorf("after the end: %q, %v", v, err)
	}
	// However late: the node owns the key, and is not asked before it is told.
	s.put(2, key, "old")
	note := r.fleet.calm(r.fleet.current.Load().moving)
	if v, err := r.Get(ctx, key).Result(); note == nil || err != redis.Nil {
		t.Errorf("long after the end: %q, %v", v, err)
	}
	if r.fleet.calm(note) != note {
		t.Error("the note of the transition goes, with a debt left")
	}
	r.spool.pay = r.payDebt
	if v, err := r.Get(ctx, key).Result(); err != redis.Nil || s.at(2, key) != "" || r.spool.owing() {
		t.Errorf("the node can be told again: %q, %v, and there is %q", v, err, s.at(2, key))
	}
	if r.fleet.calm(note) != nil || r.fleet.current.Load().moving != nil {
		t.Error("a note of the transition stays, with no debt left")
	}
}

// TestDebtsOfNodesThatDoNotMatter: a node that does not own the key is not told once
// nobody asks it any more.
func TestDebtsOfNodesThatDoNotMatter(t *testing.T) {
	s := newStage(t)
	r := s.router(membership.PhaseImporting, Config{})
	key := s.moving(r, 0)
	s.put(0, key, "old")
	r.spool.close() // nobody pays by himself
	for _, node := range []string{"node0", "unknown"} {
		r.spool.reserve(node, key)
		r.spool.owe(debt{node: node, key: key, bury: true})
	}
	r.see(done)
	note := r.fleet.calm(r.fleet.current.Load().moving)
	if note == nil {
		t.Fatal("there is no note of the debts")
	}
	if err := r.spool.settleAll(t.Context()); err != nil || s.at(0, key) != "old" {
		t.Errorf("%v, and there is %q", err, s.at(0, key))
	}
}

// TestCloseTellsNodes: what nodes owe is told them before the router ends, and
// what cannot be told is said.
func TestCloseTellsNodes(t *testing.T) {
	s := newStage(t)
	plan := s.router(membership.PhaseImporting, Config{})
	for i, away := range []bool{false, true} {
		r := s.router(membership.PhaseImporting, Config{DrainTimeout: time.Second})
		key := s.moving(plan, i)
		s.put(2, key, "old")
		r.spool.close()
		r.spool.reserve("node2", key)
		r.spool.owe(debt{node: "node2", key: key, bury: true, transition: 7})
		if away {
			r.spool.pay = func(context.Context, debt) error { return errNotYet }
		}
		err := r.Close()
		if away != (err != nil) || away && !strings.Contains(err.Error(), "[node2]") || away != (s.at(2, key) == "old") {
			t.Errorf("away %t: %v, and there is %q", away, err, s.at(2, key))
		}
	}
}

// TestNoRoomForFollowUps: an operation whose second half might be lost for good
// is refused before its first half is done.
func TestNoRoomForFollowUps(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	for _, c := range []struct {
		phase membership.Phase
		node  string
	}{{membership.PhaseAnnounced, "node2"}, {membership.PhaseImporting, "node0"}} {
		r := s.router(c.phase, Config{})
		r.spool.limit = sizeOf("x")
		if !r.spool.reserve(c.node, "x") {
			t.Fatal("no room at all")
		}
		key := s.moving(r, int(c.phase))
		s.put(0, key, "41")
		for name, call := range map[string]func(context.Context, *Redis, string) gave{
			"SET": set, "DEL": del, "INCR": incr, "EVAL": script, "MULTI": transaction, "MSET": mset, "WATCH": watched,
		} {
			var failed *NodeError
			if err := call(ctx, r.Redis, key); err.Err == "" {
				t.Errorf("%v: %s was done", c.phase, name)
			}
			err := r.Set(ctx, key, 1, 0).Err()
			if !errors.Is(err, ErrBacklog) || !errors.As(err, &failed) || failed.Node != c.node {
				t.Errorf("%v: %v", c.phase, err)
			}
		}
		if v, err := r.Get(ctx, key).Result(); v != "41" || err != nil {
			t.Errorf("%v: a read: %q, %v", c.phase, v, err)
		}
		r.spool.release(c.node, "x")
		if err := r.Incr(ctx, key).Err(); err != nil {
			t.Errorf("%v: with room again: %v", c.phase, err)
		}
		if left := len(r.spool.accounts); left != 0 {
			t.Errorf("%v: %d reservations were not given back", c.phase, left)
		}
	}
}

// TestOwnersThatAreDown: which operations fail when the current or the next owner
// does not answer, and that a read is a miss where the policy says so.
func TestOwnersThatAreDown(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	plan := s.router(membership.PhaseImporting, Config{})
	keys := []string{s.moving(plan, 0), s.moving(plan, 1), s.moving(plan, 2)}
	for _, key := range keys {
		s.put(0, key, "old")
	}
	for _, lost := range []int{2, 0} {
		s.servers[lost].Stop()
		for _, policy := range []FailurePolicy{FailFast, Miss, Successor} {
			r := s.router(membership.PhaseImporting, Config{Node: impatient, Failure: FailureConfig{Policy: policy}, Breaker: BreakerConfig{Failures: 1, Delay: time.Hour}})
			v, err := r.Get(ctx, keys[0]).Result()
			var failed *NodeError
			switch isNode := errors.As(err, &failed) && failed.Node == []string{"node0", "", "node2"}[lost]; {
			case policy == FailFast && !isNode, policy != FailFast && err != redis.Nil:
				t.Errorf("node%d, policy %d: GET: %q, %v", lost, policy, v, err)
			}
			values, err := r.MGet(ctx, keys...).Result()
			var multi *MultiError
			switch isMulti := errors.As(err, &multi) && len(multi.Keys) == 3; {
			case policy == FailFast && !isMulti, policy != FailFast && (err != nil || !slices.Equal(values, []any{nil, nil, nil})):
				t.Errorf("node%d, policy %d: MGET: %v, %v", lost, policy, values, err)
			}
			for name, err := range map[string]error{"INCR": r.Incr(ctx, keys[1]).Err(), "EVAL": errorIn(script(ctx, r.Redis, keys[1]))} {
				if err == nil || err == redis.Nil {
					t.Errorf("node%d, policy %d: %s: %v", lost, policy, name, err)
				}
			}
		}
		s.servers[lost].Cont()
	}
	for _, key := range keys {
		if v, err := plan.Get(ctx, key).Result(); v != "old" || err != nil {
			t.Errorf("after all: %q, %v", v, err)
		}
	}
}

func errorIn(g gave) error {
	if g.Err == "" {
		return nil
	}
	return errors.New(g.Err)
}

// TestDebtsOfAnotherTransition: a node that is given a key back has been swept of what
// it was to be told to forget, and is not told: the key is another one by now.
func TestDebtsOfAnotherTransition(t *testing.T) {
	s := newStage(t)
	plan := s.router(membership.PhaseImporting, Config{})
	key := s.moving(plan, 0) // from node0 to node2, which here is the way back
	for _, c := range []struct {
		phase      membership.Phase
		transition uint64
		want       error
	}{
		{membership.PhaseImporting, 5, errForgiven},
		{membership.PhaseImporting, 7, nil},
		{membership.PhaseImporting, membership.RollbackOf(7), nil},
		{membership.PhaseAnnounced, 5, nil}, // it is not swept yet
	} {
		r := s.router(c.phase, Config{})
		s.put(2, key, "came back")
		err := r.payDebt(t.Context(), debt{node: "node2", key: key, bury: true, kind: transit.Open, transition: c.transition})
		if kept := s.at(2, key) == "came back"; err != c.want || kept != (c.want != nil) {
			t.Errorf("%v, transition %d: %v, the key is kept: %v", c.phase, c.transition, err, kept)
		}
		// A node that owns the key now has to be told, whenever it was.
		s.put(0, key, "old")
		if err := r.payDebt(t.Context(), debt{node: "node0", key: key, transition: c.transition}); err != nil || s.at(0, key) != "" {
			t.Errorf("%v, transition %d, its owner: %v, %q", c.phase, c.transition, err, s.at(0, key))
		}
	}
}
