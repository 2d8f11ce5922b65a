package ledger

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/ringway/ringway/membership"
	"pgregory.net/rapid"
)

// naive finds the newest of each node by comparing all with all, and the largest
// stamp.
func naive(messages []Message) *Ledger {
	want := New()
	for _, m := range messages {
		want.clock = max(want.clock, m.Epoch)
		for _, r := range m.Records {
			want.clock = max(want.clock, r.Stamp)
			if old, known := want.records[r.ID]; !known || rank(r) > rank(old) {
				want.records[r.ID] = r
			}
		}
		for _, e := range m.Evictions {
			want.clock = max(want.clock, e.Stamp)
			place := func(e Eviction) string {
				return fmt.Sprintf("%08d %4s %08d %08d", e.Stamp, e.By, e.Generation, e.Since)
			}
			if old, known := want.evictions[e.ID]; !known || place(e) > place(old) {
				want.evictions[e.ID] = e
			}
		}
		for _, a := range m.Aborts {
			want.clock = max(want.clock, a.Stamp)
			place := func(a Abort) string { return fmt.Sprintf("%d %08d %4s %08d", a.Stage, a.Stamp, a.By, a.Since) }
			of := transition{a.Kind, a.Transition}
			if old, known := want.aborts[of]; !known || place(a) > place(old) {
				want.aborts[of] = a
			}
		}
	}
	return want
}

// rank orders the versions of a record as text.
func rank(r Record) string {
	var w writer
	w.record(r)
	return fmt.Sprintf("%08d %08d %x", r.Generation, r.Sequence, []byte(w))
}

// TestMergeInAnyOrder: whoever has seen the same changes has the same ledger, in
// whatever order and however often they came, and whoever passed them on: merging
// is commutative, associative and idempotent.
func TestMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := drawMessages(t)
		want := shown(naive(messages))
		if got := shown(merged(messages...)); got != want {
			t.Fatalf("in the order given:\n%s\nwant\n%s", got, want)
		}
		shuffled := rapid.Permutation(messages).Draw(t, "shuffled")
		if got := shown(merged(shuffled...)); got != want {
			t.Fatalf("in another order:\n%s\nwant\n%s", got, want)
		}
		at := rapid.IntRange(0, len(shuffled)).Draw(t, "split")
		left, right := merged(shuffled[:at]...), merged(shuffled[at:]...)
		relayed := clone(left)
		relayed.Merge(right.Message("c"))
		if got := shown(relayed); got != want {
			t.Fatalf("through another member:\n%s\nwant\n%s", got, want)
		}
		right.Merge(left.Message("c"))
		if got := shown(right); got != want {
			t.Fatalf("the other way round:\n%s\nwant\n%s", got, want)
		}
		for _, m := range append(shuffled, right.Message("c")) {
			if news := right.Merge(m); news.Records != nil || news.Evictions != nil || news.Aborts != nil {
				t.Fatalf("known already, but taken as news: %+v", news)
			}
		}
		if got := shown(right); got != want {
			t.Fatalf("once more:\n%s\nwant\n%s", got, want)
		}
	})
}

// TestNewsIsEnough: what Merge returns brings another member to the same ledger,
// so that only news needs to be passed on.
func TestNewsIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := New(), New()
		for _, m := range drawMessages(t) {
			news := first.Merge(m)
			if news.Cluster != m.Cluster {
				t.Fatalf("cluster of the news: %q", news.Cluster)
			}
			second.Merge(news)
			// Stamps of what is older may be missing, until the ledgers meet.
			second.Merge(Message{Epoch: first.Epoch()})
			if a, b := shown(first), shown(second); a != b {
				t.Fatalf("got\n%s\nwant\n%s", b, a)
			}
		}
	})
}

// TestEpochNeverGoesBack, whatever is merged and forgotten.
func TestEpochNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, before := New(), uint64(0)
		for _, m := range drawMessages(t) {
			l.Merge(m)
			if rapid.Bool().Draw(t, "forget") {
				l.Forget(rapid.Int64Range(0, 100).Draw(t, "before"))
			}
			if l.Epoch() < before || l.View().Epoch != l.Epoch() {
				t.Fatalf("epoch %d, view's %d, after %d", l.Epoch(), l.View().Epoch, before)
			}
			before = l.Epoch()
			for _, r := range m.Records {
				if l.Epoch() < r.Stamp {
					t.Fatalf("epoch %d below the stamp of %+v", l.Epoch(), r)
				}
			}
		}
	})
}

// TestEpochOutlivesItsRecord: the record with the largest stamp is replaced by
// one of a node that came back knowing less, or it is forgotten. A member that
// joins later must not count from below.
func TestEpochOutlivesItsRecord(t *testing.T) {
	replaced, forgotten := New(), New()
	replaced.MergeRecord(record("a", membership.Active, 50))
	back := record("a", membership.Joining, 3)
	back.Generation = 2
	replaced.MergeRecord(back)
	forgotten.MergeRecord(record("a", membership.Left, 50))
	forgotten.Forget(1)
	for name, l := range map[string]*Ledger{"replaced": replaced, "forgotten": forgotten} {
		late := New()
		late.Merge(l.Message("c"))
		if late.Epoch() != 50 {
			t.Errorf("%s: epoch %d of a member that joined later, want 50", name, late.Epoch())
		}
	}
}

// TestTwoOfOneName: two agents that speak for one node by mistake number their
// records alike; all members must still agree about one of them.
func TestTwoOfOneName(t *testing.T) {
	a, b := record("a", membership.Active, 5), record("a", membership.Active, 5)
	b.Address = "other:1"
	x, y := New(), New()
	x.MergeRecord(a)
	y.MergeRecord(b)
	x.MergeRecord(b)
	y.MergeRecord(a)
	if !reflect.DeepEqual(x.Records(), y.Records()) {
		t.Errorf("%v and %v", x.Records(), y.Records())
	}
	if _, known := x.Record("b"); known {
		t.Error("a record of nobody")
	}
}

func TestOrderOfWhatIsKnown(t *testing.T) {
	l := New()
	for _, id := range []string{"c", "a", "b"} {
		l.MergeRecord(record(id, membership.Active, 1))
		l.MergeEviction(Eviction{ID: id, Stamp: 1, By: "z"})
	}
	message, text := l.Message("fleet"), ""
	for _, r := range message.Records {
		text += r.ID
	}
	for _, e := range message.Evictions {
		text += e.ID
	}
	if text != "abcabc" || message.Cluster != "fleet" || message.Epoch != 1 {
		t.Errorf("got %+v", message)
	}
}

// TestWhatWasReadStays: what a ledger has given out does not change with it.
func TestWhatWasReadStays(t *testing.T) {
	l := New()
	l.MergeRecord(record("a", membership.Joining, 1))
	l.MergeEviction(Eviction{ID: "a", Stamp: 1, By: "z"})
	records, evictions := l.Records(), l.Evictions()
	l.MergeRecord(record("a", membership.Left, 2))
	l.MergeEviction(Eviction{ID: "a", Stamp: 2, By: "z"})
	if records[0].Stamp != 1 || evictions[0].Stamp != 1 {
		t.Errorf("was read before: %v, %v", records, evictions)
	}
	if l.Records()[0].Stamp != 2 || l.Evictions()[0].Stamp != 2 {
		t.Errorf("is read after: %v, %v", l.Records(), l.Evictions())
	}
	if l.Forget(1); len(l.Records())+len(l.Evictions()) != 0 {
		t.Errorf("is read once forgotten: %v, %v", l.Records(), l.Evictions())
	}
}
