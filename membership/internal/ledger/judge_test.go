package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// fleetOf writes a ledger from words such as "a", an active node, "b:LEAVING" and
// "c:unhealthy", an active one whose server does not answer.
func fleetOf(words string) *Ledger {
	l := New()
	for _, word := range strings.Fields(words) {
		id, state, _ := strings.Cut(word, ":")
		r := record(id, membership.Active, 1)
		if r.Unhealthy = state == "unhealthy"; !r.Unhealthy && state != "" {
			r.State = membership.State(state)
		}
		l.MergeRecord(r)
	}
	return l
}

// TestJudge lets one agent judge for 100 s, once a second. EvictAfter is 30 s,
// Stagger 2 s. Each part of a script says from when on which nodes are not seen.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		rule   string
		fleet  string
		me     string
		unseen string // "10 b c, 40" : from second 10 on b and c, from 40 on nobody
		want   string // "b@40": evicted in second 40
	}{
		{"nobody is bad", "a b c", "a", "", ""},
		{"dead for EvictAfter", "a b c", "a", "10 b", "b@40"},
		{"not a second less", "a b c", "a", "10 b, 39", ""},
		{"unhealthy is as bad as dead", "a b:unhealthy c", "a", "", "b@30"},
		{"dead and unhealthy too", "a b:unhealthy c", "a", "10 b, 25", "b@30"},
		{"a pause begins anew", "a b c", "a", "10 b, 30, 31 b", "b@61"},
		{"each node has its own time", "a b c d e", "a", "10 b, 20 b c", "b@40 c@50"},
		{"half of the ring: freeze", "a b c d", "a", "10 c d", ""},
		{"one of two: freeze", "a b", "a", "10 b", ""},
		{"less than half: freeze", "a b c d e", "a", "10 c d e", ""},
		{"just more than half", "a b c d e", "a", "10 d e", "d@40 e@40"},
		{"alone, nobody to judge", "a", "a", "", ""},
		{"me is never judged", "a:unhealthy b c", "a", "", ""},
		{"me counts as seen although gossip has no me", "a b c", "b", "10 b c", "c@42"},
		{"an unhealthy node counts as seen", "a b:unhealthy c:unhealthy d e", "a", "10 d", "b@30 c@30 d@40"},
		{"JOINING and LEFT are never judged", "a b:JOINING c:LEFT", "a", "10 b c", ""},
		{"ANNOUNCED and IMPORTING are", "a b:ANNOUNCED c:IMPORTING", "a", "10 b c", "b@40 c@40"},
		{"LEAVING and EXPORTING too", "a b:LEAVING c:EXPORTING d e", "a", "10 b c", "b@40 c@40"},
		{"those that leave do not count", "a b c:LEAVING d:EXPORTING", "a", "10 c d", "c@40 d@40"},
		{"and cannot judge those that stay", "a b c:LEAVING d:EXPORTING e:LEAVING", "c", "10 a b", ""},
		{"only owners make the majority", "a b c:ANNOUNCED d:ANNOUNCED e:JOINING", "a", "10 b", ""},
		{"newcomers are not missed for it", "a b c:ANNOUNCED d:IMPORTING", "a", "10 c d", "c@40 d@40"},
		{"nobody owns keys: freeze", "a:ANNOUNCED b:ANNOUNCED", "a", "10 b", ""},
		{"who owns nothing may judge", "a:JOINING b c d", "a", "10 d", "d@40"},
		{"who is not known may judge", "b c d", "r", "10 d", "d@44"},
		{"stagger for each living node before me", "a b c d e", "d", "10 e", "e@46"},
		{"a dead one before me does not stagger", "a b c d e", "c", "10 a", "a@42"},
		{"those that the fleet does not count on do not stagger", "a:JOINING b:LEFT c d e", "d", "10 e", "e@42"},
		{"a freeze begins anew: the rest may only be late", "a b c d e", "a", "10 b c d e, 50 d e, 60", ""},
		{"and then all of the time is needed", "a b c d e", "a", "10 b c d e, 50 d e", "d@80 e@80"},
		{"the cut-off side freezes for good", "a b c d e", "e", "10 a b c", ""},
	} {
		l := fleetOf(c.fleet)
		if got := judged(l, c.me, c.unseen, nil); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

// judged returns who is evicted when, as told in the unseen script. The judge's
// word is put into the ledger, unless another one does: then it hears of that.
func judged(l *Ledger, me, unseen string, each func(second int)) string {
	judge := Judge{EvictAfter: 30 * time.Second, Stagger: 2 * time.Second}
	var said []string
	for second := range 100 {
		if each != nil {
			each(second)
		}
		absent := absentAt(unseen, second)
		now := time.Unix(1e6+int64(second), 0)
		for _, id := range judge.Tick(now, l, me, func(id string) bool { return id != me && !slices.Contains(absent, id) }) {
			said = append(said, fmt.Sprintf("%s@%d", id, second))
			r, _ := l.Record(id)
			l.MergeEviction(Eviction{ID: id, Generation: r.Generation, Stamp: l.Epoch() + 1, Since: now.Unix(), By: me})
		}
	}
	return strings.Join(said, " ")
}

func absentAt(unseen string, second int) (absent []string) {
	for part := range strings.SplitSeq(unseen, ",") {
		words := strings.Fields(part)
		var from int
		if len(words) == 0 {
			continue
		}
		if _, err := fmt.Sscan(words[0], &from); err != nil {
			panic(err)
		}
		if from <= second {
			absent = words[1:]
		}
	}
	return absent
}

// TestJudgeWhileTheLedgerChanges: what others say in the meantime.
func TestJudgeWhileTheLedgerChanges(t *testing.T) {
	at := func(when int, do func()) func(int) {
		return func(second int) {
			if second == when {
				do()
			}
		}
	}
	evict := func(l *Ledger, id string) func() {
		return func() { l.MergeEviction(Eviction{ID: id, Generation: 1, Stamp: l.Epoch() + 1, By: "z"}) }
	}
	l := fleetOf("a b c")
	if got := judged(l, "a", "10 b", at(39, evict(l, "b"))); got != "" {
		t.Errorf("another one was faster: got %q", got)
	}
	l = fleetOf("a b c d e")
	if got := judged(l, "a", "10 c d e", at(20, evict(l, "e"))); got != "" {
		t.Errorf("half of those that are left: got %q", got)
	}
	l = fleetOf("a b c d e")
	if got := judged(l, "a", "10 c d e", func(second int) {
		at(20, evict(l, "d"))(second)
		at(20, evict(l, "e"))(second)
	}); got != "c@50" {
		t.Errorf("the ring is now one of three: got %q", got)
	}
	l = fleetOf("a b c")
	if got := judged(l, "a", "10 b", at(20, func() {
		back := record("b", membership.Joining, 2)
		l.MergeRecord(back)
	})); got != "" {
		t.Errorf("it says that it begins anew: got %q", got)
	}
	l = fleetOf("a b:unhealthy c")
	if got := judged(l, "a", "", at(20, func() {
		l.MergeRecord(record("b", membership.Active, 2))
	})); got != "" {
		t.Errorf("its server answers again: got %q", got)
	}
}

// TestMuster holds who counts when a member asks whether it sees most of the ring.
func TestMuster(t *testing.T) {
	for _, c := range []struct {
		rule, fleet, present, evicted string
		here, stay                    int
	}{
		{"nobody", "", "", "", 0, 0},
		{"those that stay", "a b c", "a c", "", 2, 3},
		{"an unhealthy one is there as long as its agent is", "a b:unhealthy c", "a b", "", 2, 3},
		{"those that leave do not count, there or not", "a b c:LEAVING d:EXPORTING e:LEFT", "a c e", "", 1, 2},
		{"nor do those that come", "a b:JOINING c:ANNOUNCED d:IMPORTING", "a b c", "", 1, 1},
		{"nor do evicted ones", "a b c", "a b", "b", 1, 2},
		{"who is not known does not count", "a", "a z", "", 1, 1},
	} {
		l := fleetOf(c.fleet)
		if c.evicted != "" {
			l.MergeEviction(Eviction{ID: c.evicted, Stamp: l.Epoch() + 1, By: "a"})
		}
		here, stay := l.Muster(func(id string) bool { return slices.Contains(strings.Fields(c.present), id) })
		if here != c.here || stay != c.stay {
			t.Errorf("%s: got %d of %d, want %d of %d", c.rule, here, stay, c.here, c.stay)
		}
	}
}

// TestJudgeRepeats: until its word is known, a judge keeps to it.
func TestJudgeRepeats(t *testing.T) {
	judge, l := Judge{EvictAfter: time.Second}, fleetOf("a c b d e")
	alive := func(id string) bool { return id != "b" && id != "c" }
	start := time.Unix(1e6, 0)
	if got := judge.Tick(start, l, "a", alive); got != nil {
		t.Fatal(got)
	}
	for i := range 3 {
		if got := judge.Tick(start.Add(time.Second), l, "a", alive); strings.Join(got, "") != "bc" {
			t.Errorf("time %d: got %v, want b and c", i, got)
		}
	}
}
