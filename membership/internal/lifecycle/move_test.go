package lifecycle

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// TestKeysMayMove holds what comes between ANNOUNCED and IMPORTING: all who must
// know of the transition know of it, and nobody who receives keys holds old ones.
func TestKeysMayMove(t *testing.T) {
	for _, r := range []rule{
		{"Dwell has passed since the announcement", func(s *stage) {
			s.says("b", swept(s.announce()))
			s.live(11 * second)
			s.want(membership.Announced)
			s.wantWaits("the announcement to reach everybody")
			s.live(1 * second)
			s.want(membership.Importing)
			s.check(s.said.Transition == s.said.Swept && s.said.Stamp > s.said.Transition, "%+v", s.said)
		}},
		{"since the last announcement of the transition", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.live(8 * second)
			s.says("c", ready(membership.Announced, number))
			s.live(12 * second)
			s.want(membership.Announced)
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"or since one withdrew: that changes the next ring too", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.says("c", takesPart(membership.Announced, number))
			s.live(8 * second)
			s.other("c", membership.Joining)
			s.live(12 * second)
			s.want(membership.Announced)
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"and one that withdrew and came back is a new one", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			again := func(r *ledger.Record) {
				ready(membership.Announced, number)(r)
				r.Generation++
			}
			s.says("c", again)
			s.live(8 * second)
			s.says("c", again)
			s.live(12 * second)
			s.want(membership.Announced)
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"one that goes on first does not make the others wait anew", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.says("c", ready(membership.Announced, number))
			s.live(12 * second)
			s.says("c", takesPart(membership.Importing, number))
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"visible routers have seen it", func(s *stage) {
			s.in.RoutersSeen = s.in.Ledger.Epoch()
			number := s.announce()
			s.says("b", swept(number))
			s.in.RoutersSeen = number - 1
			s.live(20 * second)
			s.want(membership.Announced)
			s.wantWaits("routers")
			s.in.RoutersSeen = number
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"and all others who take part", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.says("c", ready(membership.Announced, number))
			s.in.RoutersSeen = s.in.Ledger.Epoch() - 1
			s.live(20 * second)
			s.want(membership.Announced)
			s.in.RoutersSeen++
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"MaxDwell ends the waiting for routers", func(s *stage) {
			s.in.RoutersSeen = 0
			s.says("b", swept(s.announce()))
			s.live(29 * second)
			s.want(membership.Announced)
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"a transition that goes first has ended, and then Dwell has passed again", func(s *stage) {
			number := s.announce()
			s.says("c", takesPart(membership.Announced, number-1))
			s.live(time.Minute)
			s.want(membership.Announced)
			s.wantWaits("an earlier transition to end")
			s.says("c", func(r *ledger.Record) {
				takesPart(membership.Active, number-1)(r)
				r.Swept = number
			})
			s.says("b", swept(number))
			s.live(12 * second)
			s.want(membership.Announced)
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"of two that nobody has begun to move the smaller goes first", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.says("c", takesPart(membership.Announced, number+1))
			s.live(13 * second)
			s.want(membership.Importing)
		}},
	} {
		r.test(t)
	}
}

// TestAllSwept holds who must have swept before keys move: the nodes of the next
// ring, and no others.
func TestAllSwept(t *testing.T) {
	for _, c := range []struct {
		says  string
		other func(r *ledger.Record, transition uint64)
		waits bool
	}{
		{"ACTIVE", func(r *ledger.Record, n uint64) { r.State = membership.Active }, true},
		{"ACTIVE, swept for another transition", func(r *ledger.Record, n uint64) { r.State, r.Swept = membership.Active, n+1 }, true},
		{"ACTIVE and swept", func(r *ledger.Record, n uint64) { r.State, r.Swept = membership.Active, n }, false},
		{"ACTIVE and unhealthy", func(r *ledger.Record, n uint64) { r.State, r.Unhealthy = membership.Active, true }, true},
		{"changes its weight", func(r *ledger.Record, n uint64) {
			r.State, r.Step, r.NextWeight, r.Transition = membership.Active, membership.Announced, 2, n
		}, true},
		{"LEAVING in this transition", func(r *ledger.Record, n uint64) { takesPart(membership.Leaving, n)(r) }, false},
		{"EXPORTING in this transition", func(r *ledger.Record, n uint64) { takesPart(membership.Exporting, n)(r) }, false},
		{"LEAVING in another one, so it still receives", func(r *ledger.Record, n uint64) { takesPart(membership.Leaving, n+1)(r) }, true},
		{"ANNOUNCED in this transition, not empty", func(r *ledger.Record, n uint64) { takesPart(membership.Announced, n)(r) }, true},
		{"ANNOUNCED in another one", func(r *ledger.Record, n uint64) { takesPart(membership.Announced, n+1)(r) }, false},
		{"JOINING", func(r *ledger.Record, n uint64) {}, false},
		{"LEFT", func(r *ledger.Record, n uint64) { r.State = membership.Left }, false},
		{"of another kind", func(r *ledger.Record, n uint64) { r.State, r.Kind = membership.Active, membership.Memcached }, false},
	} {
		rule{c.says, func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			s.says("c", func(r *ledger.Record) { c.other(r, number) })
			s.live(time.Minute)
			want := membership.Importing
			if c.waits {
				want = membership.Announced
				s.wantWaits("c to sweep")
			}
			s.want(want)
			if c.waits { // until it is evicted
				s.evict("c")
				s.live(15 * second)
				s.want(membership.Importing)
			}
		}}.test(t)
	}
}

// TestAllHandedOver holds whom a node waits for before it is ACTIVE: everybody
// who owns keys.
func TestAllHandedOver(t *testing.T) {
	for _, c := range []struct {
		says  string
		other func(r *ledger.Record, transition uint64)
		done  bool
		waits bool
	}{
		{"ACTIVE", func(r *ledger.Record, n uint64) { r.State = membership.Active }, false, true},
		{"ACTIVE, done with something else", func(r *ledger.Record, n uint64) { r.State, r.Done = membership.Active, n }, false, true},
		{"ACTIVE and done", func(r *ledger.Record, n uint64) { r.State = membership.Active }, true, false},
		{"EXPORTING in the same transition", func(r *ledger.Record, n uint64) { takesPart(membership.Exporting, n)(r) }, false, true},
		{"LEAVING in another one", func(r *ledger.Record, n uint64) { takesPart(membership.Leaving, n+1)(r) }, false, true},
		{"IMPORTING too", func(r *ledger.Record, n uint64) { takesPart(membership.Importing, n)(r) }, false, false},
		{"JOINING", func(r *ledger.Record, n uint64) {}, false, false},
		{"LEFT", func(r *ledger.Record, n uint64) { r.State = membership.Left }, false, false},
		{"of another kind", func(r *ledger.Record, n uint64) { r.State, r.Kind = membership.Active, membership.Memcached }, false, false},
	} {
		rule{c.says, func(s *stage) {
			number := s.imports()
			s.live(time.Minute)
			s.want(membership.Importing)
			s.wantWaits("b to hand keys over")
			s.says("c", func(r *ledger.Record) { c.other(r, number) })
			if s.handsOver("b"); c.done {
				s.handsOver("c")
			}
			s.live(time.Minute)
			if !c.waits {
				s.want(membership.Active)
				s.check(s.said.Stamp > number && s.said.Step == "" && s.said.Weight == 1, "%+v", s.said)
				return
			}
			s.want(membership.Importing)
			s.evict("c") // which is then waited for no more
			s.handsOver("b")
			s.step()
			s.want(membership.Active)
		}}.test(t)
	}
}

// TestNextRingChanges while keys move: what was handed over before that does not
// count any more.
func TestNextRingChanges(t *testing.T) {
	for _, r := range []rule{
		{"a newcomer waits for owners to hand over once more", func(s *stage) {
			number := s.imports()
			s.handsOver("b")
			s.says("c", takesPart(membership.Importing, number)) // before n has heard that b is done
			s.live(time.Minute)
			s.want(membership.Importing)
			s.handsOver("b")
			s.live(1 * second)
			s.want(membership.Active)
		}},
		{"who leaves hands over once more", func(s *stage) {
			number := s.leaving()
			s.says("b", swept(number))
			s.live(12 * second)
			s.pass(1 * second)
			s.wantTask(HandOver, number)
			s.other("c", membership.Active)
			s.work() // the answer is to what was asked before
			s.step()
			s.want(membership.Exporting)
			s.check(s.said.Done != 0 && s.said.Done != s.next(), "%+v", s.said)
			s.live(3 * second)
			s.want(membership.Left)
		}},
		{"the mover is told to give up, and asked anew", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.pass(2 * second)
			s.wantTask(HandOver, 50)
			s.evict("b")
			s.pass(1 * second)
			s.wantTask(Nothing, 0)
			s.m.HandedOver(50)
			s.pass(1 * second)
			s.check(s.said.Done == 0, "what was given up counts: %+v", s.said)
			s.wantTask(HandOver, 50)
			s.work()
			s.step()
			s.check(s.said.Done == s.next(), "%+v", s.said)
			s.says("d", takesPart(membership.Importing, 50))
			s.pass(1 * second)
			s.wantTask(HandOver, 50)
		}},
		{"an answer that comes after the end of the transition counts for nothing", func(s *stage) {
			s.activate()
			before := s.said.Done
			s.says("c", takesPart(membership.Importing, 50))
			s.pass(1 * second)
			s.wantTask(HandOver, 50)
			s.says("c", takesPart(membership.Active, 50))
			s.pass(1 * second)
			s.m.HandedOver(50)
			s.pass(1 * second)
			s.check(s.said.Done == before, "%+v", s.said)
		}},
		{"one that has ended its part changes nothing", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.says("d", takesPart(membership.Exporting, 50))
			s.live(2 * second)
			s.check(s.said.Done == s.next(), "%+v", s.said)
			s.says("c", takesPart(membership.Active, 50))
			s.m.HandedOver(50) // once more, by a mover that was slow to give up
			s.pass(1 * second)
			s.wantTask(Nothing, 0)
			s.check(s.said.Done == s.next(), "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

// TestNameOf: members compare these names, so they are a promise as bytes on the
// wire are.
func TestNameOf(t *testing.T) {
	nodes := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}
	const want = 0xca736ed7577b47be
	if got := nameOf(7, nodes); got != want {
		t.Errorf("got %#x, want %#x", got, uint64(want))
	}
	if got := nameOf(7, []ring.Node{nodes[1], nodes[0]}); got != want {
		t.Errorf("the order matters: %#x", got)
	}
	for i, other := range []uint64{nameOf(8, nodes), nameOf(7, nodes[:1]), nameOf(7, nil), nameOf(7, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}}),
		nameOf(7, []ring.Node{{ID: "a", Weight: 1}, {ID: "c", Weight: 2}})} {
		if other == want || other == 0 {
			t.Errorf("case %d: %#x", i, other)
		}
	}
}

// TestTooLate: members that did not hear of each other in time.
func TestTooLate(t *testing.T) {
	for _, r := range []rule{
		{"keys have moved without the newcomer: it begins a transition of its own", func(s *stage) {
			number := s.announce()
			s.says("c", takesPart(membership.Active, number))
			s.says("b", swept(number))
			s.live(1 * second)
			s.want(membership.Announced)
			next := s.said.Transition
			s.check(next > number && s.said.Stamp >= next && s.said.Swept == next, "%+v", s.said)
			s.live(time.Minute)
			s.want(membership.Announced)
			s.wantWaits("sweep")
			s.says("b", swept(next))
			s.says("c", swept(next))
			s.live(1 * second)
			s.want(membership.Importing)
			s.live(time.Minute)
			s.want(membership.Importing)
			s.handsOver("b")
			s.handsOver("c")
			s.live(1 * second)
			s.want(membership.Active)
		}},
		{"where nobody owned keys before, none has moved: it goes on", func(s *stage) {
			number := s.alone().announce()
			s.says("c", ready(membership.Active, number))
			s.liveTo(membership.Importing, 15*second)
			s.check(s.said.Transition == number, "%+v", s.said)
		}},
		{"the one that leaves begins a transition of its own too", func(s *stage) {
			s.activate()
			s.in.Leave = true
			s.liveTo(membership.Leaving, 2*second)
			number := s.said.Transition
			s.says("b", swept(number))
			s.says("c", takesPart(membership.Active, number))
			s.live(1 * second)
			s.want(membership.Leaving)
			s.check(s.said.Transition > number, "%+v", s.said)
		}},
		{"and the one that changes its weight", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.live(1 * second)
			number := s.said.Transition
			s.says("b", swept(number))
			s.says("c", takesPart(membership.Active, number))
			s.live(1 * second)
			s.check(s.said.Transition > number && s.said.Step == membership.Announced && s.said.NextWeight == 2, "%+v", s.said)
		}},
		{"two transitions move keys: what came in the one that goes second is old, and the newcomer purges", func(s *stage) {
			number := s.imports()
			s.keys = 3
			s.says("c", takesPart(membership.Importing, number-1))
			s.step()
			s.want(membership.Joining)
			s.step()
			s.wantTask(Purge, 0)
			s.check(s.said.State == membership.Joining && s.said.Transition == 0, "%+v", s.said)
			s.says("c", takesPart(membership.Active, number-1))
			s.announce()
			s.check(s.purges == 1, "%d purges", s.purges)
		}},
		{"the newcomer that goes first goes on", func(s *stage) {
			number := s.imports()
			s.says("c", takesPart(membership.Importing, number+1))
			s.live(1 * second)
			s.want(membership.Importing)
		}},
		{"who leaves in the one that goes second begins anew, so that others sweep again", func(s *stage) {
			s.activate()
			s.in.Leave = true
			s.liveTo(membership.Leaving, 2*second)
			number := s.said.Transition
			s.says("b", swept(number))
			s.live(12 * second)
			s.want(membership.Exporting)
			s.says("c", takesPart(membership.Importing, number-1))
			s.step()
			s.want(membership.Leaving)
			s.check(s.said.Transition > number, "%+v", s.said)
		}},
		{"and so does who changes its weight", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.live(1 * second)
			number := s.said.Transition
			s.says("b", swept(number))
			s.live(13 * second)
			s.check(s.said.Step == membership.Importing, "%+v", s.said)
			s.says("c", takesPart(membership.Importing, number-1))
			s.step()
			s.check(s.said.Step == membership.Announced && s.said.NextWeight == 2 && s.said.Transition > number, "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

// TestBatch: two newcomers, one transition, and no more waiting than for one.
func TestBatch(t *testing.T) {
	rule{"two together", func(s *stage) {
		number := s.announce()
		s.says("c", ready(membership.Announced, number))
		s.says("b", swept(number))
		took := s.liveTo(membership.Importing, time.Minute)
		s.check(took <= 14*second, "IMPORTING after %v", took)
		s.says("c", takesPart(membership.Importing, number))
		s.handsOver("b")
		s.live(1 * second)
		s.want(membership.Active)
		s.step()
		s.wantTask(HandOver, number) // c is not there yet, and n may hold something of it
		s.work()
		s.step()
		s.check(s.said.Done == s.next(), "%+v", s.said)
		s.says("c", takesPart(membership.Active, number))
		s.live(2 * second)
		s.check(fmt.Sprint(s.asked[len(s.asked)-2:]) == "[hand over sweep]", "asked for %v", s.asked)
	}}.test(t)
}

func TestSome(t *testing.T) {
	for want, ids := range map[string][]string{"a": {"a"}, "a, b, c": {"c", "a", "b"}, "a, b, c and 2 more": {"e", "d", "c", "b", "a"}} {
		if got := some(ids); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
