package lifecycle

import (
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// leaving brings the node to LEAVING, and returns its transition.
func (s *stage) leaving() uint64 {
	s.t.Helper()
	s.activate()
	s.in.Leave = true
	s.liveTo(membership.Leaving, 2*second)
	return s.said.Transition
}

func TestLeaving(t *testing.T) {
	for _, r := range []rule{
		{"LEAVING, EXPORTING and LEFT: the same steps as on the way in", func(s *stage) {
			epoch := s.in.Ledger.Epoch()
			s.activate()
			s.in.Leave = true
			s.step()
			s.want(membership.Leaving)
			number := s.said.Transition
			s.check(number > epoch && number == s.said.Stamp, "%+v", s.said)
			s.says("b", swept(number))
			s.in.RoutersSeen = number - 1
			s.live(20 * second)
			s.want(membership.Leaving)
			s.in.RoutersSeen = number
			s.live(1 * second)
			s.want(membership.Exporting)
			s.pass(1 * second)
			s.wantTask(HandOver, number)
			s.pass(20 * second)
			s.want(membership.Exporting)
			next := s.next()
			s.work()
			s.step()
			s.want(membership.Left)
			s.check(s.said.Done == next && s.said.State == membership.Left, "%+v", s.said)
		}},
		{"Dwell", func(s *stage) {
			s.says("b", swept(s.leaving()))
			s.live(11 * second)
			s.want(membership.Leaving)
			s.live(1 * second)
			s.want(membership.Exporting)
		}},
		{"those who receive its keys sweep first", func(s *stage) {
			number := s.leaving()
			s.live(30 * second)
			s.want(membership.Leaving)
			s.wantTask(Nothing, 0) // it receives none
			s.says("b", swept(number))
			s.live(1 * second)
			s.want(membership.Exporting)
		}},
		{"others need not be done with theirs", func(s *stage) {
			number := s.leaving()
			s.other("c", membership.Active)
			s.says("b", swept(number))
			s.says("c", swept(number))
			s.liveTo(membership.Left, 20*second)
		}},
		{"it takes part in a transition that is young", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.in.Leave = true
			s.step()
			s.want(membership.Leaving)
			s.check(s.said.Transition == 50, "%+v", s.said)
		}},
		{"and waits for the end of one that is not, working for that meanwhile", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.live(4 * second)
			s.check(s.said.Swept == 50, "%+v", s.said)
			s.in.Leave = true
			s.live(4 * second)
			s.want(membership.Active)
			s.wantWaits("the transition under way to end")
			s.says("c", takesPart(membership.Importing, 50))
			s.live(2 * second)
			s.check(s.said.Done == s.next(), "%+v", s.said)
			s.says("c", takesPart(membership.Active, 50))
			s.live(1 * second)
			s.want(membership.Leaving)
		}},
		{"LeaveTimeout ends LEAVING", func(s *stage) {
			s.leaving()
			s.live(59 * second)
			s.want(membership.Leaving)
			s.live(2 * second)
			s.want(membership.Left)
		}},
		{"another LeaveTimeout counts from the beginning of the leave", func(s *stage) {
			s.leaving()
			s.live(50 * second)
			s.m.SetLeaveTimeout(2 * time.Minute)
			s.live(69 * second)
			s.want(membership.Leaving)
			s.live(2 * second)
			s.want(membership.Left)
		}},
		{"and EXPORTING", func(s *stage) {
			s.says("b", swept(s.leaving()))
			s.pass(58 * second)
			s.want(membership.Exporting)
			s.pass(3 * second)
			s.want(membership.Left)
		}},
		{"but not of one that is in no hurry: what it has not handed over would be lost", func(s *stage) {
			s.in.Hurry = false
			s.says("b", swept(s.leaving()))
			s.pass(time.Hour)
			s.want(membership.Exporting)
			s.in.Hurry = true // from now on
			s.pass(58 * second)
			s.want(membership.Exporting)
			s.pass(3 * second)
			s.want(membership.Left)
		}},
		{"and the waiting to begin", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.in.Leave = true
			s.pass(59 * second)
			s.want(membership.Active)
			s.pass(3 * second)
			s.want(membership.Left)
		}},
		{"and the waiting to become ACTIVE", func(s *stage) {
			s.imports()
			s.in.Leave = true
			s.live(59 * second)
			s.want(membership.Importing)
			s.live(3 * second)
			s.want(membership.Left)
		}},
		{"one that imports becomes ACTIVE first: keys may be on their way", func(s *stage) {
			s.imports()
			s.in.Leave = true
			s.live(10 * second)
			s.handsOver("b")
			s.live(1 * second)
			s.want(membership.Active)
			s.live(1 * second)
			s.want(membership.Leaving)
		}},
		{"one that is ANNOUNCED holds nothing, and goes at once", func(s *stage) {
			s.announce()
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
			s.check(s.said.State == membership.Left, "not said: %+v", s.said)
		}},
		{"one that is JOINING too, and nobody hears of it", func(s *stage) {
			s.live(5 * second)
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
			s.check(!s.out.Known, "known")
		}},
		{"even without contact", func(s *stage) {
			s.in.Contact, s.in.Leave = false, true
			s.step()
			s.want(membership.Left)
			s.check(!s.out.Known, "known")
		}},
		{"and if the fleet knew it before", func(s *stage) {
			s.announce()
			s.evict("n")
			s.step()
			s.in.Contact, s.in.Leave = false, true
			s.step()
			s.want(membership.Left)
			s.check(s.said.State == membership.Left, "not said: %+v", s.said)
		}},
		{"the last owner leaves at once", func(s *stage) {
			s.activate()
			s.evict("b")
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
		}},
		{"also if all others leave as well, or own nothing", func(s *stage) {
			s.activate()
			s.says("b", takesPart(membership.Exporting, 50))
			s.other("c", membership.Left)
			s.other("d", membership.Joining)
			s.says("m", func(r *ledger.Record) { r.Kind, r.State = membership.Memcached, membership.Active })
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
		}},
		{"but not while one comes that can take its keys", func(s *stage) {
			s.activate()
			s.evict("b")
			s.says("c", takesPart(membership.Announced, 50))
			s.in.Leave = true
			s.step()
			s.want(membership.Leaving)
		}},
		{"the others are gone while it leaves", func(s *stage) {
			s.leaving()
			s.evict("b")
			s.step()
			s.want(membership.Left)
		}},
		{"and while it exports", func(s *stage) {
			s.says("b", swept(s.leaving()))
			s.live(12 * second)
			s.want(membership.Exporting)
			s.evict("b")
			s.step()
			s.want(membership.Left)
		}},
		{"it works for another transition that goes first", func(s *stage) {
			number := s.leaving()
			s.says("c", takesPart(membership.Announced, number-1))
			s.live(2 * second)
			s.check(s.said.Swept == number-1, "%+v", s.said)
			s.says("c", takesPart(membership.Importing, number-1))
			s.live(2 * second)
			s.check(s.said.Done == s.next() && s.said.State == membership.Leaving, "%+v", s.said)
		}},
		{"a change of weight ends first", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.live(2 * second)
			s.in.Leave = true
			s.live(5 * second)
			s.want(membership.Active)
			s.says("b", swept(s.said.Transition))
			s.live(10 * second)
			s.handsOver("b")
			s.liveTo(membership.Leaving, 5*second)
			s.check(s.said.Weight == 2 && s.said.Step == "", "%+v", s.said)
		}},
		{"a server that does not answer hands nothing over", func(s *stage) {
			s.says("b", swept(s.leaving()))
			s.live(12 * second)
			s.want(membership.Exporting)
			s.in.Healthy = false
			s.pass(1 * second)
			s.wantTask(Nothing, 0)
			s.check(s.said.Unhealthy, "%+v", s.said)
			s.live(time.Minute)
			s.want(membership.Left)
		}},
	} {
		r.test(t)
	}
}
