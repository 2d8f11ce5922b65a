package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/membership"
)

// TestEvictionStands holds when an eviction takes a node out of the fleet.
func TestEvictionStands(t *testing.T) {
	for _, c := range []struct {
		rule      string
		purged    uint64   // of the node's record; 99: there is no record
		evictions []uint64 // stamps
		want      bool
	}{
		{"never evicted", 0, nil, false},
		{"evicted", 0, []uint64{5}, true},
		{"the purge answered an older one", 4, []uint64{5}, true},
		{"purged in answer to it", 5, []uint64{5}, false},
		{"purged in answer to a newer one", 6, []uint64{5}, false},
		{"evicted again, during or after the purge", 5, []uint64{5, 6}, true},
		{"an older one comes late", 6, []uint64{6, 5}, false},
		{"an eviction may come before the record", 99, []uint64{5}, true},
	} {
		l := New()
		if c.purged != 99 {
			r := record("a", membership.Active, 9)
			r.Purged = c.purged
			l.MergeRecord(r)
		}
		for _, stamp := range c.evictions {
			l.MergeEviction(Eviction{ID: "a", Generation: 1, Stamp: stamp, By: "b"})
		}
		if got := l.Evicted("a"); got != c.want {
			t.Errorf("%s: evicted %v, want %v", c.rule, got, c.want)
		}
		_, known := l.Record("a")
		if got := len(l.Members()) == 1; got != (known && !c.want) {
			t.Errorf("%s: in the view: %v", c.rule, got)
		}
		if e, known := l.Eviction("a"); known != (c.evictions != nil) || known && e.Stamp < c.evictions[0] {
			t.Errorf("%s: newest eviction %+v, %v", c.rule, e, known)
		}
	}
}

// TestReturnNeedsThePurge: a new generation alone does not lift an eviction.
func TestReturnNeedsThePurge(t *testing.T) {
	l := New()
	l.MergeRecord(record("a", membership.Active, 1))
	l.MergeEviction(Eviction{ID: "a", Generation: 1, Stamp: 2, By: "b"})
	back := record("a", membership.Active, 3)
	back.Generation = 2
	if l.MergeRecord(back); !l.Evicted("a") {
		t.Fatal("back without a purge")
	}
	back.Sequence, back.Purged = 4, 2
	if l.MergeRecord(back); l.Evicted("a") || len(l.Members()) != 1 {
		t.Fatal("not back in spite of a purge")
	}
	back.Generation, back.Purged = 3, 0 // an agent that has forgotten
	if l.MergeRecord(back); !l.Evicted("a") {
		t.Fatal("what is not said to be purged is not")
	}
}

// TestForget holds what is dropped: whatever is gone, if all that is known of it
// is old enough.
func TestForget(t *testing.T) {
	for _, c := range []struct {
		rule             string
		state            membership.State // "" for no record
		since            int64
		evicted, purged  uint64
		evictedAt        int64
		keepRec, keepEvi bool
	}{
		{"left long ago", membership.Left, 9, 0, 0, 0, false, false},
		{"left of late", membership.Left, 10, 0, 0, 0, true, false},
		{"active for long", membership.Active, 1, 0, 0, 0, true, false},
		{"evicted long ago", membership.Active, 1, 5, 0, 9, false, false},
		{"evicted of late", membership.Active, 1, 5, 0, 10, true, true},
		{"evicted long ago, changed of late", membership.Leaving, 10, 5, 0, 1, true, true},
		{"evicted long ago and back", membership.Active, 1, 5, 5, 1, true, true},
		{"evicted long ago, back, and left of late", membership.Left, 10, 5, 5, 1, true, true},
		{"evicted long ago, back, and left", membership.Left, 9, 5, 5, 1, false, false},
		{"an old eviction of nobody", "", 0, 5, 0, 9, false, false},
		{"a new eviction of nobody", "", 0, 5, 0, 10, false, true},
	} {
		l := New()
		if c.state != "" {
			r := record("a", c.state, 6)
			r.Since, r.Purged = c.since, c.purged
			l.MergeRecord(r)
		}
		if c.evicted != 0 {
			l.MergeEviction(Eviction{ID: "a", Stamp: c.evicted, Since: c.evictedAt, By: "b"})
		}
		before := l.Epoch()
		l.Forget(10)
		_, rec := l.Record("a")
		_, evi := l.Eviction("a")
		if rec != c.keepRec || evi != c.keepEvi || l.Epoch() != before {
			t.Errorf("%s: record kept %v, eviction kept %v, epoch %d", c.rule, rec, evi, l.Epoch())
		}
	}
}

// TestWhatIsForgottenMayComeBack: from a member that still knows it, and then as
// it was: an evicted node does not become a living one on the way.
func TestWhatIsForgottenMayComeBack(t *testing.T) {
	l := New()
	l.MergeRecord(record("a", membership.Active, 1))
	l.MergeEviction(Eviction{ID: "a", Stamp: 2, Since: 3, By: "b"})
	other := clone(l)
	l.Forget(10)
	if len(l.Records())+len(l.Evictions()) != 0 {
		t.Fatal("not forgotten")
	}
	if l.Merge(other.Message("c")); !l.Evicted("a") || len(l.Members()) != 0 {
		t.Error("the evicted node lives")
	}
}

