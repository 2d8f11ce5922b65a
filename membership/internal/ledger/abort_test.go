package ledger

import (
	"slices"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"pgregory.net/rapid"
)

// TestAfter: what an abort makes of the record of each node.
func TestAfter(t *testing.T) {
	back := membership.RollbackOf(7)
	for _, c := range []struct {
		is, step            membership.State
		withdrawn, turned   membership.State
		stepThen, stepTurns membership.State
	}{
		{is: membership.Joining, withdrawn: membership.Joining, turned: membership.Joining},
		{is: membership.Announced, withdrawn: membership.Left, turned: membership.Exporting},
		{is: membership.Importing, withdrawn: membership.Left, turned: membership.Exporting},
		{is: membership.Active, withdrawn: membership.Active, turned: membership.Active},
		{is: membership.Leaving, withdrawn: membership.Active, turned: membership.Importing},
		{is: membership.Exporting, withdrawn: membership.Active, turned: membership.Importing},
		{is: membership.Left, withdrawn: membership.Left, turned: membership.Left},
		{is: membership.Active, step: membership.Announced, withdrawn: membership.Active, turned: membership.Active, stepTurns: membership.Importing},
		{is: membership.Active, step: membership.Importing, withdrawn: membership.Active, turned: membership.Active, stepTurns: membership.Importing},
	} {
		r := record("a", c.is, 9)
		r.Transition, r.Step = 7, c.step
		if c.step != "" {
			r.NextWeight = 4
		}
		if got := r.After(Halted); got != r {
			t.Errorf("%s%s, halted: %+v", c.is, c.step, got)
		}
		got := r.After(Withdrawn)
		if got.State != c.withdrawn || got.Step != "" || got.NextWeight != 0 || got.Weight != 1 || got.Validate() != nil || got.moving() {
			t.Errorf("%s%s, withdrawn: %+v", c.is, c.step, got)
		}
		got = r.After(Turned)
		if got.State != c.turned || got.Step != c.stepTurns || got.Validate() != nil || got.moving() != r.moving() {
			t.Errorf("%s%s, turned: %+v", c.is, c.step, got)
		}
		if r.moving() && got.Transition != back || c.step != "" && (got.Weight != 4 || got.NextWeight != 1) {
			t.Errorf("%s%s, turned: %+v", c.is, c.step, got)
		}
		if got.After(Turned) != got && got.Transition == back {
			t.Errorf("%s%s, turned twice: %+v", c.is, c.step, got.After(Turned))
		}
	}
}

// TestTurnExchangesTheRings: whatever takes part in a transition whose keys move,
// its rollback leads from the next ring to the current one; in one step, and the
// same whether or not the agents have followed with records of their own.
func TestTurnExchangesTheRings(t *testing.T) {
	const number = 3
	rapid.Check(t, func(t *rapid.T) {
		l, ids := New(), []string{"a", "b", "c", "d", "e"}
		for i, id := range ids {
			r := record(id, rapid.SampledFrom([]membership.State{
				membership.Active, membership.Importing, membership.Exporting, membership.Joining, membership.Left,
			}).Draw(t, "state of "+id), uint64(i+1))
			r.Transition = number
			if r.State == membership.Active && rapid.Bool().Draw(t, "reweighed") {
				r.Step, r.NextWeight = membership.Importing, 2
			}
			l.MergeRecord(r)
		}
		before := l.View()
		_, phase := before.Transition(membership.Redis)
		l.MergeAbort(Abort{Kind: membership.Redis, Transition: number, Stage: Turned, Stamp: 20})
		check := func(v membership.View) {
			got, gotPhase := v.Transition(membership.Redis)
			if phase == membership.Stable {
				return
			}
			if of, is := membership.IsRollback(got); !is || of != number || gotPhase != membership.PhaseImporting {
				t.Fatalf("transition %d, %v", got, gotPhase)
			}
			if !slices.Equal(v.Current(membership.Redis), before.Next(membership.Redis)) || !slices.Equal(v.Next(membership.Redis), before.Current(membership.Redis)) {
				t.Fatalf("from %+v\nto   %+v", before.Members, v.Members)
			}
		}
		check(l.View())
		told := New() // has heard of the records only
		for _, r := range slices.Clone(l.Counting()) {
			if r.moving() {
				r.Sequence += 10
			}
			if l.MergeRecord(r); rapid.Bool().Draw(t, "told") {
				told.MergeRecord(r)
			}
			check(l.View())
		}
		for _, r := range told.Records() {
			if stage, has := told.Abort(membership.Redis, number); r.moving() && (!has || stage != Turned) {
				t.Fatalf("%+v tells of no abort", r)
			}
		}
	})
}

// TestOneTurnedRecordTurnsAll: the record of a node that has turned may come
// before the abort itself, and rings that are half turned would never have been.
func TestOneTurnedRecordTurnsAll(t *testing.T) {
	l := New()
	for _, id := range []string{"a", "b", "c"} {
		r := record(id, membership.Importing, 5)
		if r.Transition = 3; id == "a" {
			r.State = membership.Active
		}
		l.MergeRecord(r)
	}
	turned := record("b", membership.Exporting, 8)
	turned.Transition = membership.RollbackOf(3)
	l.MergeRecord(turned)
	if got := l.View().Next(membership.Redis); !slices.Equal(got, []ring.Node{{ID: "a", Weight: 1}}) {
		t.Errorf("next ring %v, want a alone", got)
	}
	if got := len(l.View().Current(membership.Redis)); got != 3 {
		t.Errorf("%d nodes own keys, want 3", got)
	}
}

// TestForgetAborts: those that a record is still of are kept.
func TestForgetAborts(t *testing.T) {
	l := New()
	r := record("a", membership.Active, 5)
	r.Transition = membership.RollbackOf(3)
	l.MergeRecord(r)
	for _, number := range []uint64{2, 3, 4} {
		l.MergeAbort(Abort{Kind: membership.Redis, Transition: number, Stage: Halted, Stamp: 6, Since: int64(10 * number)})
	}
	l.Forget(35)
	var left []uint64
	for _, a := range l.Aborts() {
		left = append(left, a.Transition)
	}
	if !slices.Equal(left, []uint64{3, 4}) {
		t.Errorf("left %v, want 3 and 4", left)
	}
}

// TestAbortValidate refuses what no agent would send.
func TestAbortValidate(t *testing.T) {
	good := Abort{Kind: membership.Redis, Transition: 3, Stage: Turned, Stamp: 4, By: "a"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Abort){
		"kind":       func(a *Abort) { a.Kind = membership.Router },
		"transition": func(a *Abort) { a.Transition = 0 },
		"rollback":   func(a *Abort) { a.Transition = membership.RollbackOf(3) },
		"stage":      func(a *Abort) { a.Stage = 4 },
		"stamp":      func(a *Abort) { a.Stamp = MaxStamp + 1 },
		"judge":      func(a *Abort) { a.By = "\xff" },
	} {
		bad := good
		change(&bad)
		mustFail(t, name, bad.Validate())
	}
}