// TestMemberOfRecord: what a view shows of a record.
func TestMemberOfRecord(t *testing.T) {
	r := Record{ID: "a", Kind: membership.Memcached, Address: "h:1", Zone: "z", Weight: 2, State: membership.Active,
		Step: membership.Importing, NextWeight: 3, Unhealthy: true, Generation: 4, Sequence: 5, Stamp: 6, Transition: 7}
	want := membership.Member{ID: "a", Kind: membership.Memcached, Address: "h:1", Zone: "z", Weight: 2, State: membership.Active,
		Step: membership.Importing, NextWeight: 3, Health: membership.Unhealthy, Generation: 4, Transition: 7}
	l := New()
	l.MergeRecord(r)
	if v := l.View(); len(v.Members) != 1 || v.Members[0] != want || v.Epoch != 6 {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

// TestValidate holds each limit, at it and beyond it.
func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		field   string
		good    func(*Record)
		bad     func(*Record)
		badToo  func(*Record)
		mention string
	}{
		{"ID", func(r *Record) { r.ID = long[:255] }, func(r *Record) { r.ID = long[:256] }, func(r *Record) { r.ID = "\xff" }, "ID"},
		{"ID", func(r *Record) {}, func(r *Record) { r.ID = "" }, func(r *Record) { r.ID = long }, "ID"},
		{"kind", func(r *Record) { r.Kind = membership.Memcached }, func(r *Record) { r.Kind = membership.Router }, func(r *Record) { r.Kind = "" }, "kind"},
		{"address", func(r *Record) { r.Address = long[:197] + ":80" }, func(r *Record) { r.Address = long[:198] + ":80" }, func(r *Record) { r.Address = "" }, "address"},
		{"address", func(r *Record) { r.Address = "unix:///s" }, func(r *Record) { r.Address = "nonsense" }, func(r *Record) { r.Address = "h:0:1" }, "address"},
		{"generation", func(r *Record) { r.Generation = MaxGeneration }, func(r *Record) { r.Generation = MaxGeneration + 1 }, func(r *Record) { r.Generation = 1 << 63 }, "generation"},
		{"since", func(r *Record) { r.Since = 253402300799 }, func(r *Record) { r.Since = 253402300800 }, func(r *Record) { r.Since = -1 << 62 }, "since"},
		{"address", func(r *Record) { r.Address = "é:1" }, func(r *Record) { r.Address = "\xc3:1" }, func(r *Record) { r.Address = long }, "address"},
		{"zone", func(r *Record) { r.Zone = long[:64] }, func(r *Record) { r.Zone = long[:65] }, func(r *Record) { r.Zone = "\xff" }, "zone"},
		{"weight", func(r *Record) { r.Weight = 1 << 20 }, func(r *Record) { r.Weight = 1<<20 + 1 }, func(r *Record) { r.Weight = 0 }, "weight"},
		{"weight", func(r *Record) { r.Weight = 5e-324 }, func(r *Record) { r.Weight = -1 }, func(r *Record) { r.Weight = nan() }, "weight"},
		{"state", func(r *Record) { r.State = membership.Left }, func(r *Record) { r.State = "" }, func(r *Record) { r.State = "DEAD" }, "state"},
		{"step", steps(membership.Active, membership.Announced, 2), steps(membership.Leaving, membership.Announced, 2), steps(membership.Active, membership.Leaving, 2), "step"},
		{"next weight", steps(membership.Active, membership.Importing, 2), steps(membership.Active, membership.Importing, 0), steps(membership.Active, "", 2), "next weight"},
		{"next weight", steps(membership.Active, "", 0), steps(membership.Active, "", negativeZero()), steps(membership.Active, membership.Announced, nan()), "next weight"},
		{"stamp", func(r *Record) { r.Stamp = MaxStamp }, func(r *Record) { r.Stamp = MaxStamp + 1 }, func(r *Record) { r.Stamp = 0 }, "stamp"},
		{"transition", func(r *Record) { r.Transition, r.Purged = MaxStamp, MaxStamp }, func(r *Record) { r.Transition = MaxStamp + 1 }, func(r *Record) { r.Purged = MaxStamp + 1 }, "purge"},
		{"returns", func(r *Record) { r.Returns = MaxReturns }, func(r *Record) { r.Returns = MaxReturns + 1 }, func(r *Record) { r.Returns = 255 }, "returns"},
	} {
		for i, change := range []func(*Record){c.good, c.bad, c.badToo} {
			r := record("a", membership.Active, 1)
			change(&r)
			err := r.Validate()
			if i == 0 && err != nil {
				t.Errorf("%s: %v", c.field, err)
			}
			if i > 0 && (err == nil || !strings.Contains(err.Error(), c.mention)) {
				t.Errorf("%s, case %d: got %v", c.field, i, err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("%s: an error of %d bytes", c.field, len(err.Error()))
			}
		}
	}
	for _, e := range []Eviction{{}, {ID: long, Stamp: 1}, {ID: "\xff", Stamp: 1}, {ID: "a"}, {ID: "a", Stamp: MaxStamp + 1},
		{ID: "a", Stamp: 1, By: long}, {ID: "a", Stamp: 1, By: "\xff"},
		{ID: "a", Stamp: 1, Generation: MaxGeneration + 1}, {ID: "a", Stamp: 1, Since: 1 << 60}} {
		mustFail(t, fmt.Sprintf("%.40v", e), e.Validate())
	}
	if err := (Eviction{ID: long[:255], Stamp: MaxStamp, By: long[:255]}).Validate(); err != nil {
		t.Error(err)
	}
}

func steps(state, step membership.State, next float64) func(*Record) {
	return func(r *Record) { r.State, r.Step, r.NextWeight = state, step, next }
}
